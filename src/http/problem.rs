//! Refusals of the native APIs: problem details as JSON (RFC 9457).
//!
//! Invariant: a fault of the server shows nothing but the request's id.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::error::Failure;

/// Problem details.
#[derive(Serialize, JsonSchema)]
pub(super) struct Problem {
    /// `about:blank`: the status says what a program needs, or the code does.
    r#type: &'static str,
    /// What the status is called.
    title: &'static str,
    /// The status.
    status: u16,
    /// What a program can tell the refusal by, where the status does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// A sentence for people.
    detail: String,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

impl Problem {
    /// The details under a status.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: None,
            detail: detail.into(),
            instance: None,
        }
    }

    /// The same with a code.
    pub(super) fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The media type of problem details.
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal as problem details.
pub(super) fn spell(failure: &Failure, request_id: &str) -> HttpResponse {
    let mut response = failure.response();
    let status =
        StatusCode::from_u16(failure.error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = Problem::new(status, failure.detail(request_id));
    let problem = Problem { instance: Some(format!("urn:request:{request_id}")), ..problem };
    response.insert_header((CONTENT_TYPE, PROBLEM_JSON)).body(problem.text())
}
