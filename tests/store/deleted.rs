//! Deleted resources that can be restored, until they are removed for good.

use chrono::TimeDelta;
use muster::id::ResourceId;
use muster::store::{StoreError, What};
use serde_json::json;

use crate::harness::{Directory, TENANT, stored, time};

/// Deletes it so that it can be restored for so many seconds.
async fn retire(directory: &Directory, kind: &str, id: &ResourceId, seconds: i64) {
    let record = directory.get(kind, id.as_str()).await.unwrap();
    let until = time(0) + TimeDelta::seconds(seconds);
    let mutation = directory.mutation(kind, id, What::Retire(until));
    directory.store.delete(&mutation, &record, true).await.unwrap();
}

fn rows(directory: &Directory) -> Vec<String> {
    ["resource", "fact", "contact", "membership", "deleted", "deleted_membership"]
        .map(|table| directory.sql(&format!("SELECT COUNT(*) FROM {table}")).remove(0))
        .to_vec()
}

store_test! {
    async fn what_is_retired_leaves_no_row_where_readers_look_and_comes_back_as_it_was(db: Database) {
        let directory = db.open().await;
        let ann = directory.user(json!({"userName": "ann", "emails": [{"value": "a@x.example"}]})).await;
        let group = directory.group("Staff", &[ann.id.as_str(), "nobody"]).await;
        let before = rows(&directory);
        retire(&directory, "User", &ann.id, 60).await;
        assert!(directory.sql("SELECT path FROM fact").len() < before[1].parse::<usize>().unwrap());
        assert_eq!(directory.sql("SELECT id FROM contact"), Vec::<String>::new());
        let found = directory.store.find_deleted(TENANT, ann.id.as_str()).await.unwrap().unwrap();
        assert_eq!((&found.record, found.kind.as_deref()), (&ann, Some("User")));

        let mutation = directory.mutation("User", &ann.id, What::Restore);
        let restored = directory.store.restore(&mutation, &found.record, &stored(&ann)).await.unwrap();
        assert_eq!((restored.pk, restored.version, &restored.created), (ann.pk, 3, &ann.created));
        assert_eq!(rows(&directory), before);
        assert_eq!(directory.get("Group", group.id.as_str()).await.unwrap().version, 3);
        let log = directory.sql("SELECT what, version FROM change ORDER BY seq");
        assert_eq!(log, ["create|1", "create|1", "members|2", "delete|2", "restore|3", "members|3"]);
        let again = directory.store.restore(&mutation, &found.record, &stored(&ann)).await;
        assert_eq!(again, Err(StoreError::Conflict));
    }

    async fn a_group_inside_groups_comes_back_at_both_ends(db: Database) {
        let directory = db.open().await;
        let ann = directory.user(json!({"userName": "ann"})).await;
        let inner = directory.group("Inner", &[ann.id.as_str(), "nobody"]).await;
        let outer = directory.group("Outer", &[inner.id.as_str()]).await;
        retire(&directory, "Group", &inner.id, 60).await;
        assert_eq!(directory.sql("SELECT member FROM membership"), Vec::<String>::new());
        let found = directory.store.find_deleted(TENANT, inner.id.as_str()).await.unwrap().unwrap();
        let mutation = directory.mutation("Group", &inner.id, What::Restore);
        directory.store.restore(&mutation, &found.record, &stored(&inner)).await.unwrap();
        assert_eq!(directory.store.member_ids(TENANT, outer.pk).await.unwrap(), [inner.id.as_str()]);
        assert_eq!(directory.store.member_ids(TENANT, inner.pk).await.unwrap(), [ann.id.as_str()]);
        assert_eq!(directory.sql("SELECT member FROM deleted_membership"), Vec::<String>::new());
    }

    async fn a_value_that_another_has_by_then_keeps_it_where_it_is(db: Database) {
        let directory = db.open().await;
        let ann = directory.user(json!({"userName": "ann"})).await;
        retire(&directory, "User", &ann.id, 60).await;
        directory.user(json!({"userName": "Ann"})).await;
        let before = rows(&directory);
        let mutation = directory.mutation("User", &ann.id, What::Restore);
        let refused = directory.store.restore(&mutation, &ann, &stored(&ann)).await;
        assert_eq!(refused, Err(StoreError::Unique { path: "userName".into() }));
        assert_eq!(rows(&directory), before);
    }

    async fn what_is_over_goes_for_good_with_all_that_waits_for_it(db: Database) {
        let directory = db.open().await;
        let [ann, bob] = [directory.user(json!({"userName": "ann"})).await, directory.user(json!({"userName": "bob"})).await];
        directory.group("Staff", &[ann.id.as_str(), bob.id.as_str()]).await;
        retire(&directory, "User", &ann.id, 10).await;
        retire(&directory, "User", &bob.id, 20).await;
        directory.store.purge_ended(TENANT, time(10)).await.unwrap();
        assert_eq!(directory.sql("SELECT id FROM deleted").len(), 2, "the last moment counts");
        directory.store.purge_ended(TENANT, time(11)).await.unwrap();
        assert_eq!(directory.sql("SELECT id FROM deleted"), [bob.id.as_str()]);
        assert_eq!(directory.sql("SELECT member FROM deleted_membership"), [bob.id.as_str()]);
        assert!(directory.store.purge(TENANT, bob.pk).await.unwrap());
        assert!(!directory.store.purge(TENANT, bob.pk).await.unwrap());
        assert_eq!(rows(&directory)[4..], ["0", "0"]);
    }

    async fn pages_of_what_was_deleted_go_on_where_the_last_one_ended(db: Database) {
        let directory = db.open().await;
        let mut wanted = Vec::new();
        for name in ["a", "b", "c"] {
            let record = directory.user(json!({"userName": name})).await;
            retire(&directory, "User", &record.id, 60).await;
            wanted.push(record.id);
        }
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = directory.store.list_deleted(TENANT, after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.record.pk;
            found.extend(page.into_iter().map(|deleted| deleted.record.id));
        }
        assert_eq!(found, wanted);
    }
}
