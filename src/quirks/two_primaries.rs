//! `two-primaries`: more than one primary value.
//!
//! Who: PingFederate, which documents it (D15). It sends two e-mails with `"primary": true`; there can be one
//! (RFC 7643 §2.4), and the last is kept:
//!
//! ```text
//! {"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}
//! {"emails": [{"value": "a", "primary": false}, {"value": "b", "primary": true}]}
//! ```
//!
//! Values that strict SCIM takes for the same one (reading A18) count once, as they do there.

use std::collections::HashMap;

use serde_json::Value;

use crate::quirks::message::{member, member_mut};
use crate::quirks::values::Extent;
use crate::scim::key::Key;
use crate::scim::schema::{Attribute, Type};

/// Leaves one value primary: the last.
pub(super) fn rewrite(attribute: &Attribute, extent: Extent, value: &mut Value) -> bool {
    let (Value::Array(elements), Extent::All) = (value, extent) else { return false };
    let flagged = elements.iter().filter(|element| flag(element) == Some(true)).count();
    let has_flag = || attribute.sub("primary").is_some_and(|sub| sub.kind == Type::Boolean);
    if flagged < 2 || !has_flag() {
        return false;
    }
    let identities = identities(attribute, elements);
    let mut is_primary = HashMap::new();
    let mut last = None;
    for (element, &identity) in elements.iter().zip(&identities) {
        if let Some(flag) = flag(element) {
            is_primary.insert(identity, flag);
            last = if flag { Some(identity) } else { last };
        }
    }
    if is_primary.values().filter(|flag| **flag).count() < 2 {
        return false;
    }
    let others = elements.iter_mut().zip(&identities).filter(|(_, identity)| Some(**identity) != last);
    for (element, _) in others.filter(|(element, _)| flag(element) == Some(true)) {
        if let Some(flag) = element.as_object_mut().and_then(|parts| member_mut(parts, "primary")) {
            *flag = Value::Bool(false);
        }
    }
    true
}

fn flag(element: &Value) -> Option<bool> {
    member(element.as_object()?, "primary")?.as_bool()
}

/// For each element a number that it shares with the elements that are the same value.
fn identities(attribute: &Attribute, elements: &[Value]) -> Vec<usize> {
    let mut seen = HashMap::new();
    let number = |(index, element): (usize, &Value)| match identity(attribute, element) {
        Some(identity) => *seen.entry(identity).or_insert(index),
        None => index,
    };
    elements.iter().enumerate().map(number).collect()
}

/// What makes an element the same as another: `value` and `type`, or all of it where the attribute has no `value`.
fn identity(attribute: &Attribute, element: &Value) -> Option<(String, Option<Key>)> {
    let Some(value) = attribute.value_sub() else { return Some((element.to_string(), None)) };
    let key = |sub: &Attribute| {
        Key::of(sub, member(element.as_object()?, &sub.name)?).filter(|key| !key.is_empty())
    };
    Some((key(value)?.as_str().to_owned(), attribute.sub("type").and_then(|sub| key(sub))))
}
