//! `remove-with-value`: a `remove` that lists what to remove in `value`.
//!
//! Who: Entra ID, JumpCloud (D04, captured), authentik, ssosync, Rauthy, ConnId (D04, their code). They send the
//! attribute as the path and the values that shall go, and mean those values only:
//!
//! ```text
//! {"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "a"}]}
//! {"op": "remove", "path": "members[value eq \"a\"]"}
//! ```
//!
//! It must never become the removal of all values. Elements without `value` are described by all that they say.
//! An empty list removes nothing; where no operation would be left, one stays that selects nothing. Where the path
//! leads to a single value, or selects by a filter, the path alone says what goes (reading A15).

use serde_json::{Map, Value};

use crate::quirks::message::{Verb, expand, member, operations, path, removal, verb};
use crate::scim::registry::{AttributeName, ResourceType};
use crate::scim::schema::{Attribute, Type};

/// Turns listed values into value paths.
pub(super) fn rewrite(kind: &ResourceType, body: &mut Map<String, Value>) -> bool {
    let mut nothing = None;
    let changed = expand(body, |operation| {
        let value = member(operation, "value").filter(|value| !value.is_null())?;
        let path = path(operation).filter(|_| verb(operation) == Some(Verb::Remove))?;
        match whose(kind, path)? {
            Whose::ThePaths => Some(vec![removal(path)]),
            Whose::TheValues(attribute) => {
                let paths =
                    listed(&attribute, value)?.into_iter().map(|filter| removal(format!("{path}[{filter}]")));
                nothing = Some(removal(format!("{path}[{}]", contradiction(&attribute)?)));
                Some(paths.collect())
            }
        }
    });
    if let (Some(operations), Some(nothing)) = (operations(body), nothing)
        && operations.is_empty()
    {
        operations.push(nothing);
    }
    changed
}

/// Whose say it is which values go.
enum Whose {
    ThePaths,
    TheValues(std::sync::Arc<Attribute>),
}

/// None where the path leads nowhere, or into all values at once: that is for strict SCIM to refuse.
fn whose(kind: &ResourceType, path: &str) -> Option<Whose> {
    if kind.extension(path).is_some() {
        return Some(Whose::ThePaths);
    }
    let (name, selects) = path.split_once('[').map_or((path, false), |(name, _)| (name, true));
    let target = kind.resolve(&AttributeName::split(name))?;
    match target.sub {
        _ if selects || !target.attribute.multi_valued => Some(Whose::ThePaths),
        None => Some(Whose::TheValues(target.attribute)),
        Some(_) => None,
    }
}

/// The filters that select the listed values; none if it is not clear which they are.
fn listed(attribute: &Attribute, value: &Value) -> Option<Vec<String>> {
    let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let filters = elements.iter().filter_map(|element| selector(attribute, element).transpose());
    filters.collect::<Result<_, Unclear>>().ok()
}

/// A value that does not say which one it is.
pub(super) struct Unclear;

/// The filter that selects what an element describes: its `value`, or all else that it says; none if it says nothing.
pub(super) fn selector(attribute: &Attribute, element: &Value) -> Result<Option<String>, Unclear> {
    match element {
        Value::Object(parts) if attribute.kind == Type::Complex => describe(attribute, parts),
        Value::Object(_) | Value::Array(_) => Err(Unclear),
        _ if attribute.kind == Type::Complex && attribute.value_sub().is_none() => Err(Unclear),
        _ if says_nothing(element) => Ok(None),
        _ => Ok(Some(equals("value", element))),
    }
}

fn describe(attribute: &Attribute, parts: &Map<String, Value>) -> Result<Option<String>, Unclear> {
    let said: Vec<_> = parts.iter().filter(|(_, part)| !says_nothing(part)).collect();
    let mut tests = Vec::new();
    for (name, part) in &said {
        let Some(sub) = attribute.sub(name) else { continue };
        if part.is_array() || part.is_object() {
            return Err(Unclear);
        }
        if attribute.value_sub().is_some_and(|value| value.name == sub.name) {
            return Ok(Some(equals(&sub.name, part)));
        }
        tests.push(equals(&sub.name, part));
    }
    match (tests.is_empty(), said.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err(Unclear),
        (false, _) => Ok(Some(tests.join(" and "))),
    }
}

fn says_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// A comparison whose right-hand side is the value as JSON.
fn equals(name: &str, value: &Value) -> String {
    format!("{name} eq {value}")
}

/// A filter that selects no value, whatever the values are.
fn contradiction(attribute: &Attribute) -> Option<String> {
    let name = match attribute.value_sub().or(attribute.sub_attributes.first()) {
        Some(sub) => sub.name.as_str(),
        None if attribute.kind == Type::Complex => return None,
        None => "value",
    };
    Some(format!("{name} pr and not ({name} pr)"))
}
