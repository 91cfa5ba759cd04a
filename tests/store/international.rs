//! Text of many scripts: what `international.txt` says of filters and sorts, in memory and on every database.

use std::sync::Arc;

use muster::id::{ResourceId, TenantId};
use muster::scim::fact::{Fact, facts};
use muster::scim::filter::Filter;
use muster::scim::key::Key;
use muster::scim::registry::{AttributeName, Path};
use muster::scim::resource::Resource;
use muster::store::{Scope, Search, What};
use serde_json::{Map, Value, json};

use crate::harness::Directory;

const CASES: &str = include_str!("international.txt");

/// A user of a case: the value that names it there, and what the evaluator in memory sees of it.
struct Known {
    value: String,
    id: String,
    facts: Vec<Fact>,
}

/// The text with its escapes replaced.
fn unescape(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        out.push_str(rest);
    }
    out
}

fn values(list: &str) -> Vec<String> {
    list.split(" | ").map(|value| unescape(value.trim())).filter(|value| value != "nobody").collect()
}

/// A user with a value in an attribute.
fn body(path: &str, value: &str, index: usize) -> Value {
    let mut body = json!({"userName": format!("user{index}")});
    match path.split_once('.') {
        Some(("name", part)) => body["name"] = json!({part: value}),
        Some((list, part)) => body[list] = json!([{part: value}]),
        None => body[path] = json!(value),
    }
    body
}

async fn people(directory: &Directory, tenant: TenantId, line: &str) -> Vec<Known> {
    let (path, list) = line.split_once(": ").unwrap();
    let kind = directory.kind("User");
    let mut known = Vec::new();
    for (index, value) in values(list).into_iter().enumerate() {
        let body = body(path, &value, index);
        let resource = Resource::stored(body.as_object().unwrap().clone(), None);
        let id = ResourceId::generate();
        let mut mutation = directory.mutation("User", &id, What::Create);
        mutation.tenant = tenant;
        let record = directory.store.create(&mutation, &resource, &[]).await.unwrap();
        let stored: Map<String, Value> = serde_json::from_str(&record.document).unwrap();
        known.push(Known { value, id: id.to_string(), facts: facts(kind, &stored) });
    }
    known
}

/// What the databases find.
async fn search(directory: &Directory, tenant: TenantId, search: &Search, known: &[Known]) -> Vec<String> {
    let page = directory.store.search(tenant, search).await.unwrap();
    let value = |id: &str| known.iter().find(|known| known.id == id).unwrap().value.clone();
    page.records.iter().map(|(_, record)| value(record.id.as_str())).collect()
}

fn all(directory: &Directory, filter: Option<Filter>, sort: Option<Path>, descending: bool) -> Search {
    let kind = Arc::clone(directory.kind("User"));
    Search { scopes: vec![Scope { kind, filter, sort }], descending, offset: 0, limit: 100, group: None }
}

/// The order of the evaluator's keys.
fn sorted(known: &[Known], path: &Path, descending: bool) -> Vec<String> {
    let key = |known: &Known| -> Key {
        known.facts.iter().find(|fact| fact.attribute.path == path.leaf().path).unwrap().key.clone()
    };
    let mut sorted: Vec<&Known> = known.iter().collect();
    sorted.sort_by_key(|known| key(known));
    if descending {
        sorted.sort_by_key(|known| std::cmp::Reverse(key(known)));
    }
    sorted.into_iter().map(|known| known.value.clone()).collect()
}

store_test! {
    async fn text_of_every_script_compares_the_same_in_memory_and_in_the_database(db: Database) {
        let directory = db.open().await;
        let kind = Arc::clone(directory.kind("User"));
        let (mut tenant, mut known, mut checked) = (TenantId(100), Vec::new(), 0);
        for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '='])) {
            if let Some(line) = line.strip_prefix("values ") {
                tenant = TenantId(tenant.0 + 1);
                known = people(&directory, tenant, line).await;
                continue;
            }
            let (question, wanted) = line.split_once(" => ").unwrap();
            let wanted = values(wanted);
            let (memory, asked) = match question.strip_prefix("sort ") {
                Some(sort) => {
                    let (name, descending) = sort.strip_suffix(" descending").map_or((sort, false), |name| (name, true));
                    let path = kind.resolve(&AttributeName::split(name)).unwrap();
                    (sorted(&known, &path, descending), all(&directory, None, Some(path), descending))
                }
                None => {
                    let filter = Filter::parse(&unescape(question), &kind).unwrap();
                    let found = known.iter().filter(|known| filter.matches(&known.facts));
                    let found = found.map(|known| known.value.clone()).collect();
                    (found, all(&directory, Some(filter), None, false))
                }
            };
            assert_eq!(memory, wanted, "in memory: {line}");
            assert_eq!(search(&directory, tenant, &asked, &known).await, wanted, "{:?}: {line}", directory.engine);
            checked += 1;
        }
        assert!(checked > 60, "{checked}");
    }
}
