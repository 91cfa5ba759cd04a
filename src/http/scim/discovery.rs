//! What the server is: its configuration, resource types and schemas (RFC 7644 §4, RFC 7643 §5–§7).
//!
//! Invariant: a document shows only attributes that its schema under `schemas/` declares; nobody needs a
//! token to read it, and who has one sees the schemas of their tenant (reading A32). Its entity tag is a hash of it.

use actix_web::http::header::{CONTENT_TYPE, ETAG};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use crate::http::error::{Failure, SCIM_JSON};
use crate::http::{App, Place, Target, base};
use crate::quirks::Profile;
use crate::scim::bulk::MAX_OPERATIONS;
use crate::scim::cursor;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::listing::{DEFAULT_COUNT, MAX_COUNT};
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::schema::Schema;
use crate::scim::urn;
use crate::scim::version::fingerprint;

/// Answers a GET on one of the discovery endpoints. It says what is so for the profile of the token that came with the
/// request, if one did.
pub(in crate::http) fn answer(
    app: &App,
    request: &HttpRequest,
    target: &Target<'_>,
    place: Place,
    registry: &Registry,
    profile: Option<&Profile>,
) -> Result<HttpResponse, Failure> {
    let mut names = request.query_string().split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    if names.any(|name| name == "filter") {
        let detail = "schemas, resource types and the configuration cannot be filtered (RFC 7644 §4)";
        return Err(ScimError::new(ErrorKind::Forbidden, detail).into());
    }
    let base = base::base(request, &app.settings, target.mount)?;
    let name = &target.name;
    let document = match place {
        Place::Configuration => configuration(app.settings.max_body, &base, profile),
        Place::Types => list(registry.types().iter().map(|kind| resource_type(kind, &base))),
        Place::Schemas => list(
            registry
                .schemas()
                .iter()
                .filter(|s| s.extends.is_none())
                .map(|schema| one_schema(schema, &base, profile)),
        ),
        Place::OneType => match registry.type_named(name) {
            Some(kind) => resource_type(kind, &base),
            None => return Err(unknown("resource type", name)),
        },
        _ => match registry.schema(name).filter(|schema| schema.extends.is_none()) {
            Some(schema) => one_schema(schema, &base, profile),
            None => return Err(unknown("schema", name)),
        },
    };
    let text = document.to_string();
    let tag = fingerprint(&text);
    let header = (ETAG, format!("W/\"{tag}\""));
    if super::condition(request).knows(&tag) {
        return Ok(HttpResponse::NotModified().insert_header(header).finish());
    }
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, SCIM_JSON)).insert_header(header).body(text))
}

fn unknown(what: &str, name: &str) -> Failure {
    ScimError::new(ErrorKind::NotFound, format!("there is no {what} {name}")).into()
}

fn resource_type(kind: &ResourceType, base: &str) -> Value {
    with_meta(kind.to_json(), "ResourceType", format!("{base}/ResourceTypes/{}", kind.name))
}

fn one_schema(schema: &Schema, base: &str, profile: Option<&Profile>) -> Value {
    let mut document = schema.to_json();
    if let Some(Value::Array(attributes)) = document.get_mut("attributes")
        && &*schema.id == urn::USER
        && !takes_passwords(profile)
    {
        attributes.retain(|attribute| attribute.get("name").is_none_or(|name| name != "password"));
    }
    with_meta(document, "Schema", format!("{base}/Schemas/{}", schema.id))
}

fn with_meta(mut document: Map<String, Value>, kind: &str, location: String) -> Value {
    document.insert("meta".into(), json!({"resourceType": kind, "location": location}));
    Value::Object(document)
}

fn list(documents: impl Iterator<Item = Value>) -> Value {
    let documents: Vec<Value> = documents.collect();
    json!({
        "schemas": [urn::LIST_RESPONSE],
        "totalResults": documents.len(),
        "startIndex": 1,
        "itemsPerPage": documents.len(),
        "Resources": documents,
    })
}

fn takes_passwords(profile: Option<&Profile>) -> bool {
    profile.is_none_or(|profile| !profile.policy.refuse_passwords)
}

fn configuration(max_body: usize, base: &str, profile: Option<&Profile>) -> Value {
    let mut document = json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": true},
        "bulk": {"supported": true, "maxOperations": MAX_OPERATIONS, "maxPayloadSize": max_body},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
            "cursorTimeout": cursor::TIMEOUT,
        },
        "changePassword": {"supported": takes_passwords(profile)},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "A token that `muster token create` prints, in the Authorization header.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    });
    if let Some(members) = document.as_object_mut()
        && profile.is_some_and(Profile::is_interoperable)
    {
        members.insert("interopProfileConformant".into(), json!(true));
    }
    document
}
