//! The driver for SQLite: one thread that writes, and connections that read without waiting for it.
//!
//! Invariant: an answer to a write goes out only after the commit that holds it is on the disk. All waiting batches
//! share one commit, and one which fails leaves nothing behind and takes nobody along. Nothing else in the program knows that the engine is SQLite.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{Semaphore, oneshot};

use crate::store::batch::Batch;
use crate::store::driver::{DriverError, Migration, Row, Statement, Value};
use crate::store::error::StoreError;

/// How long a write waits for another process, such as the command line beside a running server.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many batches share a commit at most, so that the first of them does not wait for ever.
const BATCHES_A_COMMIT: usize = 512;

/// How many scans run at once: more would only take the processors from each other.
const SCANS: usize = 8;

/// How many steps of SQLite's machine a statement may take on a thread that answers requests: about a millisecond.
const BRIEF: i32 = 50_000;

/// Statements that a connection keeps prepared; filters make their own.
const PREPARED: usize = 128;

/// WAL pages between checkpoints (200 MB): random keys rewrite the same pages again and again, and the longer
/// they are gathered the fewer are copied back.
const CHECKPOINT_PAGES: i64 = 50_000;

/// Page cache of the writer and of one reader, in KiB. Memory maps are not used: every connection's map would
/// count as memory of its own.
const WRITER_CACHE: i64 = 64 * 1024;
const READER_CACHE: i64 = 8 * 1024;

/// What migrations call in SQLite's words.
const WORDS: [(&str, &str); 11] = [
    ("{identity}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("{row_key}", "INTEGER PRIMARY KEY"),
    ("{and_row_key}", ""),
    ("{log_key}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("{and_log_key}", ""),
    // There is one writer: numbers rise in the order of the commits.
    ("{transaction}", "BIGINT NOT NULL DEFAULT 0"),
    ("{text}", "TEXT"),
    ("{blob}", "BLOB"),
    ("{clustered}", "WITHOUT ROWID"),
    ("{json}", ""),
    ("{now}", "strftime('%Y-%m-%dT%H:%M:%S', 'now')"),
];

/// A database file that is open.
pub(super) struct Sqlite {
    readers: Arc<Readers>,
    scans: Arc<Semaphore>,
    queue: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// A batch on its way to the writer, and where the answer goes.
struct Job {
    batch: Batch,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Vec<Row>, StoreError>;

impl Sqlite {
    /// Opens or creates the file and brings its tables up to date.
    pub(super) fn open(path: &Path, migrations: &[Migration]) -> Result<Self, StoreError> {
        let mut connection = connect_writer(path).map_err(fault)?;
        migrate(&mut connection, migrations)?;
        let (queue, jobs) = channel();
        let writer = Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_jobs(&connection, &jobs))
            .map_err(|error| StoreError::unavailable(error.to_string()))?;
        Ok(Self {
            readers: Arc::new(Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()) }),
            scans: Arc::new(Semaphore::new(SCANS)),
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// Runs on the caller's thread: a read by key is shorter than the way to another thread.
    pub(super) fn point(&self, statement: &Statement) -> Answer {
        self.readers.query(statement)
    }

    /// Runs on the caller's thread until it turns out to be long; then it begins anew on another.
    pub(super) async fn brief(&self, statement: Statement) -> Answer {
        match self.readers.query_until(&statement, || true)? {
            Some(rows) => Ok(rows),
            None => self.scan(statement).await,
        }
    }

    /// Runs on another thread, and no longer than somebody waits for the answer.
    pub(super) async fn scan(&self, statement: Statement) -> Answer {
        let stopped = || StoreError::unavailable("the reading threads have stopped");
        let turn = Arc::clone(&self.scans).acquire_owned().await.map_err(|_| stopped())?;
        let readers = Arc::clone(&self.readers);
        let asker = Arc::new(());
        let waits = Arc::downgrade(&asker);
        let scan = tokio::task::spawn_blocking(move || {
            let rows = readers.query_until(&statement, move || waits.strong_count() == 0);
            drop(turn);
            rows
        });
        let rows = scan.await.map_err(|_| stopped())?;
        drop(asker);
        rows?.ok_or_else(|| StoreError::internal("a statement was stopped though its rows were wanted"))
    }

    pub(super) async fn write(&self, batch: Batch) -> Answer {
        let stopped = || StoreError::unavailable("the writing thread has stopped");
        let (answer, wait) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Job { batch, answer }).map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?
    }
}

impl Sqlite {
    /// Writes a copy of one moment of the database into a new file, beside whoever writes. The file is complete and on
    /// the disk when this returns; it is removed if that fails.
    pub(super) async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let (readers, to) = (Arc::clone(&self.readers), to.to_owned());
        let copied = tokio::task::spawn_blocking(move || {
            let unwritable = |error: std::io::Error| StoreError::unavailable(error.to_string());
            let file = new_file(&to).map_err(unwritable)?;
            let target = to.to_str().ok_or_else(|| StoreError::unavailable("the path is not UTF-8"));
            let copied = target.and_then(|target| {
                let statement = Statement::new("VACUUM INTO $1", vec![target.into()]);
                readers.query(&statement)?;
                file.sync_all().map_err(unwritable)
            });
            if copied.is_err() {
                std::fs::remove_file(&to).map_err(unwritable)?;
            }
            copied
        });
        copied.await.map_err(|_| StoreError::unavailable("the copying thread has stopped"))?
    }
}

/// A file that was not there before and that only its owner may read.
fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl Drop for Sqlite {
    /// Finishes what is queued. The writer closes last, because only it can fold the WAL back into the file.
    fn drop(&mut self) {
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has dropped its queue, and with it everybody's answer: nothing is left to report.
            writer.join().ok();
        }
    }
}

/// The connections that read.
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// As many connections as threads read at the same time; one that failed is not used again.
    fn query(&self, statement: &Statement) -> Answer {
        let connection = self.take()?;
        let (_, rows) = run(&connection, statement).map_err(fault)?;
        self.give_back(connection);
        Ok(rows)
    }

    /// The rows; none if `is_over`, which is asked every [`BRIEF`] steps of the statement.
    fn query_until(
        &self,
        statement: &Statement,
        is_over: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        let mut connection = self.take()?;
        connection.progress_handler(BRIEF, Some(is_over)).map_err(fault)?;
        let outcome = run(&connection, statement);
        connection.progress_handler(0, None::<fn() -> bool>).map_err(fault)?;
        let rows = match outcome {
            Ok((_, rows)) => Some(rows),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => None,
            Err(error) => return Err(fault(error)),
        };
        self.give_back(connection);
        Ok(rows)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| connect_reader(&self.path).map_err(fault), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.pragma_update(None, "cache_size", -READER_CACHE)?;
    keep_plans(&connection)?;
    Ok(connection)
}

fn connect_writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// SQLite would plan a statement anew whenever a bound value might matter to its plan, which costs more than to run
/// it. The plans are made for any value (`0002_statistics.sqlite.sql`), so they may stay.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Applies what the file does not have yet, in one transaction, so that two processes that start together agree.
fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), StoreError> {
    let current = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map_err(fault)
    };
    let newest = migrations.iter().map(|migration| migration.number).max().unwrap_or_default();
    let found = current(connection)?;
    if found > newest {
        let detail = format!("the tables are of version {found}, and this program knows {newest}");
        return Err(StoreError::corrupt(detail));
    }
    if found == newest {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fault)?;
    let found = current(&transaction)?;
    for migration in migrations.iter().filter(|migration| migration.number > found) {
        transaction.execute_batch(&migration.spelled(&WORDS)).map_err(fault)?;
        transaction.pragma_update(None, "user_version", migration.number).map_err(fault)?;
    }
    transaction.commit().map_err(fault)
}

/// The writer's life: it ends when the store is dropped and the queue is empty.
fn write_jobs(connection: &Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let waiting = std::iter::once(first).chain(jobs.try_iter()).take(BATCHES_A_COMMIT);
        let (batches, answers): (Vec<_>, Vec<_>) = waiting.map(|job| (job.batch, job.answer)).unzip();
        match commit(connection, &batches) {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // Whoever asked may have gone away; the batch is written all the same.
                    answer.send(result).ok();
                }
            }
            Err(error) => {
                for answer in answers {
                    answer.send(Err(error.clone())).ok();
                }
            }
        }
    }
}

/// Commits the batches together. An error is everybody's; a batch's own failure is in its result.
///
/// Batches seldom fail, and in a savepoint SQLite copies every page that the batch touches: they run without, and once
/// more, each in a savepoint of its own, where one failed and took the others with it.
fn commit(connection: &Connection, batches: &[Batch]) -> Result<Vec<Answer>, StoreError> {
    let mut one_failed = false;
    let together = transaction(connection, || {
        let run = |batch| run_steps(connection, batch).inspect_err(|_| one_failed = true).map(Ok);
        batches.iter().map(run).collect()
    });
    match together {
        Err(_) if one_failed => {
            transaction(connection, || batches.iter().map(|batch| run_batch(connection, batch)).collect())
        }
        together => together,
    }
}

/// Runs something in a transaction, which an error undoes.
fn transaction<T>(
    connection: &Connection,
    run: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    command(connection, "BEGIN IMMEDIATE").map_err(fault)?;
    let committed = run().and_then(|done| command(connection, "COMMIT").map(|()| done).map_err(fault));
    if committed.is_err() && !connection.is_autocommit() {
        command(connection, "ROLLBACK").map_err(fault)?;
    }
    committed
}

/// Runs one batch in a savepoint. The outer error means that SQLite gave up the whole transaction, as it does
/// when the disk is full.
fn run_batch(connection: &Connection, batch: &Batch) -> Result<Answer, StoreError> {
    command(connection, "SAVEPOINT batch").map_err(fault)?;
    let result = run_steps(connection, batch);
    if let Err(error) = &result {
        if connection.is_autocommit() {
            return Err(error.clone());
        }
        command(connection, "ROLLBACK TO batch").map_err(fault)?;
    }
    command(connection, "RELEASE batch").map_err(fault)?;
    Ok(result)
}

fn run_steps(connection: &Connection, batch: &Batch) -> Answer {
    let mut returned = Vec::new();
    for step in &batch.steps {
        let (changed, rows) =
            run(connection, &step.statement).map_err(|error| step.refusal(driver_error(&error)))?;
        step.check(changed)?;
        returned.extend(rows);
    }
    Ok(returned)
}

fn command(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Runs a statement; answers how many rows it changed or returned, and the rows.
fn run(connection: &Connection, statement: &Statement) -> rusqlite::Result<(usize, Vec<Row>)> {
    // SQLite takes `$2` for a name, and `?2` for the second parameter.
    let mut prepared = connection.prepare_cached(&statement.sql.replace('$', "?"))?;
    let wanted = prepared.parameter_count();
    if wanted > statement.params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(statement.params.len(), wanted));
    }
    for (index, value) in (1..=wanted).zip(&statement.params) {
        match value {
            Value::Int(number) => prepared.raw_bind_parameter(index, number)?,
            Value::Text(text) => prepared.raw_bind_parameter(index, text)?,
            Value::Blob(octets) => prepared.raw_bind_parameter(index, octets)?,
            Value::Null => prepared.raw_bind_parameter(index, rusqlite::types::Null)?,
        }
    }
    let columns = prepared.column_count();
    if columns == 0 {
        return Ok((prepared.raw_execute()?, Vec::new()));
    }
    let mut rows = Vec::new();
    let mut cursor = prepared.raw_query();
    while let Some(row) = cursor.next()? {
        let values = (0..columns).map(|index| row.get_ref(index).and_then(|value| read(index, value)));
        rows.push(Row::new(values.collect::<Result<Vec<_>, _>>()?));
    }
    Ok((rows.len(), rows))
}

fn read(index: usize, value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(octets) => {
            let text = str::from_utf8(octets).map_err(|error| rusqlite::Error::Utf8Error(index, error))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Blob(octets) => Value::Blob(octets.to_vec()),
        ValueRef::Real(_) => {
            let name = "a number with a fraction".to_owned();
            return Err(rusqlite::Error::InvalidColumnType(index, name, rusqlite::types::Type::Real));
        }
    })
}

fn fault(error: rusqlite::Error) -> StoreError {
    driver_error(&error).into()
}

fn driver_error(error: &rusqlite::Error) -> DriverError {
    let detail = error.to_string();
    let Some(cause) = error.sqlite_error() else {
        return match error {
            rusqlite::Error::Utf8Error(..) | rusqlite::Error::InvalidColumnType(..) => {
                DriverError::Corrupt(detail)
            }
            _ => DriverError::Other(detail),
        };
    };
    match cause.code {
        ErrorCode::ConstraintViolation
            if matches!(cause.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY) =>
        {
            DriverError::Duplicate(detail)
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => DriverError::Corrupt(detail),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::DiskFull
        | ErrorCode::ReadOnly
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::SystemIoFailure
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OutOfMemory => DriverError::Unavailable(detail),
        _ => DriverError::Other(detail),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;
    use crate::store::batch::Step;

    #[test]
    fn a_full_disk_is_unavailable_and_passes() {
        let directory = tempfile::tempdir().unwrap();
        let migration = Migration { number: 1, sql: "CREATE TABLE t (x TEXT)" };
        let sqlite = Sqlite::open(&directory.path().join("t.db"), &[migration]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let write = |sql: &'static str| runtime.block_on(sqlite.write(Step::new(sql, Vec::new()).into()));
        let fill = "INSERT INTO t VALUES (hex(zeroblob(100000)))";
        write("PRAGMA max_page_count = 3").unwrap();
        let full = write(fill).unwrap_err();
        assert!(matches!(full, StoreError::Unavailable(_)), "{full:?}");
        let count = Statement::new("SELECT COUNT(*) FROM t", Vec::new());
        assert_eq!(sqlite.point(&count).unwrap().remove(0).int(), Ok(0));
        write("PRAGMA max_page_count = 1000").unwrap();
        write(fill).unwrap();
        assert_eq!(sqlite.point(&count).unwrap().remove(0).int(), Ok(1));
    }

    #[test]
    fn what_may_pass_is_unavailable_and_what_is_damaged_is_corrupt() {
        let kind = |code| driver_error(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_FULL,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_CANTOPEN,
        ] {
            assert!(matches!(kind(code), DriverError::Unavailable(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(matches!(kind(code), DriverError::Corrupt(_)), "{code}");
        }
        for code in [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY] {
            assert!(matches!(kind(code), DriverError::Duplicate(_)), "{code}");
        }
        assert!(matches!(kind(ffi::SQLITE_ERROR), DriverError::Other(_)));
    }
}
