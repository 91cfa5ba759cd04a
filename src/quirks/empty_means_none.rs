//! `empty-means-none`: empty text for what is not text.
//!
//! Who: Microsoft's SCIM Validator and Entra mappings clear the manager with `""` (D09, D27), Probo sends empty text for
//! everything that it does not know (D27, code). They mean "no value":
//!
//! ```text
//! {"op": "Replace", "path": "urn:…:User:manager", "value": ""}    {"profileUrl": "", "active": ""}
//! {"op": "Replace", "path": "urn:…:User:manager", "value": null}  {"profileUrl": null, "active": null}
//! ```
//!
//! Strings are left alone: there `""` is legal, and so are zero octets.

use serde_json::Value;

use crate::quirks::values::Extent;
use crate::scim::schema::{Attribute, Type};

/// Makes empty text null; in an array it leaves.
pub(super) fn rewrite(attribute: &Attribute, _: Extent, value: &mut Value) -> bool {
    let empty = value.as_str() == Some("") && !matches!(attribute.kind, Type::String | Type::Binary);
    if empty {
        *value = Value::Null;
    }
    empty
}
