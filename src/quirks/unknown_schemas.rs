//! `unknown-schemas`: schema URNs that the server does not have.
//!
//! Who: Entra ID lists `http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group` in every group that it
//! creates, and its documentation prints misspelt URNs (D14). They mean nothing by it that could be stored:
//!
//! ```text
//! {"schemas": ["urn:ietf:…:core:2.0:Group", "http://schemas.microsoft.com/…/ADSCIM/2.0/Group"]}
//! {"schemas": ["urn:ietf:…:core:2.0:Group"]}
//! ```

use serde_json::{Map, Value};

use crate::quirks::message::member_mut;
use crate::scim::registry::ResourceType;
use crate::scim::urn;

/// Drops the URNs that are neither the type's schema nor one of its extensions.
pub(super) fn rewrite(kind: &ResourceType, body: &mut Map<String, Value>) -> bool {
    let Some(Value::Array(ids)) = member_mut(body, "schemas") else { return false };
    let before = ids.len();
    let is_known = |id: &str| urn::same(id, &kind.schema.id) || kind.extension(id).is_some();
    ids.retain(|id| id.as_str().is_none_or(is_known));
    ids.len() < before
}
