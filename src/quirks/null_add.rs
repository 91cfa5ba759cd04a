//! `null-add`: adding null.
//!
//! Who: clients that put "no value" into the operation that they would send for a value: Rauthy (`{"externalId": null}`,
//! D27, code), the tests of Polis and of SCIMServer (D27). They mean that the value goes away:
//!
//! ```text
//! {"op": "add", "path": "title", "value": null}
//! {"op": "remove", "path": "title"}
//! {"op": "add", "value": {"title": null, "active": true}}
//! {"op": "add", "value": {"active": true}}, {"op": "remove", "path": "title"}
//! ```
//!
//! Where the attribute is multi-valued, null is how some languages write an empty list, and adding an empty list
//! must not empty a group: there it becomes `[]`. `replace` with null is legal (RFC 7643 §2.5) and stays.

use serde_json::{Map, Value};

use crate::quirks::message::{Verb, expand, has_no_path, member_mut, path, removal, verb};
use crate::quirks::values::{Extent, Target, is_writable, target};
use crate::scim::registry::{Extension, ResourceType};
use crate::scim::schema::Attribute;
use crate::scim::urn;

/// Turns added nulls into removals, or into empty lists.
pub(super) fn rewrite(kind: &ResourceType, body: &mut Map<String, Value>) -> bool {
    expand(body, |operation| split(kind, operation))
}

fn split(kind: &ResourceType, operation: &mut Map<String, Value>) -> Option<Vec<Value>> {
    if verb(operation) != Some(Verb::Add) {
        return None;
    }
    let mut found = Nulls::default();
    let target = path(operation).map(|path| (path.to_owned(), target(kind, path)));
    let no_path = has_no_path(operation);
    let value = member_mut(operation, "value")?;
    match (target, &mut *value) {
        (None, Value::Object(members)) if no_path => found.take_from(kind, members),
        (Some((_, Some(Target::Extension(extension)))), Value::Object(members)) => {
            found.take_from_container(extension, members);
        }
        (Some((_, Some(Target::Attribute(_, Extent::All)))), Value::Null) => {
            *value = Value::Array(Vec::new());
            found.emptied = true;
        }
        (Some((path, Some(_))), Value::Null) => return Some(vec![removal(path)]),
        _ => return None,
    }
    let is_hollow = value.as_object().is_some_and(Map::is_empty);
    if !found.emptied && found.gone.is_empty() {
        return None;
    }
    let added = Some(Value::Object(std::mem::take(operation))).filter(|_| !is_hollow);
    Some(added.into_iter().chain(found.gone.into_iter().map(removal)).collect())
}

/// What became of the nulls in an object of attributes.
#[derive(Default)]
struct Nulls {
    /// The paths of what was taken out.
    gone: Vec<String>,
    /// Whether some became empty lists.
    emptied: bool,
}

impl Nulls {
    fn take_from(&mut self, kind: &ResourceType, members: &mut Map<String, Value>) {
        members.retain(|name, value| match (kind.extension(name), kind.attribute(name)) {
            (Some(extension), _) => match value {
                Value::Object(container) => {
                    let was_empty = container.is_empty();
                    self.take_from_container(extension, container);
                    was_empty || !container.is_empty()
                }
                Value::Null => self.take(name.clone()),
                _ => true,
            },
            (None, Some(attribute)) => self.settle(attribute, value, || name.clone()),
            (None, None) => true,
        });
    }

    fn take_from_container(&mut self, extension: &Extension, container: &mut Map<String, Value>) {
        let schema = &extension.schema;
        container.retain(|name, value| match schema.attributes.iter().find(|a| urn::same(&a.name, name)) {
            Some(attribute) => self.settle(attribute, value, || format!("{}:{name}", schema.id)),
            None => true,
        });
    }

    /// Settles one value; says whether it stays.
    fn settle(&mut self, attribute: &Attribute, value: &mut Value, path: impl Fn() -> String) -> bool {
        if !value.is_null() || !is_writable(attribute) {
            return true;
        }
        if attribute.multi_valued {
            *value = Value::Array(Vec::new());
            self.emptied = true;
            return true;
        }
        self.take(path())
    }

    fn take(&mut self, path: String) -> bool {
        self.gone.push(path);
        false
    }
}
