//! Refusals of the native APIs: problem details as JSON (RFC 9457).
//!
//! Invariant: a fault of the server shows nothing but the request's id.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::json;

use crate::http::error::Failure;

/// A refusal as problem details. `type` is `about:blank`: the status says all that a program needs.
pub(super) fn spell(failure: &Failure, request_id: &str) -> HttpResponse {
    let mut response = failure.response();
    let status =
        StatusCode::from_u16(failure.error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": failure.detail(request_id),
        "instance": format!("urn:request:{request_id}"),
    });
    response.insert_header((CONTENT_TYPE, "application/problem+json")).body(problem.to_string())
}
