//! Micro benchmarks of what is pure: filters, admission, PATCH, projection.
//!
//! `cargo bench --bench micro` measures, `cargo bench --bench micro -- --test` runs everything once. Each works on the
//! person and the requests that providers send most.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use muster::quirks::{self, Profile};
use muster::scim::admit::Rules;
use muster::scim::fact::facts;
use muster::scim::filter::Filter;
use muster::scim::patch::PatchRequest;
use muster::scim::projection::Projection;
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::resource::Resource;
use serde_json::{Map, Value, json};

const RULES: Rules = Rules {
    check_formats: true,
    refuse_unknown: false,
    needs_path: false,
    replace_whole: false,
    one_value: false,
    may_verify: false,
};

const FILTERS: [&str; 4] = [
    r#"userName eq "ada@example.com""#,
    r#"emails.value eq "ada@example.com""#,
    r#"emails[type eq "work" and value eq "ada@example.com"]"#,
    r#"active eq true and (name.familyName sw "L" or not (title pr)) and meta.lastModified gt "2026-01-01T00:00:00Z""#,
];

const PATCHES: [&str; 3] = ["displayName", "emails[type eq \"work\"].value", "without a path"];

fn main() {
    divan::main();
}

fn user() -> Arc<ResourceType> {
    Arc::clone(Registry::built_in().unwrap().type_named("User").unwrap())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn person() -> Map<String, Value> {
    object(json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": "00u1",
        "userName": "ada@example.com",
        "name": {"formatted": "Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada"},
        "displayName": "Ada Lovelace",
        "title": "Engineer",
        "active": true,
        "emails": [
            {"value": "ada@example.com", "type": "work", "primary": true},
            {"value": "ada@mail.example.org", "type": "home"},
        ],
        "phoneNumbers": [{"value": "+15550100", "type": "work"}, {"value": "+447900900123", "type": "mobile"}],
        "addresses": [{
            "streetAddress": "12 St James's Square", "locality": "London", "postalCode": "SW1Y 4JH",
            "country": "GB", "type": "work",
        }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "1815", "costCenter": "4130", "department": "Engines",
        },
    }))
}

fn resource(kind: &ResourceType) -> Resource {
    Resource::created(kind, kind.admit(&person(), RULES).unwrap()).unwrap()
}

/// Text → filter, bound.
#[divan::bench(args = FILTERS)]
fn filter_parse_and_bind(bencher: Bencher, text: &str) {
    let kind = user();
    bencher.bench(|| Filter::parse(black_box(text), &kind).unwrap());
}

/// What quirks cost a filter that needs none.
#[divan::bench(args = FILTERS)]
fn filter_rewrite(bencher: Bencher, text: &str) {
    let (kinds, profile) = ([user()], Profile::named("default").unwrap());
    bencher.bench(|| quirks::rewrite_filter(&profile, &kinds, black_box(text)).1);
}

/// A bound filter on the facts of a person in memory.
#[divan::bench(args = FILTERS)]
fn filter_match(bencher: Bencher, text: &str) {
    let kind = user();
    let (filter, person) = (Filter::parse(text, &kind).unwrap(), resource(&kind));
    let facts = facts(&kind, person.body());
    bencher.bench(|| filter.matches(black_box(&facts)));
}

/// The body of a POST → a resource.
#[divan::bench]
fn admit(bencher: Bencher) {
    let (kind, body) = (user(), person());
    bencher.bench(|| Resource::created(&kind, kind.admit(black_box(&body), RULES).unwrap()).unwrap());
}

/// A resource → what filters see of it.
#[divan::bench]
fn facts_of_a_person(bencher: Bencher) {
    let kind = user();
    let person = resource(&kind);
    bencher.bench(|| facts(&kind, black_box(person.body())).len());
}

/// A resource → the text that is stored.
#[divan::bench]
fn document(bencher: Bencher) {
    let kind = user();
    let person = resource(&kind);
    bencher.bench(|| black_box(&person).to_document(&kind));
}

/// The body of a PATCH → operations → the resource after them.
#[divan::bench(args = PATCHES)]
fn patch(bencher: Bencher, path: &str) {
    let kind = user();
    let person = resource(&kind);
    let operation = match path {
        "without a path" => json!({"op": "replace", "value": {"displayName": "Ada", "active": false}}),
        path => json!({"op": "replace", "path": path, "value": "countess@example.com"}),
    };
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
    let body = object(json!({"schemas": schemas, "Operations": [operation]}));
    bencher.bench(|| {
        let request = PatchRequest::parse(black_box(&body), &kind, RULES, false).unwrap();
        request.apply(&person, &kind, false).unwrap()
    });
}

/// A whole representation → what `attributes` and `excludedAttributes` leave.
#[divan::bench(args = ["", "userName,emails.value", "-name,emails"])]
fn projection(bencher: Bencher, names: &str) {
    let (kind, body) = (user(), person());
    let projection = match names.strip_prefix('-') {
        Some(excluded) => Projection::parse(None, Some(excluded)),
        None => Projection::parse(Some(names), None),
    };
    let projection = projection.unwrap();
    bencher.with_inputs(|| body.clone()).bench_values(|body| projection.project(&kind, body, &[]));
}
