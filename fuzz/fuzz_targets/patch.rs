//! Any JSON object as the body of a PATCH: it is refused, or applying it gives the same resource twice, and one that
//! admission takes. Quirks may rewrite it before, and then once more without any effect.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::quirks::{self, Profile};
use muster_fuzz::scim::admit::Rules;
use muster_fuzz::scim::patch::PatchRequest;
use muster_fuzz::scim::registry::Registry;
use muster_fuzz::scim::resource::Resource;
use serde_json::{Map, Value, json};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::built_in().unwrap());

fn before() -> Map<String, Value> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada", "displayName": "Ada",
        "name": {"givenName": "Ada"}, "password": "secret",
        "emails": [{"value": "a@x.example", "type": "work", "primary": true}, {"value": "b@x.example"}],
    });
    body.as_object().cloned().unwrap_or_default()
}

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(body)) = serde_json::from_slice(data) else { return };
    let lenient = Profile::named("default").unwrap();
    for kind in REGISTRY.types() {
        let mut rewritten = body.clone();
        quirks::rewrite_patch(&lenient, kind, &mut rewritten);
        let mut again = rewritten.clone();
        let fired = quirks::rewrite_patch(&lenient, kind, &mut again);
        assert_eq!((fired.len(), &again), (0, &rewritten));
        for body in [&body, &rewritten] {
            let Ok(request) = PatchRequest::parse(body, kind, Rules::default(), true) else { continue };
            let old = Resource::stored(before(), None);
            let new = request.apply(&old, kind, true);
            assert_eq!(new, request.apply(&old, kind, true));
        }
    }
});
