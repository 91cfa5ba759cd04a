//! What is particular to a server: it goes away and comes back, locks are held, transactions meet.

use std::error::Error as _;

use muster::scim::registry::Registry;
use muster::store::{DatabaseUrl, MemberEdit, Store, StoreError};
use serde_json::json;

use crate::cluster::Cluster;
use crate::harness::{Database, Directory, Engine, TENANT, block_on, time};

/// A database on the shared server, with more options in its URL.
fn database(options: &'static str) -> Option<Database> {
    Some(Database::of(Engine::Postgres { url: Cluster::shared()?.database(), options }))
}

async fn open(url: &str) -> Result<Store, StoreError> {
    Store::open(&url.parse().unwrap(), &Registry::built_in().unwrap()).await
}

/// What a store that cannot be opened says in the log.
fn cause(result: Result<Store, StoreError>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    error.source().unwrap().to_string()
}

#[test]
fn service_comes_back_with_the_server() {
    let Some(mut cluster) = Cluster::start() else { return };
    let db = Database::of(Engine::Postgres { url: cluster.database(), options: "" });
    block_on(async {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        cluster.stop_server();
        for _ in 0..3 {
            let lost = directory.store.get(TENANT, directory.kind("User"), jane.id.as_str(), true).await;
            assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
            let lost = directory.create("User", json!({"userName": "john"}), &[]).await;
            assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        }
        cluster.start_server();
        directory.store.ping().await.unwrap();
        assert_eq!(directory.get("User", jane.id.as_str()).await, Some(jane));
        directory.user(json!({"userName": "john"})).await;
    });
}

#[test]
fn a_server_that_cannot_be_reached_is_unavailable_and_one_that_lets_nobody_in_refuses() {
    let Some(cluster) = Cluster::shared() else { return };
    block_on(async {
        let away = cause(open("postgres://muster@127.0.0.1:1/muster").await);
        assert!(away.contains("refused"), "{away}");
        let unknown = open(&cluster.database().replace("/test", "/nowhere")).await.unwrap_err();
        let why = unknown.source().unwrap().to_string();
        assert!(matches!(unknown, StoreError::Refused(_)) && why.contains("does not exist"), "{why}");
    });
}

#[test]
fn a_database_of_another_encoding_is_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    let sql = "CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0";
    crate::cluster::query(&cluster.url("postgres"), sql);
    let error = block_on(open(&cluster.url("latin"))).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

#[test]
fn replicas_that_start_together_agree_on_the_tables() {
    let Some(db) = Database::postgres() else { return };
    block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (url, registry) = (db.url(), std::sync::Arc::clone(&db.registry));
            tasks.spawn(async move { Store::open(&url, &registry).await.map(drop) });
        }
        assert_eq!(tasks.join_all().await, vec![Ok(()); 12]);
        let directory = db.open().await;
        let once = "SELECT MIN(number), COUNT(*) - COUNT(DISTINCT number) FROM schema_version";
        assert_eq!(directory.sql(once), ["1|0"]);
        assert_eq!(directory.sql("SELECT COUNT(*) FROM tenant"), ["1"]);
        directory.sql("INSERT INTO schema_version VALUES (999)");
        let newer = Store::open(&db.url(), &db.registry).await.err();
        assert!(matches!(newer, Some(StoreError::Corrupt(_))), "{newer:?}");
    });
}

#[test]
fn a_role_that_may_only_change_rows_is_enough_once_the_tables_are_there() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    block_on(async {
        let owner = Database::of(Engine::Postgres { url: url.clone(), options: "" }).open().await;
        owner.sql(
            "CREATE ROLE clerk LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
        );
        let url = url.replace("muster@", "clerk@");
        let clerk = Database::of(Engine::Postgres { url, options: "" }).open().await;
        let jane = clerk.user(json!({"userName": "jane"})).await;
        let jane =
            clerk.update("User", &jane, json!({"userName": "j"}), &MemberEdit::default()).await.unwrap();
        clerk.delete("User", &jane).await.unwrap();
        let acme = clerk.store.create_tenant("acme", time(0)).await.unwrap();
        clerk.store.delete_tenant(acme.id).await.unwrap();
    });
}

/// Makes the first changes fail as if they had met another transaction.
fn meet(directory: &Directory, state: &str, times: u32) {
    directory.sql(&format!(
        "CREATE SEQUENCE meetings; \
         CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('meetings') <= {times} THEN RAISE 'met' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER meet BEFORE INSERT ON change FOR EACH ROW EXECUTE FUNCTION meet()"
    ));
}

#[test]
fn a_batch_that_met_another_transaction_is_run_again() {
    for state in ["serialization_failure", "deadlock_detected"] {
        let Some(db) = Database::postgres() else { return };
        block_on(async {
            let directory = db.open().await;
            meet(&directory, state, 3);
            let jane = directory.user(json!({"userName": "jane"})).await;
            assert_eq!(directory.sql("SELECT last_value FROM meetings"), ["4"]);
            assert_eq!(directory.sql("SELECT SUM(n) FROM counter"), ["1"]);
            directory.sql("ALTER SEQUENCE meetings RESTART");
            directory.update("User", &jane, json!({"userName": "j"}), &MemberEdit::default()).await.unwrap();
            assert_eq!(directory.sql("SELECT COUNT(*) FROM change"), ["2"]);
        });
    }
}

#[test]
fn a_batch_that_meets_others_for_ever_is_given_up_and_leaves_nothing() {
    let Some(db) = Database::postgres() else { return };
    block_on(async {
        let directory = db.open().await;
        meet(&directory, "serialization_failure", 1_000_000);
        let before = directory.dump();
        let result = directory.create("User", json!({"userName": "jane"}), &["m"]).await;
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        assert_eq!(directory.dump(), before);
    });
}

#[test]
fn a_lock_that_somebody_keeps_makes_a_write_unavailable_and_no_read() {
    let Some(db) = database("options=-c%20lock_timeout%3D100ms") else { return };
    block_on(async {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        let other = directory.hold("UPDATE resource SET version = version");
        let late = directory.update("User", &jane, json!({"userName": "j"}), &MemberEdit::default()).await;
        assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
        assert_eq!(directory.get("User", jane.id.as_str()).await.as_ref(), Some(&jane));
        other.roll_back();
        directory.update("User", &jane, json!({"userName": "j"}), &MemberEdit::default()).await.unwrap();
    });
}

#[test]
fn one_connection_serves_many() {
    let Some(db) = database("pool_size=1") else { return };
    block_on(async {
        let directory = db.open().await;
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..50 {
            let directory = directory.clone();
            tasks.spawn(async move {
                let user = directory.user(json!({"userName": format!("u{index}")})).await;
                directory.get("User", user.id.as_str()).await.is_some()
            });
        }
        assert_eq!(tasks.join_all().await, [true; 50]);
        let connections = "SELECT COUNT(*) FROM pg_stat_activity \
                           WHERE datname = current_database() AND application_name = 'muster'";
        assert_eq!(directory.sql(connections), ["1"]);
    });
}

#[test]
fn a_session_only_reads_unless_a_batch_says_that_it_writes() {
    let Some(db) = Database::postgres() else { return };
    let DatabaseUrl::Postgres(url) = db.url() else { panic!("it is PostgreSQL's") };
    assert!(format!("{url:?}").contains("default_transaction_read_only=on"));
    block_on(async {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        // A function that writes, in the place of one that a read calls.
        directory.sql(&format!(
            "CREATE TABLE seen (n BIGINT); ALTER TABLE membership RENAME TO members; \
             CREATE FUNCTION see() RETURNS BIGINT LANGUAGE sql AS 'INSERT INTO seen VALUES (1) RETURNING n'; \
             CREATE VIEW membership AS SELECT tenant, grp + see() AS grp, member FROM members; \
             INSERT INTO members VALUES (1, 1, '{}')",
            jane.id
        ));
        let refused = directory.store.get(TENANT, directory.kind("User"), jane.id.as_str(), true).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert_eq!(directory.sql("SELECT COUNT(*) FROM seen"), ["0"]);
        assert_eq!(directory.get("User", jane.id.as_str()).await, Some(jane));
    });
}

#[test]
fn text_that_postgresql_cannot_hold_is_found_nowhere() {
    let Some(db) = Database::postgres() else { return };
    block_on(async {
        let directory = db.open().await;
        assert_eq!(directory.get("User", "a\0b").await, None);
        assert_eq!(directory.store.lookup(TENANT, &["a\0b"]).await, Ok(vec![]));
        assert_eq!(directory.store.find_tenant("\0").await, Ok(None));
    });
}

#[test]
fn the_change_log_can_be_followed_while_many_write() {
    let Some(db) = Database::postgres() else { return };
    block_on(async {
        let directory = db.open().await;
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..300 {
            let directory = directory.clone();
            tasks.spawn(async move { directory.user(json!({"userName": format!("u{index}")})).await });
        }
        let (mut seen, mut position) = (Vec::new(), "0|0".to_owned());
        let mut follow = || {
            let (tx, seq) = position.split_once('|').unwrap();
            let rows = directory.sql(&format!(
                "SELECT tx, seq FROM change WHERE tenant = 1 AND (tx, seq) > ('{tx}'::xid8, {seq}) \
                 AND tx < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY tx, seq"
            ));
            position = rows.last().unwrap_or(&position).clone();
            seen.extend(rows);
            seen.len()
        };
        while let Some(written) = tasks.join_next().await {
            written.unwrap();
            follow();
        }
        // Transactions in other databases of the server hold it up, but not for long.
        while follow() < 300 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen, directory.sql("SELECT tx, seq FROM change WHERE tenant = 1 ORDER BY tx, seq"));
    });
}

/// Which servers are trusted.
mod tls {
    use super::{Cluster, block_on, cause, open};

    #[test]
    fn each_mode_trusts_whom_it_says() {
        let Some(cluster) = Cluster::shared() else { return };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &cluster.authority).unwrap();
        let root = format!("sslmode=verify-full&sslrootcert={}", file.path().display());
        block_on(async {
            for (mode, encrypted) in [
                ("sslmode=disable", "f"),
                ("", "t"),
                ("sslmode=prefer", "t"),
                ("sslmode=require", "t"),
                (&*root, "t"),
            ] {
                let url = cluster.tcp_url("localhost", mode);
                let store = open(&url).await.unwrap();
                assert_eq!(sessions(cluster), [encrypted], "{mode}");
                drop(store);
                while !sessions(cluster).is_empty() {
                    tokio::task::yield_now().await;
                }
            }
            let stranger = cause(open(&cluster.tcp_url("localhost", "sslmode=verify-full")).await);
            assert!(stranger.contains("certificate"), "{stranger}");
            let misnamed = cause(open(&cluster.tcp_url("127.0.0.1", &root)).await);
            assert!(misnamed.contains("certificate"), "{misnamed}");
            let no_file = "sslmode=verify-full&sslrootcert=/nowhere.pem";
            let no_file = cause(open(&cluster.tcp_url("localhost", no_file)).await);
            assert!(no_file.contains("sslrootcert"), "{no_file}");
        });
    }

    /// Whether each session by way of the network is encrypted.
    fn sessions(cluster: &Cluster) -> Vec<String> {
        let sql = "SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid \
                   WHERE a.client_addr IS NOT NULL";
        crate::cluster::query(&cluster.url("postgres"), sql)
    }
}
