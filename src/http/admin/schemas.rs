//! The tenant's own schemas and resource types: listing, reading, setting and removing them.
//!
//! Invariant: a document is taken as a whole and checked like those that a server is started with. Where stored resources
//! contradict a change, the answer names them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::access::{AccessError, Obstacles, SchemaEdit};
use crate::context::Permission;
use crate::http::api::{Answer, Call, Operation, Outcome, Run, answer, schema};
use crate::http::error::Failure;
use crate::http::problem::{PROBLEM_JSON, Problem};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::registry::DocumentKey;

pub(super) const OPERATIONS: [Operation; 8] = [
    Operation {
        method: "GET",
        path: "/admin/v1/schemas",
        summary: "List the schemas, the tenant's own and those of the server",
        takes: None,
        answers: &[Answer(
            200,
            "The schemas in the order in which SCIM serves them",
            Some(schema::<Schemas>),
        )],
        run: Run::For(Permission::Administer, |call| Box::pin(list_schemas(call))),
    },
    Operation {
        method: "GET",
        path: "/admin/v1/schemas/{urn}",
        summary: "Get a schema as it was set, with what SCIM does not serve",
        takes: None,
        answers: &[Answer(200, "The document", Some(schema::<Map<String, Value>>))],
        run: Run::For(Permission::Administer, |call| get(call, DocumentKey::schema)),
    },
    Operation {
        method: "PUT",
        path: "/admin/v1/schemas/{urn}",
        summary: "Set a schema of the tenant's own",
        takes: Some(schema::<Map<String, Value>>),
        answers: &PUT_ANSWERS,
        run: Run::For(Permission::Administer, |call| put(call, DocumentKey::schema)),
    },
    Operation {
        method: "DELETE",
        path: "/admin/v1/schemas/{urn}",
        summary: "Remove a schema of the tenant's own",
        takes: None,
        answers: &DELETE_ANSWERS,
        run: Run::For(Permission::Administer, |call| remove(call, DocumentKey::schema)),
    },
    Operation {
        method: "GET",
        path: "/admin/v1/resource-types",
        summary: "List the resource types, the tenant's own and those of the server",
        takes: None,
        answers: &[Answer(
            200,
            "The types in the order in which SCIM serves them",
            Some(schema::<ResourceTypes>),
        )],
        run: Run::For(Permission::Administer, |call| Box::pin(list_types(call))),
    },
    Operation {
        method: "GET",
        path: "/admin/v1/resource-types/{name}",
        summary: "Get a resource type as it was set",
        takes: None,
        answers: &[Answer(200, "The document", Some(schema::<Map<String, Value>>))],
        run: Run::For(Permission::Administer, |call| get(call, DocumentKey::resource_type)),
    },
    Operation {
        method: "PUT",
        path: "/admin/v1/resource-types/{name}",
        summary: "Set a resource type of the tenant's own",
        takes: Some(schema::<Map<String, Value>>),
        answers: &PUT_ANSWERS,
        run: Run::For(Permission::Administer, |call| put(call, DocumentKey::resource_type)),
    },
    Operation {
        method: "DELETE",
        path: "/admin/v1/resource-types/{name}",
        summary: "Remove a resource type of the tenant's own",
        takes: None,
        answers: &DELETE_ANSWERS,
        run: Run::For(Permission::Administer, |call| remove(call, DocumentKey::resource_type)),
    },
];

const PUT_ANSWERS: [Answer; 3] = [
    Answer(200, "It took the place of the one that was there", Some(schema::<Map<String, Value>>)),
    Answer(201, "It was added", Some(schema::<Map<String, Value>>)),
    IN_THE_WAY,
];
const DELETE_ANSWERS: [Answer; 2] = [Answer(204, "It is gone", None), IN_THE_WAY];
const IN_THE_WAY: Answer =
    Answer(409, "Stored resources are in the way, and are named", Some(schema::<InTheWay>));

/// The schemas of a tenant.
#[derive(Serialize, JsonSchema)]
struct Schemas {
    /// The schemas.
    schemas: Vec<SchemaItem>,
    /// Whether the index is still being rebuilt after a change; until then filters may miss resources.
    indexing: bool,
}

/// A schema as a list shows it.
#[derive(Serialize, JsonSchema)]
struct SchemaItem {
    /// Its URN.
    id: String,
    /// Its name for people.
    name: String,
    /// Whether it is the tenant's own.
    own: bool,
}

/// The resource types of a tenant.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ResourceTypes {
    /// The resource types.
    resource_types: Vec<TypeItem>,
    /// Whether the index is still being rebuilt after a change; until then filters may miss resources.
    indexing: bool,
}

/// A resource type as a list shows it.
#[derive(Serialize, JsonSchema)]
struct TypeItem {
    /// Its name.
    name: String,
    /// Where its resources are.
    endpoint: String,
    /// The URN of its base schema.
    schema: String,
    /// The URNs of its extensions.
    extensions: Vec<String>,
    /// Whether it is the tenant's own.
    own: bool,
}

/// The stored resources that contradict a change (RFC 9457).
#[derive(Serialize, JsonSchema)]
struct InTheWay {
    #[serde(flatten)]
    problem: Problem,
    /// The first of the resources.
    obstacles: Vec<ObstacleItem>,
    /// Whether there are more.
    more: bool,
}

/// A stored resource that contradicts a change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ObstacleItem {
    /// The name of its type.
    resource_type: String,
    /// Its id.
    id: String,
    /// The attribute.
    path: String,
    /// What is wrong with its value.
    why: String,
}

async fn list_schemas(call: Call) -> Result<HttpResponse, Failure> {
    let there = call.app.access.schemas(call.context.caller.tenant).await?;
    let item = |schema: &crate::scim::schema::Schema| SchemaItem {
        id: schema.id.to_string(),
        name: schema.name.clone(),
        own: there.own(&DocumentKey::schema(&schema.id)).is_some(),
    };
    let schemas = there.registry.schemas().iter().map(|schema| item(schema)).collect();
    answer(200, &Schemas { schemas, indexing: there.is_indexing })
}

async fn list_types(call: Call) -> Result<HttpResponse, Failure> {
    let there = call.app.access.schemas(call.context.caller.tenant).await?;
    let item = |kind: &crate::scim::registry::ResourceType| TypeItem {
        name: kind.name.clone(),
        endpoint: format!("/{}", kind.endpoint),
        schema: kind.schema.id.to_string(),
        extensions: kind.extensions.iter().map(|extension| extension.schema.id.to_string()).collect(),
        own: there.own(&DocumentKey::resource_type(&kind.name)).is_some(),
    };
    let resource_types = there.registry.types().iter().map(|kind| item(kind)).collect();
    answer(200, &ResourceTypes { resource_types, indexing: there.is_indexing })
}

fn get(call: Call, key: fn(&str) -> DocumentKey) -> Outcome {
    Box::pin(async move {
        let key = key(call.capture(0));
        let there = call.app.access.schemas(call.context.caller.tenant).await?;
        match there.registry.document(&key) {
            Some(document) => answer(200, document),
            None => Err(ScimError::new(ErrorKind::NotFound, format!("there is no {key}")).into()),
        }
    })
}

fn put(mut call: Call, key: fn(&str) -> DocumentKey) -> Outcome {
    Box::pin(async move {
        let key = key(call.capture(0));
        let document = Value::Object(call.json::<Map<String, Value>>().await?);
        if DocumentKey::of(&document) != key {
            let detail =
                format!("the path names the {key}, and the body is the {}", DocumentKey::of(&document));
            return Err(ScimError::value(detail).into());
        }
        let tenant = call.context.caller.tenant;
        let is_new = call.app.access.schemas(tenant).await?.own(&key).is_none();
        let edits = [SchemaEdit::Put(document.clone())];
        match call.app.access.change_schemas(tenant, &edits, call.context.now).await {
            Ok(_) => answer(if is_new { 201 } else { 200 }, &document),
            Err(AccessError::InTheWay(obstacles)) => in_the_way(obstacles),
            Err(error) => Err(error.into()),
        }
    })
}

fn remove(call: Call, key: fn(&str) -> DocumentKey) -> Outcome {
    Box::pin(async move {
        let (key, tenant) = (key(call.capture(0)), call.context.caller.tenant);
        if call.app.access.schemas(tenant).await?.own(&key).is_none() {
            let detail = format!("the tenant has no {key} of its own");
            return Err(ScimError::new(ErrorKind::NotFound, detail).into());
        }
        match call.app.access.change_schemas(tenant, &[SchemaEdit::Remove(key)], call.context.now).await {
            Ok(_) => Ok(HttpResponse::NoContent().finish()),
            Err(AccessError::InTheWay(obstacles)) => in_the_way(obstacles),
            Err(error) => Err(error.into()),
        }
    })
}

fn in_the_way(Obstacles { first, more }: Obstacles) -> Result<HttpResponse, Failure> {
    let item = |obstacle: crate::access::Obstacle| ObstacleItem {
        resource_type: obstacle.kind,
        id: obstacle.id,
        path: obstacle.path,
        why: obstacle.why,
    };
    let problem = InTheWay {
        problem: Problem::new(
            StatusCode::CONFLICT,
            "stored resources contradict the change; obstacles names them",
        ),
        obstacles: first.into_iter().map(item).collect(),
        more,
    };
    let body = json!(problem).to_string();
    Ok(HttpResponse::Conflict().insert_header((CONTENT_TYPE, PROBLEM_JSON)).body(body))
}
