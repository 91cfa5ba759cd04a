//! The PATCH vectors, run as a directory runs them: the document through `apply`, `members` as a relation.
//! Vectors of the profile `rfc` meet a strict client's rules, and `lenient` ones the default profile with its quirks.

use std::collections::{BTreeMap, BTreeSet};

use muster::quirks::{self, Profile};
use muster::scim::admit::Rules;
use muster::scim::error::ScimError;
use muster::scim::fact::element_facts;
use muster::scim::patch::apply::is_membership;
use muster::scim::patch::{Action, Given, Operation, PatchRequest};
use muster::scim::path::Target;
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::resource::Resource;
use serde_json::{Map, Value, json};

use super::{Verdict, read};
use crate::directory::refusal;
use crate::patches::patch_op;

/// A resource as the directory keeps it: the document, and beside it the ids of the members.
#[derive(Clone, PartialEq)]
struct Kept {
    document: Resource,
    members: BTreeSet<String>,
}

/// What becomes of the binding vectors.
pub(super) fn verdicts(registry: &Registry) -> BTreeMap<String, Verdict> {
    let binding = |vector: &Value| {
        vector["profile"] == "lenient" || vector["profile"] == "rfc" && vector["tier"] != "C"
    };
    let name = |vector: &Value| vector["id"].as_str().unwrap().to_owned();
    read("patch").iter().filter(|v| binding(v)).map(|v| (name(v), verdict(registry, v))).collect()
}

fn verdict(registry: &Registry, vector: &Value) -> Verdict {
    let kind = registry.type_named(vector["resourceType"].as_str().unwrap()).unwrap();
    let before = match keep(kind, &vector["before"], &Value::Null) {
        Ok(before) => before,
        Err(error) => return Verdict { agrees: false, outcome: format!("before: {}", refusal(&error)) },
    };
    let profile = Profile::named(if vector["profile"] == "lenient" { "default" } else { "strict" }).unwrap();
    let message = patch_op(vector["ops"].as_array().unwrap());
    match patched(&profile, kind, &before, message) {
        Err(error) => {
            let agrees = vector["error"] == json!(error.kind.scim_type());
            Verdict { agrees, outcome: refusal(&error) }
        }
        Ok(after) => {
            let found = comparable(&after, &vector["ignore"]);
            let expected = vector.get("after").and_then(|after| keep(kind, after, &vector["before"]).ok());
            let expected = expected.map(|expected| comparable(&expected, &vector["ignore"]));
            let changed = vector.get("changed").is_none_or(|changed| *changed == (after != before));
            Verdict { agrees: expected.as_ref() == Some(&found) && changed, outcome: found.to_string() }
        }
    }
}

fn patched(
    profile: &Profile,
    kind: &ResourceType,
    before: &Kept,
    mut message: Map<String, Value>,
) -> Result<Kept, ScimError> {
    quirks::rewrite_patch(profile, kind, &mut message);
    let policy = profile.policy;
    let request = PatchRequest::parse(&message, kind, Rules::default(), policy.patch_ignores_read_only)?;
    let document = request.apply(&before.document, kind, policy.replace_adds_missing_value)?;
    let document = document.unwrap_or_else(|| before.document.clone());
    let mut members = before.members.clone();
    for operation in request.operations.iter().filter(|operation| is_membership(operation)) {
        relate(operation, &mut members);
    }
    Ok(Kept { document, members })
}

/// What an operation on `members` makes of the relation.
fn relate(operation: &Operation, members: &mut BTreeSet<String>) {
    match (&operation.action, &operation.target) {
        (Action::Add(Given::Members(ids)), _) => members.extend(ids.iter().cloned()),
        (Action::Replace(Given::Members(ids)), _) => *members = ids.iter().cloned().collect(),
        (Action::Remove, Target::Values { path, filter }) => {
            members.retain(|id| !filter.matches(&element_facts(&path.attribute, &json!({"value": id}))));
        }
        (Action::Remove, _) => members.clear(),
        (action, _) => panic!("{action:?} is nothing that a membership knows"),
    }
}

/// Puts a vector's document into canonical form. What it must have and lacks is filled in, unless `earlier` had it.
fn keep(kind: &ResourceType, document: &Value, earlier: &Value) -> Result<Kept, ScimError> {
    let mut body = document.as_object().unwrap().clone();
    let required = if kind.name == "Group" { "displayName" } else { "userName" };
    if earlier.get(required).is_none() {
        body.entry(required).or_insert_with(|| json!("somebody"));
    }
    body.insert("schemas".into(), json!([*kind.schema.id]));
    let admitted = kind.admit(&body, Rules::default())?;
    Ok(Kept { document: admitted.resource, members: admitted.members.into_iter().flatten().collect() })
}

fn comparable(kept: &Kept, ignore: &Value) -> Value {
    let mut body = kept.document.body().clone();
    body.insert("members".into(), json!(kept.members));
    let ignored = ignore.as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in ["id", "meta", "schemas", "groups", "password"].into_iter().chain(ignored) {
        body.shift_remove(name);
    }
    tidy(&Value::Object(body))
}

/// Without the order of values, without nothing, and without `primary` where it is false.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Object(parts) => {
            let says = |name: &str, value: &Value| {
                !value.is_null() && *value != json!([]) && !(name == "primary" && *value == json!(false))
            };
            let mut parts: Vec<_> = parts.iter().filter(|(name, value)| says(name, value)).collect();
            parts.sort_by_key(|(name, _)| name.as_str());
            parts.into_iter().map(|(name, value)| (name.clone(), tidy(value))).collect()
        }
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(tidy).collect();
            values.sort_by_key(Value::to_string);
            Value::Array(values)
        }
        simple => simple.clone(),
    }
}
