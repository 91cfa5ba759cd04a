//! PATCH: what becomes of a resource.
//!
//! A case is a script: `type Group`, `formats`, `add-missing` and `ignore-read-only` set the stage, `BEFORE {…}` is
//! what is there, every line that begins with `{` is an operation, and `MESSAGE …` is a whole body instead of those.
//! Memberships are no part of the document: what a request asks of them stands on lines of its own.

use muster::scim::admit::Rules;
use muster::scim::error::ScimError;
use muster::scim::patch::apply::is_membership;
use muster::scim::patch::{Action, Given, Operation, PatchRequest};
use muster::scim::path::Target;
use muster::scim::registry::ResourceType;
use muster::scim::resource::Resource;
use muster::scim::urn;
use serde_json::{Map, Value, json};

use crate::cases::{self, object};
use crate::directory::{created, interop, names, refusal, registry, shown};

#[test]
fn patches_change_what_the_cases_say() {
    let registry = registry();
    cases::check("patch", |given| {
        let mut scene = Scene::new(registry.type_named("User").unwrap());
        let mut operations = Vec::new();
        let mut message = None;
        for line in given {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "type" => scene.kind = registry.type_named(rest).unwrap(),
                "formats" => scene.rules.check_formats = true,
                "interop" => scene.rules = interop(),
                "add-missing" => scene.add_missing = true,
                "ignore-read-only" => scene.ignore_read_only = true,
                "BEFORE" => {
                    let before = created(scene.kind, object(rest), Rules::default());
                    scene.before = before.unwrap_or_else(|error| panic!("{line}: {error}"));
                }
                "MESSAGE" => message = Some(object(rest)),
                _ => operations.push(Value::Object(object(line))),
            }
        }
        scene.outcome(&message.unwrap_or_else(|| patch_op(&operations)))
    });
}

/// A PATCH message with these operations.
pub(crate) fn patch_op(operations: &[Value]) -> Map<String, Value> {
    let message = json!({"schemas": [urn::PATCH_OP], "Operations": operations});
    message.as_object().unwrap().clone()
}

struct Scene<'a> {
    kind: &'a ResourceType,
    before: Resource,
    rules: Rules,
    add_missing: bool,
    ignore_read_only: bool,
}

impl<'a> Scene<'a> {
    fn new(kind: &'a ResourceType) -> Self {
        let (rules, before) = (Rules::default(), Resource::default());
        Self { kind, before, rules, add_missing: false, ignore_read_only: false }
    }

    fn outcome(&self, message: &Map<String, Value>) -> Vec<String> {
        match self.patched(message) {
            Err(error) => vec![refusal(&error)],
            Ok((request, after)) => {
                let body = match after {
                    Some(after) => shown(self.kind, after.body()),
                    None => "unchanged".to_owned(),
                };
                let memberships = request.operations.iter().filter(|operation| is_membership(operation));
                std::iter::once(body).chain(memberships.map(membership)).collect()
            }
        }
    }

    fn patched(&self, message: &Map<String, Value>) -> Result<(PatchRequest, Option<Resource>), ScimError> {
        let request = PatchRequest::parse(message, self.kind, self.rules, self.ignore_read_only)?;
        let after = request.apply(&self.before, self.kind, self.add_missing)?;
        Ok((request, after))
    }
}

fn membership(operation: &Operation) -> String {
    let selected = matches!(operation.target, Target::Values { .. });
    match &operation.action {
        Action::Add(Given::Members(ids)) => format!("members: add {}", names(ids)),
        Action::Replace(Given::Members(ids)) => format!("members: replace by {}", names(ids)),
        Action::Remove if selected => "members: remove the selected".to_owned(),
        Action::Remove => "members: remove all".to_owned(),
        other => panic!("{other:?} is nothing that a membership knows"),
    }
}
