//! `string-booleans`: booleans as text.
//!
//! Who: Entra ID (`"False"` for `active`, D02, vendor's documentation), Microsoft's SCIM Validator (`"True"` inside
//! objects and in filters, D02), a Keycloak plug-in (`"false"`, D02, code), OneLogin templates (D02). They mean the boolean:
//!
//! ```text
//! {"op": "Replace", "path": "active", "value": "False"}    roles[primary eq "True"]    active eq TRUE
//! {"op": "Replace", "path": "active", "value": false}      roles[primary eq true]      active eq true
//! ```

use serde_json::Value;

use crate::quirks::comparison::Comparison;
use crate::quirks::values::Extent;
use crate::scim::filter::Op;
use crate::scim::schema::{Attribute, Type};

/// Makes text a boolean where the attribute is one.
pub(super) fn rewrite(attribute: &Attribute, _: Extent, value: &mut Value) -> bool {
    let flag = value.as_str().and_then(parse).filter(|_| attribute.kind == Type::Boolean);
    if let Some(flag) = flag {
        *value = Value::Bool(flag);
    }
    flag.is_some()
}

/// Makes a literal a boolean where the attribute is one.
pub(super) fn literal(comparison: &Comparison<'_>) -> Option<String> {
    let compares = comparison.attribute.kind == Type::Boolean && matches!(comparison.op, Op::Eq | Op::Ne);
    let quoted = comparison.literal.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let canonical = parse(quoted.unwrap_or(comparison.literal)).filter(|_| compares)?.to_string();
    (canonical != comparison.literal).then_some(canonical)
}

fn parse(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name))
        .map(|(_, flag)| flag)
}
