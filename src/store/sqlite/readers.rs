//! The connections that read, and the moments that the requests of a thread share.
//!
//! A moment is a read transaction: to begin and to end one costs as much as to find a row. The request that begins one
//! lets others have their turn on the thread, as long as some come and read in it too, and then ends it.
//!
//! Invariant: a read sees whatever this process acknowledged before it, and whatever another process committed
//! [`OVERLOOKED`] before it. No moment outlives the request that began it, and none is open while a thread has nothing
//! to do.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use thread_local::ThreadLocal;
use tokio::task::yield_now;

use crate::store::driver::{Row, Statement};
use crate::store::error::StoreError;
use crate::store::sqlite::{PATIENCE, PREPARED, command, fault, keep_plans, run};

/// How long a commit of another process may be overlooked.
const OVERLOOKED: Duration = Duration::from_millis(1);

/// How many steps of SQLite's machine a statement may take on a thread that answers requests: about a millisecond.
const BRIEF: i32 = 50_000;

/// Page cache of all connections of short reads together, in KiB: room for the inner pages of the indexes of millions of
/// users. Memory maps are not used: what they show counts as memory of the process.
const CACHES: i64 = 40 * 1024;

/// Page cache of a connection of long reads, in KiB.
const CACHE: i64 = 2 * 1024;

/// The connections that read a file.
pub(super) struct Readers {
    path: PathBuf,
    commits: Commits,
    desks: ThreadLocal<Arc<Desk>>,
    /// Those of long reads, which have a transaction each.
    idle: Mutex<Vec<Connection>>,
}

/// How often this process has committed; counted before a commit is acknowledged. Clones count together.
#[derive(Clone, Default)]
pub(super) struct Commits(Arc<AtomicU64>);

impl Commits {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Readers {
    pub(super) fn new(path: &Path, commits: Commits) -> Self {
        Self { path: path.to_owned(), commits, desks: ThreadLocal::new(), idle: Mutex::default() }
    }

    /// The rows of a short statement, which runs on the caller's thread; none if it turns out to be long.
    pub(super) async fn brief(&self, statement: &Statement) -> Result<Option<Vec<Row>>, StoreError> {
        let desk = self.desks.get_or_default();
        let (rows, begun) = desk.read(self, statement)?;
        if let Some(number) = begun {
            let closing = Closing { desk: Arc::clone(desk), number };
            others().await;
            while closing.is_in_use() {
                others().await;
            }
        }
        Ok(rows)
    }

    /// The rows of a long statement in a transaction of its own; none if `is_over`, which is asked again and again.
    pub(super) fn scan(
        &self,
        statement: &Statement,
        is_over: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        let idle = locked(&self.idle).pop();
        let mut connection = idle.map_or_else(|| connect(&self.path, CACHE), Ok)?;
        connection.progress_handler(BRIEF, Some(is_over)).map_err(fault)?;
        let rows = run_until(&connection, statement)?;
        connection.progress_handler(0, None::<fn() -> bool>).map_err(fault)?;
        locked(&self.idle).push(connection);
        Ok(rows)
    }

    /// Closes what is open and not in use.
    pub(super) fn close(&self) {
        locked(&self.idle).clear();
        for desk in &self.desks {
            let mut state = locked(&desk.0);
            (state.moment, state.idle) = (None, None);
        }
    }
}

/// Where the requests of one thread read.
#[derive(Default)]
struct Desk(Mutex<State>);

#[derive(Default)]
struct State {
    /// The moment that is open.
    moment: Option<Moment>,
    /// The connection while none is open; none before the first, and after one that failed.
    idle: Option<Connection>,
    /// How many moments there were.
    moments: u64,
}

/// A connection with an open transaction, and what that sees at least.
struct Moment {
    connection: Connection,
    commits: u64,
    began: Instant,
    /// Whether somebody has read in it since whoever began it last looked.
    in_use: bool,
}

impl Desk {
    /// Reads in the moment that is open if that is fresh, else in a new one, whose number is answered, too.
    fn read(
        &self,
        readers: &Readers,
        statement: &Statement,
    ) -> Result<(Option<Vec<Row>>, Option<u64>), StoreError> {
        let commits = readers.commits.so_far();
        let mut state = locked(&self.0);
        let (moment, begun) = match state.moment.take() {
            Some(moment) if moment.is_fresh(commits) => (Moment { in_use: true, ..moment }, None),
            stale => {
                let connection = stale.map(Moment::end).transpose()?.or_else(|| state.idle.take());
                let connection = connection.map_or_else(|| connect_brief(&readers.path), Ok)?;
                state.moments += 1;
                (Moment::begin(connection, commits)?, Some(state.moments))
            }
        };
        let rows = run_until(&moment.connection, statement)?;
        state.moment = Some(moment);
        Ok((rows, begun))
    }
}

impl Moment {
    /// The transaction takes its snapshot with the first statement, so what it sees is newer than what is noted here.
    fn begin(connection: Connection, commits: u64) -> Result<Self, StoreError> {
        let began = Instant::now();
        command(&connection, "BEGIN").map_err(fault)?;
        Ok(Self { connection, commits, began, in_use: false })
    }

    fn is_fresh(&self, commits: u64) -> bool {
        self.commits == commits && self.began.elapsed() < OVERLOOKED
    }

    fn end(self) -> Result<Connection, StoreError> {
        command(&self.connection, "COMMIT").map_err(fault)?;
        Ok(self.connection)
    }
}

/// Ends a moment, unless a later one has taken its place.
struct Closing {
    desk: Arc<Desk>,
    number: u64,
}

impl Closing {
    /// Whether others came to the moment since this was asked, and may come still.
    fn is_in_use(&self) -> bool {
        let mut state = locked(&self.desk.0);
        let is_own = state.moments == self.number;
        let moment = state.moment.as_mut().filter(|moment| is_own && moment.began.elapsed() < OVERLOOKED);
        moment.is_some_and(|moment| std::mem::take(&mut moment.in_use))
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let mut state = locked(&self.desk.0);
        if state.moments == self.number {
            // A connection that cannot end its transaction is closed, and that ends it.
            state.idle = state.moment.take().and_then(|moment| moment.end().ok());
        }
    }
}

/// Ready when whatever was ready on the thread had its turn. Not before, though it be polled before: actix polls twice in
/// a turn, which [`yield_now`] takes for two turns.
fn others() -> impl Future<Output = ()> {
    let mut turn: Option<Arc<Turn>> = None;
    poll_fn(move |cx| {
        let begins = turn.is_none();
        let turn = turn.get_or_insert_default();
        turn.waker.register(cx.waker());
        if begins {
            let waker = Waker::from(Arc::clone(turn));
            return pin!(yield_now()).poll(&mut Context::from_waker(&waker));
        }
        if turn.is_over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// Whether the others had their turn, and whom to tell.
#[derive(Default)]
struct Turn {
    is_over: AtomicBool,
    waker: AtomicWaker,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.waker.wake();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The rows; none if the connection's progress handler stopped the statement.
fn run_until(connection: &Connection, statement: &Statement) -> Result<Option<Vec<Row>>, StoreError> {
    match run(connection, statement) {
        Ok((_, rows)) => Ok(Some(rows)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

/// A connection on which no statement takes long.
fn connect_brief(path: &Path) -> Result<Connection, StoreError> {
    let threads = available_parallelism().map_or(1, |count| i64::try_from(count.get()).unwrap_or(CACHES));
    let mut connection = connect(path, CACHES / threads)?;
    connection.progress_handler(BRIEF, Some(|| true)).map_err(fault)?;
    Ok(connection)
}

fn connect(path: &Path, cache: i64) -> Result<Connection, StoreError> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.pragma_update(None, "cache_size", -cache)?;
        keep_plans(&connection)?;
        Ok(connection)
    };
    open().map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A file with a table, a connection that writes like another process, and readers.
    fn table() -> (tempfile::TempDir, Connection, Commits, Readers) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "journal_mode", "WAL").unwrap();
        other.execute_batch("CREATE TABLE t (x TEXT)").unwrap();
        let commits = Commits::default();
        let readers = Readers::new(&path, commits.clone());
        (directory, other, commits, readers)
    }

    fn insert(other: &Connection) {
        other.execute("INSERT INTO t VALUES ('x')", []).unwrap();
    }

    async fn count(readers: &Readers) -> i64 {
        let count = Statement::new("SELECT COUNT(*) FROM t", Vec::new());
        readers.brief(&count).await.unwrap().unwrap().remove(0).int().unwrap()
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// Whether nobody reads in an older moment.
    fn is_quiet(other: &Connection) -> bool {
        let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
        !other.query_row(fold, [], |row| row.get::<_, bool>(0)).unwrap()
    }

    #[test]
    fn what_was_acknowledged_is_seen_while_an_older_moment_is_open() {
        let (_directory, other, commits, readers) = table();
        let mut first = pin!(count(&readers));
        assert_eq!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
        insert(&other);
        commits.count();
        assert_eq!(block_on(count(&readers)), 1);
        assert_eq!(block_on(first), 0);
    }

    #[test]
    fn whoever_is_polled_before_the_others_had_their_turn_waits_for_them() {
        let turns = std::cell::RefCell::new(Vec::new());
        let mut first = pin!(others());
        let polled_twice = poll_fn(|cx| match first.as_mut().poll(cx) {
            Poll::Pending => first.as_mut().poll(cx).map(|()| turns.borrow_mut().push("first")),
            ready => ready.map(|()| turns.borrow_mut().push("first")),
        });
        let second = async { turns.borrow_mut().push("second") };
        block_on(async { tokio::join!(biased; polled_twice, second) });
        assert_eq!(*turns.borrow(), ["second", "first"]);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "time must pass")]
    fn what_another_process_wrote_is_seen_soon() {
        let (_directory, other, _, readers) = table();
        let mut first = pin!(count(&readers));
        assert_eq!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
        insert(&other);
        thread::sleep(OVERLOOKED);
        assert_eq!(block_on(count(&readers)), 1);
    }

    #[test]
    fn a_moment_ends_with_its_request_also_if_that_is_given_up() {
        let (_directory, other, _, readers) = table();
        other.busy_timeout(Duration::ZERO).unwrap();
        {
            let mut first = pin!(count(&readers));
            assert_eq!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
            insert(&other);
            assert!(!is_quiet(&other), "the moment is open");
        }
        assert!(is_quiet(&other));
        block_on(count(&readers));
        insert(&other);
        assert!(is_quiet(&other));
    }

    #[test]
    fn a_short_statement_never_becomes_long_by_running_often() {
        let (_directory, other, _, readers) = table();
        let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
                    INSERT INTO t SELECT i FROM n";
        other.execute_batch(fill).unwrap();
        let sum = Statement::new("SELECT SUM(x) FROM t WHERE x > $1", vec![0.into()]);
        let is_brief = |sum: &Statement| block_on(readers.brief(sum)).unwrap().is_some();
        assert!((0..100).all(|_| is_brief(&sum)));
        // Those that begin and end a moment are short, too.
        let read = async {
            for _ in 0..20_000 {
                count(&readers).await;
            }
        };
        block_on(read);
        let long = "SELECT COUNT(*) FROM t a, t b WHERE a.x < b.x";
        assert!(!is_brief(&Statement::new(long, Vec::new())));
        assert!(is_brief(&sum));
    }
}
