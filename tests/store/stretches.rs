//! Walks from position to position (RFC 9865): the order of a search, whatever is written meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use muster::id::ResourceId;
use muster::scim::filter::{Filter, Op};
use muster::store::{Arrival, Bulk, Position, Scope, Search, Stamp, Unique};
use serde_json::json;

use crate::harness::{Directory, TENANT, resource, time};
use crate::people::{Random, document};
use crate::searches::{path, search, test};

/// The ids of all matches, page by page.
async fn walk(directory: &Directory, search: &Search) -> Vec<String> {
    let mut ids = Vec::new();
    let mut after: Option<Position> = None;
    loop {
        let stretch = directory.store.search_after(TENANT, search, after.as_ref()).await.unwrap();
        assert!(stretch.records.len() as u64 <= search.limit);
        ids.extend(stretch.records.into_iter().map(|(scope, record)| format!("{scope} {}", record.id)));
        match stretch.end {
            Some(end) => after = Some(end),
            None => return ids,
        }
    }
}

async fn whole(directory: &Directory, search: &Search) -> Vec<String> {
    let search = Search { limit: 1000, ..search.clone() };
    let page = directory.store.search(TENANT, &search).await.unwrap();
    page.records.into_iter().map(|(scope, record)| format!("{scope} {}", record.id)).collect()
}

/// Many users at once.
async fn arrive(directory: &Directory, names: impl Iterator<Item = String>) {
    let kind = directory.kind("User");
    let stamp = Stamp { created: time(0), modified: time(0), version: 1 };
    let arrival = |name: String| {
        let body = resource(json!({"userName": name, "title": format!("t{}", name.len() % 3)}));
        let id = ResourceId::generate();
        directory.store.arrival(kind, &id, (&body, Vec::new()), stamp, Unique::default()).unwrap()
    };
    let arrivals: Vec<Arrival> = names.map(arrival).collect();
    let bulk = Bulk { tenant: TENANT, now: time(0), who: "test", mark: None };
    for some in arrivals.chunks(500) {
        directory.store.create_all(&bulk, &some.iter().collect::<Vec<_>>()).await.unwrap();
    }
}

/// The user names on all pages, with `between` done after each page.
async fn names_while(
    directory: &Directory,
    search: &Search,
    mut between: impl AsyncFnMut(usize),
) -> Vec<String> {
    let mut names = Vec::new();
    let mut after: Option<Position> = None;
    for page in 0.. {
        let stretch = directory.store.search_after(TENANT, search, after.as_ref()).await.unwrap();
        for (_, record) in stretch.records {
            let body: serde_json::Value = serde_json::from_str(&record.document).unwrap();
            names.push(body["userName"].as_str().unwrap().to_owned());
        }
        between(page).await;
        match stretch.end {
            Some(end) => after = Some(end),
            None => break,
        }
    }
    names
}

store_test! {
    async fn a_walk_meets_what_a_search_finds_in_its_order(db: Database) {
        let directory = db.open().await;
        let mut random = Random(11);
        let long = "x".repeat(300);
        for index in 0..60 {
            let mut body = document(&mut random, directory.kind("User"), index);
            body.insert("userName".into(), json!(format!("user{index}")));
            if index % 3 == 0 {
                body.insert("title".into(), json!(format!("{long}{}", index % 4)));
            }
            directory.user(body.into()).await;
        }
        for index in 0..5 {
            directory.group(&format!("group{index}"), &[]).await;
        }
        let (user, group) = (directory.kind("User"), directory.kind("Group"));
        let filters = [
            None,
            Some(Filter::Present(path(user, "title"))),
            Some(test(user, "userName", Op::Sw, "user1")),
            Some(Filter::Not(Box::new(Filter::Present(path(user, "nickName"))))),
            Some(test(user, "active", Op::Eq, "true")),
        ];
        let sorts = [None, Some("userName"), Some("title"), Some("nickName"), Some("emails.value"), Some("roles.value"), Some("meta.created"), Some("id"), Some("groups.value")];
        for (filter, sort) in filters.iter().flat_map(|filter| sorts.iter().map(move |sort| (filter, sort))) {
            for (descending, limit) in [(false, 7), (true, 7), (false, 1000), (true, 1)] {
                let mut search = search(user, filter.clone());
                search.scopes[0].sort = sort.map(|name| path(user, name));
                (search.descending, search.limit) = (descending, limit);
                let expected = whole(&directory, &search).await;
                assert_eq!(walk(&directory, &search).await, expected, "{filter:?} {sort:?} {descending} {limit}");
            }
        }
        for (sort, descending) in [(None, false), (Some("displayName"), false), (Some("displayName"), true)] {
            let scope = |kind| Scope { kind: std::sync::Arc::clone(kind), filter: None, sort: sort.map(|name| path(kind, name)) };
            let search = Search { scopes: vec![scope(user), scope(group)], descending, offset: 0, limit: 7, group: None };
            assert_eq!(walk(&directory, &search).await, whole(&directory, &search).await, "{sort:?} {descending}");
        }
    }

    /// 9865-2-03, and what the RFC leaves to servers: who is there throughout is met exactly once.
    async fn who_is_there_throughout_is_met_once_while_thousands_come_and_go(db: Database) {
        let directory = db.open().await;
        // In no order, so that what comes and goes is before and behind the walk.
        let name = |index: usize| format!("u{:05}", index * 7919 % 20_000);
        arrive(&directory, (0..20_000).map(name)).await;
        let kind = directory.kind("User");
        for sort in [None, Some("userName")] {
            let mut search = search(kind, None);
            search.scopes[0].sort = sort.map(|name| path(kind, name));
            search.limit = 1000;
            let rows = directory.sql("SELECT label, pk FROM resource");
            let pairs = rows.iter().map(|row| row.split_once('|').unwrap());
            let before: BTreeMap<String, String> = pairs.map(|(name, pk)| (name.to_owned(), pk.to_owned())).collect();
            assert_eq!(before.len(), 20_000);
            let mut gone: HashSet<String> = HashSet::new();
            let mut random = Random(5);
            let round = sort.unwrap_or("none");
            let names = names_while(&directory, &search, async |page| {
                if page >= 20 {
                    return;
                }
                let left: Vec<&String> = before.keys().filter(|name| !gone.contains(*name)).collect();
                let mut doomed: HashSet<String> = HashSet::new();
                while doomed.len() < 100 {
                    doomed.insert((*random.pick(&left)).clone());
                }
                delete(&directory, &doomed.iter().map(|name| before[name].as_str()).collect::<Vec<_>>());
                gone.extend(doomed);
                arrive(&directory, (0..100).map(|n| format!("{}new{round}{page}x{n}", ["a", "u1", "z"][n % 3]))).await;
            })
            .await;
            assert_eq!(gone.len(), 2000, "{round}");
            let mut met: HashMap<&str, usize> = HashMap::new();
            for name in &names {
                *met.entry(name).or_default() += 1;
            }
            assert!(met.values().all(|count| *count == 1), "{round}: somebody was met twice");
            let was_missed = |name: &&String| !gone.contains(*name) && !met.contains_key(name.as_str());
            let missed = before.keys().filter(was_missed).count();
            assert_eq!(missed, 0, "{round}");
        }
    }
}

/// Deletes users past the store, which is faster; a walk reads these tables and no others.
fn delete(directory: &Directory, pks: &[&str]) {
    let pks = pks.join(", ");
    directory.sql(&format!("DELETE FROM fact WHERE tenant = 1 AND resource IN ({pks})"));
    directory.sql(&format!("DELETE FROM resource WHERE tenant = 1 AND pk IN ({pks})"));
}

#[test]
fn a_stretch_in_the_middle_is_a_part_of_an_index() {
    let db = crate::harness::Database::sqlite();
    crate::harness::block_on(async {
        let directory = db.open().await;
        let kind = directory.kind("User");
        let middle = Position { key: Some("u1".into()), pk: 7 };
        let valueless = Position { key: None, pk: 7 };
        let plan = async |sort: Option<&str>, filter, descending, after: Option<&Position>| {
            let mut search = search(kind, filter);
            search.scopes[0].sort = sort.map(|name| path(kind, name));
            search.descending = descending;
            directory.store.explain_after(TENANT, &search, after).await.unwrap().join("\n")
        };
        let filter = Some(test(kind, "active", Op::Eq, "true"));
        for filter in [None, filter] {
            let unsorted = plan(None, filter.clone(), false, Some(&middle)).await;
            assert!(unsorted.contains("resource_kind (tenant=? AND kind=? AND pk>?)"), "{unsorted}");
            for (descending, ranges) in [
                (false, &["(tenant=? AND path=? AND (key,resource)>(?,?))"][..]),
                (
                    true,
                    &["(tenant=? AND path=? AND key=? AND resource>?)", "(tenant=? AND path=? AND key<?)"],
                ),
            ] {
                let sorted = plan(Some("title"), filter.clone(), descending, Some(&middle)).await;
                assert!(ranges.iter().all(|range| sorted.contains(range)), "{sorted}");
                assert!(!sorted.contains("USE TEMP B-TREE FOR ORDER BY"), "{sorted}");
            }
            let last = plan(Some("title"), filter.clone(), false, Some(&valueless)).await;
            assert!(last.contains("fact_resource (tenant=? AND resource=? AND path=?)"), "{last}");
        }
    });
}
