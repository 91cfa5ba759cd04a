//! The driver for SQLite: one thread that writes, and connections that read without waiting for it.
//!
//! Invariant: nothing else in the program knows that the engine is SQLite.

mod readers;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, ErrorCode, StatementStatus};
use tokio::sync::{Semaphore, oneshot};

use crate::store::batch::Batch;
use crate::store::driver::{Dialect, DriverError, Migration, Row, Statement, Value};
use crate::store::error::StoreError;
use readers::{Commits, Readers};
use writer::{Job, Writer};

/// How long a write waits for another process, such as the command line beside a running server.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many scans run at once: more would only take the processors from each other.
const SCANS: usize = 8;

/// Statements that a connection keeps prepared; filters make their own.
const PREPARED: usize = 128;

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

type Answer = Result<Vec<Row>, StoreError>;

impl Sqlite {
    /// Opens or creates the file and brings its tables up to date.
    pub(super) fn open(path: &Path, migrations: &[Migration]) -> Result<Self, StoreError> {
        let commits = Commits::default();
        let mut writer = Writer::connect(path, commits.clone())?;
        migrate(writer.connection(), migrations)?;
        let (queue, jobs) = channel();
        let writer = Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&jobs))
            .map_err(|error| StoreError::unavailable(error.to_string()))?;
        Ok(Self {
            readers: Arc::new(Readers::new(path, commits)),
            scans: Arc::new(Semaphore::new(SCANS)),
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// Runs on the caller's thread, because a read by key is shorter than the way to another, until it turns out to be
    /// long; then it begins anew on another.
    pub(super) async fn brief(&self, statement: &Statement) -> Answer {
        match self.readers.brief(statement).await? {
            Some(rows) => Ok(rows),
            None => self.scan(statement.clone()).await,
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
            let rows = readers.scan(&statement, move || waits.strong_count() == 0);
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
                readers.scan(&statement, || false)?;
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
        self.readers.close();
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has dropped its queue, and with it everybody's answer: nothing is left to report.
            writer.join().ok();
        }
    }
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

fn command(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    prepare(connection, sql)?.execute([]).map(drop)
}

/// A statement that was prepared before, if it was. Its steps are counted anew, and not over all its lives.
fn prepare<'a>(connection: &'a Connection, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
    let prepared = connection.prepare_cached(sql)?;
    prepared.reset_status(StatementStatus::VmStep);
    Ok(prepared)
}

/// Runs a statement; answers how many rows it changed or returned, and the rows.
fn run(connection: &Connection, statement: &Statement) -> rusqlite::Result<(usize, Vec<Row>)> {
    let sql: &str = &statement.sql;
    let mut prepared = match sql.contains('$') {
        true => prepare(connection, &Dialect::Sqlite.spelled(sql))?,
        false => prepare(connection, sql)?,
    };
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
        let mut values = Vec::with_capacity(columns);
        for index in 0..columns {
            values.push(read(index, row.get_ref(index)?)?);
        }
        rows.push(Row::new(values));
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
        let counted = || runtime.block_on(sqlite.brief(&count)).unwrap().remove(0).int();
        assert_eq!(counted(), Ok(0));
        write("PRAGMA max_page_count = 1000").unwrap();
        write(fill).unwrap();
        assert_eq!(counted(), Ok(1));
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
