//! The schemas of SCIM's resources and messages, as JSON Schema has them.
//!
//! Invariant: a type has two schemas, since what is shown is not what is sent: what is read-only is never sent, what is
//! never returned is never shown, and a projection may hide whatever is not always returned.

use std::sync::Arc;

use schemars::{SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::http::openapi::{plain, put, reference};
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::schema::{Attribute, Mutability, Returned, Type};
use crate::scim::urn;

/// What documents of discovery are.
const DISCOVERY: [(&str, &str); 3] = [
    ("ServiceProviderConfig", urn::SERVICE_PROVIDER_CONFIG),
    ("ResourceType", urn::RESOURCE_TYPE),
    ("Schema", urn::SCHEMA),
];

/// The name of the schema of a resource as it is shown.
pub(super) fn shown(kind: &str) -> String {
    plain(&format!("scim.{kind}"))
}

/// The name of the schema of a resource as it is sent.
pub(super) fn input_of(kind: &str) -> String {
    plain(&format!("scim.{kind}.Input"))
}

/// The name of the schema of a list of resources.
pub(super) fn list_of(kind: &str) -> String {
    plain(&format!("scim.{kind}.List"))
}

/// All schemas, by their names.
pub(super) fn schemas(registry: &Registry) -> Map<String, Value> {
    let mut out = messages();
    let any = json!({
        "type": "object", "required": ["schemas"],
        "properties": {"schemas": texts(), "id": {"type": "string"}},
    });
    out.insert("scim.List".into(), list(&reference("scim.Resource")));
    out.insert("scim.Resource".into(), any);
    for kind in registry.types() {
        out.insert(shown(&kind.name), object_of(kind, true));
        out.insert(input_of(&kind.name), object_of(kind, false));
        out.insert(list_of(&kind.name), list(&reference(&shown(&kind.name))));
    }
    for (name, id) in DISCOVERY {
        let properties = registry.schema(id).map(|schema| properties(&schema.attributes, true));
        let document = json!({
            "type": "object", "required": ["schemas"], "properties": properties.unwrap_or_default(),
        });
        out.insert(shown(name), document);
        out.insert(list_of(name), list(&reference(&shown(name))));
    }
    out
}

/// The Error message of RFC 7644 §3.12.
pub(super) fn refusal(_: &mut SchemaGenerator) -> schemars::Schema {
    json_schema!({
        "type": "object",
        "required": ["schemas", "status"],
        "properties": {
            "schemas": {"type": "array", "items": {"const": urn::ERROR}},
            "status": {"type": "string"},
            "scimType": {"type": "string"},
            "detail": {"type": "string"},
        },
    })
}

fn texts() -> Value {
    json!({"type": "array", "items": {"type": "string"}})
}

fn list(items: &Value) -> Value {
    json!({
        "type": "object", "required": ["schemas", "totalResults"],
        "properties": {
            "schemas": texts(), "totalResults": {"type": "integer"}, "startIndex": {"type": "integer"},
            "nextCursor": {"type": "string"}, "itemsPerPage": {"type": "integer"}, "Resources": {"type": "array", "items": items},
        },
    })
}

/// The messages of RFC 7644 that are sent or shown.
fn messages() -> Map<String, Value> {
    let schemas = |id: &str| json!({"type": "array", "items": {"const": id}, "minItems": 1});
    let methods = json!({"enum": ["POST", "PUT", "PATCH", "DELETE"]});
    let text = json!({"type": "string"});
    let patch = json!({
        "type": "object", "required": ["schemas", "Operations"],
        "properties": {
            "schemas": schemas(urn::PATCH_OP),
            "Operations": {"type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["op"],
                "properties": {"op": {"enum": ["add", "remove", "replace"]}, "path": text, "value": {}},
            }},
        },
    });
    let search = json!({
        "type": "object", "required": ["schemas"],
        "properties": {
            "schemas": schemas(urn::SEARCH_REQUEST), "filter": text, "sortBy": text,
            "sortOrder": {"enum": ["ascending", "descending"]}, "startIndex": {"type": "integer"},
            "cursor": {"type": "string"}, "count": {"type": "integer"}, "attributes": texts(), "excludedAttributes": texts(),
        },
    });
    let asked = json!({
        "type": "object", "required": ["schemas", "Operations"],
        "properties": {
            "schemas": schemas(urn::BULK_REQUEST), "failOnErrors": {"type": "integer", "minimum": 1},
            "Operations": {"type": "array", "items": {
                "type": "object", "required": ["method", "path"],
                "properties": {
                    "method": methods, "path": text, "bulkId": text, "version": text, "data": {"type": "object"},
                },
            }},
        },
    });
    let done = json!({
        "type": "object", "required": ["schemas", "Operations"],
        "properties": {
            "schemas": schemas(urn::BULK_RESPONSE),
            "Operations": {"type": "array", "items": {
                "type": "object", "required": ["status"],
                "properties": {
                    "method": text, "bulkId": text, "version": text, "location": text, "status": text,
                    "response": {},
                },
            }},
        },
    });
    let named =
        [("PatchRequest", patch), ("SearchRequest", search), ("BulkRequest", asked), ("BulkResponse", done)];
    named.into_iter().map(|(name, message)| (format!("scim.{name}"), message)).collect()
}

/// A resource as it is shown, or as it is sent.
fn object_of(kind: &ResourceType, is_shown: bool) -> Value {
    let mut all = properties(&kind.attributes, is_shown);
    for extension in &kind.extensions {
        let inner = properties(&extension.schema.attributes, is_shown);
        if !inner.is_empty() {
            all.insert(extension.schema.id.to_string(), json!({"type": "object", "properties": inner}));
        }
    }
    let extensions = kind.extensions.iter().map(|extension| &extension.schema.id);
    let urns: Vec<&str> = std::iter::once(&kind.schema.id).chain(extensions).map(|id| &**id).collect();
    let items = json!({"type": "string", "enum": urns});
    let schemas = json!({"type": "array", "items": items, "contains": {"const": &*kind.schema.id}});
    all.insert("schemas".into(), schemas);
    let is_required = |attribute: &&Arc<Attribute>| match is_shown {
        true => attribute.returned == Returned::Always || attribute.name == "schemas",
        false => {
            attribute.name == "schemas" || attribute.required && attribute.mutability != Mutability::ReadOnly
        }
    };
    let required: Vec<&str> = kind.attributes.iter().filter(is_required).map(|a| a.name.as_str()).collect();
    json!({"type": "object", "description": kind.description, "required": required, "properties": all})
}

fn properties(attributes: &[Arc<Attribute>], is_shown: bool) -> Map<String, Value> {
    let fits = |attribute: &&Arc<Attribute>| match is_shown {
        true => attribute.returned != Returned::Never,
        false => attribute.mutability != Mutability::ReadOnly,
    };
    let fitting = attributes.iter().filter(fits);
    fitting.map(|attribute| (attribute.name.clone(), property(attribute, is_shown))).collect()
}

fn property(attribute: &Attribute, is_shown: bool) -> Value {
    let mut single = match attribute.kind {
        Type::String | Type::Reference => json!({"type": "string"}),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Decimal => json!({"type": "number"}),
        Type::Integer => json!({"type": "integer"}),
        Type::DateTime => json!({"type": "string", "format": "date-time"}),
        Type::Binary => json!({"type": "string", "contentEncoding": "base64"}),
        Type::Complex => {
            json!({"type": "object", "properties": properties(&attribute.sub_attributes, is_shown)})
        }
    };
    if attribute.closed {
        put(&mut single, "enum", json!(attribute.canonical_values));
    } else if !attribute.canonical_values.is_empty() {
        put(&mut single, "examples", json!(attribute.canonical_values));
    }
    let mut property = match attribute.multi_valued {
        true => json!({"type": "array", "items": single}),
        false => single,
    };
    put(&mut property, "description", json!(attribute.description));
    property
}
