//! What is written is what is read, and what stands beside a document follows it.

use muster::id::{ResourceId, TenantId};
use muster::store::{MemberEdit, StoreError, What};
use serde_json::{Map, Value, json};

use crate::harness::{TENANT, resource, stored, time};
use crate::people::{Random, document};

fn jane() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "jane", "displayName": "Jane Doe", "externalId": "E1",
        "emails": [{"value": "Jane@example.com", "type": "work", "primary": true}, {"value": "j@home.example"}],
        "phoneNumbers": [{"value": "tel:+1-201-555-0123", "type": "mobile"}]
    })
}

store_test! {
    async fn what_is_created_is_read_back(db: Database) {
        let directory = db.open().await;
        let id = ResourceId::generate();
        let mut mutation = directory.mutation("User", &id, What::Create);
        mutation.now = time(7);
        let mut body = jane();
        body["password"] = json!("secret");
        let created = directory.store.create(&mutation, &resource(body), &[]).await.unwrap();
        let read = directory.get("User", id.as_str()).await.unwrap();
        assert_eq!(read, created);
        assert_eq!((read.version, read.created.as_str()), (1, "2026-01-02T03:04:07"));
        assert_eq!(read.modified, read.created);
        assert!(!read.document.contains("secret"));
        assert_eq!(read.secret.as_deref(), Some(r#"{"password":"secret"}"#));
    }

    async fn an_update_is_read_back_with_the_next_version(db: Database) {
        let directory = db.open().await;
        let created = directory.user(jane()).await;
        let updated = directory.update("User", &created, json!({"userName": "jane2"}), &MemberEdit::default()).await.unwrap();
        assert_eq!((updated.version, updated.created.clone()), (2, created.created.clone()));
        assert_eq!(updated.modified, "2026-01-02T03:04:01");
        assert_eq!(directory.get("User", created.id.as_str()).await.unwrap(), updated);
    }

    async fn a_resource_is_found_only_as_its_own_type_and_in_its_own_tenant(db: Database) {
        let directory = db.open().await;
        let created = directory.user(jane()).await;
        assert!(directory.get("Group", created.id.as_str()).await.is_none());
        assert!(directory.get("User", "nobody").await.is_none());
        let other = directory.store.create_tenant("other", time(0)).await.unwrap();
        let kind = directory.kind("User");
        assert_eq!(directory.store.get(other.id, kind, created.id.as_str(), true).await.unwrap(), None);
        assert_eq!(directory.store.lookup(other.id, &[created.id.as_str()]).await.unwrap(), vec![]);
    }

    async fn everything_survives_a_restart(db: Database) {
        let directory = db.open().await;
        let created = directory.user(jane()).await;
        let before = directory.dump();
        drop(directory);
        let directory = db.open().await;
        assert_eq!(directory.dump(), before);
        assert_eq!(directory.get("User", created.id.as_str()).await.unwrap(), created);
        let next = directory.user(json!({"userName": "next"})).await;
        assert!(next.pk > created.pk);
    }

    async fn row_keys_rise_with_the_order_of_creation(db: Database) {
        let directory = db.open().await;
        let mut last = 0;
        for index in 0..30 {
            let record = directory.user(json!({"userName": format!("u{index}")})).await;
            assert!(record.pk > last);
            last = record.pk;
        }
    }

    async fn rows_after_updates_are_those_of_a_fresh_resource(db: Database) {
        let directory = db.open().await;
        let mut random = Random(11);
        let rows = |pk: i64| {
            let facts = directory.sql(&format!(
                "SELECT path, key, element, leads, uniq, long FROM fact WHERE resource = {pk} ORDER BY 1, 2, 3"));
            let contacts = directory.sql(&format!(
                "SELECT kind, ordinal, key, long, canonical, value, type, type_key, display, display_key, is_primary, \
                 id, long_canonical, created, verified_at, verified_by, claim FROM contact WHERE resource = {pk} ORDER BY 1, 2"));
            let label = directory.sql(&format!("SELECT label, label_key, document FROM resource WHERE pk = {pk}"));
            (facts, contacts, label)
        };
        for round in 0..60 {
            let kind = if round % 3 == 0 { "Device" } else { "User" };
            let mut body: Map<String, Value> = document(&mut random, directory.kind(kind), round);
            let mut record = directory.create(kind, Value::Object(body.clone()), &[]).await.unwrap();
            for _ in 0..3 {
                // Some values stay, some go, some move.
                let next = document(&mut random, directory.kind(kind), round);
                for (name, value) in next {
                    if random.percent(50) { body.insert(name, value); } else { body.shift_remove(&name); }
                }
                for list in ["emails", "phoneNumbers"] {
                    if let Some(Value::Array(values)) = body.get_mut(list) {
                        values.reverse();
                    }
                }
                record = directory.update(kind, &record, Value::Object(body.clone()), &MemberEdit::default()).await.unwrap();
            }
            let updated = rows(record.pk);
            directory.delete(kind, &record).await.unwrap();
            let fresh = directory.create(kind, Value::Object(body), &[]).await.unwrap();
            assert_eq!(updated, rows(fresh.pk), "round {round}");
        }
    }

    async fn a_unique_value_is_taken_in_any_case(db: Database) {
        let directory = db.open().await;
        directory.user(json!({"userName": "Jane"})).await;
        let taken = directory.create("User", json!({"userName": "JANE"}), &[]).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "userName".into() }));
        let other = directory.user(json!({"userName": "john"})).await;
        let taken = directory.update("User", &other, json!({"userName": "jAne"}), &MemberEdit::default()).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "userName".into() }));
        assert_eq!(directory.get("User", other.id.as_str()).await, Some(other));
    }

    async fn case_exact_unique_values_differ_by_case(db: Database) {
        let directory = db.open().await;
        directory.create("Device", json!({"serial": "a"}), &[]).await.unwrap();
        directory.create("Device", json!({"serial": "A"}), &[]).await.unwrap();
        let taken = directory.create("Device", json!({"serial": "a"}), &[]).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "serial".into() }));
    }

    async fn long_unique_values_clash_only_where_all_of_them_is_equal(db: Database) {
        let directory = db.open().await;
        let long = "x".repeat(5000);
        directory.user(json!({"userName": long})).await;
        directory.user(json!({"userName": format!("{long}y")})).await;
        let taken = directory.create("User", json!({"userName": long.to_uppercase()}), &[]).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "userName".into() }));
    }

    async fn values_of_any_length_are_stored_beside_their_indexes(db: Database) {
        let directory = db.open().await;
        let mut random = Random(3);
        // Nothing that a database could compress.
        let mut text = || -> String {
            let ideograph = |_| char::from_u32(0x4E00 + u32::try_from(random.below(20_000)).unwrap()).unwrap();
            (0..20_000).map(ideograph).collect()
        };
        let body = json!({
            "userName": text(), "displayName": text(), "externalId": text(), "nickName": text(),
            "emails": [{"value": text(), "type": text(), "display": text()}],
            "phoneNumbers": [{"value": text(), "type": text(), "display": text()}],
            "roles": [{"value": text(), "display": text()}]
        });
        let user = directory.user(body.clone()).await;
        let member: String = text().chars().take(85).collect();
        directory.group(&text(), &[user.id.as_str(), &member]).await;
        let stored: Value = serde_json::from_str(&directory.get("User", user.id.as_str()).await.unwrap().document).unwrap();
        assert_eq!(stored, body);
    }

    async fn a_value_is_free_again_after_its_owner_changed_or_went(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        let jane = directory.update("User", &jane, json!({"userName": "jane2"}), &MemberEdit::default()).await.unwrap();
        directory.user(json!({"userName": "jane"})).await;
        directory.delete("User", &jane).await.unwrap();
        directory.user(json!({"userName": "jane2"})).await;
    }

    async fn a_resource_does_not_clash_with_itself_or_another_type_or_tenant(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        directory.update("User", &jane, json!({"userName": "JANE"}), &MemberEdit::default()).await.unwrap();
        directory.create("Device", json!({"serial": "jane"}), &[]).await.unwrap();
        let other = directory.store.create_tenant("other", time(0)).await.unwrap();
        let id = ResourceId::generate();
        let mut mutation = directory.mutation("User", &id, What::Create);
        mutation.tenant = other.id;
        directory.store.create(&mutation, &resource(json!({"userName": "jane"})), &[]).await.unwrap();
    }

    async fn an_id_is_taken_once(db: Database) {
        let directory = db.open().await;
        let id = ResourceId::generate();
        let mutation = directory.mutation("User", &id, What::Create);
        directory.store.create(&mutation, &resource(json!({"userName": "a"})), &[]).await.unwrap();
        let taken = directory.store.create(&mutation, &resource(json!({"userName": "b"})), &[]).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "id".into() }));
    }

    async fn paths_that_a_policy_makes_unique_are_unique(db: Database) {
        let directory = db.open().await;
        let create = async |name: &str| {
            let id = ResourceId::generate();
            let mut mutation = directory.mutation("Group", &id, What::Create);
            mutation.also_unique.paths = &["displayName"];
            directory.store.create(&mutation, &resource(json!({"displayName": name})), &[]).await
        };
        create("Staff").await.unwrap();
        assert_eq!(create("STAFF").await, Err(StoreError::Unique { path: "displayName".into() }));
        create("Guests").await.unwrap();
    }

    async fn an_update_of_an_old_version_conflicts_and_changes_nothing(db: Database) {
        let directory = db.open().await;
        let first = directory.user(jane()).await;
        directory.update("User", &first, json!({"userName": "second"}), &MemberEdit::default()).await.unwrap();
        let before = directory.dump();
        let late = directory.update("User", &first, json!({"userName": "third"}), &MemberEdit::default()).await;
        assert_eq!(late, Err(StoreError::Conflict));
        assert_eq!(directory.dump(), before);
    }

    async fn a_guarded_delete_of_an_old_version_conflicts(db: Database) {
        let directory = db.open().await;
        let first = directory.user(jane()).await;
        let second = directory.update("User", &first, jane(), &MemberEdit::default()).await.unwrap();
        let mutation = directory.mutation("User", &first.id, What::Delete);
        assert_eq!(directory.store.delete(&mutation, &first, true).await, Err(StoreError::Conflict));
        assert_eq!(directory.store.delete(&mutation, &second, true).await, Ok(()));
        assert_eq!(directory.store.delete(&mutation, &second, false).await, Err(StoreError::Conflict));
        assert_eq!(
            directory.update("User", &second, jane(), &MemberEdit::default()).await,
            Err(StoreError::Conflict)
        );
    }

    async fn a_deleted_resource_leaves_only_its_history(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(jane()).await;
        let group = directory.group("Staff", &[jane.id.as_str()]).await;
        let outer = directory.group("All", &[group.id.as_str()]).await;
        directory.delete("Group", &group).await.unwrap();
        directory.delete("Group", &outer).await.unwrap();
        directory.delete("User", &jane).await.unwrap();
        for table in ["resource", "fact", "contact", "membership"] {
            assert_eq!(directory.sql(&format!("SELECT * FROM {table}")), Vec::<String>::new(), "{table}");
        }
        assert_eq!(directory.sql("SELECT SUM(n) FROM counter GROUP BY kind ORDER BY kind"), ["0", "0"]);
        assert_eq!(directory.sql("SELECT COUNT(*) FROM change"), ["7"]);
    }

    async fn counters_equal_the_number_of_resources(db: Database) {
        let directory = db.open().await;
        for index in 0..20 {
            let user = directory.user(json!({"userName": format!("u{index}")})).await;
            if index % 3 == 0 {
                directory.delete("User", &user).await.unwrap();
            }
        }
        directory.group("Staff", &[]).await;
        let counted = directory.sql("SELECT kind, SUM(n) FROM counter GROUP BY kind ORDER BY kind");
        assert_eq!(counted, directory.sql("SELECT kind, COUNT(*) FROM resource GROUP BY kind ORDER BY kind"));
        assert!(directory.sql("SELECT COUNT(*) FROM counter")[0].parse::<i64>().unwrap() > 2);
    }

    async fn every_mutation_leaves_a_row_in_the_change_log(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(jane()).await;
        let group = directory.group("Staff", &[jane.id.as_str()]).await;
        let mut mutation = directory.mutation("User", &jane.id, What::Patch);
        mutation.who = "okta";
        mutation.now = time(5);
        let same = stored(&jane);
        let edit = MemberEdit::default();
        let jane = directory.store.update(&mutation, &jane, &same, &same, &edit).await.unwrap();
        directory.delete("User", &jane).await.unwrap();
        let log = directory.sql(
            "SELECT d.name, c.resource, c.version, c.what, c.at, c.who FROM change c JOIN dictionary d ON d.id = c.kind ORDER BY c.seq");
        let (u, g) = (&jane.id, &group.id);
        let wanted = [
            format!("User|{u}|1|create|2026-01-02T03:04:04|test"),
            format!("Group|{g}|1|create|2026-01-02T03:04:04|test"),
            format!("User|{u}|2|patch|2026-01-02T03:04:05|okta"),
            format!("Group|{g}|2|members|2026-01-02T03:04:02|test"),
            format!("User|{u}|3|delete|2026-01-02T03:04:02|test"),
        ];
        let wanted = wanted.map(|row| row.replace("03:04:04", "03:04:00"));
        assert_eq!(log, wanted);
    }

    async fn contacts_keep_their_id_while_they_say_the_same(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(jane()).await;
        let rows = || directory.sql("SELECT kind, ordinal, id FROM contact ORDER BY 1, 2");
        let ids: Vec<String> = directory.sql("SELECT id FROM contact ORDER BY kind, ordinal");
        let body = json!({
            "userName": "jane",
            "emails": [
                {"value": "new@example.com"},
                {"value": "j@home.example", "type": "home", "primary": true},
                {"value": "jane@EXAMPLE.com"}
            ],
            "phoneNumbers": [{"value": "+1 (201) 555-0123"}]
        });
        let jane = directory.update("User", &jane, body, &MemberEdit::default()).await.unwrap();
        let new = directory.sql("SELECT id FROM contact WHERE ordinal = 0 AND kind = 1");
        let wanted = [
            format!("1|0|{}", new[0]),
            format!("1|1|{}", ids[1]),
            format!("1|2|{}", ids[0]),
            format!("2|0|{}", ids[2]),
        ];
        assert_eq!(rows(), wanted);
        directory.update("User", &jane, json!({"userName": "jane"}), &MemberEdit::default()).await.unwrap();
        assert_eq!(rows(), Vec::<String>::new());
    }

    async fn a_user_is_one_row_of_the_directory_view(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(jane()).await;
        let john = directory.user(json!({"userName": "john", "active": false})).await;
        let rows = directory.sql(
            "SELECT tenant, id, external_id, user_name, display_name, active, primary_email, primary_phone \
             FROM user_directory ORDER BY user_name");
        let wanted = [
            format!("default|{}|E1|jane|Jane Doe|1|Jane@example.com|tel:+1-201-555-0123", jane.id),
            format!("default|{}|-|john|-|0|-|-", john.id),
        ];
        assert_eq!(rows, wanted);
    }

    async fn a_member_is_one_row_of_the_members_view(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(jane()).await;
        let group = directory.group("Staff", &[jane.id.as_str(), "nobody"]).await;
        let rows = directory.sql("SELECT * FROM group_members ORDER BY member_id");
        let wanted = [
            format!("default|{}|Staff|{}|User|Jane Doe", group.id, jane.id),
            format!("default|{}|Staff|nobody|-|-", group.id),
        ];
        assert_eq!(rows, wanted);
    }

    async fn an_unknown_tenant_has_nothing(db: Database) {
        let directory = db.open().await;
        directory.user(jane()).await;
        let kind = directory.kind("User");
        assert_eq!(directory.store.get(TenantId(99), kind, "x", true).await.unwrap(), None);
        assert!(directory.store.ping().await.is_ok());
        assert_eq!(TENANT, TenantId(1));
    }
}
