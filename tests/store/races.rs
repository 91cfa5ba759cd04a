//! Many writers at once.

use muster::store::{MemberEdit, NewToken, StoreError};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{TENANT, time};

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

    async fn every_version_is_in_the_change_log(db: Database) {
        let directory = db.open().await;
        let mut users = Vec::new();
        for index in 0..24 {
            users.push(directory.user(json!({"userName": format!("u{index}")})).await);
        }
        let ids: Vec<&str> = users.iter().map(|user| user.id.as_str()).collect();
        for name in ["a", "b", "c"] {
            directory.group(name, &ids[..12]).await;
        }
        let groups = directory.sql("SELECT r.id FROM resource r WHERE r.label IN ('a', 'b', 'c')");
        let mut tasks = JoinSet::new();
        for user in &users {
            let (directory, user) = (directory.clone(), user.clone());
            tasks.spawn(async move { directory.delete("User", &user).await.unwrap() });
        }
        for (index, user) in users.iter().enumerate() {
            let (directory, group, member) = (directory.clone(), groups[index % 3].clone(), user.id.to_string());
            let edit = match index {
                0..12 => MemberEdit { remove: vec![member], ..MemberEdit::default() },
                _ => MemberEdit { add: vec![member], ..MemberEdit::default() },
            };
            tasks.spawn(async move {
                loop {
                    let before = directory.get("Group", &group).await.unwrap();
                    let body: serde_json::Value = serde_json::from_str(&before.document).unwrap();
                    match directory.update("Group", &before, body, &edit).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error, StoreError::Conflict),
                    }
                }
            });
        }
        tasks.join_all().await;
        let logged = "SELECT r.id, r.version, (SELECT COUNT(*) FROM change c WHERE c.resource = r.id), \
                      (SELECT COUNT(DISTINCT c.version) FROM change c WHERE c.resource = r.id) FROM resource r";
        let rows = directory.sql(logged);
        assert_eq!(rows.len(), 3);
        for row in rows {
            let numbers: Vec<&str> = row.split('|').skip(1).collect();
            assert!(numbers.iter().all(|number| *number == numbers[0]), "{row}");
        }
        assert_eq!(directory.sql("SELECT SUM(n) FROM counter"), ["3"]);
    }

    async fn tokens_that_are_made_together_have_numbers_of_their_own(db: Database) {
        let directory = db.open().await;
        let mut tasks = JoinSet::new();
        for index in 0..20_u8 {
            let store = directory.store.clone();
            tasks.spawn(async move {
                let hash = [index];
                let token = NewToken { hash: &hash, name: "n", profile: "p", scopes: "s", subject: None, parent: None, expires: None };
                store.insert_token(TENANT, &token, time(0)).await.unwrap().id.0
            });
        }
        let mut numbers = tasks.join_all().await;
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=20).collect::<Vec<i64>>());
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
        let other = directory.hold("DELETE FROM resource");
        assert!(directory.get("User", user.id.as_str()).await.is_some());
        let members = directory.store.members(TENANT, &[user.pk], 1000).await.unwrap().unwrap();
        assert_eq!(members, []);
        other.roll_back();
        directory.user(json!({"userName": "john"})).await;
    }

    async fn what_was_begun_when_the_store_goes_is_written(db: Database) {
        let directory = db.open().await;
        directory.user(json!({"userName": "first"})).await;
        for index in 0..20 {
            let body = json!({"userName": format!("u{index}")});
            // Polled once, so that the batch is on its way, and then given up.
            let mut create = std::pin::pin!(directory.create("User", body, &[]));
            std::future::poll_fn(|context| {
                assert!(create.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        drop(directory);
        let directory = db.open().await;
        let count = || directory.sql("SELECT COUNT(*) FROM resource");
        for _ in 0..500 {
            if count() != ["21"] {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        assert_eq!(count(), ["21"]);
    }
}
