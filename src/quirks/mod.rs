//! What real clients send beside SCIM, and how it becomes SCIM before anything strict reads it.
//!
//! Invariants, held by `tests/quirks.rs` over every fixture: strict SCIM rejects what a quirk fires on; rewriting
//! is idempotent and ends in what strict SCIM accepts. A leniency that cannot keep the first law is a field of [`Policy`];
//! the one exception, `manager-id`, says why in its file.
//! Everything here is pure, takes time linear in its input, and knows shapes, never vendors.
//!
//! Every quirk is a file of its name and one line of [`QUIRKS`], whose order is the order of application:
//! a quirk may count on what the ones before it have put right. docs/quirks.md lists them for people.

mod cardinality;
mod comparison;
mod empty_means_none;
mod manager_id;
mod message;
mod missing_schemas;
mod null_add;
mod padded_filter;
mod path_keys;
mod profile;
mod remove_with_value;
mod retention;
mod scim1_patch;
mod scim1_urns;
mod string_booleans;
mod two_primaries;
mod unknown_schemas;
mod unquoted_literal;
mod values;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::registry::{AttributeName, Path, ResourceType};
use crate::scim::schema::Attribute;
use comparison::Comparison;
use values::Extent;

pub use profile::{Policy, Profile, Switch, UnknownPolicy};
pub use retention::Retention;

/// The names of the quirks that changed something, in the order of application, each once.
pub type Fired = Vec<&'static str>;

/// One leniency: its name and where it applies.
struct Quirk {
    name: &'static str,
    rewrites: &'static [Rewrite],
}

/// What a quirk looks at. Each function says whether it changed something, or gives the new text.
enum Rewrite {
    /// The body of a POST or PUT.
    Resource(fn(&ResourceType, &mut Map<String, Value>) -> bool),
    /// The body of a PATCH.
    Patch(fn(&ResourceType, &mut Map<String, Value>) -> bool),
    /// The body of a search.
    Search(fn(&mut Map<String, Value>) -> bool),
    /// A value of a writable attribute, wherever a body holds one.
    Value(fn(&Attribute, Extent, &mut Value) -> bool),
    /// The right-hand side of a comparison, in a filter or in a PATCH path.
    Literal(fn(&Comparison<'_>) -> Option<String>),
    /// A filter as a whole.
    Filter(fn(&str) -> Option<String>),
}

/// All quirks in the order of application.
const QUIRKS: [Quirk; 14] = [
    Quirk { name: "padded-filter", rewrites: &[Rewrite::Filter(padded_filter::rewrite)] },
    Quirk { name: "scim1-patch", rewrites: &[Rewrite::Patch(scim1_patch::rewrite)] },
    Quirk { name: "scim1-urns", rewrites: &[Rewrite::Resource(scim1_urns::rewrite)] },
    Quirk { name: "path-keys", rewrites: &[Rewrite::Patch(path_keys::rewrite)] },
    Quirk { name: "remove-with-value", rewrites: &[Rewrite::Patch(remove_with_value::rewrite)] },
    Quirk { name: "cardinality", rewrites: &[Rewrite::Value(cardinality::rewrite)] },
    Quirk { name: "empty-means-none", rewrites: &[Rewrite::Value(empty_means_none::rewrite)] },
    Quirk { name: "manager-id", rewrites: &[Rewrite::Value(manager_id::rewrite)] },
    Quirk {
        name: "string-booleans",
        rewrites: &[Rewrite::Value(string_booleans::rewrite), Rewrite::Literal(string_booleans::literal)],
    },
    Quirk { name: "two-primaries", rewrites: &[Rewrite::Value(two_primaries::rewrite)] },
    Quirk { name: "null-add", rewrites: &[Rewrite::Patch(null_add::rewrite)] },
    Quirk { name: "unquoted-literal", rewrites: &[Rewrite::Literal(unquoted_literal::rewrite)] },
    Quirk { name: "unknown-schemas", rewrites: &[Rewrite::Resource(unknown_schemas::rewrite)] },
    Quirk {
        name: "missing-schemas",
        rewrites: &[
            Rewrite::Resource(missing_schemas::rewrite_resource),
            Rewrite::Patch(missing_schemas::rewrite_patch),
            Rewrite::Search(missing_schemas::rewrite_search),
        ],
    },
];

/// The names of all quirks, in the order of application.
pub fn names() -> impl Iterator<Item = &'static str> {
    QUIRKS.iter().map(|quirk| quirk.name)
}

/// Rewrites the body of a POST or PUT in place.
pub fn rewrite_resource(profile: &Profile, kind: &ResourceType, body: &mut Map<String, Value>) -> Fired {
    fire(profile, |rewrite| match rewrite {
        Rewrite::Resource(rewrite) => rewrite(kind, body),
        Rewrite::Value(rewrite) => values::of_resource(kind, body, *rewrite),
        Rewrite::Patch(_) | Rewrite::Search(_) | Rewrite::Literal(_) | Rewrite::Filter(_) => false,
    })
}

/// Rewrites the body of a PATCH in place: the envelope, the operations, their paths and values.
pub fn rewrite_patch(profile: &Profile, kind: &ResourceType, body: &mut Map<String, Value>) -> Fired {
    fire(profile, |rewrite| match rewrite {
        Rewrite::Patch(rewrite) => rewrite(kind, body),
        Rewrite::Value(rewrite) => values::of_patch(kind, body, *rewrite),
        Rewrite::Literal(rewrite) => message::rewrite_paths(body, |path| {
            comparison::rewrite(path, &|name| kind.resolve(name), *rewrite)
        }),
        Rewrite::Resource(_) | Rewrite::Search(_) | Rewrite::Filter(_) => false,
    })
}

/// Rewrites the body of a search in place, but for its filter.
pub fn rewrite_search(profile: &Profile, body: &mut Map<String, Value>) -> Fired {
    fire(profile, |rewrite| match rewrite {
        Rewrite::Search(rewrite) => rewrite(body),
        _ => false,
    })
}

/// Rewrites the text of a `filter` parameter that is about resources of these kinds.
pub fn rewrite_filter<'a>(
    profile: &Profile,
    kinds: &[Arc<ResourceType>],
    filter: &'a str,
) -> (Cow<'a, str>, Fired) {
    let mut text = Cow::Borrowed(filter);
    let fired = fire(profile, |rewrite| {
        let rewritten = match rewrite {
            Rewrite::Filter(rewrite) => rewrite(&text),
            Rewrite::Literal(rewrite) => {
                comparison::rewrite(&text, &|name| resolve_in_all(kinds, name), *rewrite)
            }
            Rewrite::Resource(_) | Rewrite::Patch(_) | Rewrite::Search(_) | Rewrite::Value(_) => None,
        };
        rewritten.map(|rewritten| text = Cow::Owned(rewritten)).is_some()
    });
    (text, fired)
}

fn fire(profile: &Profile, mut apply: impl FnMut(&Rewrite) -> bool) -> Fired {
    if !profile.quirks {
        return Fired::new();
    }
    // All rewrites of a quirk run, whatever the first one did: that is why they are counted.
    let mut fires = |quirk: &Quirk| quirk.rewrites.iter().filter(|rewrite| apply(rewrite)).count() > 0;
    QUIRKS.iter().filter(|quirk| fires(quirk)).map(|quirk| quirk.name).collect()
}

/// The attribute of that name where all kinds that have one agree on its type; else what a literal means is not clear.
fn resolve_in_all(kinds: &[Arc<ResourceType>], name: &AttributeName<'_>) -> Option<Path> {
    let mut found = kinds.iter().filter_map(|kind| kind.resolve(name));
    let first = found.next()?;
    let kind = first.to_value().leaf().kind;
    found.all(|path| path.to_value().leaf().kind == kind).then_some(first)
}
