//! Any text as a PATCH path: it is refused, or it is understood the same way twice.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::scim::path::Target;
use muster_fuzz::scim::registry::Registry;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::built_in().unwrap());

fuzz_target!(|text: &str| {
    for kind in REGISTRY.types() {
        assert_eq!(Target::parse(text, kind).ok(), Target::parse(text, kind).ok(), "{text}");
    }
});
