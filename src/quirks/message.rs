//! A PATCH message as clients write it: its operations and their members, found in any letter case.
//!
//! Invariant: nothing is judged here. What does not have the expected shape is passed over, and left for strict SCIM
//! to refuse.

use serde_json::{Map, Value, json};

use crate::scim::urn;

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// `add`
    Add,
    /// `replace`
    Replace,
    /// `remove`
    Remove,
}

/// The member of that name in any case.
pub(super) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| urn::same(key, name)).map(|(_, value)| value)
}

/// The same, to write to.
pub(super) fn member_mut<'a>(object: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Value> {
    object.iter_mut().find(|(key, _)| urn::same(key, name)).map(|(_, value)| value)
}

/// The operations of a message, if there is an array of them.
pub(super) fn operations(body: &mut Map<String, Value>) -> Option<&mut Vec<Value>> {
    match member_mut(body, "Operations")? {
        Value::Array(operations) => Some(operations),
        _ => None,
    }
}

/// What the operation does, if that is clear.
pub(super) fn verb(operation: &Map<String, Value>) -> Option<Verb> {
    let name = member(operation, "op")?.as_str()?;
    let verbs = [("add", Verb::Add), ("replace", Verb::Replace), ("remove", Verb::Remove)];
    verbs.iter().find(|(known, _)| urn::same(known, name)).map(|(_, verb)| *verb)
}

/// The path of an operation that has one.
pub(super) fn path(operation: &Map<String, Value>) -> Option<&str> {
    member(operation, "path")?.as_str()
}

/// Whether the operation has no path; some clients say so with null.
pub(super) fn has_no_path(operation: &Map<String, Value>) -> bool {
    member(operation, "path").is_none_or(Value::is_null)
}

/// A `remove` operation.
pub(super) fn removal(path: impl Into<String>) -> Value {
    json!({"op": "remove", "path": path.into()})
}

/// Puts others in the place of each operation for which `rewrite` gives any; says whether it did.
pub(super) fn expand(
    body: &mut Map<String, Value>,
    mut rewrite: impl FnMut(&mut Map<String, Value>) -> Option<Vec<Value>>,
) -> bool {
    let Some(operations) = operations(body) else { return false };
    let mut changed = false;
    let mut out = Vec::with_capacity(operations.len());
    for mut operation in std::mem::take(operations) {
        match operation.as_object_mut().and_then(&mut rewrite) {
            Some(others) => {
                changed = true;
                out.extend(others);
            }
            None => out.push(operation),
        }
    }
    *operations = out;
    changed
}

/// Rewrites the paths for which `rewrite` gives another one; says whether it did.
pub(super) fn rewrite_paths(body: &mut Map<String, Value>, rewrite: impl Fn(&str) -> Option<String>) -> bool {
    let mut changed = false;
    for operation in operations(body).into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(Value::String(path)) = member_mut(operation, "path")
            && let Some(better) = rewrite(path)
        {
            *path = better;
            changed = true;
        }
    }
    changed
}
