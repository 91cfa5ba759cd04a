//! POST on `/Bulk` (RFC 7644 §3.7).
//!
//! Invariant: the answer has one entry for each operation that was begun, in the order of the request. The status of
//! an entry is that of the single request; a body stands there only where something failed.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use serde_json::{Map, Value, json};

use crate::directory::Done;
use crate::http::error::{Failure, SCIM_JSON, message};
use crate::http::scim::Call;
use crate::quirks;
use crate::scim::bulk::{BulkRequest, Operation, Verb};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::urn;
use crate::scim::version::etag;

/// Does what a bulk request asks for.
pub(in crate::http) async fn answer(call: &mut Call<'_>, payload: Payload) -> Result<HttpResponse, Failure> {
    call.check_may_write()?;
    let body = call.body(payload).await.map_err(|error| name_the_limit(error, call))?;
    let mut request = BulkRequest::parse(&body, &call.context.caller.registry)?;
    for action in request.operations.iter_mut().filter_map(|operation| operation.action.as_mut().ok()) {
        let (profile, kind, data) = (&call.context.caller.profile, &action.kind, &mut action.data);
        let fired = match action.verb {
            Verb::Post | Verb::Put => quirks::rewrite_resource(profile, kind, data),
            Verb::Patch => quirks::rewrite_patch(profile, kind, data),
            Verb::Delete => Vec::new(),
        };
        call.trail.quirks.extend(fired);
    }
    call.trail.quirks.sort_unstable();
    call.trail.quirks.dedup();
    let done = call.app.directory.bulk(call.context, &mut request).await?;
    let done = request.operations.iter().zip(done);
    let entries: Vec<Value> =
        done.filter_map(|(operation, done)| Some(entry(call, operation, done?))).collect();
    let body = json!({"schemas": [urn::BULK_RESPONSE], "Operations": entries});
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, SCIM_JSON)).body(body.to_string()))
}

/// RFC 7644 §3.7.4: a client is told which limit it is.
fn name_the_limit(error: ScimError, call: &Call<'_>) -> ScimError {
    if error.kind != ErrorKind::PayloadTooLarge {
        return error;
    }
    let limit = call.app.settings.max_body;
    ScimError::new(error.kind, format!("the bulk request exceeds maxPayloadSize ({limit} bytes)"))
}

/// What the answer says of one operation.
fn entry(call: &Call<'_>, operation: &Operation, done: Done) -> Value {
    let mut entry = Map::new();
    let verb = operation.action.as_ref().ok().map(|action| action.verb);
    if let Some(location) = location(call.base, operation, done.id.as_deref()) {
        entry.insert("location".into(), json!(location));
    }
    if let Some(method) = &operation.method {
        entry.insert("method".into(), json!(method));
    }
    if let Some(bulk_id) = &operation.bulk_id {
        entry.insert("bulkId".into(), json!(bulk_id));
    }
    match done.outcome {
        Ok(version) => {
            if let Some(version) = version {
                entry.insert("version".into(), json!(etag(version)));
            }
            let status = match verb {
                Some(Verb::Post) => "201",
                Some(Verb::Delete) => "204",
                Some(Verb::Patch) if call.wants_brief_patch() => "204",
                _ => "200",
            };
            entry.insert("status".into(), json!(status));
        }
        Err(failure) => {
            let failure = Failure::from(failure);
            let request_id = &call.trail.request_id;
            if let Some(cause) = &failure.cause {
                tracing::error!(request_id, cause, "an operation of a bulk request failed");
            }
            entry.insert("status".into(), json!(failure.error.kind.status().to_string()));
            entry.insert("response".into(), message(&failure, request_id));
        }
    }
    Value::Object(entry)
}

/// The URI of the resource; that of an operation that could not be read is what it said.
fn location(base: &str, operation: &Operation, id: Option<&str>) -> Option<String> {
    match (&operation.action, id) {
        (Ok(action), Some(id)) => Some(format!("{base}/{}/{id}", action.kind.endpoint)),
        (Err(_), _) if operation.method.as_deref() != Some("POST") => {
            let path = operation.path.as_deref().filter(|path| !path.contains("bulkId:"))?;
            Some(format!("{base}/{}", path.trim_matches('/')))
        }
        _ => None,
    }
}
