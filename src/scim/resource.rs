//! A resource: JSON with a proof that it obeys its type (RFC 7643 §3).
//!
//! Invariant: the body is canonical. Names are spelled as in the schema and stand in its order, nothing is null or
//! empty, at most one value of an attribute is primary, `schemas` lists the base schema and exactly the
//! extensions that have data. It holds neither `meta` nor `members` nor `groups`: those are not the document's.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::registry::ResourceType;
use crate::scim::schema::{Attribute, Returned};

/// A resource that was admitted, patched, or read back from the store.
#[derive(Clone, Debug, Default, PartialEq)]
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

    /// Puts values that were admitted one by one into canonical form: order, `schemas`, nothing empty.
    pub(in crate::scim) fn canonical(kind: &ResourceType, mut values: Map<String, Value>) -> Self {
        let mut extended = Vec::new();
        for extension in &kind.extensions {
            let id = &*extension.schema.id;
            if let Some(Value::Object(mut container)) = values.shift_remove(id) {
                let ordered = take_in_order(&extension.schema.attributes, &mut container);
                if !ordered.is_empty() {
                    extended.push((id.to_owned(), Value::Object(ordered)));
                }
            }
        }
        let ids = std::iter::once(&*kind.schema.id).chain(extended.iter().map(|(id, _)| id.as_str()));
        values.insert("schemas".into(), ids.collect());
        let mut body = take_in_order(&kind.attributes, &mut values);
        body.extend(extended);
        Self { body }
    }

    /// The same resource under the id that the server gives it.
    #[must_use]
    pub fn with_id(self, kind: &ResourceType, id: &str) -> Self {
        self.with_value(kind, "id", Value::String(id.to_owned()))
    }

    /// The same resource with another value of one of its own attributes.
    #[must_use]
    pub fn with_value(mut self, kind: &ResourceType, name: &str, value: Value) -> Self {
        self.body.insert(name.to_owned(), value);
        Self::canonical(kind, self.body)
    }

    /// The canonical body.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// The canonical body, given away.
    pub fn into_body(self) -> Map<String, Value> {
        self.body
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

fn take_in_order(attributes: &[Arc<Attribute>], values: &mut Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::with_capacity(values.len());
    for attribute in attributes {
        if let Some(value) = values.shift_remove(&attribute.name).filter(|value| !is_none(value)) {
            out.insert(attribute.name.clone(), value);
        }
    }
    out
}

/// RFC 7643 §2.5: null and empty are the same as not there.
fn is_none(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_secret(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Never
}
