//! Any text as a filter: it is refused, or it can be printed, and `not` of it holds exactly where it does not.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::scim::fact::facts;
use muster_fuzz::scim::filter::Filter;
use muster_fuzz::scim::registry::Registry;
use serde_json::{Map, Value, json};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::built_in().unwrap());

static BODY: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let body = json!({
        "userName": "ada", "displayName": "Ada", "name": {"givenName": "Ada"}, "active": true, "title": "a",
        "emails": [{"value": "a@x.example", "type": "work", "primary": true}, {"value": "b@x.example"}],
    });
    body.as_object().cloned().unwrap_or_default()
});

fuzz_target!(|text: &str| {
    for kind in REGISTRY.types() {
        let Ok(filter) = Filter::parse(text, kind) else { continue };
        assert_ne!(filter.to_string(), "");
        let facts = facts(kind, &BODY);
        if let Ok(complement) = Filter::parse(&format!("not ({text})"), kind) {
            assert_ne!(complement.matches(&facts), filter.matches(&facts), "{text}");
        }
    }
    let kinds = REGISTRY.types().iter().map(|kind| &**kind);
    Filter::parse_for_all(text, kinds).map(drop).unwrap_or_default();
});
