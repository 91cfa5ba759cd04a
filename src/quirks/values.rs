//! The one walk over what a body says about attributes: every value, with the attribute that it is meant for.
//!
//! Invariant: it visits what strict SCIM looks at, no more. Unknown and read-only attributes are ignored there
//! (readings A8, A20), so no quirk may see, and change, a value of one.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::quirks::message::{self, Verb};
use crate::scim::registry::{AttributeName, Extension, ResourceType};
use crate::scim::schema::{Attribute, Kept, Mutability, Type};
use crate::scim::urn;

/// How much of an attribute a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All values of a multi-valued attribute: an array.
    All,
    /// The value of a single-valued attribute, or one element.
    One,
}

type Rewrite = fn(&Attribute, Extent, &mut Value) -> bool;

/// Visits the values in the body of a POST or PUT.
pub(super) fn of_resource(kind: &ResourceType, body: &mut Map<String, Value>, rewrite: Rewrite) -> bool {
    let walk = Walk { kind, rewrite, may_be_alone: false };
    walk.attributes(body)
}

/// Visits the values of the operations of a PATCH that add or replace.
pub(super) fn of_patch(kind: &ResourceType, body: &mut Map<String, Value>, rewrite: Rewrite) -> bool {
    let walk = Walk { kind, rewrite, may_be_alone: true };
    let mut changed = false;
    for operation in message::operations(body).into_iter().flatten().filter_map(Value::as_object_mut) {
        changed |= walk.operation(operation);
    }
    changed
}

/// What the path of an operation leads to.
pub(super) enum Target<'a> {
    /// The attributes of an extension.
    Extension(&'a Extension),
    /// An attribute or sub-attribute, all of it or the values that a filter selects.
    Attribute(Arc<Attribute>, Extent),
}

/// Where a path leads; none if strict SCIM will refuse it. The filter in it may still need rewriting, so it is not read.
pub(super) fn target<'a>(kind: &'a ResourceType, path: &str) -> Option<Target<'a>> {
    if let Some(extension) = kind.extension(path) {
        return Some(Target::Extension(extension));
    }
    let (name, selected) = match path.split_once('[') {
        Some((name, bracket)) => (name, Some(bracket.rsplit_once(']')?.1)),
        None => (path, None),
    };
    let mut name = AttributeName::split(name);
    if let Some(behind) = selected.filter(|behind| !behind.is_empty()) {
        name.sub = Some(behind.strip_prefix('.')?);
    }
    let path = kind.resolve(&name).filter(|path| is_writable(&path.attribute))?;
    let leaf = path.leaf();
    let extent = if selected.is_some() && path.sub.is_none() { Extent::One } else { extent(leaf) };
    Some(Target::Attribute(Arc::clone(leaf), extent))
}

fn extent(attribute: &Attribute) -> Extent {
    if attribute.multi_valued { Extent::All } else { Extent::One }
}

/// Whether clients may write it.
pub(super) fn is_writable(attribute: &Attribute) -> bool {
    attribute.mutability != Mutability::ReadOnly
}

struct Walk<'a> {
    kind: &'a ResourceType,
    rewrite: Rewrite,
    /// Whether one value may stand for an array of one, as it may in operations.
    may_be_alone: bool,
}

impl Walk<'_> {
    fn operation(&self, operation: &mut Map<String, Value>) -> bool {
        if !matches!(message::verb(operation), Some(Verb::Add | Verb::Replace)) {
            return false;
        }
        let no_path = message::has_no_path(operation);
        let target = message::path(operation).and_then(|path| target(self.kind, path));
        let Some(value) = message::member_mut(operation, "value") else { return false };
        match (target, value) {
            (None, Value::Object(members)) if no_path => self.attributes(members),
            (None, _) => false,
            (Some(Target::Extension(extension)), value) => self.container(extension, value),
            (Some(Target::Attribute(attribute, extent)), value) => self.attribute(&attribute, extent, value),
        }
    }

    fn attributes(&self, body: &mut Map<String, Value>) -> bool {
        let mut changed = false;
        for (name, value) in body {
            changed |= match (self.kind.attribute(name), self.kind.extension(name)) {
                (Some(attribute), _) => self.attribute(attribute, extent(attribute), value),
                (None, Some(extension)) => self.container(extension, value),
                (None, None) => false,
            };
        }
        changed
    }

    fn container(&self, extension: &Extension, value: &mut Value) -> bool {
        let Value::Object(members) = value else { return false };
        let mut changed = false;
        for (name, value) in members {
            let known = extension.schema.attributes.iter().find(|attribute| urn::same(&attribute.name, name));
            changed |= known.is_some_and(|attribute| self.attribute(attribute, extent(attribute), value));
        }
        changed
    }

    fn attribute(&self, attribute: &Attribute, extent: Extent, value: &mut Value) -> bool {
        if !is_writable(attribute) {
            return false;
        }
        let is_alone = self.may_be_alone && !value.is_array() && !value.is_null();
        let extent = if is_alone { Extent::One } else { extent };
        visit(attribute, extent, value, self.rewrite)
    }
}

fn visit(attribute: &Attribute, extent: Extent, value: &mut Value, rewrite: Rewrite) -> bool {
    if extent == Extent::One && attribute.kind == Type::String && value.is_string() {
        // Strict SCIM takes text for text, and no quirk is about the words of one.
        return false;
    }
    let changed = rewrite(attribute, extent, value);
    match value {
        Value::Array(elements) if extent == Extent::All => {
            visit_elements(attribute, elements, rewrite) || changed
        }
        Value::Object(parts) if extent == Extent::One => visit_parts(attribute, parts, rewrite) || changed,
        _ => changed,
    }
}

/// Visits the elements; one that becomes null says nothing any more and leaves.
fn visit_elements(attribute: &Attribute, elements: &mut Vec<Value>, rewrite: Rewrite) -> bool {
    let mut changed = false;
    elements.retain_mut(|element| {
        let was_null = element.is_null();
        changed |= visit(attribute, Extent::One, element, rewrite);
        was_null || !element.is_null()
    });
    changed
}

fn visit_parts(attribute: &Attribute, parts: &mut Map<String, Value>, rewrite: Rewrite) -> bool {
    let mut changed = false;
    for (name, value) in parts {
        if let Some(sub) = attribute.sub(name).filter(|sub| is_read(attribute, sub)) {
            changed |= visit(sub, extent(sub), value, rewrite);
        }
    }
    changed
}

/// Of a member only its id is read; the rest is the server's to say.
fn is_read(attribute: &Attribute, sub: &Attribute) -> bool {
    let names_member = || urn::same(&sub.name, "value") || urn::same(&sub.name, "$ref");
    is_writable(sub) && (attribute.kept != Kept::Members || names_member())
}
