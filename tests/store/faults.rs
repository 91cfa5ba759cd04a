//! What happens when a statement, a commit or the file fails.

use muster::store::{DatabaseUrl, MemberEdit, Store, StoreError};
use serde_json::json;
use std::error::Error as _;
use tokio::task::JoinSet;

use crate::harness::Broken;

store_test! {
    async fn a_batch_that_fails_at_any_step_leaves_nothing(db: Database) {
        let directory = db.open().await;
        let body = json!({"userName": "jane", "emails": [{"value": "jane@example.com"}]});
        for table in ["fact", "contact", "membership", "counter", "change"] {
            let before = directory.dump();
            directory.break_table(table, Broken::Statement);
            let result = directory.create("User", body.clone(), &["m"]).await;
            assert!(matches!(result, Err(StoreError::Internal(_))), "{table}: {result:?}");
            directory.mend_table(table);
            assert_eq!(directory.dump(), before, "{table}");
        }
    }

    async fn an_update_that_fails_at_any_step_leaves_nothing(db: Database) {
        let directory = db.open().await;
        let user = directory.user(json!({"userName": "jane", "emails": [{"value": "a@example.com"}]})).await;
        let body = json!({"userName": "jane", "title": "new", "emails": [{"value": "b@example.com"}]});
        let edit = MemberEdit { add: vec!["m".into()], ..MemberEdit::default() };
        for table in ["fact", "contact", "membership", "change"] {
            let before = directory.dump();
            directory.break_table(table, Broken::Statement);
            directory.update("User", &user, body.clone(), &edit).await.unwrap_err();
            directory.mend_table(table);
            assert_eq!(directory.dump(), before, "{table}");
        }
        directory.update("User", &user, body, &edit).await.unwrap();
    }

    async fn a_batch_that_fails_does_not_take_its_neighbours_along(db: Database) {
        let directory = db.open().await;
        directory.user(json!({"userName": "taken"})).await;
        let mut tasks = JoinSet::new();
        for index in 0..40 {
            let directory = directory.clone();
            let name = if index % 2 == 0 { "taken".to_owned() } else { format!("u{index}") };
            tasks.spawn(async move { directory.create("User", json!({"userName": name}), &[]).await.is_ok() });
        }
        assert_eq!(tasks.join_all().await.iter().filter(|&&done| done).count(), 20);
        assert_eq!(directory.sql("SELECT COUNT(*) FROM resource"), ["21"]);
    }

    async fn when_the_engine_gives_up_a_transaction_nobody_is_told_of_success(db: Database) {
        let directory = db.open().await;
        directory.user(json!({"userName": "first"})).await;
        let before = directory.dump();
        directory.break_table("change", Broken::Transaction);
        let mut tasks = JoinSet::new();
        for index in 0..10 {
            let directory = directory.clone();
            let name = if index == 5 { "jane".to_owned() } else { format!("u{index}") };
            tasks.spawn(async move { directory.create("User", json!({"userName": name}), &[]).await.is_ok() });
        }
        let told = tasks.join_all().await.iter().filter(|&&done| done).count();
        directory.mend_table("change");
        let stored: usize = directory.sql("SELECT COUNT(*) FROM resource")[0].parse().unwrap();
        assert_eq!(stored, 1 + told);
        assert!(directory.dump().len() >= before.len());
        directory.user(json!({"userName": "jane"})).await;
    }

    async fn an_error_shows_no_value(db: Database) {
        let directory = db.open().await;
        directory.break_table("change", Broken::Statement);
        let error = directory.create("User", json!({"userName": "jane"}), &[]).await.unwrap_err();
        let shown = format!("{error} {} {error:?}", error.source().unwrap());
        assert!(!shown.contains("jane"), "{shown}");
    }

    async fn a_type_that_the_store_was_not_opened_with_is_an_error(db: Database) {
        let directory = db.open().await;
        let plain = muster::scim::registry::Registry::built_in().unwrap();
        let store = Store::open(&db.url(), &plain).await.unwrap();
        let result = store.get(crate::harness::TENANT, directory.kind("Device"), "x", false).await;
        assert!(matches!(result, Err(StoreError::Internal(_))), "{result:?}");
    }
}

/// What is particular to files.
mod sqlite_files {
    use std::fs;

    use super::{DatabaseUrl, Store, StoreError, json};
    use crate::harness::{Database, block_on};

    async fn open(path: &std::path::Path) -> Result<Store, StoreError> {
        let registry = muster::scim::registry::Registry::built_in().unwrap();
        Store::open(&DatabaseUrl::Sqlite(path.to_owned()), &registry).await
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let db = Database::sqlite();
        fs::write(db.path(), "no database at all, but long enough to have a header of its own".repeat(40))
            .unwrap();
        let error = block_on(open(db.path())).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    }

    #[test]
    fn a_file_in_a_folder_that_does_not_exist_is_unavailable() {
        let db = Database::sqlite();
        let error = block_on(open(&db.path().join("nowhere/muster.db"))).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }

    #[test]
    fn a_database_of_a_newer_program_is_refused() {
        let db = Database::sqlite();
        block_on(async {
            db.open().await.sql("PRAGMA user_version = 999");
            let error = open(db.path()).await.unwrap_err();
            assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        });
    }

    #[test]
    fn a_damaged_file_is_an_error_and_no_panic() {
        let db = Database::sqlite();
        block_on(async {
            let directory = db.open().await;
            let user = directory.user(json!({"userName": "jane"})).await;
            drop(directory);
            let mut octets = fs::read(db.path()).unwrap();
            octets.iter_mut().skip(4096).for_each(|octet| *octet = 0xA5);
            fs::write(db.path(), octets).unwrap();
            let error = match open(db.path()).await {
                Err(error) => error,
                Ok(store) => {
                    let kind = db.registry.type_named("User").unwrap();
                    store.get(crate::harness::TENANT, kind, user.id.as_str(), true).await.unwrap_err()
                }
            };
            assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        });
    }

    #[test]
    fn a_database_url_of_sqlite_is_a_path() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(DatabaseUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(DatabaseUrl::Sqlite("/a/b.db".into())));
        for bad in ["", "a.db", "mysql://u:secret@h/d", "sqlite:", "sqlite::memory:"] {
            let error = bad.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
