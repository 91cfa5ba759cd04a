//! Changes that are written together: all of them, or none.

use muster::id::ResourceId;
use muster::scim::resource::Resource;
use muster::store::{Change, MemberEdit, StoreError, UniqueValue, What};
use serde_json::json;

use crate::harness::{TENANT, resource, stored};

fn user(name: &str) -> Resource {
    resource(json!({"userName": name}))
}

store_test! {
    async fn changes_that_are_written_together_are_all_there(db: Database) {
        let directory = db.open().await;
        let (jane, old) = (directory.user(json!({"userName": "jane"})).await, directory.user(json!({"userName": "old"})).await);
        let staff = directory.group("Staff", &[old.id.as_str()]).await;
        let (new, friends) = (ResourceId::generate(), ResourceId::generate());
        let (named, group) = (user("old"), resource(json!({"displayName": "Friends"})));
        let members = [new.to_string(), friends.to_string()];
        let add = MemberEdit { add: vec![new.to_string()], ..MemberEdit::default() };
        let staff_is = resource(json!({"displayName": "Staff"}));
        let changes = [
            Change::Delete(directory.mutation("User", &old.id, What::Delete), old.clone()),
            Change::Update(directory.mutation("Group", &staff.id, What::Patch), staff.clone(), stored(&staff), staff_is, add),
            Change::Create(directory.mutation("User", &new, What::Create), &named, &[]),
            Change::Create(directory.mutation("Group", &friends, What::Create), &group, &members),
            Change::Update(directory.mutation("User", &jane.id, What::Replace), jane.clone(), stored(&jane), user("anna"), MemberEdit::default()),
        ];
        let records = directory.store.write_together(&changes).await.unwrap();
        let versions: Vec<Option<i64>> = records.iter().map(|record| record.as_ref().map(|r| r.version)).collect();
        assert_eq!(versions, [None, Some(3), Some(1), Some(1), Some(2)]);
        assert!(directory.get("User", old.id.as_str()).await.is_none());
        assert_eq!(directory.get("Group", staff.id.as_str()).await, records[1]);
        assert_eq!(directory.get("User", new.as_str()).await, records[2]);
        assert_eq!(directory.get("User", jane.id.as_str()).await, records[4]);
        let members = directory.store.members(TENANT, &[staff.pk], 1000).await.unwrap().unwrap();
        assert_eq!(members.iter().map(|(_, member)| member.id.as_str()).collect::<Vec<_>>(), [new.as_str()]);
        assert_eq!(directory.sql("SELECT SUM(n) FROM counter"), ["4"]);
    }

    async fn a_change_that_is_refused_undoes_the_others_and_is_named(db: Database) {
        let directory = db.open().await;
        let (jane, john) = (directory.user(json!({"userName": "jane"})).await, directory.user(json!({"userName": "john"})).await);
        let before = directory.dump();
        let (a, b) = (ResourceId::generate(), ResourceId::generate());
        let (new, taken) = (user("new"), user("JANE"));
        let create = |id, resource| Change::Create(directory.mutation("User", id, What::Create), resource, &[]);
        let delete = Change::Delete(directory.mutation("User", &john.id, What::Delete), john.clone());
        let refused = directory.store.write_together(&[delete.clone(), create(&a, &new), create(&b, &taken)]).await;
        assert_eq!(refused, Err((2, StoreError::Unique { path: "userName".into() })));
        let rename = Change::Update(directory.mutation("User", &john.id, What::Patch), john.clone(), stored(&john), user("jane"), MemberEdit::default());
        let refused = directory.store.write_together(&[create(&a, &new), rename]).await;
        assert_eq!(refused, Err((1, StoreError::Unique { path: "userName".into() })));
        assert_eq!(directory.dump(), before);
        let moved = directory.update("User", &jane, json!({"userName": "moved"}), &MemberEdit::default()).await.unwrap();
        assert_eq!(moved.version, 2);
        let stale = Change::Delete(directory.mutation("User", &jane.id, What::Delete), jane.clone());
        let refused = directory.store.write_together(&[create(&a, &new), stale]).await;
        assert!(matches!(refused, Err((_, StoreError::Conflict))), "{refused:?}");
        assert!(directory.get("User", a.as_str()).await.is_none());
    }

    async fn unique_values_are_told_with_their_attributes(db: Database) {
        let directory = db.open().await;
        let long = "x".repeat(400);
        let (jane, john) = (directory.user(json!({"userName": "Jane"})).await, directory.user(json!({"userName": long})).await);
        let group = directory.group("Staff", &[]).await;
        let ids = [jane.id.as_str(), john.id.as_str(), group.id.as_str(), "nobody"];
        let mut found = directory.store.unique_values(TENANT, &ids).await.unwrap();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        let value = |id: &ResourceId, key: &str| UniqueValue {
            id: id.to_string(), kind: "User".into(), path: "userName".into(), key: key.into(),
        };
        assert_eq!(found, [value(&jane.id, "jane"), value(&john.id, &long)]);
        let other = directory.store.create_tenant("other", crate::harness::time(0)).await.unwrap();
        assert_eq!(directory.store.unique_values(other.id, &ids).await.unwrap(), []);
    }
}
