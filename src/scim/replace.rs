//! PUT (RFC 7644 §3.5.1): what a whole new body makes of the resource that is there.
//!
//! Invariant: read-only values stay the server's, immutable ones stay what they were, and what the client left out is
//! cleared, but for the attributes that reading A19 protects: secrets and those with a default. The values of a
//! multi-valued attribute are replaced as a whole (reading A23). Of an extension that was left out nothing stays that
//! could not stand alone.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::admit::{Admitted, same_key};
use crate::scim::error::ScimError;
use crate::scim::object;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, Mutability};

impl Resource {
    /// The new resource that a POST makes: defaults for what the body did not mention.
    ///
    /// # Errors
    /// `invalidValue` if a required value is missing.
    pub fn created(kind: &ResourceType, admitted: Admitted) -> Result<Self, ScimError> {
        let Admitted { resource, mentioned, .. } = admitted;
        let mut body = resource.into_body();
        fill_in(&kind.attributes, &mentioned, &mut body);
        for extension in &kind.extensions {
            if let Some(Value::Object(container)) = body.get_mut(&*extension.schema.id) {
                fill_in(&extension.schema.attributes, &mentioned, container);
            }
        }
        kind.check_required(&body)?;
        Ok(Self::canonical(kind, body))
    }

    /// What a PUT makes of this resource.
    ///
    /// # Errors
    /// `mutability` if an immutable value would change, `invalidValue` if a required value is missing.
    pub fn replaced(&self, kind: &ResourceType, admitted: &Admitted) -> Result<Self, ScimError> {
        let Admitted { resource, mentioned, .. } = admitted;
        let mut body = resource.body().clone();
        if let Some(id) = object::get(self.body(), "id") {
            // Behind `schemas`, where the schema has it.
            let place = body.len().min(1);
            body.shift_insert(place, "id".into(), id.clone());
        }
        keep_all(&kind.attributes, mentioned, self.body(), &mut body)?;
        for extension in &kind.extensions {
            let id = &*extension.schema.id;
            let Some(Value::Object(old)) = object::get(self.body(), id) else { continue };
            let (mut container, is_given) = match body.shift_remove(id) {
                Some(Value::Object(container)) => (container, true),
                _ => (Map::new(), false),
            };
            keep_all(&extension.schema.attributes, mentioned, old, &mut container)?;
            if is_given || !container.is_empty() && !extension.lapses(&container) {
                body.insert(id.to_owned(), Value::Object(container));
            }
        }
        kind.check_required(&body)?;
        Ok(Self::canonical(kind, body))
    }
}

/// Gives the attributes that the client did not mention their defaults.
fn fill_in(attributes: &[Arc<Attribute>], mentioned: &[String], body: &mut Map<String, Value>) {
    for attribute in attributes.iter().filter(|attribute| !mentioned.contains(&attribute.path)) {
        if let Some(default) = &attribute.default {
            body.insert(attribute.name.clone(), default.clone());
        }
    }
}

/// Carries over what a PUT must not take away, and refuses what it must not change.
fn keep_all(
    attributes: &[Arc<Attribute>],
    mentioned: &[String],
    old: &Map<String, Value>,
    new: &mut Map<String, Value>,
) -> Result<(), ScimError> {
    let may_stay = |a: &&Arc<Attribute>| is_kept(a) || a.sub_attributes.iter().any(|sub| is_kept(sub));
    attributes.iter().filter(may_stay).try_for_each(|attribute| {
        let omitted = !mentioned.contains(&attribute.path);
        keep(attribute, omitted, old, new)
    })
}

/// Whether the old value may count beside what the client says.
fn is_kept(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadOnly | Mutability::Immutable) || attribute.is_protected()
}

fn keep(
    attribute: &Attribute,
    omitted: bool,
    old: &Map<String, Value>,
    new: &mut Map<String, Value>,
) -> Result<(), ScimError> {
    let Some(value) = object::get(old, &attribute.name) else { return Ok(()) };
    let immutable = attribute.mutability == Mutability::Immutable;
    let is_same = |given: &Value| given == value || same_key(attribute, given, value);
    match new.get_mut(&attribute.name) {
        Some(given) if immutable && !is_same(given) => {
            Err(ScimError::mutability(format!("{} is immutable and has another value", attribute.path)))
        }
        Some(Value::Object(given)) if !immutable => {
            let Some(value) = value.as_object() else { return Ok(()) };
            let mut kept = attribute.sub_attributes.iter().filter(|sub| is_kept(sub));
            kept.try_for_each(|sub| keep(sub, !given.contains_key(&sub.name), value, given))
        }
        _ => {
            if immutable
                || attribute.mutability == Mutability::ReadOnly
                || omitted && attribute.is_protected()
            {
                new.insert(attribute.name.clone(), value.clone());
            }
            Ok(())
        }
    }
}
