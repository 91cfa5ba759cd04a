//! Applying a PATCH (RFC 7644 §3.5.2.1–3): a resource and operations in, the new resource out.
//!
//! Invariant: pure and atomic. Either every operation applies and the result is canonical and complete, or the error
//! says which one did not. Memberships are not here: they are no part of the document.

use serde_json::{Map, Value};

use crate::scim::admit::{Elements, is_primary, same_key};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::fact::element_facts;
use crate::scim::filter::Filter;
use crate::scim::patch::{Action, Given, Operation, PatchRequest};
use crate::scim::path::Target;
use crate::scim::registry::{Path, ResourceType};
use crate::scim::resource::{Resource, is_none, take_in_order};
use crate::scim::schema::{Attribute, Kept, Mutability};
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
        let mut draft =
            Draft { kind, body: resource.body().clone(), add_missing, one_value: self.one_value, visited: 0 };
        for operation in self.operations.iter().filter(|operation| !is_membership(operation)) {
            draft
                .run(operation)
                .map_err(|error| error.at(format_args!("Operations[{}]", operation.index)))?;
        }
        let patched = Resource::canonical(kind, draft.body);
        if patched == *resource {
            return Ok(None);
        }
        kind.check_required(patched.body())?;
        Ok(Some(patched))
    }
}

/// How many values of multi-valued attributes one request may look at, counted once an operation, so that many
/// operations on many values cannot keep a thread for long.
pub const MAX_VISITED: usize = 1_000_000;

/// Whether an operation is about `members`, which the directory edits as a relation.
pub fn is_membership(operation: &Operation) -> bool {
    operation.target.path().is_some_and(|path| path.attribute.kept == Kept::Members)
}

/// The resource while it is being patched. After an error it is thrown away, so a step need not clean up.
struct Draft<'a> {
    kind: &'a ResourceType,
    body: Map<String, Value>,
    add_missing: bool,
    one_value: bool,
    visited: usize,
}

impl Draft<'_> {
    fn run(&mut self, operation: &Operation) -> Result<(), ScimError> {
        match (&operation.target, &operation.action) {
            (Target::Core, _) => Ok(()),
            (Target::Extension(id), _) => self.remove_extension(id),
            (Target::Attribute(path), Action::Expect(value)) => self.expect(path, value),
            (target, action) if target.path().is_some_and(|path| path.attribute.name == "schemas") => {
                self.edit_schemas(target, action)
            }
            (Target::Attribute(path), action) => self.edit_attribute(path, action),
            (Target::Values { path, filter }, action) => {
                self.edit_values(path, filter, action, operation.described.as_ref())
            }
        }
    }

    /// Takes away all of an extension that a client may take away; what is read-only stays if it can stand alone.
    fn remove_extension(&mut self, id: &str) -> Result<(), ScimError> {
        let Some(extension) = self.kind.extension(id) else { return Ok(()) };
        let Some(Value::Object(container)) = self.body.get_mut(id) else { return Ok(()) };
        if extension.required {
            return Err(ScimError::mutability(format!("the extension {id} is required")));
        }
        for attribute in &extension.schema.attributes {
            match attribute.mutability {
                Mutability::ReadOnly => {}
                Mutability::Immutable if container.contains_key(&attribute.name) => {
                    return Err(ScimError::mutability(format!("{} is immutable", attribute.path)));
                }
                _ => drop(container.shift_remove(&attribute.name)),
            }
        }
        if extension.lapses(container) {
            self.body.shift_remove(id);
        }
        Ok(())
    }

    fn expect(&mut self, path: &Path, value: &Value) -> Result<(), ScimError> {
        let held = self.holder(&path.attribute)?.get(&path.attribute.name);
        if held == Some(value) || held.is_none() && value.is_null() {
            return Ok(());
        }
        Err(ScimError::mutability(format!("{path} is read-only")))
    }

    /// `schemas` follows the data (reading A34): listing an extension does nothing, taking one away takes its data.
    fn edit_schemas(&mut self, target: &Target, action: &Action) -> Result<(), ScimError> {
        let base = &*self.kind.schema.id;
        match (target, action) {
            (Target::Values { path, filter }, Action::Remove) => {
                let kind = self.kind;
                let ids = std::iter::once(base).chain(kind.extensions.iter().map(|e| &*e.schema.id));
                let selects = |id: &&str| filter.matches(&element_facts(&path.attribute, &Value::from(*id)));
                let removed: Vec<&str> = ids.filter(selects).collect();
                if removed.contains(&base) {
                    return Err(ScimError::mutability("the base schema cannot be removed"));
                }
                removed.into_iter().try_for_each(|id| self.remove_extension(id))
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
        let Some(id) = &attribute.extension else { return Ok(&mut self.body) };
        let container = self.body.entry(&**id).or_insert_with(|| Value::Object(Map::new()));
        container.as_object_mut().ok_or_else(|| ScimError::value(format!("{id} must be an object")))
    }

    /// Takes the attribute's value out of the draft, to be put back where it was when it is edited.
    fn take(&mut self, attribute: &Attribute) -> Result<Option<Value>, ScimError> {
        let value = self.holder(attribute)?.get_mut(&attribute.name).map(std::mem::take);
        self.visited += value.as_ref().and_then(Value::as_array).map_or(1, Vec::len);
        if self.visited > MAX_VISITED {
            let detail =
                format!("all operations together look at more than {MAX_VISITED} values; send fewer at once");
            return Err(ScimError::new(ErrorKind::PayloadTooLarge, detail));
        }
        Ok(value)
    }

    /// Puts an attribute's new value where the old one was.
    fn put_back(
        &mut self,
        attribute: &Attribute,
        fixed: Option<Value>,
        new: Option<Value>,
    ) -> Result<(), ScimError> {
        let new = match fixed {
            Some(fixed) => Some(keep(attribute, fixed, new.as_ref())?),
            None => new,
        };
        put(self.holder(attribute)?, attribute, new);
        Ok(())
    }

    fn edit_attribute(&mut self, path: &Path, action: &Action) -> Result<(), ScimError> {
        let attribute = &path.attribute;
        let old = self.take(attribute)?;
        let fixed = fixed(attribute, old.as_ref());
        let new = match &path.sub {
            None => edit_whole(attribute, old, action)?,
            Some(sub) if attribute.multi_valued => edit_sub_of_all(attribute, sub, array(old), action)?,
            Some(sub) => {
                let mut value = Value::Object(object(old));
                edit_value(attribute, Some(sub), &mut value, action)?;
                Some(value)
            }
        };
        check_present(attribute, new.as_ref())?;
        self.put_back(attribute, fixed, new)
    }

    fn edit_values(
        &mut self,
        path: &Path,
        filter: &Filter,
        action: &Action,
        described: Option<&Map<String, Value>>,
    ) -> Result<(), ScimError> {
        let attribute = &path.attribute;
        let old = self.take(attribute)?;
        let fixed = fixed(attribute, old.as_ref());
        let mut elements = match old {
            Some(Value::Array(elements)) => elements,
            single => single.into_iter().collect(),
        };
        let selects = |element: &Value| filter.matches(&element_facts(attribute, element));
        if *action == Action::Remove && path.sub.is_none() {
            elements.retain(|element| !selects(element));
        } else {
            let mut selected: Vec<usize> = (0..)
                .zip(&elements)
                .filter(|(_, element)| selects(element))
                .map(|(index, _)| index)
                .collect();
            if self.one_value && selected.len() > 1 {
                let detail = format!("{} values of {} match the filter", selected.len(), attribute.path);
                return Err(ScimError::filter(detail));
            }
            for &index in &selected {
                if let Some(element) = elements.get_mut(index) {
                    edit_value(attribute, path.sub.as_deref(), element, action)?;
                }
            }
            if selected.is_empty() && *action != Action::Remove {
                let may_create = self.add_missing || matches!(action, Action::Add(_));
                let room = attribute.multi_valued || elements.is_empty();
                let described =
                    described.filter(|_| may_create && room).ok_or_else(|| no_match(attribute))?;
                elements.push(made_value(attribute, path.sub.as_deref(), described, action)?);
                selected.push(elements.len() - 1);
            }
            settle_primary(attribute, &mut elements, &selected)?;
            elements = unite(attribute, elements);
        }
        let new = if attribute.multi_valued { Some(Value::Array(elements)) } else { elements.pop() };
        check_present(attribute, new.as_ref())?;
        self.put_back(attribute, fixed, new)
    }
}

fn no_match(attribute: &Attribute) -> ScimError {
    ScimError::no_target(format!("no value of {} matches the filter", attribute.path))
}

/// The value that an attribute has to keep (RFC 7644 §3.5.2: an immutable one may be set once).
fn fixed(attribute: &Attribute, old: Option<&Value>) -> Option<Value> {
    old.filter(|_| attribute.mutability == Mutability::Immutable).cloned()
}

/// A value that has to stay, if the new one is the same (reading A23).
fn keep(attribute: &Attribute, fixed: Value, new: Option<&Value>) -> Result<Value, ScimError> {
    if new.is_some_and(|new| *new == fixed || same_key(attribute, new, &fixed)) {
        return Ok(fixed);
    }
    Err(ScimError::mutability(format!("{} is immutable", attribute.path)))
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
            let mut elements = Elements::of(attribute, array(old));
            let written: Vec<usize> = given.iter().map(|value| elements.append(value.clone())).collect();
            settle_primary(attribute, &mut elements.values, &written)?;
            Ok(Some(Value::Array(elements.values)))
        }
        Action::Replace(Given::Elements(given)) => Ok(Some(Value::Array(given.clone()))),
        // Reading A17: replace merges like add; sub-attributes that are not named stay.
        Action::Add(Given::Parts(given)) | Action::Replace(Given::Parts(given)) => {
            let mut parts = object(old);
            merge(attribute, &mut parts, given)?;
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
    mut elements: Vec<Value>,
    action: &Action,
) -> Result<Option<Value>, ScimError> {
    if elements.is_empty() && *action != Action::Remove {
        elements.push(Value::Object(Map::new()));
    }
    for element in &mut elements {
        edit_value(attribute, Some(sub), element, action)?;
    }
    let written: Vec<usize> = (0..elements.len()).collect();
    settle_primary(attribute, &mut elements, &written)?;
    Ok(Some(Value::Array(unite(attribute, elements))))
}

/// Edits one value of an attribute, or one part of it.
fn edit_value(
    attribute: &Attribute,
    sub: Option<&Attribute>,
    value: &mut Value,
    action: &Action,
) -> Result<(), ScimError> {
    match (sub, action, value) {
        (Some(sub), action, Value::Object(parts)) => {
            let old = parts.get(&sub.name).cloned();
            let new = edit_whole(sub, old, action)?;
            set_part(sub, parts, new)?;
            *parts = take_in_order(&attribute.sub_attributes, parts);
            Ok(())
        }
        (None, Action::Add(Given::Parts(given)), Value::Object(parts)) => merge(attribute, parts, given),
        // The value as a whole gives way to another one (reading A23).
        (None, Action::Replace(Given::Parts(given)), value) => {
            let mut parts = given.clone();
            parts.retain(|_, part| !part.is_null());
            *value = Value::Object(parts);
            Ok(())
        }
        (None, Action::Add(Given::Simple(given)) | Action::Replace(Given::Simple(given)), value) => {
            *value = given.clone();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Reading A16: the value that an `add` makes when its filter selects none, which is what the filter asks for and
/// what the operation adds to that.
fn made_value(
    attribute: &Attribute,
    sub: Option<&Attribute>,
    described: &Map<String, Value>,
    action: &Action,
) -> Result<Value, ScimError> {
    let mut value = Value::Object(described.clone());
    match (sub, action) {
        (None, Action::Replace(given)) => {
            edit_value(attribute, sub, &mut value, &Action::Add(given.clone()))?
        }
        _ => edit_value(attribute, sub, &mut value, action)?,
    }
    Ok(value)
}

/// At most one value is primary (RFC 7644 §3.5.2): one that is written as primary takes it from the others.
fn settle_primary(attribute: &Attribute, elements: &mut [Value], written: &[usize]) -> Result<(), ScimError> {
    let mut chosen: Vec<usize> =
        written.iter().copied().filter(|index| elements.get(*index).is_some_and(is_primary)).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let chosen = match chosen.as_slice() {
        [] => return Ok(()),
        [chosen] => *chosen,
        _ => return Err(ScimError::value(format!("{}: more than one value is primary", attribute.path))),
    };
    for (index, element) in elements.iter_mut().enumerate() {
        if index != chosen
            && is_primary(element)
            && let Some(parts) = element.as_object_mut()
        {
            parts.insert("primary".into(), Value::Bool(false));
        }
    }
    Ok(())
}

/// Values that an edit made the same become one, which is primary if one of them was (RFC 7643 §2.4).
fn unite(attribute: &Attribute, elements: Vec<Value>) -> Vec<Value> {
    let mut united = Elements::of(attribute, Vec::with_capacity(elements.len()));
    let mut primary = None;
    for element in elements {
        let leads = is_primary(&element);
        let index = united.append(element);
        primary = if leads { Some(index) } else { primary };
    }
    if let Some(Value::Object(parts)) = primary.and_then(|index| united.values.get_mut(index)) {
        parts.insert("primary".into(), Value::Bool(true));
    }
    united.values
}

/// RFC 7644 §3.5.2.2: what is required may not become unassigned.
fn check_present(attribute: &Attribute, new: Option<&Value>) -> Result<(), ScimError> {
    if attribute.required && new.is_none_or(is_none) {
        return Err(ScimError::mutability(format!("{} is required", attribute.path)));
    }
    Ok(())
}

/// Merges sub-attributes into a complex value; `null` takes one away.
fn merge(
    attribute: &Attribute,
    parts: &mut Map<String, Value>,
    given: &Map<String, Value>,
) -> Result<(), ScimError> {
    for sub in &attribute.sub_attributes {
        if let Some(value) = given.get(&sub.name) {
            set_part(sub, parts, Some(value.clone()).filter(|value| !value.is_null()))?;
        }
    }
    *parts = take_in_order(&attribute.sub_attributes, parts);
    Ok(())
}

/// Sets or removes a sub-attribute, unless it is one that has to stay as it is.
fn set_part(sub: &Attribute, parts: &mut Map<String, Value>, new: Option<Value>) -> Result<(), ScimError> {
    let old = parts.get(&sub.name);
    let new = new.filter(|value| !is_none(value));
    if sub.required && old.is_some() && new.is_none() {
        return Err(ScimError::mutability(format!("{} is required", sub.path)));
    }
    let new = match fixed(sub, old) {
        Some(fixed) => Some(keep(sub, fixed, new.as_ref())?),
        None => new,
    };
    match new {
        Some(value) => drop(parts.insert(sub.name.clone(), value)),
        None => drop(parts.shift_remove(&sub.name)),
    }
    Ok(())
}

/// Stores an attribute's new value, or takes the attribute away. Values that lost their last part go away too.
fn put(holder: &mut Map<String, Value>, attribute: &Attribute, value: Option<Value>) {
    let value = match value {
        Some(Value::Array(mut elements)) => {
            elements.retain(|element| !is_none(element));
            Some(Value::Array(elements))
        }
        other => other,
    };
    match value.filter(|value| !is_none(value)) {
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
