//! `cardinality`: a value where an array is expected, an array where a value is, or a part for the whole.
//!
//! Who: ConnId (an object for `addresses`, D31, code), OneLogin (an object for `emails`, D15, a server's adapters),
//! Microsoft's Postman collection (a bare id for `members`, D31), SCIM-SDK clients (`["false"]` for `active`, D31),
//! Entra ID (a bare id for `manager`, or an array of one, D09), a test of SCIMServer (`{"active": false}` for `active`).
//! They mean the one value:
//!
//! ```text
//! {"emails": {"value": "a@b.c"}, "active": [true], "members": "id"}    and at the path manager: "id"
//! {"emails": [{"value": "a@b.c"}], "active": true, "members": [{"value": "id"}]}    and: {"value": "id"}
//! ```

use serde_json::{Map, Value};

use crate::quirks::values::Extent;
use crate::scim::schema::{Attribute, Type};
use crate::scim::urn;

/// Wraps and unwraps until the value has the form that the attribute asks for.
pub(super) fn rewrite(attribute: &Attribute, extent: Extent, value: &mut Value) -> bool {
    match extent {
        Extent::All => wrap(attribute, value),
        Extent::One => {
            let mut changed = false;
            while unwrap(value) || attribute.kind != Type::Complex && reduce(attribute, value) {
                changed = true;
            }
            attribute.kind == Type::Complex && name_value(attribute, value) || changed
        }
    }
}

/// One value becomes an array of one. Empty text is left to `empty-means-none`.
fn wrap(attribute: &Attribute, value: &mut Value) -> bool {
    let fits = match value {
        Value::Null | Value::Array(_) => false,
        Value::Object(_) => attribute.kind == Type::Complex,
        Value::String(text) if attribute.kind == Type::Complex => {
            !text.is_empty() && attribute.value_sub().is_some()
        }
        Value::String(text) => !text.is_empty() || attribute.kind == Type::String,
        Value::Bool(_) | Value::Number(_) => attribute.kind != Type::Complex,
    };
    if fits {
        *value = Value::Array(vec![value.take()]);
    }
    fits
}

/// An array of one becomes the one.
fn unwrap(value: &mut Value) -> bool {
    let Value::Array(elements) = value else { return false };
    if elements.len() != 1 {
        return false;
    }
    *value = elements.pop().unwrap_or_default();
    true
}

/// `{"active": true}` for `active` becomes `true`.
fn reduce(attribute: &Attribute, value: &mut Value) -> bool {
    let Value::Object(parts) = value else { return false };
    let mut parts = parts.iter_mut();
    let inner = match (parts.next(), parts.next()) {
        (Some((name, inner)), None) if urn::same(name, &attribute.name) => inner.take(),
        _ => return false,
    };
    *value = inner;
    true
}

/// `"id"` for a complex attribute becomes `{"value": "id"}`.
fn name_value(attribute: &Attribute, value: &mut Value) -> bool {
    let Some(sub) = attribute.value_sub().filter(|_| value.as_str().is_some_and(|text| !text.is_empty()))
    else {
        return false;
    };
    *value = Value::Object(Map::from_iter([(sub.name.clone(), value.take())]));
    true
}
