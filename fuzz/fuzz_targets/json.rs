//! Any bytes as a body: what is read is what `serde_json` reads, and admission refuses it or makes a resource whose
//! facts can be listed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::json_object;
use muster_fuzz::quirks::{self, Profile};
use muster_fuzz::scim::admit::Rules;
use muster_fuzz::scim::fact::facts;
use muster_fuzz::scim::registry::Registry;
use muster_fuzz::scim::resource::Resource;
use serde_json::{Map, Value};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::built_in().unwrap());

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = json_object(bytes) else { return };
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(serde_json::from_str::<Map<String, Value>>(&text).ok().as_ref(), Some(&body), "{text}");
    let lenient = Profile::named("default").unwrap();
    for kind in REGISTRY.types() {
        let mut rewritten = body.clone();
        quirks::rewrite_resource(&lenient, kind, &mut rewritten);
        for body in [&body, &rewritten] {
            let rules = Rules::default();
            let Ok(resource) = kind.admit(body, rules).and_then(|admitted| Resource::created(kind, admitted))
            else {
                continue;
            };
            facts(kind, resource.body());
            // A PUT of what is there changes nothing.
            let admitted = kind.admit(resource.body(), rules).unwrap();
            assert_eq!(resource.replaced(kind, &admitted).unwrap(), resource, "{text}");
        }
    }
});
