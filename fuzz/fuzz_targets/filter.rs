//! Any text as a filter: it is refused, or it is printed as a filter that means the same.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::scim::filter::Filter;
use muster_fuzz::scim::registry::Registry;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::built_in().unwrap());

fuzz_target!(|text: &str| {
    for kind in REGISTRY.types() {
        if let Ok(filter) = Filter::parse(text, kind) {
            let printed = filter.to_string();
            let again = Filter::parse(&printed, kind).unwrap_or_else(|error| panic!("{printed}: {error}"));
            assert_eq!(again.to_string(), printed, "{text}");
        }
    }
    let kinds = REGISTRY.types().iter().map(|kind| &**kind);
    Filter::parse_for_all(text, kinds).map(drop).unwrap_or_default();
});
