//! A resource: JSON with a proof that it obeys its type (RFC 7643 §3).
//!
//! Invariant: the body is canonical. Names are spelled as in the schema and stand in its order, nothing is null or
//! empty, at most one value of an attribute is primary, `schemas` lists the base schema and exactly the
//! extensions that have data. It holds neither `meta` nor `members` nor `groups`: those are not the document's.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::object;
use crate::scim::registry::ResourceType;
use crate::scim::schema::{Attribute, Returned};

/// A resource that was admitted, patched, or read back from the store.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    body: Map<String, Value>,
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        object::same(&self.body, &other.body)
    }
}

/// A resource as it is stored: what responses may show, and what they never do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// JSON text of everything but `returned: never`.
    pub visible: String,
    /// JSON text of the `returned: never` attributes, if there are any: objects and arrays of the same shape as in
    /// `visible`, which hold only those.
    pub secret: Option<String>,
}

impl Resource {
    /// Puts a stored document together again. It was canonical when it was stored.
    pub fn stored(mut visible: Map<String, Value>, secret: Option<Map<String, Value>>) -> Self {
        merge_secrets(&mut visible, secret.unwrap_or_default());
        Self { body: visible }
    }

    /// Puts values that were admitted one by one into canonical form: order, `schemas`, nothing empty.
    pub fn canonical(kind: &ResourceType, mut values: Map<String, Value>) -> Self {
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
        values.shift_insert(0, "schemas".into(), ids.collect());
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
        if !self.may_hold_secrets(kind) {
            return Document { visible: text(&self.body), secret: None };
        }
        let mut visible = self.body.clone();
        let mut secret = take_secrets(&kind.attributes, &mut visible);
        for extension in &kind.extensions {
            let id = &*extension.schema.id;
            let Some(Value::Object(container)) = visible.get_mut(id) else { continue };
            let hidden = take_secrets(&extension.schema.attributes, container);
            if !hidden.is_empty() {
                secret.insert(id.to_owned(), Value::Object(hidden));
            }
        }
        Document { visible: text(&visible), secret: (!secret.is_empty()).then(|| text(&secret)) }
    }

    /// Whether there is a value of an attribute that is never returned, or has parts that are not.
    fn may_hold_secrets(&self, kind: &ResourceType) -> bool {
        let containers = kind.extensions.iter().filter_map(|extension| {
            let container = self.body.get(&*extension.schema.id)?.as_object()?;
            Some((&extension.schema.attributes, container))
        });
        let is_secret = |attribute: &Attribute| attribute.returned == Returned::Never;
        let may_be_secret = |a: &Attribute| is_secret(a) || a.sub_attributes.iter().any(|sub| is_secret(sub));
        std::iter::once((&kind.attributes, &self.body)).chain(containers).any(|(attributes, body)| {
            attributes.iter().any(|a| may_be_secret(a) && body.contains_key(&a.name))
        })
    }
}

fn text(body: &Map<String, Value>) -> String {
    // What is JSON already can be written, and memory takes all of it.
    serde_json::to_string(body).unwrap_or_default()
}

/// Moves the values into the schema's order; what is null or empty is left behind.
pub(in crate::scim) fn take_in_order(
    attributes: &[Arc<Attribute>],
    values: &mut Map<String, Value>,
) -> Map<String, Value> {
    if is_in_order(attributes, values) {
        return std::mem::take(values);
    }
    let mut out = Map::with_capacity(values.len());
    for attribute in attributes {
        if let Some((name, value)) = values.swap_remove_entry(&attribute.name).filter(|(_, v)| !is_none(v)) {
            out.insert(name, value);
        }
    }
    out
}

/// Whether there is nothing to be moved or left behind.
fn is_in_order(attributes: &[Arc<Attribute>], values: &Map<String, Value>) -> bool {
    let mut attributes = attributes.iter();
    values.iter().all(|(name, value)| attributes.any(|a| a.name == *name) && !is_none(value))
}

/// RFC 7643 §2.5: null and empty are the same as not there.
pub(in crate::scim) fn is_none(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Takes out what is never returned, from the parts of complex values too; `null` stands for an element without any.
fn take_secrets(attributes: &[Arc<Attribute>], body: &mut Map<String, Value>) -> Map<String, Value> {
    let mut secret = Map::new();
    for attribute in attributes {
        let hidden = match body.get_mut(&attribute.name) {
            None => continue,
            Some(_) if attribute.returned == Returned::Never => body.shift_remove(&attribute.name),
            Some(value) => take_secret_parts(attribute, value),
        };
        if let Some(hidden) = hidden {
            secret.insert(attribute.name.clone(), hidden);
        }
    }
    secret
}

fn take_secret_parts(attribute: &Attribute, value: &mut Value) -> Option<Value> {
    if !attribute.sub_attributes.iter().any(|sub| sub.returned == Returned::Never) {
        return None;
    }
    match value {
        Value::Object(parts) => {
            let hidden = take_secrets(&attribute.sub_attributes, parts);
            (!hidden.is_empty()).then_some(Value::Object(hidden))
        }
        Value::Array(elements) => {
            let hidden: Vec<Value> = elements
                .iter_mut()
                .map(|element| take_secret_parts(attribute, element).unwrap_or_default())
                .collect();
            hidden.iter().any(|element| !element.is_null()).then_some(Value::Array(hidden))
        }
        _ => None,
    }
}

fn merge_secrets(visible: &mut Map<String, Value>, secret: Map<String, Value>) {
    for (name, hidden) in secret {
        match visible.get_mut(&name) {
            Some(value) => merge_secret(value, hidden),
            None => drop(visible.insert(name, hidden)),
        }
    }
}

fn merge_secret(value: &mut Value, hidden: Value) {
    match (value, hidden) {
        (Value::Object(parts), Value::Object(hidden)) => merge_secrets(parts, hidden),
        (Value::Array(elements), Value::Array(hidden)) => {
            elements.iter_mut().zip(hidden).for_each(|(element, hidden)| merge_secret(element, hidden));
        }
        _ => {}
    }
}
