//! Memberships, seen from both ends.

use muster::scim::filter::{Filter, Op};
use muster::scim::key::Key;
use muster::scim::registry::Path;
use muster::store::{Found, GroupRef, Member, MemberEdit, Record};
use serde_json::json;

use crate::harness::TENANT;
use crate::searches::{path, search, test};

fn edit(clear: bool, add: &[&str], remove: &[&str]) -> MemberEdit {
    let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    MemberEdit { clear, add: owned(add), remove: owned(remove) }
}

store_test! {
    async fn a_group_shows_its_members_and_a_member_its_groups(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane", "displayName": "Jane"})).await;
        let john = directory.user(json!({"userName": "john"})).await;
        let inner = directory.group("Inner", &[john.id.as_str()]).await;
        let outer = directory.group("Outer", &[jane.id.as_str(), inner.id.as_str(), "zz-nobody"]).await;
        let shown = directory.store.members(TENANT, &[outer.pk, inner.pk], 1000).await.unwrap().unwrap();
        let member = |id: &str, kind: Option<&str>, display: Option<&str>| Member {
            id: id.to_owned(), kind: kind.map(str::to_owned), display: display.map(str::to_owned),
        };
        let wanted = vec![
            (inner.pk, member(john.id.as_str(), Some("User"), Some("john"))),
            (outer.pk, member(jane.id.as_str(), Some("User"), Some("Jane"))),
            (outer.pk, member(inner.id.as_str(), Some("Group"), Some("Inner"))),
            (outer.pk, member("zz-nobody", None, None)),
        ];
        assert_eq!(shown, wanted);
        let kind = directory.kind("User");
        let (record, groups) = directory.store.get(TENANT, kind, jane.id.as_str(), true).await.unwrap().unwrap();
        assert_eq!(record, jane);
        let group = |of: &Record, display: &str, is_direct: bool| GroupRef {
            id: of.id.to_string(), display: Some(display.into()), is_direct,
        };
        assert_eq!(groups, [group(&outer, "Outer", true)]);
        let (_, groups) = directory.store.get(TENANT, kind, jane.id.as_str(), false).await.unwrap().unwrap();
        assert_eq!(groups, []);
        let groups = directory.store.groups_of(TENANT, &[john.id.as_str(), jane.id.as_str(), "x"]).await.unwrap();
        assert_eq!(groups.len(), 3);
        for group in [group(&inner, "Inner", true), group(&outer, "Outer", false)] {
            assert!(groups.contains(&(john.id.to_string(), group)), "{groups:?}");
        }
    }

    async fn groups_may_be_in_each_other_and_deep(db: Database) {
        let directory = db.open().await;
        let (jane, john) = (directory.user(json!({"userName": "jane"})).await, directory.user(json!({"userName": "john"})).await);
        let mut inside = directory.group("0", &[jane.id.as_str()]).await;
        let first = inside.clone();
        for level in 1..60 {
            inside = directory.group(&level.to_string(), &[inside.id.as_str()]).await;
        }
        let alone = directory.group("alone", &[john.id.as_str(), "zz-nobody"]).await;
        // The outermost is in the innermost, and that in itself.
        let circle = edit(false, &[inside.id.as_str(), first.id.as_str()], &[]);
        directory.update("Group", &first, json!({"displayName": "0"}), &circle).await.unwrap();
        let kind = directory.kind("User");
        let of = async |user: &Record| {
            let found = directory.store.get(TENANT, kind, user.id.as_str(), true).await.unwrap().unwrap().1;
            let shown = found.into_iter().map(|group| (group.display.unwrap_or_default(), group.is_direct));
            shown.collect::<Vec<_>>()
        };
        let wanted: Vec<(String, bool)> = (0..60).map(|level| (level.to_string(), level == 0)).collect();
        assert_eq!(of(&jane).await, wanted);
        assert_eq!(of(&john).await, [("alone".to_owned(), true)]);
        let listed = directory.store.groups_of(TENANT, &[jane.id.as_str(), john.id.as_str()]).await.unwrap();
        assert_eq!(listed.len(), 61);
        let found = async |filter: Filter| {
            let page = directory.store.search(TENANT, &search(kind, Some(filter))).await.unwrap();
            page.records.into_iter().map(|(_, record)| record.id.to_string()).collect::<Vec<_>>()
        };
        let value = |group: &Record| test(kind, "groups.value", Op::Eq, group.id.as_str());
        assert_eq!(found(value(&inside)).await, [jane.id.as_str()]);
        assert_eq!(found(value(&alone)).await, [john.id.as_str()]);
        assert!(found(value(&jane)).await.is_empty());
        let both = |group: &Record, how: &str| {
            let parts = vec![value(group), test(kind, "groups.type", Op::Eq, how)];
            Filter::Each { path: path(kind, "groups"), inner: Box::new(Filter::And(parts)) }
        };
        assert_eq!(found(both(&inside, "indirect")).await, [jane.id.as_str()]);
        assert!(found(both(&inside, "direct")).await.is_empty());
        assert_eq!(found(both(&first, "direct")).await, [jane.id.as_str()]);
        assert_eq!(found(test(kind, "groups.type", Op::Eq, "indirect")).await, [jane.id.as_str()]);
    }

    async fn members_are_added_removed_and_cleared(db: Database) {
        let directory = db.open().await;
        let ids = async |pk: i64| {
            let members = directory.store.members(TENANT, &[pk], 1000).await.unwrap().unwrap();
            members.into_iter().map(|(_, member)| member.id).collect::<Vec<_>>()
        };
        let group = directory.group("Staff", &["a", "b"]).await;
        let body = || json!({"displayName": "Staff"});
        let group = directory.update("Group", &group, body(), &edit(false, &["c", "a", "c"], &["b", "x"])).await.unwrap();
        assert_eq!(ids(group.pk).await, ["a", "c"]);
        assert_eq!(directory.store.members_among(TENANT, group.pk, &["x", "c", "b"]).await.unwrap(), ["c"]);
        assert!(directory.store.has_members(TENANT, group.pk).await.unwrap());
        let group = directory.update("Group", &group, body(), &edit(true, &["d"], &[])).await.unwrap();
        assert_eq!(ids(group.pk).await, ["d"]);
        let group = directory.update("Group", &group, body(), &edit(true, &[], &[])).await.unwrap();
        assert_eq!(ids(group.pk).await, Vec::<String>::new());
        assert!(!directory.store.has_members(TENANT, group.pk).await.unwrap());
    }

    async fn more_ids_than_one_statement_takes_are_looked_up(db: Database) {
        let directory = db.open().await;
        let mut members: Vec<String> = (0..1300).map(|index| format!("m{index:04}")).collect();
        let jane = directory.user(json!({"userName": "jane"})).await;
        members.push(jane.id.to_string());
        let ids: Vec<&str> = members.iter().map(String::as_str).collect();
        let group = directory.group("Staff", &ids).await;
        assert_eq!(directory.store.members_among(TENANT, group.pk, &ids).await.unwrap().len(), 1301);
        let found = directory.store.lookup(TENANT, &ids).await.unwrap();
        let display = Some("jane".to_owned());
        assert_eq!(found, [Found { id: jane.id.to_string(), kind: "User".into(), display }]);
        assert_eq!(directory.store.lookup(TENANT, &[]).await.unwrap(), []);
    }

    async fn members_are_found_by_what_they_are(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        let inner = directory.group("Inner", &[]).await;
        let group = directory.group("Staff", &[jane.id.as_str(), inner.id.as_str(), "zz-nobody"]).await;
        let kind = directory.kind("Group");
        let members = kind.members().unwrap();
        let test = |sub: &str, key: &str| Filter::Test {
            path: Path::to_sub(members, members.sub(sub).unwrap()), op: Op::Eq, key: Key::stored(key),
        };
        let matching = async |filter: Filter| {
            directory.store.members_matching(TENANT, kind, group.pk, &filter).await.unwrap()
        };
        assert_eq!(matching(test("value", jane.id.as_str())).await, [jane.id.as_str()]);
        assert_eq!(matching(test("type", "group")).await, [inner.id.as_str()]);
        assert_eq!(matching(test("display", "jane")).await, [jane.id.as_str()]);
        assert_eq!(matching(test("$ref", &format!("Users/{}", jane.id))).await, [jane.id.as_str()]);
        assert_eq!(matching(Filter::Not(Box::new(test("type", "group")))).await, [jane.id.as_str(), "zz-nobody"]);
        assert_eq!(matching(Filter::Always(true)).await.len(), 3);
    }

    async fn deleting_a_member_gives_its_groups_a_new_version(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        let staff = directory.group("Staff", &[jane.id.as_str(), "x"]).await;
        let other = directory.group("Other", &["x"]).await;
        directory.delete("User", &jane).await.unwrap();
        let after = directory.get("Group", staff.id.as_str()).await.unwrap();
        assert_eq!((after.version, after.modified.as_str()), (2, "2026-01-02T03:04:02"));
        assert_eq!(directory.get("Group", other.id.as_str()).await.unwrap(), other);
        assert_eq!(directory.sql("SELECT member FROM membership"), ["x", "x"]);
    }

    async fn a_new_name_shows_at_both_ends(db: Database) {
        let directory = db.open().await;
        let jane = directory.user(json!({"userName": "jane"})).await;
        let group = directory.group("Old", &[jane.id.as_str()]).await;
        directory.update("Group", &group, json!({"displayName": "New"}), &MemberEdit::default()).await.unwrap();
        directory.update("User", &jane, json!({"userName": "jane", "displayName": "J"}), &MemberEdit::default()).await.unwrap();
        let (_, groups) =
            directory.store.get(TENANT, directory.kind("User"), jane.id.as_str(), true).await.unwrap().unwrap();
        assert_eq!(groups[0].display.as_deref(), Some("New"));
        let members = directory.store.members(TENANT, &[group.pk], 1000).await.unwrap().unwrap();
        assert_eq!(members[0].1.display.as_deref(), Some("J"));
    }
}
