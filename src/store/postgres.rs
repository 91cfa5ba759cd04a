//! The driver for PostgreSQL: a pool of connections, and batches that travel as a whole.
//!
//! Invariant: a batch is one transaction, READ COMMITTED, and once begun it goes on without whoever asked for it. All
//! its statements are sent before the first answer is awaited; the COMMIT goes with them unless a guard has to be
//! checked first. A connection on which something may still be going on is closed, and the server told to stop it.

use std::collections::{BTreeSet, HashMap};
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures_util::TryStreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, MaybeDone, maybe_done, try_join_all};
use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement as Prepared};

use crate::store::batch::Batch;
use crate::store::driver::{Migration, Row, Statement, Value};
use crate::store::error::StoreError;

mod tls;
mod url;
mod value;

pub use url::PostgresUrl;

use tls::MakeRustlsConnect;
use value::{Param, detail, driver_error, is_refusal, is_storable, may_pass};

/// How long a request waits for a connection to be free, or to be made.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements that a connection keeps prepared; filters make their own.
const PREPARED: usize = 256;

/// How often a batch is run again after it met another transaction, and the longest pause before that.
const RETRIES: u32 = 12;
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The beginning of a batch, whatever the server's defaults are.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// What keeps replicas that start together from creating the tables twice: a number that other programs do not use.
const MIGRATION_LOCK: i64 = 0x006D_7573_7465_7201;

/// What migrations call in PostgreSQL's words.
const WORDS: [(&str, &str); 11] = [
    ("{identity}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    ("{row_key}", "BIGINT NOT NULL"),
    ("{and_row_key}", ", PRIMARY KEY (tenant, pk)"),
    ("{log_key}", "BIGINT GENERATED ALWAYS AS IDENTITY"),
    ("{and_log_key}", ", PRIMARY KEY (tenant, seq)"),
    ("{transaction}", "XID8 NOT NULL DEFAULT pg_current_xact_id()"),
    ("{text}", "TEXT COLLATE \"C\""),
    ("{blob}", "BYTEA"),
    ("{clustered}", ""),
    ("{json}", "::json"),
    ("{now}", "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"),
];

/// A database of PostgreSQL.
#[derive(Clone)]
pub(super) struct Postgres {
    pool: Pool,
    tls: MakeRustlsConnect,
}

type Answer = Result<Vec<Row>, StoreError>;

/// How many rows a statement changed or returned, and the rows.
type Reply = Result<(usize, Vec<Row>), Error>;

impl Postgres {
    /// Connects and brings the tables up to date. A server that refuses the first connection would refuse the next;
    /// later, somebody may be about to mend what was changed.
    pub(super) async fn open(url: &PostgresUrl, migrations: &[Migration]) -> Result<Self, StoreError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let tls = tls::connector(&url.trust)?;
        let manager = Manager::from_config((*url.config).clone(), tls.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(url.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| StoreError::internal(error.to_string()))?;
        // Whatever else goes wrong, the migrations will meet it.
        if let Err(PoolError::Backend(error)) = pool.get().await
            && is_refusal(&error)
        {
            return Err(StoreError::refused(detail(&error)));
        }
        let postgres = Self { pool, tls };
        postgres.migrate(migrations).await?;
        Ok(postgres)
    }

    /// Runs a statement that only reads.
    pub(super) async fn read(&self, statement: &Statement) -> Answer {
        // No text in the database has U+0000, so a key with it leads nowhere.
        if !statement.params.iter().all(is_storable) {
            return Ok(Vec::new());
        }
        let lease = self.lease().await?;
        let client = lease.client()?;
        let rows = async {
            let prepared = client.prepare_cached(&statement.sql).await?;
            run(client, &prepared, &statement.params).await
        };
        let rows = rows.await;
        lease.give_back();
        rows.map(|(_, rows)| rows).map_err(fault)
    }

    /// Runs a batch to its end, also if the caller goes away.
    pub(super) async fn write(&self, batch: Batch) -> Answer {
        let postgres = self.clone();
        let task = tokio::spawn(async move { postgres.write_batch(&batch).await });
        task.await.map_err(|_| StoreError::unavailable("the program is stopping"))?
    }

    async fn write_batch(&self, batch: &Batch) -> Answer {
        for attempt in 0..RETRIES {
            match self.attempt(batch).await? {
                Outcome::Done(rows) => return Ok(rows),
                Outcome::Refused(error) => return Err(error),
                Outcome::MayPass => tokio::time::sleep(pause(attempt)).await,
            }
        }
        Err(StoreError::unavailable("the batch met other transactions again and again"))
    }

    async fn attempt(&self, batch: &Batch) -> Result<Outcome, StoreError> {
        let lease = self.lease().await?;
        let outcome = transact(lease.client()?, batch).await?;
        lease.give_back();
        Ok(outcome)
    }

    /// A connection that is not in use.
    async fn lease(&self) -> Result<Lease, StoreError> {
        let client = self.pool.get().await.map_err(|error| match error {
            // Whatever keeps a connection from being made, it may work later.
            PoolError::Backend(error) => StoreError::unavailable(detail(&error)),
            error => StoreError::unavailable(error.to_string()),
        })?;
        if client.statement_cache.size() > PREPARED {
            client.statement_cache.clear();
        }
        Ok(Lease { client: Some(client), tls: self.tls.clone() })
    }

    /// Applies what the database does not have yet, in one transaction, one process at a time.
    async fn migrate(&self, migrations: &[Migration]) -> Result<(), StoreError> {
        let newest = migrations.iter().map(|migration| migration.number).max().unwrap_or_default();
        let lease = self.lease().await?;
        let client = lease.client()?;
        let encoding: String = client
            .query_one("SHOW server_encoding", &[])
            .await
            .and_then(|row| row.try_get(0))
            .map_err(fault)?;
        if encoding != "UTF8" {
            return Err(StoreError::corrupt(format!("the database holds {encoding}, and must hold UTF8")));
        }
        if version(client).await? < newest {
            let begin = format!(
                "{BEGIN}; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                 SELECT pg_advisory_xact_lock({MIGRATION_LOCK}); \
                 CREATE TABLE IF NOT EXISTS schema_version (number BIGINT NOT NULL PRIMARY KEY)"
            );
            client.batch_execute(&begin).await.map_err(fault)?;
            let found = version(client).await?;
            for migration in migrations.iter().filter(|migration| migration.number > found) {
                client.batch_execute(&migration.spelled(&WORDS)).await.map_err(fault)?;
                let done = format!("INSERT INTO schema_version (number) VALUES ({})", migration.number);
                client.batch_execute(&done).await.map_err(fault)?;
            }
            client.batch_execute("COMMIT").await.map_err(fault)?;
        }
        let found = version(client).await?;
        if found > newest {
            let detail = format!("the tables are of version {found}, and this program knows {newest}");
            return Err(StoreError::corrupt(detail));
        }
        lease.give_back();
        Ok(())
    }
}

/// A connection that is closed, and what was begun on it stopped, unless it is given back: whoever asked has gone, or
/// nobody knows how far it came.
struct Lease {
    client: Option<Object>,
    tls: MakeRustlsConnect,
}

impl Lease {
    fn client(&self) -> Result<&Object, StoreError> {
        self.client.as_ref().ok_or_else(|| StoreError::internal("a connection was given back too early"))
    }

    fn give_back(mut self) {
        self.client = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.client.take().map(Object::take) else { return };
        if let (Ok(runtime), false) = (Handle::try_current(), client.is_closed()) {
            let (token, tls) = (client.cancel_token(), self.tls.clone());
            // Where the server cannot be told, its own time limit ends the statement.
            runtime.spawn(async move { token.cancel_query(tls).await.ok() });
        }
    }
}

/// What an attempt at a batch came to. Its transaction has ended in any case.
enum Outcome {
    /// It is written.
    Done(Vec<Row>),
    /// Nothing is written.
    Refused(StoreError),
    /// Nothing is written, because it met another transaction.
    MayPass,
}

/// Runs a batch once. After an error nobody knows what became of the transaction, and the connection must go.
async fn transact(client: &Object, batch: &Batch) -> Result<Outcome, StoreError> {
    let prepared = prepare(client, batch).await.map_err(fault)?;
    let mut requests = vec![command(client, BEGIN)];
    for (step, prepared) in batch.steps.iter().zip(&prepared) {
        requests.push(run(client, prepared, &step.statement.params).boxed());
    }
    // After a statement that failed, COMMIT rolls back.
    let commits_at_once = !batch.is_guarded();
    if commits_at_once {
        requests.push(command(client, "COMMIT"));
    }
    let mut replies = pipeline(requests).await.into_iter();
    // Such as a server that only reads now, because another one took over.
    replies.next().transpose().map_err(|error| StoreError::unavailable(detail(&error)))?;
    let rows = match check(batch, &mut replies) {
        Ok(rows) => rows,
        Err(outcome) if commits_at_once => return Ok(outcome),
        Err(outcome) => {
            command(client, "ROLLBACK").await.map_err(fault)?;
            return Ok(outcome);
        }
    };
    let committed = if commits_at_once {
        replies.next().transpose().map(drop)
    } else {
        command(client, "COMMIT").await.map(drop)
    };
    match committed {
        Ok(()) => Ok(Outcome::Done(rows)),
        Err(error) if may_pass(&error) => Ok(Outcome::MayPass),
        Err(error) => Err(fault(error)),
    }
}

/// The rows that the statements returned, if each did what it must.
fn check(batch: &Batch, replies: &mut impl Iterator<Item = Reply>) -> Result<Vec<Row>, Outcome> {
    let mut returned = Vec::new();
    for (step, reply) in batch.steps.iter().zip(replies) {
        let (changed, rows) = reply.map_err(|error| match driver_error(&error) {
            _ if may_pass(&error) => Outcome::MayPass,
            error => Outcome::Refused(step.refusal(error)),
        })?;
        step.check(changed).map_err(Outcome::Refused)?;
        returned.extend(rows);
    }
    Ok(returned)
}

/// The statements of a batch, prepared; those that the connection does not know yet all at once.
async fn prepare(client: &Object, batch: &Batch) -> Result<Vec<Prepared>, Error> {
    let texts = || batch.steps.iter().map(|step| &*step.statement.sql);
    let distinct: BTreeSet<&str> = texts().collect();
    let prepared = distinct.into_iter().map(async |sql| Ok((sql, client.prepare_cached(sql).await?)));
    let prepared: HashMap<&str, Prepared> = try_join_all(prepared).await?.into_iter().collect();
    Ok(texts().filter_map(|sql| prepared.get(sql).cloned()).collect())
}

/// Sends all requests, in their order, before it waits for the first reply.
async fn pipeline(requests: Vec<BoxFuture<'_, Reply>>) -> Vec<Reply> {
    let mut requests: Vec<MaybeDone<BoxFuture<'_, Reply>>> = requests.into_iter().map(maybe_done).collect();
    poll_fn(|context| {
        // A request is sent when it is polled for the first time.
        let polled = requests.iter_mut().map(|request| Pin::new(request).poll(context).is_ready());
        Poll::Ready(polled.count())
    })
    .await;
    let mut replies = Vec::new();
    for mut request in requests {
        Pin::new(&mut request).await;
        replies.extend(Pin::new(&mut request).take_output());
    }
    replies
}

fn command<'a>(client: &'a Client, sql: &'a str) -> BoxFuture<'a, Reply> {
    client.batch_execute(sql).map(|done| done.map(|()| (0, Vec::new()))).boxed()
}

async fn run(client: &Client, prepared: &Prepared, params: &[Value]) -> Reply {
    let mut answer = pin!(client.query_raw(prepared, params.iter().map(Param)).await?);
    let mut rows = Vec::new();
    while let Some(row) = answer.try_next().await? {
        rows.push(value::row(&row)?);
    }
    let changed = answer.rows_affected().unwrap_or_default();
    Ok((usize::try_from(changed).unwrap_or(usize::MAX), rows))
}

/// The number of the last migration; 0 of an empty database.
async fn version(client: &Client) -> Result<i64, StoreError> {
    match client.query_one("SELECT MAX(number) FROM schema_version", &[]).await {
        Ok(row) => row.try_get::<_, Option<i64>>(0).map(Option::unwrap_or_default).map_err(fault),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(0),
        Err(error) => Err(fault(error)),
    }
}

/// Twice as long after every attempt, and for everybody another time, so that the same ones do not meet again.
fn pause(attempt: u32) -> Duration {
    let longest = Duration::from_millis(1 << attempt).min(LONGEST_PAUSE);
    let part = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

fn fault(error: Error) -> StoreError {
    driver_error(&error).into()
}
