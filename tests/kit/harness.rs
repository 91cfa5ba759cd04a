//! Databases to test on: `store_test!` registers every test for every engine.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, spawn};

use chrono::{DateTime, TimeZone as _, Utc};
use muster::contact::Claims;
use muster::id::{ResourceId, TenantId};
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::resource::Resource;
use muster::store::{DatabaseUrl, MemberEdit, Mutation, Record, Store, StoreError, Unique, What};
use serde_json::{Map, Value};

use crate::cluster::{self, Cluster};

pub const TENANT: TenantId = TenantId::DEFAULT;

/// Registers contract tests: each runs once for every engine.
#[macro_export]
macro_rules! store_test {
    ($($(#[doc = $doc:literal])* async fn $name:ident($db:ident: Database) $body:block)*) => { $(
        $(#[doc = $doc])*
        async fn $name($db: $crate::harness::Database) $body

        mod $name {
            #[test]
            fn sqlite() {
                $crate::harness::block_on(super::$name($crate::harness::Database::sqlite()));
            }

            #[test]
            fn postgres() {
                if let Some(database) = $crate::harness::Database::postgres() {
                    $crate::harness::block_on(super::$name(database));
                }
            }
        }
    )* };
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// An empty database.
pub struct Database {
    pub engine: Arc<Engine>,
    pub registry: Arc<Registry>,
}

/// Where it is.
#[derive(Debug)]
pub enum Engine {
    Sqlite {
        path: PathBuf,
        _directory: tempfile::TempDir,
    },
    /// `options` are for the store alone.
    Postgres {
        url: String,
        options: &'static str,
    },
}

impl Database {
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("muster.db");
        Self::of(Engine::Sqlite { path, _directory: directory })
    }

    /// None where PostgreSQL is not installed.
    pub fn postgres() -> Option<Self> {
        Some(Self::of(Engine::Postgres { url: Cluster::shared()?.database(), options: "" }))
    }

    pub fn of(engine: Engine) -> Self {
        Self { engine: Arc::new(engine), registry: Arc::new(crate::people::registry()) }
    }

    /// The file, which only SQLite has.
    pub fn path(&self) -> &Path {
        match &*self.engine {
            Engine::Sqlite { path, .. } => path,
            Engine::Postgres { .. } => panic!("PostgreSQL is no file"),
        }
    }

    pub fn url(&self) -> DatabaseUrl {
        match &*self.engine {
            Engine::Sqlite { path, .. } => DatabaseUrl::Sqlite(path.clone()),
            Engine::Postgres { url, options } => format!("{url}?{options}").parse().unwrap(),
        }
    }

    pub async fn open(&self) -> Directory {
        let store = Store::open(&self.url(), &self.registry).await.unwrap();
        Directory { store, registry: Arc::clone(&self.registry), engine: Arc::clone(&self.engine) }
    }
}

/// An open store, and short ways to write into it.
#[derive(Clone)]
pub struct Directory {
    pub store: Store,
    pub registry: Arc<Registry>,
    pub engine: Arc<Engine>,
}

pub fn time(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, second).unwrap()
}

pub fn resource(body: Value) -> Resource {
    let Value::Object(map) = body else { panic!("a resource is an object") };
    Resource::stored(map, None)
}

/// The resource that a record holds.
pub fn stored(record: &Record) -> Resource {
    let secret = record.secret.as_deref().map(|text| serde_json::from_str::<Map<_, _>>(text).unwrap());
    Resource::stored(serde_json::from_str(&record.document).unwrap(), secret)
}

impl Directory {
    pub fn kind(&self, name: &str) -> &Arc<ResourceType> {
        self.registry.type_named(name).unwrap()
    }

    pub fn mutation<'a>(&'a self, kind: &str, id: &'a ResourceId, what: What) -> Mutation<'a> {
        Mutation {
            tenant: TENANT,
            kind: self.kind(kind),
            id,
            now: time(0),
            who: "test",
            what,
            // Random people share their addresses.
            also_unique: Unique { claims: Claims::None, ..Unique::default() },
        }
    }

    pub async fn create(&self, kind: &str, body: Value, members: &[&str]) -> Result<Record, StoreError> {
        let id = ResourceId::generate();
        let members: Vec<String> = members.iter().map(|&id| id.to_owned()).collect();
        self.store.create(&self.mutation(kind, &id, What::Create), &resource(body), &members).await
    }

    pub async fn user(&self, body: Value) -> Record {
        self.create("User", body, &[]).await.unwrap()
    }

    pub async fn group(&self, name: &str, members: &[&str]) -> Record {
        self.create("Group", serde_json::json!({"displayName": name}), members).await.unwrap()
    }

    pub async fn update(
        &self,
        kind: &str,
        before: &Record,
        body: Value,
        members: &MemberEdit,
    ) -> Result<Record, StoreError> {
        let mut mutation = self.mutation(kind, &before.id, What::Replace);
        mutation.now = time(1);
        self.store.update(&mutation, before, &stored(before), &resource(body), members).await
    }

    pub async fn delete(&self, kind: &str, record: &Record) -> Result<(), StoreError> {
        let mut mutation = self.mutation(kind, &record.id, What::Delete);
        mutation.now = time(2);
        self.store.delete(&mutation, record, false).await
    }

    pub async fn get(&self, kind: &str, id: &str) -> Option<Record> {
        let found = self.store.get(TENANT, self.kind(kind), id, false).await.unwrap();
        found.map(|(record, _)| record)
    }

    /// The rows of a query, past the store; columns are joined with bars.
    pub fn sql(&self, sql: &str) -> Vec<String> {
        match &*self.engine {
            Engine::Sqlite { path, .. } => sqlite_rows(path, sql),
            Engine::Postgres { url, .. } => cluster::query(url, sql),
        }
    }

    /// Makes inserts into the table fail while there is a resource called jane.
    pub fn break_table(&self, table: &str, how: Broken) {
        let broken = match (&*self.engine, how) {
            (Engine::Sqlite { .. }, Broken::Statement) => "RAISE(ABORT, 'broken')",
            (Engine::Sqlite { .. }, Broken::Transaction) => "RAISE(ROLLBACK, 'broken')",
            (Engine::Postgres { .. }, Broken::Statement) => "RAISE 'broken'",
            (Engine::Postgres { .. }, Broken::Transaction) => {
                "PERFORM pg_terminate_backend(pg_backend_pid())"
            }
        };
        let jane = "EXISTS (SELECT 1 FROM resource WHERE label = 'jane')";
        self.sql(&match &*self.engine {
            Engine::Sqlite { .. } => format!(
                "CREATE TRIGGER broken BEFORE INSERT ON {table} WHEN {jane} BEGIN SELECT {broken}; END"
            ),
            Engine::Postgres { .. } => format!(
                "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN IF {jane} THEN {broken}; END IF; RETURN NEW; END $$; \
                 CREATE TRIGGER broken BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION broken()"
            ),
        });
    }

    /// Undoes that.
    pub fn mend_table(&self, table: &str) {
        self.sql(&match &*self.engine {
            Engine::Sqlite { .. } => "DROP TRIGGER broken".to_owned(),
            Engine::Postgres { .. } => format!("DROP TRIGGER broken ON {table}"),
        });
    }

    /// Runs a statement in a transaction of another process, which stays open.
    pub fn hold(&self, sql: &str) -> Held {
        match &*self.engine {
            Engine::Sqlite { path, .. } => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.execute_batch(&format!("BEGIN IMMEDIATE; {sql}")).unwrap();
                Held::Sqlite(connection)
            }
            Engine::Postgres { url, .. } => {
                let (url, sql) = (url.clone(), format!("BEGIN; {sql}"));
                let ((holds, held), (end, ended)) = (channel(), channel::<()>());
                let thread = spawn(move || {
                    cluster::with_client(&url, async move |client| {
                        client.batch_execute(&sql).await.unwrap();
                        holds.send(()).unwrap();
                        ended.recv().unwrap();
                        client.batch_execute("ROLLBACK").await.unwrap();
                    });
                });
                held.recv().unwrap();
                Held::Postgres(end, thread)
            }
        }
    }

    /// Everything that is in the tables of the directory.
    pub fn dump(&self) -> Vec<String> {
        let tables = ["tenant", "token", "resource", "fact", "contact", "membership", "counter", "change"];
        tables
            .iter()
            .flat_map(|table| self.sql(&format!("SELECT '{table}', * FROM {table} ORDER BY 1, 2, 3, 4")))
            .collect()
    }
}

/// What a broken table takes along.
#[derive(Clone, Copy)]
pub enum Broken {
    Statement,
    Transaction,
}

/// A transaction of another process.
pub enum Held {
    Sqlite(rusqlite::Connection),
    Postgres(Sender<()>, JoinHandle<()>),
}

impl Held {
    pub fn roll_back(self) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("ROLLBACK").unwrap(),
            Self::Postgres(end, thread) => {
                end.send(()).unwrap();
                thread.join().unwrap();
            }
        }
    }
}

fn sqlite_rows(path: &Path, sql: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let texts: Vec<String> = (0..columns)
            .map(|index| match row.get_ref_unwrap(index) {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Real(number) => number.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                rusqlite::types::ValueRef::Blob(octets) => format!("{octets:?}"),
            })
            .collect();
        Ok(texts.join("|"))
    });
    rows.unwrap().map(Result::unwrap).collect()
}
