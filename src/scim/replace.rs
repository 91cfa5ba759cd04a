//! PUT (RFC 7644 §3.5.1): what a whole new body makes of the resource that is there.
//!
//! Invariant: read-only values stay the server's, immutable ones stay what they were, and what the client left out is
//! cleared, but for the attributes that reading A19 protects: secrets and those with a default.

use serde_json::{Map, Value};

use crate::scim::admit::Admitted;
use crate::scim::error::ScimError;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, Mutability, Returned};

impl Resource {
    /// The new resource that a POST makes: defaults for what the body did not mention.
    ///
    /// # Errors
    /// `invalidValue` if a required value is missing.
    pub fn created(kind: &ResourceType, admitted: Admitted) -> Result<Self, ScimError> {
        let Admitted { resource, mentioned, .. } = admitted;
        let mut body = resource.into_body();
        for attribute in kind.attributes.iter().filter(|a| !mentioned.contains(&a.path)) {
            if let Some(default) = &attribute.default {
                body.insert(attribute.name.clone(), default.clone());
            }
        }
        kind.check_required(&body)?;
        Ok(Self::canonical(kind, body))
    }

    /// What a PUT makes of this resource.
    ///
    /// # Errors
    /// `mutability` if an immutable value would change, `invalidValue` if a required value is missing.
    pub fn replaced(&self, kind: &ResourceType, admitted: Admitted) -> Result<Self, ScimError> {
        let Admitted { resource, mentioned, .. } = admitted;
        let mut body = resource.into_body();
        if let Some(id) = self.body().get("id") {
            body.insert("id".into(), id.clone());
        }
        for attribute in &kind.attributes {
            let omitted = !mentioned.contains(&attribute.path);
            keep(attribute, omitted, self.body(), &mut body)?;
        }
        for extension in &kind.extensions {
            let id = &*extension.schema.id;
            let Some(Value::Object(old)) = self.body().get(id) else { continue };
            let mut container = match body.shift_remove(id) {
                Some(Value::Object(container)) => container,
                _ => Map::new(),
            };
            for attribute in &extension.schema.attributes {
                let omitted = !container.contains_key(&attribute.name);
                keep(attribute, omitted, old, &mut container)?;
            }
            body.insert(id.to_owned(), Value::Object(container));
        }
        kind.check_required(&body)?;
        Ok(Self::canonical(kind, body))
    }
}

/// Carries over what a PUT must not take away, and refuses what it must not change.
fn keep(
    attribute: &Attribute,
    omitted: bool,
    old: &Map<String, Value>,
    new: &mut Map<String, Value>,
) -> Result<(), ScimError> {
    let Some(value) = old.get(&attribute.name) else { return Ok(()) };
    let protected = attribute.returned == Returned::Never || attribute.default.is_some();
    let immutable = attribute.mutability == Mutability::Immutable;
    if immutable && new.get(&attribute.name).is_some_and(|given| given != value) {
        return Err(ScimError::mutability(format!("{} is immutable and has another value", attribute.path)));
    }
    if immutable || protected && omitted {
        new.insert(attribute.name.clone(), value.clone());
    }
    Ok(())
}
