//! The OpenAPI 3.1 document of the APIs beside SCIM, made from their tables of operations.
//!
//! Invariant: the document has exactly the operations that are served.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::http::api::{APIS, Answer, Api, Operation, Run, SchemaOf};

/// The document.
pub(super) fn document() -> Value {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    }));
    let mut paths: Map<String, Value> = Map::new();
    for api in APIS {
        for operation in api.operations {
            let item = paths.entry(operation.path).or_insert_with(|| json!({}));
            if let Some(item) = item.as_object_mut() {
                item.insert(operation.method.to_lowercase(), describe(api, operation, &mut generator));
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Muster", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(false),
            "securitySchemes": schemes(),
        },
        "security": [{"bearer": []}],
    })
}

/// The ways in which requests present their tokens.
fn schemes() -> Map<String, Value> {
    let bearer = ("bearer".to_owned(), json!({"type": "http", "scheme": "bearer"}));
    let keys = APIS.into_iter().filter_map(|api| api.key);
    let keys =
        keys.map(|header| (header.to_owned(), json!({"type": "apiKey", "in": "header", "name": header})));
    std::iter::once(bearer).chain(keys).collect()
}

fn describe(api: &Api, operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let captured = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = captured
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let responses: Map<String, Value> = operation
        .answers
        .iter()
        .map(|Answer(status, description, schema)| {
            let mut response = json!({"description": description});
            if let (Some(schema), Some(response)) = (schema, response.as_object_mut()) {
                response.insert("content".into(), content(*schema, generator));
            }
            (status.to_string(), response)
        })
        .collect();
    let mut described = Map::new();
    described.insert("tags".into(), json!([api.name]));
    described.insert("summary".into(), json!(operation.summary));
    described.insert("parameters".into(), parameters.into());
    if let Some(schema) = operation.takes {
        let body = json!({"required": true, "content": content(schema, generator)});
        described.insert("requestBody".into(), body);
    }
    described.insert("responses".into(), responses.into());
    if let Run::Open(_) = operation.run {
        described.insert("security".into(), json!([]));
    } else if let Some(header) = api.key {
        described.insert("security".into(), json!([{header: []}]));
    }
    described.into()
}

fn content(schema: SchemaOf, generator: &mut SchemaGenerator) -> Value {
    json!({"application/json": {"schema": schema(generator)}})
}
