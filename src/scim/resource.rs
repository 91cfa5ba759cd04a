//! A resource: JSON with a proof that it obeys its type (RFC 7643 §3).
//!
//! Invariant: the body is canonical. Names are spelled as in the schema and stand in its order, nothing is null or
//! empty, at most one value of an attribute is primary, `schemas` lists the base schema and exactly the
//! extensions that have data. It holds neither `meta` nor `members` nor `groups`: those are not the document's.

use serde_json::{Map, Value};

use crate::scim::registry::ResourceType;
use crate::scim::schema::{Attribute, Returned};

/// A resource that was admitted, patched, or read back from the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    body: Map<String, Value>,
}

/// A resource as it is stored: what responses may show, and what they never do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// JSON text of everything but `returned: never`.
    pub visible: String,
    /// JSON text of the `returned: never` attributes, if there are any.
    pub secret: Option<String>,
}

impl Resource {
    /// Puts a stored document together again. It was canonical when it was stored.
    pub fn stored(mut visible: Map<String, Value>, secret: Option<Map<String, Value>>) -> Self {
        visible.extend(secret.unwrap_or_default());
        Self { body: visible }
    }

    /// The canonical body.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// Splits the body into what is shown and what is not.
    pub fn to_document(&self, kind: &ResourceType) -> Document {
        let mut visible = self.body.clone();
        let mut secret = Map::new();
        for attribute in kind.attributes.iter().filter(|a| is_secret(a)) {
            if let Some(value) = visible.shift_remove(&attribute.name) {
                secret.insert(attribute.name.clone(), value);
            }
        }
        Document {
            visible: Value::Object(visible).to_string(),
            secret: (!secret.is_empty()).then(|| Value::Object(secret).to_string()),
        }
    }
}

fn is_secret(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Never
}
