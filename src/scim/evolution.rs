//! What becomes of stored resources when a tenant changes its schemas: which of them no longer fit.
//!
//! Invariant: a change is judged by the attributes that differ and by nothing else, so a resource that was let in under
//! an older rule is in nobody's way. A change that no stored resource can contradict is not narrowing, and needs no
//! look at them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::admit::{self, Rules};
use crate::scim::error::ScimError;
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::schema::{Attribute, Kept, Returned, Schema, Uniqueness};
use crate::scim::urn;

/// How many documents a tenant may have of its own.
const MAX_DOCUMENTS: usize = 64;

/// How many attributes, with their parts, a tenant's registry may have.
const MAX_ATTRIBUTES: usize = 4000;

/// The longest path of an attribute, in bytes.
const MAX_PATH: usize = 512;

/// The longest name of a resource type, in bytes.
const MAX_NAME: usize = 64;

/// The schemas that describe SCIM itself.
const FIXED: [&str; 3] = [urn::SERVICE_PROVIDER_CONFIG, urn::RESOURCE_TYPE, urn::SCHEMA];

impl Registry {
    /// This registry with a tenant's own documents, which may replace and extend but not undo what Muster relies on.
    ///
    /// # Errors
    /// `invalidValue` that names the document or the attribute.
    pub fn for_tenant(&self, documents: &[(String, Value)]) -> Result<Self, ScimError> {
        if documents.len() > MAX_DOCUMENTS {
            return Err(ScimError::value(format!(
                "a tenant may have {MAX_DOCUMENTS} schemas and resource types of its own"
            )));
        }
        let extended = self.extended(documents)?;
        for schema in extended.schemas() {
            let Some(old) = self.schema(&schema.id) else { continue };
            if old == schema {
                continue;
            }
            if FIXED.iter().any(|fixed| urn::same(fixed, &schema.id)) {
                return Err(ScimError::value(format!("the schema {} is SCIM's own and stays", schema.id)));
            }
            for attribute in &old.attributes {
                keeps_meaning(attribute, schema.attributes.iter().find(|a| a.path == attribute.path))?;
            }
        }
        for kind in extended.types() {
            let Some(old) = self.type_named(&kind.name) else { continue };
            let stays =
                |id: &str| ScimError::value(format!("the type {} must keep the schema {id}", kind.name));
            if old.schema.id != kind.schema.id {
                return Err(stays(&old.schema.id));
            }
            let is_relied_on =
                |schema: &&Arc<Schema>| schema.attributes.iter().any(|a| a.kept != Kept::Document);
            let mut relied_on = old.extensions.iter().map(|extension| &extension.schema).filter(is_relied_on);
            if let Some(schema) = relied_on.find(|schema| kind.extension(&schema.id).is_none()) {
                return Err(stays(&schema.id));
            }
        }
        check_size(&extended)?;
        Ok(extended)
    }
}

/// What the server's set defines is known to code and to applications: it may get other characteristics, but not another
/// shape; and what is kept in tables of its own stays.
fn keeps_meaning(old: &Attribute, new: Option<&Arc<Attribute>>) -> Result<(), ScimError> {
    let is_shared = old.kept != Kept::Document || old.required || old.returned == Returned::Never;
    let Some(new) = new else {
        return match is_shared {
            true => Err(ScimError::value(format!("{} cannot be left out: Muster relies on it", old.path))),
            false => Ok(()),
        };
    };
    let secret = |attribute: &Attribute| attribute.returned == Returned::Never;
    if (old.kind, old.multi_valued, old.kept, secret(old))
        != (new.kind, new.multi_valued, new.kept, secret(new))
    {
        return Err(ScimError::value(format!(
            "{} must keep its type, its number of values and whether it is ever returned: Muster relies on them",
            old.path
        )));
    }
    let same = |sub: &Arc<Attribute>| new.sub_attributes.iter().find(|other| other.path == sub.path).cloned();
    old.sub_attributes.iter().try_for_each(|sub| match same(sub) {
        None if old.kept == Kept::Document => Ok(()),
        found => keeps_meaning(sub, found.as_ref()),
    })
}

fn check_size(registry: &Registry) -> Result<(), ScimError> {
    let mut count = 0;
    for attribute in registry.schemas().iter().flat_map(|schema| &schema.attributes).flat_map(with_parts) {
        count += 1;
        if attribute.path.len() > MAX_PATH {
            let detail = format!("the name of an attribute, with its URN, may have {MAX_PATH} bytes");
            return Err(ScimError::value(detail).at(&attribute.name));
        }
    }
    if count > MAX_ATTRIBUTES {
        return Err(ScimError::value(format!("there may be {MAX_ATTRIBUTES} attributes in all")));
    }
    for kind in registry.types() {
        let plain = kind.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !plain || kind.name.len() > MAX_NAME || kind.endpoint.len() > MAX_NAME {
            return Err(ScimError::value(format!(
                "the name and the endpoint of a resource type are 1 to {MAX_NAME} letters, digits, - or _"
            )));
        }
    }
    Ok(())
}

/// How a resource type differs from what it was.
#[derive(Debug, Default)]
pub struct Change {
    attributes: Vec<Difference>,
    /// Extensions that the type no longer has.
    gone: Vec<Arc<str>>,
    /// Extensions that every resource must have now.
    required: Vec<Arc<str>>,
    /// Paths that are compared, or made unique, in another way.
    compared: BTreeSet<String>,
    /// Paths whose values must differ now, and were not compared so before.
    unique: BTreeSet<String>,
    /// Whether the base schema is another one.
    is_other: bool,
}

/// An attribute as it was and as it is.
#[derive(Debug)]
struct Difference {
    extension: Option<Arc<str>>,
    old: Option<Arc<Attribute>>,
    new: Option<Arc<Attribute>>,
}

impl Change {
    /// From one form of a type to another.
    pub fn between(old: &ResourceType, new: &ResourceType) -> Self {
        let mut change = Self { is_other: old.schema.id != new.schema.id, ..Self::default() };
        let ids = |kind: &ResourceType| -> Vec<Arc<str>> {
            kind.extensions.iter().map(|extension| Arc::clone(&extension.schema.id)).collect()
        };
        change.gone = ids(old).into_iter().filter(|id| !ids(new).contains(id)).collect();
        let was_required =
            |id: &str| old.extensions.iter().any(|other| other.required && &*other.schema.id == id);
        let required = new.extensions.iter().filter(|e| e.required && !was_required(&e.schema.id));
        change.required = required.map(|extension| Arc::clone(&extension.schema.id)).collect();
        let find = |kind: &ResourceType, path: &str| kind.all_attributes().find(|a| a.path == path).cloned();
        for attribute in old.all_attributes() {
            if attribute.extension.as_ref().is_none_or(|id| !change.gone.contains(id)) {
                change.add(Some(Arc::clone(attribute)), find(new, &attribute.path));
            }
        }
        for attribute in new.all_attributes().filter(|a| find(old, &a.path).is_none()) {
            change.add(None, Some(Arc::clone(attribute)));
        }
        change
    }

    fn add(&mut self, old: Option<Arc<Attribute>>, new: Option<Arc<Attribute>>) {
        if old == new {
            return;
        }
        if let (Some(old), Some(new)) = (&old, &new) {
            self.compare(old, new);
            for sub in &new.sub_attributes {
                if let Some(before) = old.sub_attributes.iter().find(|before| before.path == sub.path) {
                    self.compare(before, sub);
                }
            }
        }
        let narrows = match (&old, &new) {
            (None, Some(new)) => new.required,
            (Some(old), Some(new)) => narrows(old, new),
            _ => true,
        };
        if narrows {
            let extension = new.as_ref().or(old.as_ref()).and_then(|attribute| attribute.extension.clone());
            self.attributes.push(Difference { extension, old, new });
        }
    }

    fn compare(&mut self, old: &Attribute, new: &Attribute) {
        let unique = |attribute: &Attribute| attribute.uniqueness != Uniqueness::None;
        if (old.comparison, unique(old)) != (new.comparison, unique(new)) {
            self.compared.insert(new.path.clone());
            if unique(new) {
                self.unique.insert(new.path.clone());
            }
        }
    }

    /// Whether stored resources could be in the way.
    pub fn is_narrowing(&self) -> bool {
        self.is_other
            || !self.attributes.is_empty()
            || !self.gone.is_empty()
            || !self.required.is_empty()
            || !self.unique.is_empty()
    }

    /// Whether facts of stored resources are no longer what they were.
    pub fn changes_facts(&self) -> bool {
        !self.compared.is_empty()
    }

    /// The paths whose values must differ now, and need not have before.
    pub fn unique(&self) -> &BTreeSet<String> {
        &self.unique
    }

    /// What of a stored resource no longer fits: paths, each with the reason.
    pub fn misfits(&self, body: &Map<String, Value>) -> Vec<(String, String)> {
        if self.is_other {
            return vec![("schemas".to_owned(), "the type would have another base schema".to_owned())];
        }
        let mut out = Vec::new();
        for id in self.gone.iter().filter(|id| body.contains_key(&***id)) {
            out.push((
                id.to_string(),
                "it has values, and the type would no longer have the extension".to_owned(),
            ));
        }
        for id in self.required.iter().filter(|id| !body.contains_key(&***id)) {
            out.push((id.to_string(), "it has not the extension that would be required".to_owned()));
        }
        for difference in &self.attributes {
            let holder = match &difference.extension {
                Some(id) => body.get(&**id).and_then(Value::as_object),
                None => Some(body),
            };
            let Some(holder) = holder else { continue };
            if let Some(misfit) = difference.misfit(holder) {
                out.push(misfit);
            }
        }
        out
    }
}

impl Difference {
    fn misfit(&self, holder: &Map<String, Value>) -> Option<(String, String)> {
        let attribute = self.new.as_ref().or(self.old.as_ref())?;
        let say = |why: String| Some((attribute.path.clone(), why));
        let value = holder.get(&attribute.name);
        let Some(new) = &self.new else {
            return value.and_then(|_| say("it has a value, and the attribute would be gone".to_owned()));
        };
        if let Some(value) = value {
            let is_apart = |old: &Arc<Attribute>| secrets(old) != secrets(new);
            if self.old.as_ref().is_some_and(is_apart) {
                return say(
                    "it has a value, which is kept apart from what is returned, or would be".to_owned()
                );
            }
            match admit::admit_value(new, value, Rules::default()) {
                Ok(Some(admitted)) if admitted == *value => {}
                Ok(_) => return say("its value would read otherwise".to_owned()),
                Err(error) => return say(error.detail),
            }
        }
        admit::check_complete(new, holder).err().and_then(|error| say(error.detail))
    }
}

/// Whether a value that the old attribute took may not fit the new one.
fn narrows(old: &Attribute, new: &Attribute) -> bool {
    let shape = |a: &Attribute| (a.kind, a.multi_valued, a.returned == Returned::Never);
    let allows = |a: &Attribute| a.closed.then(|| a.canonical_values.clone());
    let sub_narrows = |sub: &Arc<Attribute>| match new.sub_attributes.iter().find(|s| s.path == sub.path) {
        Some(after) => narrows(sub, after),
        None => true,
    };
    let is_new = |sub: &&Arc<Attribute>| !old.sub_attributes.iter().any(|before| before.path == sub.path);
    shape(old) != shape(new)
        || new.required && !old.required
        || new.closed && allows(old) != allows(new)
        || old.reference_types != new.reference_types && old.comparison != new.comparison
        || old.sub_attributes.iter().any(sub_narrows)
        || new.sub_attributes.iter().filter(is_new).any(|sub| sub.required)
}

/// The paths of what is never returned.
fn secrets(attribute: &Arc<Attribute>) -> BTreeSet<&str> {
    with_parts(attribute).filter(|a| a.returned == Returned::Never).map(|a| a.path.as_str()).collect()
}

fn with_parts(attribute: &Arc<Attribute>) -> impl Iterator<Item = &Arc<Attribute>> {
    std::iter::once(attribute).chain(&attribute.sub_attributes)
}
