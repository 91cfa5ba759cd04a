//! `scim1-patch`: the PATCH of SCIM 1.1.
//!
//! Who: OneLogin's connector for SCIM 1.1 (D24, the vendor's own samples). It sends a partial resource in which
//! every value of a multi-valued attribute says what to do with it, and means the operations of SCIM 2.0:
//!
//! ```text
//! {"schemas": ["urn:scim:schemas:core:1.0"], "members": [{"value": "a", "operation": "delete"}, {"value": "b"}]}
//! {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
//!     {"op": "remove", "path": "members[value eq \"a\"]"}, {"op": "add", "path": "members", "value": [{"value": "b"}]}]}
//! ```
//!
//! Single-valued attributes beside them are replaced. A body with `meta.attributes`, SCIM 1.1's list of attributes
//! to delete, which nobody was seen to send, stays as it is and is refused: half of a request must not be done.

use serde_json::{Map, Value, json};

use crate::quirks::message::{member, operations, removal};
use crate::quirks::remove_with_value::selector;
use crate::scim::registry::ResourceType;
use crate::scim::schema::Attribute;
use crate::scim::urn;

/// Turns a partial resource with marked values into operations.
pub(super) fn rewrite(kind: &ResourceType, body: &mut Map<String, Value>) -> bool {
    let deletes_attributes =
        member(body, "meta").and_then(|meta| member(meta.as_object()?, "attributes")).is_some();
    let has_marks = body.iter().any(|(name, value)| multi_valued(kind, name).is_some() && has_mark(value));
    if operations(body).is_some() || deletes_attributes || !has_marks {
        return false;
    }
    let Some(operations) = to_operations(kind, body).filter(|operations| !operations.is_empty()) else {
        return false;
    };
    *body = Map::new();
    body.insert("schemas".into(), json!([urn::PATCH_OP]));
    body.insert("Operations".into(), Value::Array(operations));
    true
}

fn multi_valued<'a>(kind: &'a ResourceType, name: &str) -> Option<&'a Attribute> {
    kind.attribute(name).map(|attribute| &**attribute).filter(|attribute| attribute.multi_valued)
}

fn has_mark(value: &Value) -> bool {
    value.as_array().into_iter().flatten().any(|element| mark(element).is_some())
}

/// What is to be done with a value: `add` or `delete`.
fn mark(element: &Value) -> Option<&str> {
    member(element.as_object()?, "operation")?.as_str()
}

/// The operations; none if some value does not say clearly what to do.
fn to_operations(kind: &ResourceType, body: &Map<String, Value>) -> Option<Vec<Value>> {
    let mut out = Vec::new();
    let mut rest = Map::new();
    for (name, value) in
        body.iter().filter(|(name, _)| !["schemas", "id", "meta"].iter().any(|own| urn::same(own, name)))
    {
        match (multi_valued(kind, name), value) {
            (Some(attribute), Value::Array(elements)) => edit_elements(attribute, elements, &mut out)?,
            _ => drop(rest.insert(name.clone(), value.clone())),
        }
    }
    if !rest.is_empty() {
        out.push(json!({"op": "replace", "value": rest}));
    }
    Some(out)
}

fn edit_elements(attribute: &Attribute, elements: &[Value], out: &mut Vec<Value>) -> Option<()> {
    let mut added = Vec::new();
    for element in elements {
        let verb = mark(element).unwrap_or("add");
        if urn::same(verb, "delete") {
            add(attribute, &mut added, out);
            let selected = selector(attribute, &without_mark(element)).ok()?;
            out.extend(selected.map(|filter| removal(format!("{}[{filter}]", attribute.name))));
        } else if urn::same(verb, "add") {
            added.push(without_mark(element));
        } else {
            return None;
        }
    }
    add(attribute, &mut added, out);
    Some(())
}

/// Adds the values that were gathered, in one operation.
fn add(attribute: &Attribute, added: &mut Vec<Value>, out: &mut Vec<Value>) {
    if !added.is_empty() {
        out.push(json!({"op": "add", "path": attribute.name, "value": std::mem::take(added)}));
    }
}

fn without_mark(element: &Value) -> Value {
    let mut element = element.clone();
    if let Value::Object(members) = &mut element {
        members.retain(|name, _| !urn::same(name, "operation"));
    }
    element
}
