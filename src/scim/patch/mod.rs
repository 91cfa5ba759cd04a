//! PATCH (RFC 7644 §3.5.2): the message, bound and checked as far as that goes without the resource.
//!
//! Invariant: every [`Operation`] of a [`PatchRequest`] names one existing, writable target and carries a value that
//! was admitted for it. Operations without a path, and those on a whole schema, are already one operation an attribute.

pub mod apply;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::admit::{self, Rules};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::path::{self, Target};
use crate::scim::registry::{AttributeName, Path, ResourceType};
use crate::scim::schema::{Attribute, Kept, Mutability, Type};
use crate::scim::urn;

/// The most operations that one request may have.
pub const MAX_OPERATIONS: usize = 10_000;

/// A parsed PATCH request.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchRequest {
    /// What to do, in order.
    pub operations: Vec<Operation>,
    /// Whether an operation may change one value of an attribute only.
    pub one_value: bool,
}

/// One step of a PATCH.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The index in the client's `Operations`, for errors.
    pub index: usize,
    /// What to do.
    pub action: Action,
    /// Where to do it.
    pub target: Target,
    /// What a value must begin with that is made because the target selects none: the parts that its filter asks for.
    /// None where the filter describes no value (reading A16).
    pub described: Option<Map<String, Value>>,
}

/// What a step does to its target.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `add` with an admitted value.
    Add(Given),
    /// `replace` with an admitted value.
    Replace(Given),
    /// `remove`, or `replace` with no value (reading A16, RFC 7643 §2.5).
    Remove,
    /// A read-only attribute in an operation without a path: it must have this value already (reading A20).
    Expect(Value),
}

/// A value, admitted for its target.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// A simple value.
    Simple(Value),
    /// Sub-attributes of a complex value; `null` takes one away.
    Parts(Map<String, Value>),
    /// Values of a multi-valued attribute.
    Elements(Vec<Value>),
    /// The ids that `members` gains or shall have.
    Members(Vec<String>),
}

#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Add,
    Replace,
}

impl PatchRequest {
    /// Parses the body of a PATCH. With `ignore_read_only`, read-only attributes in operations without a path are left out.
    ///
    /// # Errors
    /// Of every kind that RFC 7644 §3.5.2 names; the detail begins with the operation.
    pub fn parse(
        body: &Map<String, Value>,
        kind: &ResourceType,
        rules: Rules,
        ignore_read_only: bool,
    ) -> Result<Self, ScimError> {
        let members = admit::index(body)?;
        check_envelope(members.get("schemas"))?;
        let operations = match members.get("Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            _ => return Err(ScimError::syntax("Operations must be an array with at least one operation")),
        };
        if operations.len() > MAX_OPERATIONS {
            let detail =
                format!("{} operations are too many; send at most {MAX_OPERATIONS}", operations.len());
            return Err(ScimError::new(ErrorKind::PayloadTooLarge, detail));
        }
        let mut out = Vec::with_capacity(operations.len());
        for (index, operation) in operations.iter().enumerate() {
            let mut parser = Parser { kind, rules, ignore_read_only, index, described: None, out: &mut out };
            parser.operation(operation).map_err(|error| error.at(format_args!("Operations[{index}]")))?;
        }
        Ok(Self { operations: out, one_value: rules.one_value })
    }

    /// The top-level attributes that it touches, as the schema spells them.
    pub fn mentioned(&self) -> Vec<String> {
        let path = |operation: &Operation| match &operation.target {
            Target::Extension(id) => Some(id.clone()),
            target => target.path().map(|path| path.attribute.path.clone()),
        };
        self.operations.iter().filter_map(path).collect()
    }
}

fn check_envelope(schemas: Option<&Value>) -> Result<(), ScimError> {
    let ids = schemas.and_then(Value::as_array).into_iter().flatten();
    if ids.filter_map(Value::as_str).any(|id| urn::same(id, urn::PATCH_OP)) {
        return Ok(());
    }
    Err(ScimError::syntax(format!("schemas must be [\"{}\"]", urn::PATCH_OP)))
}

struct Parser<'a> {
    kind: &'a ResourceType,
    rules: Rules,
    ignore_read_only: bool,
    index: usize,
    described: Option<Map<String, Value>>,
    out: &'a mut Vec<Operation>,
}

impl Parser<'_> {
    fn operation(&mut self, operation: &Value) -> Result<(), ScimError> {
        let operation =
            operation.as_object().ok_or_else(|| ScimError::syntax("an operation is an object"))?;
        let members = admit::index(operation)?;
        let path = match members.get("path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(path.as_str()),
            Some(_) => return Err(ScimError::path("path must be a string")),
        };
        let value = members.get("value");
        let verb = op_name(members.get("op"))?;
        let target = path.map(|path| Target::parse(path, self.kind)).transpose()?;
        if let (Some(path), Some(target)) = (path, &target) {
            self.described = path::described_value(path, target);
        }
        if target.is_none() && self.rules.needs_path {
            return Err(ScimError::syntax("path is missing"));
        }
        match verb {
            None => self.remove(target, value),
            Some(verb) => {
                let value = value.ok_or_else(|| ScimError::value("value is missing"))?;
                match target {
                    None => self.attributes(verb, value),
                    Some(target) => self.at_path(verb, target, value),
                }
            }
        }
    }

    fn remove(&mut self, target: Option<Target>, value: Option<&Value>) -> Result<(), ScimError> {
        let target = target.ok_or_else(|| ScimError::no_target("remove needs a path"))?;
        if value.is_some_and(|value| !value.is_null()) {
            let detail = "remove takes no value; select the values to remove in the path: attribute[filter]";
            return Err(ScimError::syntax(detail));
        }
        if target == Target::Core {
            return Err(ScimError::mutability("the base schema cannot be removed"));
        }
        if let Some(path) = target.path() {
            self.check_writable(path)?;
        }
        self.push(Action::Remove, target);
        Ok(())
    }

    fn at_path(&mut self, verb: Verb, target: Target, value: &Value) -> Result<(), ScimError> {
        match target {
            Target::Core => self.attributes(verb, value),
            Target::Extension(id) => self.container(verb, &id, value),
            Target::Attribute(path) => {
                self.check_writable(&path)?;
                self.attribute(verb, path, value)
            }
            Target::Values { path, filter } => {
                self.check_writable(&path)?;
                let scope = if path.sub.is_some() { Scope::AllValues } else { Scope::OneValue };
                let action = self.action(verb, &path, scope, value)?;
                self.push(action, Target::Values { path, filter });
                Ok(())
            }
        }
    }

    /// An object of attributes: the value of an operation without a path.
    fn attributes(&mut self, verb: Verb, value: &Value) -> Result<(), ScimError> {
        let members = value
            .as_object()
            .ok_or_else(|| ScimError::value("without a path, value must be an object of attributes"))?;
        admit::index(members)?;
        for (name, value) in members {
            if let Some(extension) = self.kind.extension(name) {
                let id = extension.schema.id.to_string();
                self.container(verb, &id, value)?;
            } else {
                let attribute = self.kind.attribute(name).ok_or_else(|| unknown(name, self.kind))?;
                self.member(verb, Path::whole(attribute), value)?;
            }
        }
        Ok(())
    }

    fn container(&mut self, verb: Verb, id: &str, value: &Value) -> Result<(), ScimError> {
        let members = match value {
            Value::Null if verb == Verb::Replace => {
                self.push(Action::Remove, Target::Extension(id.to_owned()));
                return Ok(());
            }
            Value::Object(members) => members,
            _ => return Err(ScimError::value(format!("{id} must be an object"))),
        };
        admit::index(members)?;
        // Some clients repeat `schemas` inside the container; there it means nothing.
        for (name, value) in members.iter().filter(|(name, _)| !urn::same(name, "schemas")) {
            let name = AttributeName { urn: Some(id), name, sub: None };
            let path = self.kind.resolve(&name).ok_or_else(|| unknown(name.name, self.kind))?;
            self.member(verb, path, value)?;
        }
        Ok(())
    }

    /// One attribute of an object: read-only ones are no error as long as they say what is so.
    fn member(&mut self, verb: Verb, path: Path, value: &Value) -> Result<(), ScimError> {
        if path.attribute.mutability != Mutability::ReadOnly {
            return self.attribute(verb, path, value);
        }
        if !self.ignore_read_only {
            self.push(Action::Expect(value.clone()), Target::Attribute(path));
        }
        Ok(())
    }

    fn attribute(&mut self, verb: Verb, path: Path, value: &Value) -> Result<(), ScimError> {
        let action = self.action(verb, &path, Scope::AllValues, value)?;
        self.push(action, Target::Attribute(path));
        Ok(())
    }

    fn action(&self, verb: Verb, path: &Path, scope: Scope, value: &Value) -> Result<Action, ScimError> {
        let leaf = path.leaf();
        if leaf.kept == Kept::Members && path.sub.is_none() {
            return member_action(verb, leaf, scope, value, self.rules);
        }
        let many = leaf.multi_valued && scope == Scope::AllValues;
        match value {
            Value::Null if verb == Verb::Replace => return Ok(Action::Remove),
            Value::Null => {
                return Err(ScimError::value(format!("{}: null cannot be added", leaf.path)));
            }
            empty if !many && admit::is_empty_text(leaf, empty, self.rules) => return Ok(Action::Remove),
            Value::Array(elements) if many && elements.is_empty() && verb == Verb::Replace => {
                return Ok(Action::Remove);
            }
            _ => {}
        }
        let given = match value {
            Value::Array(elements) if many => {
                Given::Elements(admit::admit_elements(leaf, elements, self.rules)?)
            }
            _ if many => Given::Elements(self.single_element(leaf, value)?),
            Value::Object(parts) if leaf.kind == Type::Complex => {
                let mut parts = admit::admit_parts(leaf, parts, self.rules)?;
                if verb == Verb::Replace && self.rules.replace_whole {
                    clear_the_rest(leaf, &mut parts);
                }
                Given::Parts(parts)
            }
            _ => Given::Simple(admit::admit_single(leaf, value, self.rules)?.unwrap_or(Value::Null)),
        };
        Ok(match verb {
            Verb::Add => Action::Add(given),
            Verb::Replace => Action::Replace(given),
        })
    }

    /// RFC 7644 §3.5.2.1 shows arrays, its text and many clients a single value too.
    fn single_element(&self, leaf: &Attribute, value: &Value) -> Result<Vec<Value>, ScimError> {
        admit::admit_elements(leaf, std::slice::from_ref(value), self.rules)
    }

    fn check_writable(&self, path: &Path) -> Result<(), ScimError> {
        let read_only = |a: &Attribute| a.mutability == Mutability::ReadOnly;
        let is_allowed = self.rules.may_verify && is_verification(path);
        if (read_only(&path.attribute) || read_only(path.leaf())) && !is_allowed {
            return Err(ScimError::mutability(format!("{path} is read-only")));
        }
        if path.attribute.kept == Kept::Members && path.sub.is_some() {
            let detail = format!("{path} is immutable; remove the member and add another");
            return Err(ScimError::mutability(detail));
        }
        Ok(())
    }

    fn push(&mut self, action: Action, target: Target) {
        self.out.push(Operation { index: self.index, action, target, described: self.described.take() });
    }
}

/// Whether a value is for a whole attribute, or for values of it that a filter selected.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    AllValues,
    OneValue,
}

/// Takes away the parts that a value does not name, as a PUT does: as far as clients may, and no protected ones.
fn clear_the_rest(attribute: &Attribute, parts: &mut Map<String, Value>) {
    let is_cleared = |sub: &&Arc<Attribute>| {
        !matches!(sub.mutability, Mutability::ReadOnly | Mutability::Immutable) && !sub.is_protected()
    };
    for sub in attribute.sub_attributes.iter().filter(is_cleared) {
        parts.entry(sub.name.as_str()).or_insert(Value::Null);
    }
}

/// Members come and go as a whole; what is known of one is immutable (RFC 7643 §4.2).
fn member_action(
    verb: Verb,
    leaf: &Attribute,
    scope: Scope,
    value: &Value,
    rules: Rules,
) -> Result<Action, ScimError> {
    if scope == Scope::OneValue {
        return Err(ScimError::mutability("a member cannot be changed; remove it and add another"));
    }
    let ids = match value {
        Value::Object(_) => admit::member_ids(leaf, &Value::Array(vec![value.clone()]), rules)?,
        Value::Null if verb == Verb::Add => return Err(ScimError::value("members: null cannot be added")),
        _ => admit::member_ids(leaf, value, rules)?,
    };
    Ok(match verb {
        Verb::Add => Action::Add(Given::Members(ids)),
        Verb::Replace => Action::Replace(Given::Members(ids)),
    })
}

fn op_name(op: Option<&Value>) -> Result<Option<Verb>, ScimError> {
    let name = op.and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "add" => Ok(Some(Verb::Add)),
        "replace" => Ok(Some(Verb::Replace)),
        "remove" => Ok(None),
        _ => Err(ScimError::syntax("op must be \"add\", \"remove\" or \"replace\"")),
    }
}

/// Whether it is what the identifiers extension says of the verification of addresses or numbers.
fn is_verification(path: &Path) -> bool {
    let extends = path.attribute.extension.as_deref() == Some(urn::IDENTIFIERS);
    extends && path.sub.as_ref().is_some_and(|sub| sub.name == "verified")
}

fn unknown(name: &str, kind: &ResourceType) -> ScimError {
    ScimError::path(format!("there is no attribute {name:?} in {}", kind.name))
}
