//! The thread that writes.
//!
//! Invariant: an answer to a write goes out only after the commit that holds it is on the disk. All waiting batches
//! share one commit, and one which fails leaves nothing behind and takes nobody along.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::store::batch::Batch;
use crate::store::error::StoreError;
use crate::store::sqlite::readers::Commits;
use crate::store::sqlite::{Answer, PATIENCE, PREPARED, command, driver_error, fault, keep_plans, run};

/// How many batches share a commit at most, so that the first of them does not wait for ever.
const BATCHES_A_COMMIT: usize = 512;

/// How many pages the log has when it is folded back into the file (200 MB): random keys rewrite the same pages again
/// and again, and the longer they are gathered the fewer are copied back.
const LOG_PAGES: i32 = 50_000;

/// How long the writer waits for reads when it folds the log.
const SHORT_READS: Duration = Duration::from_millis(20);

/// Page cache of the writer, in KiB.
const CACHE: i64 = 48 * 1024;

/// A batch on its way to the writer, and where the answer goes.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The one connection that writes.
pub(super) struct Writer {
    path: PathBuf,
    connection: Connection,
    commits: Commits,
    /// The thread that copies the log into the file, while it does.
    copying: Option<JoinHandle<()>>,
    /// How many pages the log had after the last commit.
    log: Arc<AtomicI32>,
    /// How many of them are enough to fold it.
    full: i32,
    /// How many it has when it is folded next.
    next: i32,
}

impl Writer {
    pub(super) fn connect(path: &Path, commits: Commits) -> Result<Self, StoreError> {
        let log = Arc::new(AtomicI32::new(0));
        let pages = Arc::clone(&log);
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(PATIENCE)?;
            connection.set_prepared_statement_cache_capacity(PREPARED);
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "cache_size", -CACHE)?;
            // In the place of SQLite's own hook, which would fold the log before the commit is acknowledged.
            connection.wal_hook(Some(move |_: &mut Wal, length| {
                pages.store(length, Ordering::Relaxed);
                Ok(())
            }))?;
            keep_plans(&connection)?;
            Ok(connection)
        };
        Ok(Self {
            path: path.to_owned(),
            connection: open().map_err(fault)?,
            commits,
            copying: None,
            log,
            full: LOG_PAGES,
            next: LOG_PAGES,
        })
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The writer's life: it ends when the store is dropped and the queue is empty.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let waiting = std::iter::once(first).chain(jobs.try_iter()).take(BATCHES_A_COMMIT);
            let (batches, answers): (Vec<_>, Vec<_>) = waiting.map(|job| (job.batch, job.answer)).unzip();
            let outcome = commit(&self.connection, &batches);
            self.commits.count();
            match outcome {
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
            self.fold_full_log();
        }
        self.copying.map(JoinHandle::join);
    }

    /// Folds the log back into the file when it is full, so that it begins anew. First another thread copies what is in it,
    /// beside whoever writes, who wait for it only if the log becomes half as long again; then little is left to do here. It
    /// waits for short reads, which see an older moment, and not for long ones: where one goes on, the log grows a bit and
    /// is tried again.
    fn fold_full_log(&mut self) {
        let pages = self.log.load(Ordering::Relaxed);
        if pages < self.next {
            return;
        }
        let is_urgent = pages > self.next.saturating_add(self.next / 2);
        match self.copying.take() {
            None => {
                let path = self.path.clone();
                let copy = Builder::new().name("store-copier".to_owned()).spawn(move || copy_log(&path));
                self.copying = copy.ok();
            }
            Some(copying) if copying.is_finished() || is_urgent => drop(copying.join()),
            unfinished => self.copying = unfinished,
        }
        if self.copying.is_some() {
            return;
        }
        let fold = || {
            self.connection.busy_timeout(SHORT_READS)?;
            let fold = "PRAGMA wal_checkpoint(RESTART)";
            self.connection.query_row(fold, [], |row| row.get::<_, bool>(0))
        };
        // What could not be folded, for whatever reason, is in the log still, and safe.
        let is_left = fold().unwrap_or(true);
        self.connection.busy_timeout(PATIENCE).ok();
        self.next = if is_left { pages.saturating_add(pages / 10) } else { self.full };
    }
}

/// Copies the log into the file as far as nobody needs what is there. What fails here is tried again when the log is folded.
fn copy_log(path: &Path) {
    let copy = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    };
    copy().ok();
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;
    use crate::store::batch::Step;
    use crate::store::driver::Statement;
    use crate::store::sqlite::readers::Readers;

    #[test]
    fn the_log_begins_anew_though_somebody_reads_all_the_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let commits = Commits::default();
        let mut writer = Writer::connect(&path, commits.clone()).unwrap();
        (writer.full, writer.next) = (20, 20);
        let log = Arc::clone(&writer.log);
        let readers = Readers::new(&path, commits);
        let write = |sql: &'static str, queue: &std::sync::mpsc::Sender<Job>| {
            let (answer, wait) = oneshot::channel();
            queue.send(Job { batch: Step::new(sql, Vec::new()).into(), answer }).unwrap();
            wait.blocking_recv().unwrap().unwrap();
        };
        let (queue, jobs) = std::sync::mpsc::channel();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(move || writer.run(&jobs));
            write("CREATE TABLE t (x TEXT)", &queue);
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let count = Statement::new("SELECT COUNT(*) FROM t", Vec::new());
                while !ended.load(Ordering::Relaxed) {
                    runtime.block_on(readers.brief(&count)).unwrap();
                }
            });
            let mut longest = 0;
            for _ in 0..300 {
                write("INSERT INTO t VALUES (hex(zeroblob(2000)))", &queue);
                longest = longest.max(log.load(Ordering::Relaxed));
            }
            ended.store(true, Ordering::Relaxed);
            drop(queue);
            assert!(longest < 300, "{longest} pages");
        });
    }
}
