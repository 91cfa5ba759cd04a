//! `missing-schemas`: a message that does not say what it is.
//!
//! Who: midPoint's generic create (D25, code), authentik's PATCH (D25, code), Okta in rare cases (D25, an issue),
//! scim2-cli's search from stdin (its help).
//! They leave `schemas` out, or list only extensions, and mean what the endpoint takes:
//!
//! ```text
//! POST {"userName": "a"}
//! POST {"schemas": ["urn:ietf:…:core:2.0:User"], "userName": "a"}
//! PATCH {"Operations": […]}
//! PATCH {"schemas": ["urn:ietf:…:PatchOp"], "Operations": […]}
//! POST /.search {"count": 10}
//! POST /.search {"schemas": ["urn:ietf:…:SearchRequest"], "count": 10}
//! ```

use serde_json::{Map, Value};

use crate::quirks::message::{member_mut, operations};
use crate::scim::registry::ResourceType;
use crate::scim::urn;

/// Lists the type's schema.
pub(super) fn rewrite_resource(kind: &ResourceType, body: &mut Map<String, Value>) -> bool {
    list(&kind.schema.id, body)
}

/// Lists the URN of PATCH in what looks like one.
pub(super) fn rewrite_patch(_: &ResourceType, body: &mut Map<String, Value>) -> bool {
    operations(body).is_some() && list(urn::PATCH_OP, body)
}

/// Lists the URN of a search.
pub(super) fn rewrite_search(body: &mut Map<String, Value>) -> bool {
    list(urn::SEARCH_REQUEST, body)
}

/// Puts the URN in front of what `schemas` lists, if it is not there. A `schemas` that is no list is left to be refused.
fn list(wanted: &str, body: &mut Map<String, Value>) -> bool {
    match member_mut(body, "schemas") {
        Some(Value::Array(ids)) => {
            let is_there = ids.iter().filter_map(Value::as_str).any(|id| urn::same(id, wanted));
            if !is_there {
                ids.insert(0, Value::from(wanted));
            }
            !is_there
        }
        Some(schemas @ Value::Null) => {
            *schemas = Value::Array(vec![Value::from(wanted)]);
            true
        }
        Some(_) => false,
        None => {
            body.insert("schemas".into(), Value::Array(vec![Value::from(wanted)]));
            true
        }
    }
}
