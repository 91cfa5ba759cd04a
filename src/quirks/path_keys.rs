//! `path-keys`: paths as the names of members in an operation without a path.
//!
//! Who: Entra ID with the flag `aadOptscim062020` and Microsoft's SCIM Validator (D05, vendor's documentation).
//! They send one operation whose value maps paths to values, and mean one operation a path:
//!
//! ```text
//! {"op": "replace", "value": {"displayName": "B", "name.givenName": "Babs", "urn:…:User:department": "D"}}
//! {"op": "replace", "value": {"displayName": "B"}}, {"op": "replace", "path": "name.givenName", "value": "Babs"},
//!     {"op": "replace", "path": "urn:…:User:department", "value": "D"}
//! ```
//!
//! Plain names and the objects of extensions stay together. Read-only attributes are left out, as they are
//! where they have plain names (D05).

use serde_json::{Map, Value, json};

use crate::quirks::message::{Verb, expand, has_no_path, member_mut, verb};
use crate::quirks::values::is_writable;
use crate::scim::registry::{AttributeName, Path, ResourceType};

/// Splits the operations whose value has paths for names.
pub(super) fn rewrite(kind: &ResourceType, body: &mut Map<String, Value>) -> bool {
    expand(body, |operation| split(kind, operation))
}

fn split(kind: &ResourceType, operation: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let op = match verb(operation)? {
        Verb::Add => "add",
        Verb::Replace => "replace",
        Verb::Remove => return None,
    };
    if !has_no_path(operation) {
        return None;
    }
    let members = member_mut(operation, "value")?.as_object_mut()?;
    if !members.keys().any(|name| meant(kind, name).is_some()) {
        return None;
    }
    let mut plain = Map::new();
    let mut out = Vec::new();
    for (name, value) in std::mem::take(members) {
        match meant(kind, &name) {
            None => drop(plain.insert(name, value)),
            Some(path) if !is_writable(&path.attribute) || !is_writable(path.leaf()) => {}
            Some(_) => out.push(json!({"op": op, "path": name, "value": value})),
        }
    }
    if !plain.is_empty() || out.is_empty() {
        *members = plain;
        out.insert(0, Value::Object(std::mem::take(operation)));
    }
    Some(out)
}

/// What a name means that is neither a plain attribute's nor an extension's but a path.
fn meant(kind: &ResourceType, name: &str) -> Option<Path> {
    if kind.attribute(name).is_some() || kind.extension(name).is_some() {
        return None;
    }
    let attribute = name.split_once('[').map_or(name, |(attribute, _)| attribute);
    kind.resolve(&AttributeName::split(attribute))
}
