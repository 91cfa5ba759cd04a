//! Every quirk against its fixtures, and the laws of `src/quirks/mod.rs` against fixtures and random input.
//!
//! A fixture of `tests/quirks/*.json` is `{"note", "kind", "surface", "before", "after", "fired"}`; `surface` is `resource`
//! (the body of a POST or PUT), `patch` or `search` (a body) or `filter` (a text). With `"strict": "rejects"`, strict SCIM must refuse
//! `after` too. In addition to User and Group there is a kind Device with attributes of all types.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use muster::quirks::{self, Policy, Profile};
use muster::scim::admit::Rules;
use muster::scim::error::ScimError;
use muster::scim::filter::Filter;
use muster::scim::listing::ListQuery;
use muster::scim::patch::PatchRequest;
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::urn::{PATCH_OP, SEARCH_REQUEST};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Quirks whose `before` strict SCIM accepts only by ignoring what the client meant.
const IGNORED_BY_STRICT: [&str; 1] = ["manager-id"];

fn registry() -> Registry {
    let simple =
        |name: &str, kind: &str, multi: bool| json!({"name": name, "type": kind, "multiValued": multi});
    let device = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": "urn:example:Device",
        "attributes": [
            simple("label", "string", false), simple("tags", "string", true), simple("count", "integer", false),
            simple("share", "decimal", false), simple("seen", "dateTime", false), simple("key", "binary", false),
            simple("flags", "boolean", true), simple("home", "reference", false),
            {"name": "ports", "type": "complex", "multiValued": true, "subAttributes": [
                simple("number", "integer", false), simple("note", "string", false), simple("open", "boolean", false),
                simple("names", "string", true), simple("primary", "boolean", false)
            ]}
        ]
    });
    let kind = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "name": "Device", "endpoint": "/Devices", "schema": "urn:example:Device"
    });
    Registry::with(&[("device".into(), device), ("device type".into(), kind)]).unwrap()
}

fn profile(name: &str) -> Profile {
    Profile::named(name).unwrap()
}

/// How many random inputs a run of the tests tries.
const CASES: u32 = 6_000;

/// What a client sends, by the place where it is read.
#[derive(Clone, Debug, PartialEq)]
enum Input {
    Resource(Map<String, Value>),
    Patch(Map<String, Value>),
    Search(Map<String, Value>),
    Filter(String),
}

impl Input {
    fn parse(surface: &str, value: &Value) -> Self {
        let body = || value.as_object().unwrap().clone();
        match surface {
            "resource" => Self::Resource(body()),
            "patch" => Self::Patch(body()),
            "search" => Self::Search(body()),
            "filter" => Self::Filter(value.as_str().unwrap().to_owned()),
            other => panic!("{other} is no surface"),
        }
    }

    /// JSON text, so that the order of members counts.
    fn text(&self) -> String {
        match self {
            Self::Resource(body) | Self::Patch(body) | Self::Search(body) => {
                Value::Object(body.clone()).to_string()
            }
            Self::Filter(text) => text.clone(),
        }
    }

    /// The same with the right `schemas`, so that the rest decides what strict SCIM makes of it.
    fn addressed(mut self, kind: &ResourceType) -> Self {
        match &mut self {
            Self::Resource(body) => drop(body.insert("schemas".into(), json!([&*kind.schema.id]))),
            Self::Patch(body) => drop(body.insert("schemas".into(), json!([PATCH_OP]))),
            Self::Search(body) => drop(body.insert("schemas".into(), json!([SEARCH_REQUEST]))),
            Self::Filter(_) => {}
        }
        self
    }

    fn rewritten(&self, profile: &Profile, kind: &Arc<ResourceType>) -> (Self, Vec<&'static str>) {
        match self.clone() {
            Self::Resource(mut body) => {
                let fired = quirks::rewrite_resource(profile, kind, &mut body);
                (Self::Resource(body), fired)
            }
            Self::Patch(mut body) => {
                let fired = quirks::rewrite_patch(profile, kind, &mut body);
                (Self::Patch(body), fired)
            }
            Self::Search(mut body) => {
                let fired = quirks::rewrite_search(profile, &mut body);
                (Self::Search(body), fired)
            }
            Self::Filter(text) => {
                let (text, fired) = quirks::rewrite_filter(profile, &[Arc::clone(kind)], &text);
                (Self::Filter(text.into_owned()), fired)
            }
        }
    }

    /// What strict SCIM makes of it, in a form that can be compared.
    fn strictly(&self, kind: &ResourceType) -> Result<String, ScimError> {
        let rules = Rules { check_formats: Policy::STRICT.check_formats, ..Rules::default() };
        match self {
            Self::Resource(body) => kind.admit(body, rules).map(|admitted| format!("{admitted:?}")),
            Self::Patch(body) => {
                PatchRequest::parse(body, kind, rules, true).map(|request| format!("{request:?}"))
            }
            Self::Search(body) => ListQuery::from_search_request(body).map(|query| format!("{query:?}")),
            Self::Filter(text) => Filter::parse(text, kind).map(|filter| format!("{filter:?}")),
        }
    }
}

struct Fixture {
    name: String,
    kind: Arc<ResourceType>,
    before: Input,
    after: Input,
    fired: Vec<String>,
    lands: bool,
}

fn fixtures() -> Vec<(String, Vec<Fixture>)> {
    let registry = registry();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quirks");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap())
            .unwrap_or_else(|error| panic!("{stem}: {error}"));
        let fixtures = cases.iter().map(|case| {
            let text =
                |member: &str| case[member].as_str().unwrap_or_else(|| panic!("{stem}: {member} in {case}"));
            Fixture {
                name: format!("{stem}: {}", text("note")),
                kind: Arc::clone(registry.type_named(text("kind")).unwrap()),
                before: Input::parse(text("surface"), &case["before"]),
                after: Input::parse(text("surface"), &case["after"]),
                fired: serde_json::from_value(case["fired"].clone()).unwrap(),
                lands: case.get("strict").is_none_or(|verdict| verdict != "rejects"),
            }
        });
        (stem.clone(), fixtures.collect())
    };
    files.iter().map(read).collect()
}

fn all_fixtures() -> impl Iterator<Item = Fixture> {
    fixtures().into_iter().flat_map(|(_, fixtures)| fixtures)
}

#[test]
fn each_fixture_becomes_what_it_says_and_names_the_quirks() {
    for fixture in all_fixtures() {
        let (after, fired) = fixture.before.rewritten(&profile("default"), &fixture.kind);
        assert_eq!(after.text(), fixture.after.text(), "{}", fixture.name);
        assert_eq!(fired, fixture.fired, "{}", fixture.name);
    }
}

#[test]
fn rewriting_what_was_rewritten_changes_nothing() {
    for fixture in all_fixtures() {
        let (again, fired) = fixture.after.rewritten(&profile("default"), &fixture.kind);
        assert_eq!((again.text(), fired), (fixture.after.text(), vec![]), "{}", fixture.name);
    }
}

#[test]
fn the_strict_profile_changes_nothing() {
    for fixture in all_fixtures() {
        let (after, fired) = fixture.before.rewritten(&profile("strict"), &fixture.kind);
        assert_eq!((after.text(), fired), (fixture.before.text(), vec![]), "{}", fixture.name);
    }
}

#[test]
fn strict_scim_refuses_what_a_quirk_fires_on_and_takes_what_it_becomes() {
    for fixture in all_fixtures() {
        let before = fixture.before.strictly(&fixture.kind);
        let after = fixture.after.strictly(&fixture.kind);
        assert_eq!(after.is_ok(), fixture.lands, "{}: {after:?}", fixture.name);
        if fixture.fired.is_empty() {
            assert_eq!(before.is_ok(), fixture.lands, "{}: {before:?}", fixture.name);
        } else if fixture.fired.iter().all(|name| IGNORED_BY_STRICT.contains(&name.as_str())) {
            assert!(before.is_ok() && before != after, "{}: {before:?}", fixture.name);
        } else {
            assert!(before.is_err(), "{}: {before:?}", fixture.name);
        }
    }
}

#[test]
fn every_quirk_has_a_file_of_fixtures_in_which_it_always_fires() {
    let fixtures = fixtures();
    for name in quirks::names() {
        let file = fixtures.iter().find(|(stem, _)| stem == name);
        let (_, cases) = file.unwrap_or_else(|| panic!("tests/quirks/{name}.json is missing"));
        assert!(!cases.is_empty(), "{name}");
        let idle = cases.iter().find(|case| !case.fired.iter().any(|fired| fired == name));
        assert!(idle.is_none(), "{}", idle.unwrap().name);
    }
}

/// The rows of the table under a heading, cell by cell.
fn documented(heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/quirks.md")).unwrap();
    let section = text.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.trim_end_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

#[test]
fn the_document_lists_exactly_the_quirks_in_their_order() {
    let documented: Vec<String> = documented("Quirks\n").iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented, quirks::names().collect::<Vec<_>>());
}

#[test]
fn the_document_lists_exactly_the_policies_with_their_values() {
    let profiles = Profile::NAMES.map(|name| profile(name).policy);
    let documented = documented("Policies\n");
    assert_eq!(documented.len(), Policy::SWITCHES.len());
    for (row, switch) in documented.iter().zip(Policy::SWITCHES) {
        let values = profiles.map(|policy| if switch.is_on(&policy) { "on" } else { "off" });
        assert_eq!((row[0].as_str(), &row[1..5]), (switch.name, &values.map(str::to_owned)[..]));
        // The code cites where the document has a column for it.
        let about = switch.about().replace('`', "");
        let sentence = about.split(" (").next().unwrap().trim_end_matches('.');
        assert!(row[5].starts_with(sentence), "{}: {sentence}", switch.name);
    }
    let head = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/quirks.md")).unwrap();
    assert!(head.contains(&format!("| policy | {} |", Profile::NAMES.join(" | "))));
}

#[test]
fn every_quirk_has_one_source_file_and_nothing_else_is_named_like_one() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/quirks");
    let helpers = ["mod", "comparison", "message", "profile", "retention", "values"];
    let files = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path());
    let stems = files.map(|file| file.file_stem().unwrap().to_str().unwrap().replace('_', "-"));
    let found: BTreeSet<String> = stems.filter(|stem| !helpers.contains(&stem.as_str())).collect();
    assert_eq!(found, quirks::names().map(str::to_owned).collect());
}

#[test]
fn a_query_of_several_kinds_is_rewritten_where_they_agree() {
    let registry = registry();
    let rewrite = |filter: &str| {
        let (text, fired) = quirks::rewrite_filter(&profile("default"), registry.types(), filter);
        (text.into_owned(), fired)
    };
    assert_eq!(rewrite("displayName eq Tour"), ("displayName eq \"Tour\"".into(), vec!["unquoted-literal"]));
    assert_eq!(
        rewrite("count eq 5 and active eq \"True\""),
        ("count eq 5 and active eq true".into(), vec!["string-booleans"])
    );
}

#[test]
fn a_removal_of_thousands_of_members_is_rewritten_in_one_pass() {
    let registry = registry();
    let members: Vec<Value> = (0..50_000).map(|n| json!({"$ref": null, "value": format!("u{n}")})).collect();
    let body = json!({"schemas": [PATCH_OP],
        "Operations": [{"op": "Remove", "path": "members", "value": members}]});
    let mut body = body.as_object().unwrap().clone();
    let fired = quirks::rewrite_patch(&profile("default"), registry.type_named("Group").unwrap(), &mut body);
    assert_eq!(fired, ["remove-with-value"]);
    let operations = body["Operations"].as_array().unwrap();
    assert_eq!(operations.len(), 50_000);
    assert_eq!(operations[49_999], json!({"op": "remove", "path": "members[value eq \"u49999\"]"}));
}

/// Values of every shape that the quirks look for, around the names that they look at.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(false)),
        Just(json!(5)),
        Just(json!("")),
        Just(json!("True")),
        Just(json!("x")),
        Just(json!("2024-01-01T00:00:00Z")),
        Just(json!("YQ==")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let name = prop::sample::select(vec![
            "value",
            "Value",
            "type",
            "primary",
            "Primary",
            "active",
            "$ref",
            "display",
            "number",
            "note",
            "open",
            "names",
            "manager",
            "department",
            "operation",
            "members",
            "emails",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..3).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

fn any_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "schemas",
        "id",
        "externalId",
        "meta",
        "userName",
        "name",
        "active",
        "Active",
        "emails",
        "addresses",
        "photos",
        "profileUrl",
        "groups",
        "x509Certificates",
        "displayName",
        "members",
        "tags",
        "count",
        "seen",
        "key",
        "flags",
        "home",
        "ports",
        "nonsense",
        "name.givenName",
        "manager",
        "department",
        "emails[type eq work].value",
        "roles[primary eq \"True\"]",
        "emails[type eq \"work\"]",
        "urn:scim:schemas:extension:enterprise:1.0",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "emails.value",
        "members[value eq \"a\"]",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "groups.display",
    ])
}

fn any_schemas() -> impl Strategy<Value = Value> {
    let urn = prop::sample::select(vec![
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "urn:ietf:params:scim:schemas:core:2.0:Group",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "urn:example:Device",
        "urn:scim:schemas:core:1.0",
        "urn:scim:schemas:extension:enterprise:1.0",
        "urn:nonsense",
        "urn:ietf:params:scim:api:messages:2.0:PatchOp",
        "",
    ]);
    prop_oneof![
        8 => prop::collection::vec(urn.clone(), 0..4).prop_map(Value::from),
        1 => urn.prop_map(Value::from),
        1 => any_value(),
    ]
}

fn any_body() -> impl Strategy<Value = Map<String, Value>> {
    let members = prop::collection::vec((any_name(), any_value()), 0..5);
    (prop::option::weighted(0.9, any_schemas()), members).prop_map(|(schemas, members)| {
        let schemas = schemas.map(|schemas| ("schemas".to_owned(), schemas));
        schemas.into_iter().chain(members.into_iter().map(|(name, value)| (name.to_owned(), value))).collect()
    })
}

fn any_operation() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "Replace", "remove", "nonsense"]);
    let path = prop::option::weighted(0.6, any_name());
    let value = prop_oneof![any_value(), any_body().prop_map(Value::Object)];
    (op, path, prop::option::weighted(0.8, value)).prop_map(|(op, path, value)| {
        let mut operation = json!({"op": op});
        if let Some(path) = path {
            operation["path"] = path.into();
        }
        if let Some(value) = value {
            operation["value"] = value;
        }
        operation
    })
}

fn any_patch() -> impl Strategy<Value = Map<String, Value>> {
    let operations = prop::option::weighted(0.9, prop::collection::vec(any_operation(), 0..3));
    (any_body(), any_schemas(), operations).prop_map(|(mut body, schemas, operations)| {
        body.insert("schemas".into(), schemas);
        operations.map(|operations| body.insert("Operations".into(), Value::Array(operations)));
        body
    })
}

fn any_filter() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        " ",
        "  ",
        "(",
        ")",
        "[",
        "]",
        ".",
        "and",
        "or",
        "not",
        "not (",
        " and ",
        " or ",
        "eq",
        " eq ",
        " co ",
        " pr",
        " gt ",
        "userName",
        "active",
        "emails",
        "value",
        "type",
        "primary",
        "flags",
        "tags",
        "count",
        "seen",
        "key",
        "meta.created",
        "\"True\"",
        "\"a\\\"b\"",
        "\"",
        "'x'",
        "x",
        "True",
        "true",
        "null",
        "5",
        "2024-01-01T00:00:00Z",
        "\\",
        "é",
        "emails[",
        "active eq ",
        "userName eq ",
        "tags eq ",
        "primary eq ",
    ]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        any_body().prop_map(Input::Resource),
        any_patch().prop_map(Input::Patch),
        any_filter().prop_map(Input::Filter),
    ]
}

#[test]
fn what_strict_scim_takes_stays_as_it_is_and_all_else_settles_at_once() {
    let registry = registry();
    let kinds = prop::sample::select(registry.types().to_vec());
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let inputs = (any_input(), kinds, prop::bool::weighted(0.7));
    let law = TestRunner::new(config).run(&inputs, |(input, kind, is_addressed)| {
        let input = if is_addressed { input.addressed(&kind) } else { input };
        let (after, fired) = input.rewritten(&profile("default"), &kind);
        prop_assert_eq!(fired.is_empty(), after.text() == input.text());
        if input.strictly(&kind).is_ok() {
            prop_assert_eq!(&fired, &Vec::<&str>::new());
        }
        let (again, refired) = after.rewritten(&profile("default"), &kind);
        prop_assert_eq!((again.text(), refired), (after.text(), vec![]));
        Ok(())
    });
    law.unwrap();
}
