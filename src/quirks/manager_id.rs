//! `manager-id`: SCIM 1.1's name for the manager's id.
//!
//! Who: OneLogin templates (D09, secondary sources). They send `{"manager": {"managerId": "id"}}` and mean
//! `{"manager": {"value": "id"}}`.
//!
//! Strict SCIM does not refuse it but ignores the unknown name, and so loses the manager. It is the one quirk of that
//! kind; nothing in SCIM 2.0 has the name `managerId`, so no other meaning can be lost.

use serde_json::{Map, Value};

use crate::quirks::message::member;
use crate::quirks::values::Extent;
use crate::scim::schema::{Attribute, Type};
use crate::scim::urn;

/// Renames `managerId` to `value` where `value` is not there.
pub(super) fn rewrite(attribute: &Attribute, extent: Extent, value: &mut Value) -> bool {
    let is_manager =
        attribute.kind == Type::Complex && urn::same(&attribute.name, "manager") && extent == Extent::One;
    let (Some(sub), Value::Object(parts)) = (attribute.value_sub().filter(|_| is_manager), value) else {
        return false;
    };
    if member(parts, "managerId").is_none()
        || member(parts, &sub.name).is_some()
        || attribute.sub("managerId").is_some()
    {
        return false;
    }
    let rename = |(name, part): (String, Value)| {
        if urn::same(&name, "managerId") { (sub.name.clone(), part) } else { (name, part) }
    };
    *parts = std::mem::take(parts).into_iter().map(rename).collect::<Map<_, _>>();
    true
}
