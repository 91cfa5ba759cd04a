//! The resource types that the cases are about: the built-in ones, and those of `schemas/`, which have every characteristic.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use muster::scim::admit::Rules;
use muster::scim::error::ScimError;
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::resource::Resource;
use serde_json::{Map, Value, json};

use crate::cases;

/// The documents of `schemas/`, by their files' names.
pub(crate) fn documents() -> Vec<(String, Value)> {
    let mut files: Vec<_> =
        fs::read_dir(cases::path("schemas")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let document = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        (file.file_name().unwrap().display().to_string(), document)
    };
    files.iter().map(read).collect()
}

/// The built-in documents and those of `schemas/`.
pub(crate) fn registry() -> Registry {
    Registry::with(&documents()).unwrap()
}

/// The type of that name.
pub(crate) fn kind(name: &str) -> Arc<ResourceType> {
    Arc::clone(registry().type_named(name).unwrap_or_else(|| panic!("there is no type {name}")))
}

/// The body with the base schema, if it names no schemas itself.
pub(crate) fn with_schemas(kind: &ResourceType, mut body: Map<String, Value>) -> Map<String, Value> {
    body.entry("schemas").or_insert_with(|| json!([*kind.schema.id]));
    body
}

/// What a POST of the body makes.
pub(crate) fn created(
    kind: &ResourceType,
    body: Map<String, Value>,
    rules: Rules,
) -> Result<Resource, ScimError> {
    Resource::created(kind, kind.admit(&with_schemas(kind, body), rules)?)
}

/// The body as the cases show it: without `schemas` where those say nothing beyond the type.
pub(crate) fn shown(kind: &ResourceType, body: &Map<String, Value>) -> String {
    let mut body = body.clone();
    if body.get("schemas") == Some(&json!([*kind.schema.id])) {
        body.shift_remove("schemas");
    }
    Value::Object(body).to_string()
}

/// A list of ids as the cases show it.
pub(crate) fn names(ids: &[String]) -> String {
    if ids.is_empty() { "nobody".to_owned() } else { ids.join(", ") }
}

/// An error as the cases show it.
pub(crate) fn refusal(error: &ScimError) -> String {
    let status = error.kind.status().to_string();
    format!("error {}: {}", error.kind.scim_type().unwrap_or(&status), error.detail)
}

/// What the profile `interop` asks of bodies.
pub(crate) fn interop() -> Rules {
    Rules { refuse_unknown: true, needs_path: true, replace_whole: true, one_value: true, ..Rules::default() }
}
