//! Pages, totals and order; what filters mean is held by the differential test.

use std::sync::Arc;

use muster::scim::filter::{Filter, Op};
use muster::scim::key::Key;
use muster::scim::registry::{AttributeName, Path, ResourceType};
use muster::store::{Page, Scope, Search, StoreError};
use serde_json::json;

use crate::harness::{Directory, TENANT};

pub(crate) fn path(kind: &ResourceType, name: &str) -> Path {
    kind.resolve(&AttributeName::split(name)).unwrap()
}

pub(crate) fn test(kind: &ResourceType, name: &str, op: Op, key: &str) -> Filter {
    Filter::Test { path: path(kind, name), op, key: Key::stored(key) }
}

pub(crate) fn search(kind: &Arc<ResourceType>, filter: Option<Filter>) -> Search {
    let scopes = vec![Scope { kind: Arc::clone(kind), filter, sort: None }];
    Search { scopes, descending: false, offset: 0, limit: 100, group: None }
}

async fn page(directory: &Directory, search: &Search) -> (u64, Vec<String>) {
    let Page { total, records } = directory.store.search(TENANT, search).await.unwrap();
    let names = records.into_iter().map(|(scope, record)| {
        let body: serde_json::Value = serde_json::from_str(&record.document).unwrap();
        let name = body.get("userName").or(body.get("displayName")).unwrap();
        format!("{scope}{}", name.as_str().unwrap())
    });
    (total, names.collect())
}

async fn fill(directory: &Directory) {
    for (index, name) in ["c", "a", "e", "b", "d"].iter().enumerate() {
        let mut body = json!({"userName": name});
        if index != 2 {
            body["title"] = json!(format!("t{}", index % 2));
        }
        directory.user(body).await;
    }
}

store_test! {
    async fn the_total_does_not_depend_on_the_page(db: Database) {
        let directory = db.open().await;
        fill(&directory).await;
        let kind = directory.kind("User");
        let filters = [None, Some(Filter::Present(path(kind, "userName")))];
        for filter in filters {
            let mut search = search(kind, filter);
            for (offset, limit, names) in
                [(0, 9, &["0c", "0a", "0e", "0b", "0d"][..]), (1, 2, &["0a", "0e"]), (4, 2, &["0d"]), (5, 2, &[]), (7, 2, &[]), (9, 0, &[]), (0, 0, &[])]
            {
                (search.offset, search.limit) = (offset, limit);
                let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
                assert_eq!(page(&directory, &search).await, (5, names), "{offset} {limit}");
            }
        }
    }

    async fn who_has_a_value_twice_is_found_once_and_every_way_with_all_groups(db: Database) {
        let directory = db.open().await;
        let emails = json!([{"value": "j@example.com", "type": "work"}, {"value": "j@example.com", "type": "home"}]);
        let jane = directory.user(json!({"userName": "jane", "emails": emails})).await;
        directory.user(json!({"userName": "john"})).await;
        let inner = directory.group("inner", &[jane.id.as_str()]).await;
        directory.group("outer", &[inner.id.as_str()]).await;
        let kind = directory.kind("User");
        let value = || test(kind, "emails.value", Op::Eq, "j@example.com");
        let each = Filter::Each { path: path(kind, "emails"), inner: Box::new(Filter::And(vec![value(), value()])) };
        let name = test(kind, "userName", Op::Eq, "jane");
        let long = Filter::Not(Box::new(test(kind, "userName", Op::Eq, "john")));
        for filter in [value(), each, name, long] {
            let search = search(kind, Some(filter));
            let (page, groups) = directory.store.search_with_groups(TENANT, &search).await.unwrap();
            assert_eq!(page, directory.store.search(TENANT, &search).await.unwrap());
            assert_eq!((page.total, page.records.len()), (1, 1), "{search:?}");
            let groups = groups[0].iter().map(|group| (group.display.as_deref().unwrap(), group.is_direct));
            assert_eq!(groups.collect::<Vec<_>>(), [("inner", true), ("outer", false)], "{search:?}");
        }
        let mut listing = search(kind, None);
        listing.scopes[0].sort = Some(path(kind, "userName"));
        for limit in [2, 9] {
            listing.limit = limit;
            let (_, groups) = directory.store.search_with_groups(TENANT, &listing).await.unwrap();
            assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0]);
        }
    }

    async fn missing_values_come_last_then_first_and_ties_in_order_of_creation(db: Database) {
        let directory = db.open().await;
        fill(&directory).await;
        let kind = directory.kind("User");
        let mut search = search(kind, None);
        search.scopes[0].sort = Some(path(kind, "title"));
        assert_eq!(page(&directory, &search).await.1, ["0c", "0d", "0a", "0b", "0e"]);
        search.descending = true;
        assert_eq!(page(&directory, &search).await.1, ["0e", "0a", "0b", "0c", "0d"]);
        search.scopes[0].sort = None;
        assert_eq!(page(&directory, &search).await.1, ["0c", "0a", "0e", "0b", "0d"]);
    }

    async fn pages_in_order_are_parts_of_one_list(db: Database) {
        let directory = db.open().await;
        for index in 0..30 {
            let mut body = json!({"userName": format!("u{}", index * 7 % 30)});
            if index % 4 != 0 {
                body["title"] = json!(format!("t{}", index % 3));
                body["name"] = json!({"familyName": format!("f{}", index % 5)});
            }
            directory.user(body).await;
        }
        let kind = directory.kind("User");
        for (name, descending) in
            ["userName", "title", "name.familyName"].into_iter().flat_map(|name| [(name, false), (name, true)])
        {
            let mut search = search(kind, None);
            search.scopes[0].sort = Some(path(kind, name));
            search.descending = descending;
            // More than there are: no page is full, so no short way answers.
            search.limit = 31;
            let whole = page(&directory, &search).await;
            assert_eq!((whole.0, whole.1.len()), (30, 30));
            search.limit = 7;
            let mut parts = Vec::new();
            for offset in [0, 7, 14, 21, 28] {
                search.offset = offset;
                let (total, names) = page(&directory, &search).await;
                assert_eq!(total, 30);
                parts.extend(names);
            }
            assert_eq!(parts, whole.1, "{name} {descending}");
        }
    }

    async fn a_search_over_several_types_is_one_list(db: Database) {
        let directory = db.open().await;
        directory.user(json!({"userName": "u1", "displayName": "b"})).await;
        directory.group("c", &[]).await;
        directory.user(json!({"userName": "u2", "displayName": "d"})).await;
        directory.group("a", &[]).await;
        let scope = |name: &str| {
            let kind = directory.kind(name);
            Scope { kind: Arc::clone(kind), filter: None, sort: Some(path(kind, "displayName")) }
        };
        let mut search = Search {
            scopes: vec![scope("User"), scope("Group")], descending: false, offset: 0, limit: 10, group: None,
        };
        assert_eq!(page(&directory, &search).await, (4, vec!["1a".into(), "0u1".into(), "1c".into(), "0u2".into()]));
        search.scopes[0].filter = Some(test(directory.kind("User"), "userName", Op::Eq, "u1"));
        search.scopes.iter_mut().for_each(|scope| scope.sort = None);
        assert_eq!(page(&directory, &search).await, (3, vec!["0u1".into(), "1c".into(), "1a".into()]));
        search.scopes.clear();
        assert_eq!(page(&directory, &search).await, (0, vec![]));
    }

    async fn a_search_can_stay_within_a_group(db: Database) {
        let directory = db.open().await;
        fill(&directory).await;
        let kind = directory.kind("User");
        let all = directory.store.search(TENANT, &search(kind, None)).await.unwrap().records;
        let ids: Vec<&str> = all.iter().skip(1).take(3).map(|(_, record)| record.id.as_str()).collect();
        let group = directory.group("g", &ids).await;
        let mut search = search(kind, None);
        search.group = Some(group.pk);
        assert_eq!(page(&directory, &search).await, (3, vec!["0a".into(), "0e".into(), "0b".into()]));
        search.scopes[0].filter = Some(test(kind, "title", Op::Eq, "t1"));
        assert_eq!(page(&directory, &search).await, (2, vec!["0a".into(), "0b".into()]));
        search.scopes[0].filter = Some(Filter::Not(Box::new(test(kind, "title", Op::Eq, "t1"))));
        assert_eq!(page(&directory, &search).await, (1, vec!["0e".into()]));
    }

    async fn a_filter_may_have_a_hundred_parts_of_any_kind(db: Database) {
        let directory = db.open().await;
        fill(&directory).await;
        let (user, group) = (directory.kind("User"), directory.kind("Group"));
        let each = |kind: &Arc<ResourceType>, name: &str, sub: &str| {
            let inner = Box::new(Filter::Present(path(kind, sub)));
            Filter::Each { path: path(kind, name), inner }
        };
        let heavy = [
            (user, vec![test(user, "userName", Op::Eq, "d"); 99]),
            (user, vec![test(user, "userName", Op::Co, "d"); 99]),
            (user, vec![test(user, "groups.value", Op::Eq, "d"); 24]),
            (user, vec![test(user, "groups.$ref", Op::Eq, "d"); 24]),
            (user, vec![test(user, "groups.type", Op::Eq, "d"); 24]),
            (user, vec![Filter::Present(path(user, "groups")); 24]),
            (user, vec![each(user, "groups", "groups.type"); 19]),
            (user, vec![Filter::Present(path(user, "addresses")); 99]),
            (user, vec![each(user, "addresses", "addresses"); 49]),
            (user, vec![each(user, "emails", "emails"); 49]),
            (group, vec![each(group, "members", "members.type"); 49]),
            (group, vec![test(group, "members.$ref", Op::Ne, "d"); 99]),
        ];
        for (kind, parts) in heavy {
            for filter in [Filter::Or(parts.clone()), Filter::And(parts.clone())] {
                let mut search = search(kind, Some(filter));
                search.scopes[0].sort = Some(path(kind, "displayName"));
                let result = directory.store.search(TENANT, &search).await;
                assert!(result.is_ok(), "{result:?} {:?}", parts[0]);
            }
            let mut deep = parts.first().unwrap().clone();
            for _ in 0..95 {
                deep = Filter::Not(Box::new(deep));
            }
            directory.store.search(TENANT, &search(kind, Some(deep))).await.unwrap();
        }
        let filter = Filter::Or(vec![test(user, "userName", Op::Eq, "d"); 100]);
        let refused = directory.store.search(TENANT, &search(user, Some(filter))).await;
        assert_eq!(refused, Err(StoreError::TooComplex { limit: 100 }));
    }

    async fn another_tenant_is_not_searched(db: Database) {
        let directory = db.open().await;
        fill(&directory).await;
        let kind = directory.kind("User");
        let other = directory.store.create_tenant("other", crate::harness::time(0)).await.unwrap();
        for filter in [None, Some(test(kind, "userName", Op::Eq, "a")), Some(test(kind, "userName", Op::Ne, "a"))] {
            let page = directory.store.search(other.id, &search(kind, filter)).await.unwrap();
            assert_eq!(page, Page { total: 0, records: vec![] });
        }
    }
}
