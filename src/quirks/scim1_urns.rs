//! `scim1-urns`: the schema URNs of SCIM 1.x and of drafts of SCIM 2.0.
//!
//! Who: OneLogin templates (D24, vendor's documentation and a captured request), Google (D24, a captured request).
//! They send them in `schemas` and as the name of the enterprise extension's object, and mean the schemas of RFC 7643:
//!
//! ```text
//! {"schemas": ["urn:scim:schemas:core:1.0", "urn:scim:schemas:extension:enterprise:1.0"],
//!  "urn:scim:schemas:extension:enterprise:1.0": {…}}
//! {"schemas": ["urn:ietf:…:core:2.0:User", "urn:ietf:…:enterprise:2.0:User"],
//!  "urn:ietf:…:enterprise:2.0:User": {…}}
//! ```
//!
//! The object is renamed only where `schemas` speaks SCIM 1.x: elsewhere it is an unknown attribute, which strict
//! SCIM ignores.

use serde_json::{Map, Value};

use crate::quirks::message::member_mut;
use crate::scim::registry::ResourceType;
use crate::scim::urn;

const CORE: [&str; 2] = ["urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0"];
const ENTERPRISE: [&str; 2] =
    ["urn:scim:schemas:extension:enterprise:1.0", "urn:scim:schemas:extension:enterprise:2.0"];

/// Replaces the old URNs by the new ones.
pub(super) fn rewrite(kind: &ResourceType, body: &mut Map<String, Value>) -> bool {
    let changed = match member_mut(body, "schemas") {
        Some(Value::Array(ids)) => rename_ids(kind, ids),
        Some(Value::String(id)) => successor(kind, id).map(|new| new.clone_into(id)).is_some(),
        _ => false,
    };
    if changed {
        rename_container(kind, body);
    }
    changed
}

/// What the URN is called in SCIM 2.0, if it is one of the old ones and the type has such a schema.
fn successor<'a>(kind: &'a ResourceType, id: &str) -> Option<&'a str> {
    if CORE.iter().any(|old| urn::same(old, id)) {
        return Some(&kind.schema.id);
    }
    let is_enterprise = ENTERPRISE.iter().any(|old| urn::same(old, id));
    kind.extension(urn::ENTERPRISE_USER).filter(|_| is_enterprise).map(|extension| &*extension.schema.id)
}

/// Renames what has a successor; one that is listed already is not listed twice.
fn rename_ids(kind: &ResourceType, ids: &mut Vec<Value>) -> bool {
    let mut changed = false;
    let mut renamed: Vec<Value> = Vec::with_capacity(ids.len());
    for id in std::mem::take(ids) {
        match id.as_str().and_then(|id| successor(kind, id)) {
            None => renamed.push(id),
            Some(new) => {
                changed = true;
                renamed.push(Value::from(new));
            }
        }
    }
    *ids = if changed { without_repetitions(kind, renamed) } else { renamed };
    changed
}

/// Lists each of the type's schemas once, where it stands first.
fn without_repetitions(kind: &ResourceType, ids: Vec<Value>) -> Vec<Value> {
    let known =
        std::iter::once(&kind.schema).chain(kind.extensions.iter().map(|extension| &extension.schema));
    let mut left: Vec<&str> = known.map(|schema| &*schema.id).collect();
    let mut is_new = |id: &str| match left.iter().position(|known| urn::same(known, id)) {
        Some(at) => {
            left.swap_remove(at);
            true
        }
        None => kind.extension(id).is_none() && !urn::same(id, &kind.schema.id),
    };
    ids.into_iter().filter(|id| id.as_str().is_none_or(&mut is_new)).collect()
}

fn rename_container(kind: &ResourceType, body: &mut Map<String, Value>) {
    let is_taken = body.keys().any(|name| urn::same(name, urn::ENTERPRISE_USER));
    let old = body.keys().filter(|name| ENTERPRISE.iter().any(|old| urn::same(old, name)));
    if is_taken || old.count() != 1 {
        return;
    }
    let renamed = std::mem::take(body).into_iter().map(|(name, value)| {
        let is_old = ENTERPRISE.iter().any(|old| urn::same(old, &name));
        match successor(kind, &name).filter(|_| is_old) {
            Some(new) => (new.to_owned(), value),
            None => (name, value),
        }
    });
    *body = renamed.collect();
}
