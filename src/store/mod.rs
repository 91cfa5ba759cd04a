//! The store: every resource, membership, tenant and token, and the only way to them.
//!
//! Invariant: all SQL is written here, once, for every engine; an engine is a [`Driver`](driver::Driver). A write is
//! a batch of guarded statements computed from what was read, so no rule of the directory runs inside a
//! transaction. Values are bound, never spliced, and SQL compares them byte by byte as [`Key`](crate::scim::key::Key)s.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::id::TenantId;
use crate::scim::registry::Registry;

mod batch;
mod beside;
mod bulk;
mod contacts;
mod deleted;
mod drive;
mod driver;
mod error;
mod explain;
mod judgement;
mod layout;
mod lookup;
mod lower;
mod members;
mod nesting;
mod postgres;
mod record;
mod rows;
mod schemas;
mod seal;
mod search;
mod sqlite;
mod stretch;
mod tenants;
mod together;
mod url;
mod verify;
mod walk;
mod write;

pub use beside::{Aside, Challenge, Outgoing};
pub use bulk::{Arrival, Bulk, Clash, Joining, Mark, Seen, Stamp};
pub use deleted::Deleted;
pub use error::{Cause, StoreError};
pub use explain::Start;
pub use judgement::Unjudged;
pub use postgres::PostgresUrl;
pub use record::{Found, GroupRef, Member, Record, UniqueValue};
pub use schemas::{Reindexing, Sequel, TenantDocuments};
pub use seal::SealKey;
pub use search::{Page, Scope, Search};
pub use stretch::{Position, Stretch};
pub use tenants::{NewToken, Tenant, Token, TokenOwner, UniquePath};
pub use together::Change;
pub use url::{BadDatabaseUrl, DatabaseUrl};
pub use verify::{Checked, Orphans, Wrong};
pub use write::{MemberEdit, Mutation, Unique, What};

use batch::Step;
use driver::{Driver, Migration, Row, Statement, Value};
use layout::Layout;
use lookup::Lookups;
use postgres::Postgres;
use sqlite::Sqlite;

/// The history of the tables in SQLite; files named for no engine are every engine's. Numbers rise, and what was
/// released is never edited.
const SQLITE_MIGRATIONS: [Migration; 14] = [
    Migration { number: 1, sql: include_str!("migrations/0001_directory.sql") },
    Migration { number: 2, sql: include_str!("migrations/0002_statistics.sqlite.sql") },
    Migration { number: 3, sql: include_str!("migrations/0003_import.sql") },
    Migration { number: 4, sql: include_str!("migrations/0004_token_subject.sql") },
    Migration { number: 5, sql: include_str!("migrations/0005_contacts.sql") },
    Migration { number: 6, sql: include_str!("migrations/0006_identity.sql") },
    Migration { number: 7, sql: include_str!("migrations/0007_modified.sql") },
    Migration { number: 8, sql: include_str!("migrations/0008_statistics.sqlite.sql") },
    Migration { number: 9, sql: include_str!("migrations/0009_schemas.sql") },
    Migration { number: 10, sql: include_str!("migrations/0010_seal.sql") },
    Migration { number: 11, sql: include_str!("migrations/0011_token_parent.sql") },
    Migration { number: 12, sql: include_str!("migrations/0012_deleted.sql") },
    Migration { number: 15, sql: include_str!("migrations/0015_schema_change.sql") },
    Migration { number: 16, sql: include_str!("migrations/0016_names.sql") },
];

/// The history of the tables in PostgreSQL, which gathers its own statistics.
const POSTGRES_MIGRATIONS: [Migration; 12] = [
    Migration { number: 1, sql: include_str!("migrations/0001_directory.sql") },
    Migration { number: 3, sql: include_str!("migrations/0003_import.sql") },
    Migration { number: 4, sql: include_str!("migrations/0004_token_subject.sql") },
    Migration { number: 5, sql: include_str!("migrations/0005_contacts.sql") },
    Migration { number: 6, sql: include_str!("migrations/0006_identity.sql") },
    Migration { number: 7, sql: include_str!("migrations/0007_modified.sql") },
    Migration { number: 9, sql: include_str!("migrations/0009_schemas.sql") },
    Migration { number: 10, sql: include_str!("migrations/0010_seal.sql") },
    Migration { number: 11, sql: include_str!("migrations/0011_token_parent.sql") },
    Migration { number: 12, sql: include_str!("migrations/0012_deleted.sql") },
    Migration { number: 15, sql: include_str!("migrations/0015_schema_change.sql") },
    Migration { number: 16, sql: include_str!("migrations/0016_names.sql") },
];

/// How many row keys a process reserves at a time.
const KEY_BLOCK: i64 = 1000;

/// How many ids one statement asks for.
const IDS_A_STATEMENT: usize = 512;

/// The store. Clones are the same store; the last one to go finishes what is being written.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    driver: Driver,
    layout: Layout,
    lookups: Lookups,
    keys: tokio::sync::Mutex<KeyBlock>,
    seal: SealKey,
}

/// The row keys that this process may still give out.
#[derive(Default)]
struct KeyBlock {
    next: i64,
    end: i64,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, creates or updates its tables, and gives the registry's attributes their numbers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be opened or written, or the server not be reached;
    /// [`StoreError::Corrupt`] if it is no database of this program or one of a newer version.
    pub async fn open(url: &DatabaseUrl, registry: &Registry) -> Result<Self, StoreError> {
        let driver = match url {
            DatabaseUrl::Sqlite(path) => Driver::Sqlite(Sqlite::open(path, &SQLITE_MIGRATIONS)?),
            DatabaseUrl::Postgres(url) => Driver::Postgres(Postgres::open(url, &POSTGRES_MIGRATIONS).await?),
        };
        let layout = Layout::default();
        layout.learn(&driver, registry).await?;
        let lookups = Lookups::new(driver.dialect());
        let seal = seal::load(&driver).await?;
        let keys = tokio::sync::Mutex::default();
        Ok(Self { inner: Arc::new(Inner { driver, layout, lookups, keys, seal }) })
    }

    /// Gives the attributes of one more registry their numbers; after that its types can be used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn learn(&self, registry: &Registry) -> Result<(), StoreError> {
        self.layout().learn(self.driver(), registry).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`] if it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.driver().point(&Statement::new("SELECT n.next FROM sequence n", Vec::new())).await.map(drop)
    }

    /// Copies one moment of the database into a new file, which becomes a database of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file is there already or cannot be written; [`StoreError::Internal`] where
    /// the engine has tools of its own for that.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.driver().backup(to).await
    }

    /// Which of the ids are resources of the tenant, and of which type.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn lookup(&self, tenant: TenantId, ids: &[&str]) -> Result<Vec<Found>, StoreError> {
        let sql = "SELECT r.id, r.kind, r.label FROM resource r WHERE r.tenant = $1 AND r.id IN ({ids})";
        let rows = self.by_ids(sql, vec![tenant.0.into()], ids.iter().map(|&id| id.into())).await?;
        let found = rows.into_iter().map(|mut row| {
            let (id, number, display) = (row.text()?, row.int()?, row.maybe_text()?);
            Ok(self.layout().kind_name(number).map(|kind| Found { id, kind: kind.to_string(), display }))
        });
        found.filter_map(Result::transpose).collect()
    }

    /// The unique values of resources: the id, the name of the type, the attribute and its key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn unique_values(
        &self,
        tenant: TenantId,
        ids: &[&str],
    ) -> Result<Vec<UniqueValue>, StoreError> {
        let sql = "SELECT r.id, r.kind, f.path, COALESCE(f.long, f.key) FROM resource r \
                   JOIN fact f ON f.tenant = r.tenant AND f.resource = r.pk \
                   WHERE r.tenant = $1 AND f.uniq > 0 AND r.id IN ({ids})";
        let rows = self.by_ids(sql, vec![tenant.0.into()], ids.iter().map(|&id| id.into())).await?;
        let found = rows.into_iter().map(|mut row| {
            let (id, kind, path, key) = (row.text()?, row.int()?, row.int()?, row.text()?);
            let named = self.layout().names(kind, path);
            Ok(named.map(|(kind, path)| UniqueValue { id, kind: kind.to_string(), path, key }))
        });
        found.filter_map(Result::transpose).collect()
    }

    /// Runs a statement once for every few hundred ids; `{ids}` in it becomes their placeholders.
    async fn by_ids(
        &self,
        sql: &str,
        params: Vec<Value>,
        ids: impl Iterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for statement in statements(sql, &params, &ids.collect::<Vec<_>>()) {
            rows.extend(self.driver().brief(statement).await?);
        }
        Ok(rows)
    }

    /// A row key that no process has given out. Keys rise with the order of creation within a process.
    async fn next_pk(&self) -> Result<i64, StoreError> {
        self.next_pks(1).await
    }

    /// The first of some row keys in a row that no process has given out.
    async fn next_pks(&self, count: i64) -> Result<i64, StoreError> {
        let mut block = self.inner.keys.lock().await;
        if block.end - block.next < count {
            let size = count.max(KEY_BLOCK);
            let sql = "UPDATE sequence SET next = next + $1 WHERE name = 'resource' RETURNING next";
            let rows = self.driver().write(Step::new(sql, vec![size.into()]).into()).await?;
            let missing = || StoreError::corrupt("the sequence of row keys is missing");
            block.end = rows.into_iter().next().ok_or_else(missing)?.int()?;
            block.next = block.end - size;
        }
        block.next += count;
        Ok(block.next - count)
    }

    fn driver(&self) -> &Driver {
        &self.inner.driver
    }

    fn layout(&self) -> &Layout {
        &self.inner.layout
    }
}

/// The statement once for every few hundred ids. `{ids}` in it becomes their placeholders, or `{rows}` a row for each
/// behind the first two parameters; there are few different numbers of them, so that the statements stay prepared.
fn statements(sql: &str, params: &[Value], ids: &[Value]) -> Vec<Statement> {
    let statement = |chunk: &[Value]| {
        let mut params = params.to_vec();
        let width = chunk.len().next_power_of_two();
        let places: Vec<String> = (1..=width).map(|n| format!("${}", params.len() + n)).collect();
        let padding = chunk.last().into_iter().cycle().take(width - chunk.len());
        params.extend(chunk.iter().chain(padding).cloned());
        let rows = || places.iter().map(|place| format!("($1, $2, {place})")).collect::<Vec<_>>().join(", ");
        let sql = if sql.contains("{rows}") {
            sql.replace("{rows}", &rows())
        } else {
            sql.replace("{ids}", &places.join(", "))
        };
        Statement::new(sql, params)
    };
    ids.chunks(IDS_A_STATEMENT).map(statement).collect()
}
