//! Applying a PATCH (RFC 7644 §3.5.2.1–3): a resource and operations in, the new resource out.
//!
//! Invariant: pure and atomic. Either every operation applies and the result is canonical and complete, or the error
//! says which one did not. Memberships are not here: they are no part of the document.

use serde_json::{Map, Value};

use crate::scim::admit::{append, is_primary};
use crate::scim::error::ScimError;
use crate::scim::fact::element_facts;
use crate::scim::filter::{Filter, Op};
use crate::scim::patch::{Action, Given, Operation, PatchRequest};
use crate::scim::path::Target;
use crate::scim::registry::{Path, ResourceType};
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, Kept, Mutability, Type};
use crate::scim::urn;

impl PatchRequest {
    /// The resource after the operations; none if nothing changed.
    /// With `add_missing`, a `replace` whose value path matches nothing adds a value (D03, reading A16).
    ///
    /// # Errors
    /// `noTarget`, `mutability` or `invalidValue`; the detail begins with the operation.
    pub fn apply(
        &self,
        resource: &Resource,
        kind: &ResourceType,
        add_missing: bool,
    ) -> Result<Option<Resource>, ScimError> {
        let mut body = resource.body().clone();
        for operation in self.operations.iter().filter(|operation| !is_membership(operation)) {
            let mut step = Step { kind, body: &mut body, add_missing };
            step.run(operation).map_err(|error| error.at(format_args!("Operations[{}]", operation.index)))?;
        }
        let patched = Resource::canonical(kind, body);
        if patched == *resource {
            return Ok(None);
        }
        kind.check_required(patched.body()).map_err(|error| ScimError::mutability(error.detail))?;
        Ok(Some(patched))
    }
}

/// Whether an operation is about `members`, which the directory edits as a relation.
pub fn is_membership(operation: &Operation) -> bool {
    operation.target.path().is_some_and(|path| path.attribute.kept == Kept::Members)
}

struct Step<'a> {
    kind: &'a ResourceType,
    body: &'a mut Map<String, Value>,
    add_missing: bool,
}

impl Step<'_> {
    fn run(&mut self, operation: &Operation) -> Result<(), ScimError> {
        match (&operation.target, &operation.action) {
            (Target::Core, _) => Ok(()),
            (Target::Extension(id), _) => {
                self.body.shift_remove(id);
                Ok(())
            }
            (Target::Attribute(path), Action::Expect(value)) => self.expect(path, value),
            (target, action) if target.path().is_some_and(|path| path.attribute.name == "schemas") => {
                self.edit_schemas(target, action)
            }
            (Target::Attribute(path), action) => self.edit_attribute(path, action),
            (Target::Values { path, filter }, action) => self.edit_values(path, filter, action),
        }
    }

    fn expect(&self, path: &Path, value: &Value) -> Result<(), ScimError> {
        if self.body.get(&path.attribute.name) == Some(value) {
            return Ok(());
        }
        Err(ScimError::mutability(format!("{path} is read-only")))
    }

    /// `schemas` follows the data (reading A34): listing an extension does nothing, taking one away takes its data.
    fn edit_schemas(&mut self, target: &Target, action: &Action) -> Result<(), ScimError> {
        let base = &*self.kind.schema.id;
        match (target, action) {
            (Target::Values { path, filter }, Action::Remove) => {
                let ids = std::iter::once(base).chain(self.kind.extensions.iter().map(|e| &*e.schema.id));
                let selects = |id: &&str| filter.matches(&element_facts(&path.attribute, &Value::from(*id)));
                let removed: Vec<&str> = ids.filter(selects).collect();
                if removed.contains(&base) {
                    return Err(ScimError::mutability("the base schema cannot be removed"));
                }
                removed.iter().for_each(|id| drop(self.body.shift_remove(*id)));
                Ok(())
            }
            (_, Action::Remove) => Err(ScimError::mutability("schemas cannot be removed")),
            (_, Action::Add(Given::Elements(ids)) | Action::Replace(Given::Elements(ids))) => {
                ids.iter().try_for_each(|id| self.check_schema(id))
            }
            _ => Err(ScimError::value("schemas must be an array of schema URNs")),
        }
    }

    fn check_schema(&self, id: &Value) -> Result<(), ScimError> {
        let id = id.as_str().unwrap_or_default();
        if urn::same(id, &self.kind.schema.id) || self.kind.extension(id).is_some() {
            return Ok(());
        }
        Err(ScimError::value(format!("schemas: {} has no schema {id:?}", self.kind.name)))
    }

    /// The object that holds the attribute: the resource or its extension's container.
    fn holder(&mut self, attribute: &Attribute) -> Result<&mut Map<String, Value>, ScimError> {
        let Some(id) = &attribute.extension else { return Ok(self.body) };
        let container = self.body.entry(&**id).or_insert_with(|| Value::Object(Map::new()));
        container.as_object_mut().ok_or_else(|| ScimError::value(format!("{id} must be an object")))
    }

    fn edit_attribute(&mut self, path: &Path, action: &Action) -> Result<(), ScimError> {
        let attribute = &path.attribute;
        let holder = self.holder(attribute)?;
        let old = holder.get(&attribute.name).cloned();
        let new = match &path.sub {
            None => edit_whole(attribute, old.clone(), action)?,
            Some(sub) if attribute.multi_valued => edit_sub_of_all(attribute, sub, old.clone(), action)?,
            Some(sub) => {
                let mut parts = object(old.clone());
                edit_sub(sub, &mut parts, action)?;
                Some(Value::Object(parts))
            }
        };
        check_transition(attribute, old.as_ref(), new.as_ref())?;
        put(holder, attribute, new);
        Ok(())
    }

    fn edit_values(&mut self, path: &Path, filter: &Filter, action: &Action) -> Result<(), ScimError> {
        let add_missing = self.add_missing;
        let attribute = &path.attribute;
        let holder = self.holder(attribute)?;
        let mut elements = match holder.get(&attribute.name).cloned() {
            Some(Value::Array(elements)) => elements,
            Some(single) => vec![single],
            None => Vec::new(),
        };
        let selected: Vec<usize> = (elements.iter().enumerate())
            .filter(|(_, element)| filter.matches(&element_facts(attribute, element)))
            .map(|(index, _)| index)
            .collect();
        let written = match (action, &path.sub) {
            (Action::Remove, None) => {
                let mut index = 0..;
                elements.retain(|_| index.next().is_none_or(|index| !selected.contains(&index)));
                Vec::new()
            }
            (Action::Remove, Some(_)) if selected.is_empty() => Vec::new(),
            (action, sub) => {
                let written = if selected.is_empty() {
                    let create = add_missing || matches!(action, Action::Add(_));
                    vec![create_selected(&mut elements, attribute, filter, create)?]
                } else {
                    selected
                };
                for &index in &written {
                    if let Some(element) = elements.get_mut(index) {
                        edit_element(attribute, sub.as_deref(), element, action)?;
                    }
                }
                written
            }
        };
        settle_primary(attribute, &mut elements, &written)?;
        let new = if attribute.multi_valued { Some(Value::Array(elements)) } else { elements.pop() };
        check_transition(attribute, holder.get(&attribute.name), new.as_ref())?;
        put(holder, attribute, new);
        Ok(())
    }
}

/// The value of a whole attribute after an action.
fn edit_whole(
    attribute: &Attribute,
    old: Option<Value>,
    action: &Action,
) -> Result<Option<Value>, ScimError> {
    match action {
        Action::Remove => Ok(None),
        Action::Add(Given::Elements(given)) => {
            let mut elements = array(old);
            let written: Vec<usize> =
                given.iter().map(|value| append(&mut elements, attribute, value.clone())).collect();
            settle_primary(attribute, &mut elements, &written)?;
            Ok(Some(Value::Array(elements)))
        }
        Action::Replace(Given::Elements(given)) => Ok(Some(Value::Array(given.clone()))),
        // Reading A17: replace merges like add; sub-attributes that are not named stay.
        Action::Add(Given::Parts(given)) | Action::Replace(Given::Parts(given)) => {
            let mut parts = object(old);
            merge(&mut parts, given);
            Ok(Some(Value::Object(parts)))
        }
        Action::Add(Given::Simple(value)) | Action::Replace(Given::Simple(value)) => Ok(Some(value.clone())),
        Action::Add(Given::Members(_)) | Action::Replace(Given::Members(_)) | Action::Expect(_) => Ok(old),
    }
}

/// A sub-attribute of a multi-valued attribute without a filter: of every value (`emails.type`).
fn edit_sub_of_all(
    attribute: &Attribute,
    sub: &Attribute,
    old: Option<Value>,
    action: &Action,
) -> Result<Option<Value>, ScimError> {
    let mut elements = array(old);
    if elements.is_empty() && *action != Action::Remove {
        elements.push(Value::Object(Map::new()));
    }
    for element in &mut elements {
        edit_element(attribute, Some(sub), element, action)?;
    }
    let written: Vec<usize> = (0..elements.len()).collect();
    settle_primary(attribute, &mut elements, &written)?;
    Ok(Some(Value::Array(elements)))
}

fn edit_element(
    attribute: &Attribute,
    sub: Option<&Attribute>,
    element: &mut Value,
    action: &Action,
) -> Result<(), ScimError> {
    match (sub, action) {
        (Some(sub), action) => match element.as_object_mut() {
            Some(parts) => edit_sub(sub, parts, action),
            None => Err(ScimError::path(format!("{} has no sub-attributes", attribute.path))),
        },
        (None, Action::Add(Given::Parts(given))) => {
            if let Some(parts) = element.as_object_mut() {
                merge(parts, given);
            }
            Ok(())
        }
        (None, Action::Replace(Given::Parts(given))) => {
            let mut parts = Map::new();
            merge(&mut parts, given);
            *element = Value::Object(parts);
            Ok(())
        }
        (None, Action::Add(Given::Simple(value)) | Action::Replace(Given::Simple(value))) => {
            *element = value.clone();
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

fn edit_sub(sub: &Attribute, parts: &mut Map<String, Value>, action: &Action) -> Result<(), ScimError> {
    let old = parts.get(&sub.name).cloned();
    let new = edit_whole(sub, old.clone(), action)?;
    if sub.required && new.is_none() {
        return Err(ScimError::mutability(format!("{} is required", sub.path)));
    }
    check_immutable(sub, old.as_ref(), new.as_ref())?;
    put(parts, sub, new);
    Ok(())
}

/// Reading A16: an `add` whose filter is a conjunction of `eq` makes the value that it asks for.
fn create_selected(
    elements: &mut Vec<Value>,
    attribute: &Attribute,
    filter: &Filter,
    create: bool,
) -> Result<usize, ScimError> {
    let mut parts = Map::new();
    if attribute.kind != Type::Complex || !create || !collect_equalities(filter, &mut parts) {
        return Err(ScimError::no_target(format!("no value of {} matches the filter", attribute.path)));
    }
    elements.push(Value::Object(parts));
    Ok(elements.len() - 1)
}

fn collect_equalities(filter: &Filter, parts: &mut Map<String, Value>) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().all(|filter| collect_equalities(filter, parts)),
        Filter::Test { path, op: Op::Eq, key } => {
            let sub = path.leaf();
            let value = match sub.kind {
                Type::Boolean => Value::Bool(key.as_str() == "true"),
                Type::String | Type::Reference => Value::String(suggested(sub, key.as_str())),
                _ => return false,
            };
            parts.insert(sub.name.clone(), value);
            true
        }
        _ => false,
    }
}

/// A filter's literal is folded for comparison; where the schema suggests a spelling, that one is stored.
fn suggested(sub: &Attribute, key: &str) -> String {
    let spelled = sub.canonical_values.iter().find(|value| urn::same(value, key));
    spelled.cloned().unwrap_or_else(|| key.to_owned())
}

/// At most one value is primary (RFC 7644 §3.5.2): one that is written as primary takes it from the others.
fn settle_primary(attribute: &Attribute, elements: &mut [Value], written: &[usize]) -> Result<(), ScimError> {
    let is_written = |index: usize| written.contains(&index);
    let chosen: Vec<usize> = (elements.iter().enumerate())
        .filter(|(index, element)| is_written(*index) && is_primary(element))
        .map(|(index, _)| index)
        .collect();
    let [chosen] = chosen.as_slice() else {
        return match chosen.as_slice() {
            [] => Ok(()),
            _ => Err(ScimError::value(format!("{}: more than one value is primary", attribute.path))),
        };
    };
    for (index, element) in elements.iter_mut().enumerate() {
        if index != *chosen && is_primary(element) {
            if let Some(parts) = element.as_object_mut() {
                parts.insert("primary".into(), Value::Bool(false));
            }
        }
    }
    Ok(())
}

fn check_transition(
    attribute: &Attribute,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Result<(), ScimError> {
    let is_none = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.is_null();
    if attribute.required && new.is_none_or(is_none) {
        return Err(ScimError::mutability(format!("{} is required", attribute.path)));
    }
    check_immutable(attribute, old, new)
}

/// RFC 7644 §3.5.2: an immutable value may be set once and never changed or removed.
fn check_immutable(attribute: &Attribute, old: Option<&Value>, new: Option<&Value>) -> Result<(), ScimError> {
    let immutable = attribute.mutability == Mutability::Immutable;
    if immutable && old.is_some_and(|old| Some(old) != new) {
        return Err(ScimError::mutability(format!("{} is immutable", attribute.path)));
    }
    Ok(())
}

fn merge(parts: &mut Map<String, Value>, given: &Map<String, Value>) {
    for (name, value) in given {
        if value.is_null() {
            parts.shift_remove(name);
        } else {
            parts.insert(name.clone(), value.clone());
        }
    }
}

/// Stores an attribute's new value; objects that lost their last part and arrays of nothing go away.
fn put(holder: &mut Map<String, Value>, attribute: &Attribute, value: Option<Value>) {
    let is_hollow = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    let value = match value {
        Some(Value::Array(mut elements)) => {
            elements.retain(|element| !is_hollow(element));
            (!elements.is_empty()).then_some(Value::Array(elements))
        }
        other => other.filter(|value| !is_hollow(value)),
    };
    match value {
        Some(value) => drop(holder.insert(attribute.name.clone(), value)),
        None => drop(holder.shift_remove(&attribute.name)),
    }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    }
}

fn array(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(elements)) => elements,
        _ => Vec::new(),
    }
}
