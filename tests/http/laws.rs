//! Laws that hold for every resource as clients see it: what was read can be written back, and members come and go one
//! by one as they do together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use muster::access::Scope;
use muster::id::TenantId;
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::urn;
use proptest::collection::btree_set;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Map, Value, json};

use crate::bodies_of_types::body;
use crate::kit::{Answer, App};

const PROFILES: [&str; 4] = ["default", "strict", "interop", "ipsie"];

/// A server, and what is asked of it.
struct World {
    app: App,
    tokens: [String; 4],
    made: AtomicUsize,
}

impl World {
    fn new() -> Self {
        let app = App::start();
        let tokens = PROFILES.map(|profile| app.new_token(TenantId::DEFAULT, Scope::Scim, profile));
        Self { app, tokens, made: AtomicUsize::new(0) }
    }

    /// A name that nothing else has.
    fn name(&self) -> Value {
        json!(format!("name {}", self.made.fetch_add(1, Ordering::Relaxed)))
    }

    fn send(&self, method: &str, path: &str, profile: usize, body: &Value) -> Answer {
        self.app.scim(method, path).token(&self.tokens[profile]).json(body).send()
    }

    /// How many changes were recorded so far.
    fn changes(&self) -> i64 {
        let database = rusqlite::Connection::open(self.app.folder().join("muster.db")).unwrap();
        database.query_row("SELECT COUNT(*) FROM change", [], |row| row.get(0)).unwrap()
    }

    /// Makes a resource; answers with where it is.
    fn make(&self, endpoint: &str, profile: usize, body: &Value) -> Result<String, TestCaseError> {
        let made = self.send("POST", endpoint, profile, body);
        prop_assert_eq!(made.status, 201, "{:?} for {}", made, body);
        Ok(format!("{endpoint}/{}", made.json()["id"].as_str().unwrap()))
    }

    /// Writes back what was read, and looks that nothing comes of it.
    fn write_back(&self, path: &str, profile: usize) -> Result<(), TestCaseError> {
        let read = self.send("GET", path, profile, &Value::Null);
        let changes = self.changes();
        let put = self.send("PUT", path, profile, &read.json());
        prop_assert_eq!(put.status, 200, "{:?}", put);
        prop_assert_eq!(put.json(), read.json());
        prop_assert_eq!(put.header("etag"), read.header("etag"));
        prop_assert_eq!(self.send("GET", path, profile, &Value::Null).json(), read.json());
        prop_assert_eq!(self.changes(), changes);
        Ok(())
    }
}

fn kind(name: &str) -> Arc<ResourceType> {
    Arc::clone(Registry::built_in().unwrap().type_named(name).unwrap())
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: 40,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn a_put_of_the_user_that_a_get_answered_changes_nothing() {
    let world = World::new();
    let outer = json!({"schemas": [urn::GROUP], "displayName": "outer"});
    let outer = world.make("/Groups", 0, &outer).unwrap();
    let user = (body(&kind("User")), select(vec![0, 1, 2, 3]));
    let law = |(mut user, profile): (Map<String, Value>, usize)| {
        user.insert("userName".to_owned(), world.name());
        // Hashes are for tenants that migrate, and this profile takes no passwords.
        user.remove(urn::CREDENTIALS);
        if PROFILES[profile] == "ipsie" {
            user.remove("password");
        }
        let path = world.make("/Users", profile, &Value::Object(user))?;
        let id = path.rsplit('/').next().unwrap();
        let inner = json!({"schemas": [urn::GROUP], "displayName": world.name(), "members": [{"value": id}]});
        let inner = world.make("/Groups", 0, &inner)?;
        let member =
            json!([{"op": "add", "path": "members", "value": [{"value": inner.rsplit('/').next()}]}]);
        prop_assert_eq!(world.app.patch(&outer, &member).status, 200);
        world.write_back(&path, profile)?;
        prop_assert_eq!(world.app.patch(&outer, &json!([{"op": "remove", "path": "members"}])).status, 200);
        Ok(())
    };
    runner().run(&user, law).unwrap();
}

#[test]
fn a_put_of_the_group_that_a_get_answered_changes_nothing_and_members_go_one_by_one_as_together() {
    let world = World::new();
    let users = (0..6).map(|index| world.app.new_user(&format!("u{index}")));
    let ids: Vec<String> = users.collect();
    let members = |of: &BTreeSet<usize>| of.iter().map(|at| json!({"value": ids[*at]})).collect::<Value>();
    let group = (
        body(&kind("Group")),
        btree_set(0..6usize, 0..6),
        btree_set(0..6usize, 0..6),
        select(vec![0, 1, 2, 3]),
    );
    let law =
        |(mut group, old, new, profile): (Map<String, Value>, BTreeSet<usize>, BTreeSet<usize>, usize)| {
            group.insert("members".to_owned(), members(&old));
            let mut two = [String::new(), String::new()];
            for path in &mut two {
                group.insert("displayName".to_owned(), world.name());
                *path = world.make("/Groups", profile, &Value::Object(group.clone()))?;
                world.write_back(path, profile)?;
            }
            group.insert("displayName".to_owned(), world.name());
            group.insert("members".to_owned(), members(&new));
            group.remove("externalId");
            let [put, patched] = two;
            let answer = world.send("PUT", &put, 0, &Value::Object(group));
            prop_assert_eq!(answer.status, 200, "{:?}", answer);
            let mut operations = vec![json!({"op": "remove", "path": "externalId"})];
            for at in old.difference(&new) {
                operations
                    .push(json!({"op": "remove", "path": format!("members[value eq \"{}\"]", ids[*at])}));
            }
            for at in new.difference(&old) {
                operations.push(json!({"op": "add", "path": "members", "value": [{"value": ids[*at]}]}));
            }
            let answer = world.app.patch(&patched, &json!(operations));
            prop_assert_eq!(answer.status, 200, "{:?}", answer);
            let shown = |path: &str| {
                let mut group = world.app.get(path).json();
                let shown = group["members"].as_array().cloned().unwrap_or_default();
                let shown: BTreeSet<String> = shown.iter().map(Value::to_string).collect();
                for own in ["id", "meta", "members", "displayName"] {
                    group.as_object_mut().unwrap().remove(own);
                }
                (group, shown)
            };
            prop_assert_eq!(shown(&put), shown(&patched));
            prop_assert!(shown(&put).1.len() == new.len());
            Ok(())
        };
    runner().run(&group, law).unwrap();
}
