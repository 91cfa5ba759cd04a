//! The one walk over a resource: what a filter may see of it (RFC 7644 §3.4.2.2).
//!
//! Invariant: [`facts`] lists every comparable value and nothing that is `returned: never`. The store keeps the
//! list as index rows and the evaluator in memory reads the same list, so they cannot disagree.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::admit::is_primary;
use crate::scim::key::Key;
use crate::scim::object;
use crate::scim::registry::ResourceType;
use crate::scim::schema::{Attribute, Kept, Returned, Type};

/// One comparable value of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The simple attribute or sub-attribute that has the value.
    pub attribute: Arc<Attribute>,
    /// The value.
    pub key: Key,
    /// Which element of a multi-valued attribute it stands in; 0 elsewhere.
    pub element: u32,
    /// Whether it stands for the attribute in a sort: the primary's value, else the first (RFC 7644 §3.4.2.3).
    pub leads: bool,
    /// Where the top-level attribute is kept.
    pub kept: Kept,
}

/// All facts of a resource in canonical form.
pub fn facts(kind: &ResourceType, body: &Map<String, Value>) -> Vec<Fact> {
    facts_of(kind, body, |_| true)
}

/// The facts of a resource in canonical form that stand in the wanted members of its body: attributes and extensions.
pub fn facts_of(
    kind: &ResourceType,
    body: &Map<String, Value>,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<Fact> {
    let mut out = Vec::new();
    let attributes = kind.attributes.iter().filter(|attribute| is_wanted(&attribute.name));
    collect(attributes, body, &mut out);
    for extension in kind.extensions.iter().filter(|extension| is_wanted(&extension.schema.id)) {
        if let Some(Value::Object(container)) = object::get(body, &extension.schema.id) {
            collect(&extension.schema.attributes, container, &mut out);
        }
    }
    out
}

/// The facts of one element of a multi-valued attribute, or of a complex value.
pub fn element_facts(attribute: &Arc<Attribute>, value: &Value) -> Vec<Fact> {
    let mut out = Vec::new();
    Place { kept: attribute.kept, element: 0, leads: true }.add(attribute, value, &mut out);
    out
}

fn collect<'a>(
    attributes: impl IntoIterator<Item = &'a Arc<Attribute>>,
    body: &Map<String, Value>,
    out: &mut Vec<Fact>,
) {
    for attribute in attributes {
        match object::get(body, &attribute.name) {
            Some(Value::Array(elements)) if attribute.multi_valued => {
                let lead = leading_element(elements);
                for (index, value) in (0u32..).zip(elements) {
                    let place = Place { kept: attribute.kept, element: index, leads: index == lead };
                    place.add(attribute, value, out);
                }
            }
            Some(value) => Place { kept: attribute.kept, element: 0, leads: true }.add(attribute, value, out),
            None => {}
        }
    }
}

fn leading_element(elements: &[Value]) -> u32 {
    (0u32..).zip(elements).find(|(_, value)| is_primary(value)).map_or(0, |(index, _)| index)
}

/// Where the values that are being listed stand.
struct Place {
    kept: Kept,
    element: u32,
    leads: bool,
}

impl Place {
    fn add(&self, attribute: &Arc<Attribute>, value: &Value, out: &mut Vec<Fact>) {
        if attribute.returned == Returned::Never {
            return;
        }
        match value {
            Value::Object(parts) if attribute.kind == Type::Complex => {
                for sub in &attribute.sub_attributes {
                    match object::get(parts, &sub.name) {
                        Some(Value::Array(values)) => {
                            values.iter().for_each(|value| self.add(sub, value, out));
                        }
                        Some(value) => self.add(sub, value, out),
                        None if attribute.multi_valued && is_primary_flag(sub) => {
                            self.add(sub, &Value::Bool(false), out);
                        }
                        None => {}
                    }
                }
            }
            _ => {
                if let Some(key) = Key::of(attribute, value) {
                    let Self { kept, element, leads } = *self;
                    out.push(Fact { attribute: Arc::clone(attribute), key, element, leads, kept });
                }
            }
        }
    }
}

/// RFC 7643 §2.4: where `primary` is missing it is false.
fn is_primary_flag(sub: &Attribute) -> bool {
    sub.kind == Type::Boolean && sub.name == "primary"
}
