//! The readers of a filter must agree: the evaluator in memory, SQLite and PostgreSQL (random filters, seeded).
//!
//! `MUSTER_SEED=7 cargo test --test differential` repeats a run; a disagreement prints its seed, filter and ids.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is a test")]

use muster_kit::{harness, people};

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use harness::{Database, Directory, TENANT};
use muster::id::ResourceId;
use muster::scim::fact::{Fact, facts};
use muster::scim::filter::{Filter, Op};
use muster::scim::key::Key;
use muster::scim::registry::{Path, ResourceType};
use muster::scim::resource::Resource;
use muster::scim::schema::{Attribute, Kept, Returned, Type};
use muster::store::{Scope, Search, What};
use people::{Random, TEXTS, document};
use serde_json::{Map, Value, json};

/// How many resources there are of each type.
const RESOURCES: [(&str, usize); 3] = [("User", 90), ("Group", 25), ("Device", 30)];

/// Values this long sort by their beginnings only.
const SORTS_EXACTLY: usize = 256;

/// What the evaluator in memory knows of a type.
struct Memory {
    kind: Arc<ResourceType>,
    /// In the order of creation.
    resources: Vec<(String, Vec<Fact>)>,
    keys: HashMap<String, Vec<Key>>,
    paths: Vec<Path>,
    wholes: Vec<Path>,
}

fn seed() -> u64 {
    option_env!("MUSTER_SEED").map_or(20_260_601, |text| text.parse().unwrap())
}

#[test]
fn memory_and_the_databases_agree_on_every_filter_for_users() {
    agree("User", 12_000);
}

#[test]
fn memory_and_the_databases_agree_on_every_filter_for_groups() {
    agree("Group", 4_500);
}

#[test]
fn memory_and_the_databases_agree_on_every_filter_for_another_type() {
    agree("Device", 4_000);
}

fn agree(name: &str, filters: usize) {
    harness::block_on(async {
        let databases: Vec<Database> =
            std::iter::once(Database::sqlite()).chain(Database::postgres()).collect();
        let mut directories = Vec::new();
        let mut random = Random(seed());
        let mut ids = BTreeMap::new();
        for database in &databases {
            let directory = database.open().await;
            random = Random(seed());
            ids = fill(&directory, &mut random).await;
            directories.push(directory);
        }
        let memory = remember(&directories[0], name, &ids).await;
        let mut matched = 0;
        for _ in 0..filters {
            let filter = memory.filter(&mut random, 3);
            matched += usize::from(compare(&directories, &memory, filter, &mut random).await);
        }
        assert!(matched * 4 > filters, "only {matched} of {filters} filters tell resources apart");
    });
}

/// Creates users, devices, groups of them and groups of groups; answers the ids by type.
async fn fill(directory: &Directory, random: &mut Random) -> BTreeMap<String, Vec<String>> {
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, number) in RESOURCES {
        for index in 0..number {
            let resource = Resource::stored(document(random, directory.kind(name), index), None);
            let mut members = Vec::new();
            if name == "Group" {
                let known: Vec<&String> = ids.values().flatten().collect();
                for _ in 0..random.below(6) {
                    members.push((*random.pick(&known)).clone());
                }
                if random.percent(20) {
                    members.push("nobody".to_owned());
                }
            }
            let id = ResourceId::from_text(format!("{:016x}{:016x}", random.draw(), random.draw()));
            let mut mutation = directory.mutation(name, &id, What::Create);
            mutation.now = harness::time(u32::try_from(index % 7).unwrap());
            let mut record = directory.store.create(&mutation, &resource, &members).await.unwrap();
            // Some have been changed, so that rows written by differences take part.
            if random.percent(30) {
                let next = Resource::stored(document(random, directory.kind(name), index), None);
                mutation.now = harness::time(30);
                let edit = muster::store::MemberEdit::default();
                record = directory.store.update(&mutation, &record, &resource, &next, &edit).await.unwrap();
            }
            ids.entry(name.to_owned()).or_default().push(record.id.to_string());
        }
    }
    nest(directory, random, &ids["Group"]).await;
    ids
}

/// Puts groups into groups that are older or younger, so that some contain each other and one contains itself.
async fn nest(directory: &Directory, random: &mut Random, groups: &[String]) {
    for (index, id) in groups.iter().enumerate().filter(|(index, _)| index % 3 == 0) {
        let record = directory.get("Group", id).await.unwrap();
        let mut edit = muster::store::MemberEdit::default();
        edit.add.push(if index == 0 { id.clone() } else { random.pick(groups).clone() });
        let (old, mut mutation) =
            (harness::stored(&record), directory.mutation("Group", &record.id, What::Patch));
        mutation.now = harness::time(31);
        directory.store.update(&mutation, &record, &old, &old, &edit).await.unwrap();
    }
}

/// The groups that each resource is in, by a walk of its own: in the order of creation, with what is direct.
async fn memberships(
    directory: &Directory,
    groups: &[String],
) -> HashMap<String, Vec<(String, Value, bool)>> {
    let mut found: HashMap<String, BTreeMap<usize, (String, Value, bool)>> = HashMap::new();
    let mut members = HashMap::new();
    for id in groups {
        let pk = directory.get("Group", id).await.unwrap().pk;
        let direct = directory.store.members(TENANT, &[pk], 1000).await.unwrap().unwrap();
        members.insert(id, direct.into_iter().map(|(_, member)| member.id).collect::<Vec<_>>());
    }
    for (order, group) in groups.iter().enumerate() {
        let name = directory.store.lookup(TENANT, &[group]).await.unwrap()[0].display.clone();
        let mut open = vec![group];
        let mut seen: Vec<&String> = Vec::new();
        while let Some(inside) = open.pop() {
            for member in &members[inside] {
                let is_direct = members[group].contains(member);
                found
                    .entry(member.clone())
                    .or_default()
                    .insert(order, (group.clone(), json!(name), is_direct));
                if let Some((known, _)) = members.get_key_value(member).filter(|(id, _)| !seen.contains(id)) {
                    seen.push(known);
                    open.push(known);
                }
            }
        }
    }
    found.into_iter().map(|(id, groups)| (id, groups.into_values().collect())).collect()
}

/// Reads a type back and puts its resources together as clients see them.
async fn remember(directory: &Directory, name: &str, ids: &BTreeMap<String, Vec<String>>) -> Memory {
    let kind = Arc::clone(directory.kind(name));
    let mut resources = Vec::new();
    let mut keys: HashMap<String, Vec<Key>> = HashMap::new();
    let memberships = memberships(directory, &ids["Group"]).await;
    for id in &ids[name] {
        let (record, shown) = directory.store.get(TENANT, &kind, id, true).await.unwrap().unwrap();
        let groups = memberships.get(id).cloned().unwrap_or_default();
        let shown: Vec<_> =
            shown.into_iter().map(|group| (group.id, json!(group.display), group.is_direct)).collect();
        assert_eq!(shown, groups);
        let mut body: Map<String, Value> = serde_json::from_str(&record.document).unwrap();
        body.insert("id".into(), json!(id));
        body.insert(
            "meta".into(),
            json!({
                "resourceType": name,
                "created": format!("{}Z", record.created),
                "lastModified": format!("{}Z", record.modified),
                "version": format!("W/\"{}\"", record.version),
                "location": format!("https://x.example/v2/{}/{id}", kind.endpoint),
            }),
        );
        let location = |kind: &str, id: &str| {
            let endpoint = &directory.kind(kind).endpoint;
            json!(format!("https://x.example/v2/{endpoint}/{id}"))
        };
        let mut elements = Vec::new();
        if let Some(attribute) = kind.members() {
            for (_, member) in directory.store.members(TENANT, &[record.pk], 1000).await.unwrap().unwrap() {
                let mut element = Map::from_iter([("value".to_owned(), json!(member.id))]);
                if let Some(kind) = member.kind {
                    element.insert("$ref".into(), location(&kind, &member.id));
                    element.insert("type".into(), json!(kind));
                }
                element.extend(member.display.map(|display| ("display".to_owned(), json!(display))));
                elements.push(Value::Object(element));
            }
            body.insert(attribute.name.clone(), Value::Array(elements));
        } else if let Some(attribute) = kind.groups() {
            for group in groups {
                let (group, display, is_direct) = group;
                let mut element = json!({"value": group, "display": display});
                element["$ref"] = location("Group", &group);
                element["type"] = json!(if is_direct { "direct" } else { "indirect" });
                elements.push(element);
            }
            body.insert(attribute.name.clone(), Value::Array(elements));
        }
        let facts = facts(&kind, &body);
        for fact in &facts {
            keys.entry(fact.attribute.path.clone()).or_default().push(fact.key.clone());
        }
        resources.push((id.clone(), facts));
    }
    let visible = |a: &&Arc<Attribute>| a.returned != Returned::Never;
    let wholes: Vec<Path> = kind.all_attributes().filter(visible).map(Path::whole).collect();
    let simple = wholes.iter().filter(|path| path.attribute.kind != Type::Complex).cloned();
    let subs = wholes
        .iter()
        .flat_map(|path| path.attribute.sub_attributes.iter().map(|sub| Path::to_sub(&path.attribute, sub)));
    let paths = simple.chain(subs).collect();
    Memory { kind, resources, keys, paths, wholes }
}

impl Memory {
    fn filter(&self, random: &mut Random, depth: usize) -> Filter {
        match random.below(if depth == 0 { 6 } else { 12 }) {
            0..=3 => self.test(random, &self.paths),
            4 => Filter::Present(random.pick(&self.wholes).clone()),
            5 => Filter::Present(random.pick(&self.paths).clone()),
            6 => Filter::Not(Box::new(self.filter(random, depth - 1))),
            7 => Filter::And((0..=random.below(3)).map(|_| self.filter(random, depth - 1)).collect()),
            8 => Filter::Or((0..=random.below(3)).map(|_| self.filter(random, depth - 1)).collect()),
            9 if random.percent(10) => Filter::Always(random.percent(50)),
            _ => {
                let path = random.pick(&self.wholes).clone();
                let attribute = Arc::clone(&path.attribute);
                let own: Vec<Path> =
                    self.paths.iter().filter(|path| path.attribute.path == attribute.path).cloned().collect();
                let inner = Box::new(self.inner(random, &path, &own, depth));
                Filter::Each { path, inner }
            }
        }
    }

    /// A filter inside brackets.
    fn inner(&self, random: &mut Random, whole: &Path, own: &[Path], depth: usize) -> Filter {
        match random.below(if depth == 0 { 5 } else { 9 }) {
            0..=3 => self.test(random, own),
            4 => Filter::Present(if random.percent(50) { whole.clone() } else { random.pick(own).clone() }),
            5 => Filter::Not(Box::new(self.inner(random, whole, own, depth - 1))),
            6 => Filter::Or((0..2).map(|_| self.inner(random, whole, own, depth - 1)).collect()),
            _ => Filter::And((0..2).map(|_| self.inner(random, whole, own, depth - 1)).collect()),
        }
    }

    fn test(&self, random: &mut Random, paths: &[Path]) -> Filter {
        let path = random.pick(paths).clone();
        let (_, op) = *random.pick(&Op::NAMES);
        let known = self.keys.get(&path.leaf().path).filter(|_| random.percent(85));
        let mut key = match known {
            Some(known) => random.pick(known).as_str().to_owned(),
            None => (*random.pick(&TEXTS)).to_owned(),
        };
        if random.percent(if matches!(op, Op::Co | Op::Sw | Op::Ew) { 70 } else { 20 }) {
            key = mutate(random, &key);
        }
        if key.is_empty() && matches!(op, Op::Co | Op::Sw | Op::Ew) {
            key.push('a');
        }
        Filter::Test { path, op, key: Key::stored(key) }
    }
}

/// A part of a text, or the text with something at its end.
fn mutate(random: &mut Random, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (a, b) = (random.below(chars.len() + 1), random.below(chars.len() + 1));
    match random.below(5) {
        0 => chars[..a].iter().collect(),
        1 => chars[a..].iter().collect(),
        2 => chars[a.min(b)..a.max(b)].iter().collect(),
        3 => format!("{text}{}", random.pick(&TEXTS)),
        _ => {
            let mut chars = chars;
            if let Some(last) = chars.last_mut() {
                *last = *random.pick(&['\u{0}', '\u{1}', 'a', 'é', '\u{d7ff}', '\u{10ffff}']);
            }
            chars.into_iter().filter(|c| *c != '\u{0}').collect()
        }
    }
}

/// Compares one search; answers whether the filter matches some resources and not others.
async fn compare(directories: &[Directory], memory: &Memory, filter: Filter, random: &mut Random) -> bool {
    let expected: Vec<&(String, Vec<Fact>)> =
        memory.resources.iter().filter(|(_, facts)| filter.matches(facts)).collect();
    let sort = random.percent(30).then(|| random.pick(&memory.paths).clone()).filter(|path| {
        let keys = memory.keys.get(&path.leaf().path);
        keys.is_none_or(|keys| keys.iter().all(|key| key.as_str().len() <= SORTS_EXACTLY))
    });
    let descending = random.percent(50);
    let (offset, limit) = if random.percent(70) { (0, 1000) } else { (random.below(20), random.below(20)) };
    let mut ordered = expected.clone();
    if let Some(path) = &sort {
        ordered.sort_by(|a, b| in_order(sort_key(&a.1, path), sort_key(&b.1, path), descending));
    }
    let wanted: Vec<String> = ordered.iter().skip(offset).take(limit).map(|(id, _)| id.clone()).collect();
    let search = Search {
        scopes: vec![Scope { kind: Arc::clone(&memory.kind), filter: Some(filter), sort }],
        descending,
        offset: offset as u64,
        limit: limit as u64,
        group: None,
    };
    for directory in directories {
        let page = directory.store.search(TENANT, &search).await;
        let found = page.map(|page| {
            let ids = page.records.into_iter().map(|(_, record)| record.id.to_string());
            (ids.collect::<Vec<_>>(), page.total)
        });
        assert_eq!(
            found,
            Ok((wanted.clone(), expected.len() as u64)),
            "{:?} {} {:#?}",
            directory.engine,
            memory.kind.name,
            search.scopes[0]
        );
    }
    !expected.is_empty() && expected.len() < memory.resources.len()
}

fn sort_key<'a>(facts: &'a [Fact], path: &Path) -> Option<&'a Key> {
    let leading = facts.iter().filter(|fact| fact.attribute.path == path.leaf().path && fact.leads);
    let is_membership = matches!(path.attribute.kept, Kept::Members | Kept::Groups);
    if is_membership { leading.map(|fact| &fact.key).next() } else { leading.map(|fact| &fact.key).min() }
}

fn in_order(a: Option<&Key>, b: Option<&Key>, descending: bool) -> Ordering {
    let ascending = match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    if descending { ascending.reverse() } else { ascending }
}
