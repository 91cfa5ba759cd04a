//! Many writers at once.

use muster::store::{MemberEdit, StoreError};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::TENANT;

store_test! {
    async fn of_many_who_want_a_name_one_gets_it(db: Database) {
        let directory = db.open().await;
        let mut tasks = JoinSet::new();
        for _ in 0..40 {
            let directory = directory.clone();
            tasks.spawn(async move { directory.create("User", json!({"userName": "jane"}), &[]).await });
        }
        let results = tasks.join_all().await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let taken = Err(StoreError::Unique { path: "userName".into() });
        assert_eq!(results.iter().filter(|&result| *result == taken).count(), 39);
        assert_eq!(directory.sql("SELECT COUNT(*) FROM resource"), ["1"]);
        assert_eq!(directory.sql("SELECT SUM(n) FROM counter"), ["1"]);
    }

    async fn compare_and_swap_loses_no_update(db: Database) {
        let directory = db.open().await;
        let user = directory.user(json!({"userName": "jane", "title": "0"})).await;
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (directory, id) = (directory.clone(), user.id.clone());
            tasks.spawn(async move {
                loop {
                    let before = directory.get("User", id.as_str()).await.unwrap();
                    let mut body: serde_json::Value = serde_json::from_str(&before.document).unwrap();
                    let count: u32 = body["title"].as_str().unwrap().parse().unwrap();
                    body["title"] = json!((count + 1).to_string());
                    match directory.update("User", &before, body, &MemberEdit::default()).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error, StoreError::Conflict),
                    }
                }
            });
        }
        tasks.join_all().await;
        let last = directory.get("User", user.id.as_str()).await.unwrap();
        assert!(last.document.contains(r#""title":"20""#), "{}", last.document);
        assert_eq!(last.version, 21);
        assert_eq!(directory.sql("SELECT COUNT(*) FROM change"), ["21"]);
    }

    async fn two_stores_share_one_database(db: Database) {
        let (one, two) = (db.open().await, db.open().await);
        let mut tasks = JoinSet::new();
        for index in 0..40 {
            let directory = if index % 2 == 0 { one.clone() } else { two.clone() };
            tasks.spawn(async move { directory.user(json!({"userName": format!("u{index}")})).await });
        }
        let mut keys: Vec<i64> = tasks.join_all().await.iter().map(|record| record.pk).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 40);
        assert_eq!(one.sql("SELECT COUNT(*) FROM resource"), ["40"]);
        let first = one.user(json!({"userName": "last"})).await;
        assert_eq!(two.get("User", first.id.as_str()).await, Some(first));
    }

    async fn readers_go_on_while_another_process_writes(db: Database) {
        let directory = db.open().await;
        let user = directory.user(json!({"userName": "jane"})).await;
        let other = rusqlite::Connection::open(&db.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; DELETE FROM resource").unwrap();
        assert!(directory.get("User", user.id.as_str()).await.is_some());
        let members = directory.store.members(TENANT, &[user.pk]).await.unwrap();
        assert_eq!(members, []);
        other.execute_batch("ROLLBACK").unwrap();
        directory.user(json!({"userName": "john"})).await;
    }

    async fn what_is_queued_when_the_store_goes_is_written(db: Database) {
        let directory = db.open().await;
        directory.user(json!({"userName": "first"})).await;
        for index in 0..20 {
            let body = json!({"userName": format!("u{index}")});
            // Polled once, so that the batch is queued, and then given up.
            let mut create = std::pin::pin!(directory.create("User", body, &[]));
            std::future::poll_fn(|context| {
                assert!(create.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        drop(directory);
        assert_eq!(db.open().await.sql("SELECT COUNT(*) FROM resource"), ["21"]);
    }
}
