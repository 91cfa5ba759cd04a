//! Every refusal as an HTTP answer: the SCIM Error message of RFC 7644 §3.12.
//!
//! Invariant: a refusal always has that body; what went wrong inside the server is in [`Failure::cause`], for
//! the log only.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::{Map, Value, json};

use crate::access::{AccessError, Refusal};
use crate::directory;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::urn;

/// The one media type that is sent.
pub(super) const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

/// A request that is not answered with what it asked for.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the client is told.
    pub(super) error: ScimError,
    /// A header that belongs to the status.
    header: Option<(HeaderName, Cow<'static, str>)>,
    /// What the log is told.
    pub(super) cause: Option<String>,
}

impl Failure {
    /// 405 with the methods that there are.
    pub(super) fn method(method: &str, template: &str, allow: &str) -> Self {
        let detail = format!("{template} has no method {method}; it has {allow}");
        let header = Some((ALLOW, allow.to_owned().into()));
        Self { error: ScimError::new(ErrorKind::MethodNotAllowed, detail), header, cause: None }
    }

    /// 500; `cause` goes to the log.
    pub(super) fn internal(cause: impl Into<String>) -> Self {
        let error = ScimError::new(ErrorKind::Internal, "the server failed at this request");
        Self { error, header: None, cause: Some(cause.into()) }
    }

    /// 503; `cause` goes to the log. The client should come back in a second.
    pub(super) fn unavailable(cause: impl Into<String>) -> Self {
        let error = ScimError::new(ErrorKind::Unavailable, "the database is busy or away; try again");
        Self { cause: Some(cause.into()), ..Self::from(error) }
    }

    /// 408: the client has not sent all of the body.
    pub(super) fn slow_body(limit: Duration) -> Self {
        let detail = format!("the body did not arrive within {} seconds", limit.as_secs());
        ScimError::new(ErrorKind::RequestTimeout, detail).into()
    }

    /// 503 to a request that outlived its time limit. What was sent to the database is not called back, so of a
    /// write nobody knows here whether it happened, and the client is told so.
    pub(super) fn overdue(limit: Duration, is_write: bool) -> Self {
        let mut detail = format!("the server could not answer within {} seconds", limit.as_secs());
        if is_write {
            detail.push_str(", and the change may have happened or still happen; look before you repeat it");
        }
        let cause = Some("the request outlived its time limit".to_owned());
        Self { cause, ..Self::from(ScimError::new(ErrorKind::Unavailable, detail)) }
    }

    /// 401 (RFC 6750 §3): without an error code where no token was given.
    fn unauthorized(refusal: Refusal) -> Self {
        let challenge = match refusal {
            Refusal::Missing => "Bearer realm=\"muster\"",
            Refusal::Unknown => {
                "Bearer realm=\"muster\", error=\"invalid_token\", error_description=\"the token is unknown\""
            }
            Refusal::Expired => {
                "Bearer realm=\"muster\", error=\"invalid_token\", error_description=\"the token has expired\""
            }
            Refusal::Revoked => {
                "Bearer realm=\"muster\", error=\"invalid_token\", error_description=\"the token was revoked\""
            }
        };
        let error = ScimError::new(ErrorKind::Unauthorized, refusal.to_string());
        Self { error, header: Some((WWW_AUTHENTICATE, challenge.into())), cause: None }
    }

    /// The answer without a body: its status, and the header that belongs to that.
    pub(super) fn response(&self) -> HttpResponseBuilder {
        let status =
            StatusCode::from_u16(self.error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if self.error.kind == ErrorKind::RequestTimeout {
            // The rest of the body is not waited for.
            response.force_close();
        }
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), value.as_ref()));
        }
        response
    }

    /// The sentence for the client. Of a fault of the server it has nothing but the request's id.
    pub(super) fn detail(&self, request_id: &str) -> String {
        match self.cause {
            Some(_) => format!("{}; its log has the cause under request id {request_id}", self.error.detail),
            None => self.error.detail.clone(),
        }
    }
}

/// A refusal as SCIM spells it.
pub(super) fn spell(failure: &Failure, request_id: &str) -> HttpResponse {
    let body = message(failure, request_id).to_string();
    failure.response().insert_header((CONTENT_TYPE, SCIM_JSON)).body(body)
}

/// The Error message of RFC 7644 §3.12.
pub(super) fn message(failure: &Failure, request_id: &str) -> Value {
    let mut body = Map::new();
    body.insert("schemas".into(), json!([urn::ERROR]));
    body.insert("status".into(), json!(failure.error.kind.status().to_string()));
    if let Some(scim_type) = failure.error.kind.scim_type() {
        body.insert("scimType".into(), json!(scim_type));
    }
    body.insert("detail".into(), json!(failure.detail(request_id)));
    Value::Object(body)
}

impl From<ScimError> for Failure {
    fn from(error: ScimError) -> Self {
        let header = (error.kind == ErrorKind::Unavailable).then_some((RETRY_AFTER, "1".into()));
        Self { error, header, cause: None }
    }
}

impl From<directory::Failure> for Failure {
    fn from(failure: directory::Failure) -> Self {
        let is_unavailable = failure.is_unavailable();
        match failure {
            directory::Failure::Scim(error) => error.into(),
            directory::Failure::Store(error) if is_unavailable => Self::unavailable(with_causes(&error)),
            directory::Failure::Store(error) => Self::internal(with_causes(&error)),
            directory::Failure::Hashing(_) => Self::internal(failure.to_string()),
        }
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Refused(refusal) => Self::unauthorized(refusal),
            AccessError::Invalid(sentence) => ScimError::value(sentence).into(),
            AccessError::Contradicted(sentence) => ScimError::conflict(sentence).into(),
            AccessError::InTheWay(obstacles) => ScimError::value(obstacles.to_string()).into(),
            AccessError::Store(error) => directory::Failure::Store(error).into(),
        }
    }
}

/// The error and what caused it, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::rt::System;

    use super::*;

    fn parts(failure: &Failure) -> (HttpResponse<()>, String) {
        let (response, body) = spell(failure, "req-1").into_parts();
        let body = System::new().block_on(to_bytes(body)).unwrap_or_else(|_| panic!("a body in memory"));
        (response, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_fault_of_the_server_shows_the_request_id_and_no_cause() {
        for (failure, status) in
            [(Failure::internal("disk sector 7"), 500), (Failure::unavailable("disk sector 7"), 503)]
        {
            let (response, body) = parts(&failure);
            assert_eq!(response.status().as_u16(), status);
            assert!(body.contains("req-1") && !body.contains("sector"), "{body}");
            assert_eq!(failure.cause.as_deref(), Some("disk sector 7"));
        }
    }

    #[test]
    fn who_comes_at_a_bad_time_is_told_when_to_come_back() {
        let contended = ScimError::new(ErrorKind::Unavailable, "many writers");
        for failure in [Failure::unavailable("busy"), Failure::from(contended)] {
            let (response, _) = parts(&failure);
            assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "1");
        }
        let (response, _) = parts(&Failure::from(ScimError::value("x")));
        assert_eq!(response.headers().get(RETRY_AFTER), None);
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let inner = std::io::Error::other("the disk is full");
        let outer = std::io::Error::other(inner);
        assert!(with_causes(&outer).contains("the disk is full"));
    }
}
