//! Descope's errors: a code, what it means, and what is wrong with this request.
//!
//! Invariant: the codes are Descope's where it has one for the case; those that begin with `MUSTER-` are not. No statuses are
//! documented, so they are HTTP's: a client looks at the code, and at whether the status is below 400.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::http::error::Failure;
use crate::identity::Error;
use crate::scim::error::ErrorKind;

/// A status, a code and what it means.
type Code = (u16, &'static str, &'static str);

const MALFORMED: Code = (400, "E011001", "Request is malformed");
const MISSING: Code = (400, "E011002", "Request is missing arguments");
const INVALID: Code = (400, "E011003", "Request is invalid");
const EXISTS: Code = (409, "E062107", "User already exists");
const NO_USER: Code = (404, "E112102", "User not found");
const CONFLICT: Code = (409, "E111127", "Update conflicts with another user");
const LIMITED: Code = (429, "E130429", "Rate limit exceeded");

/// Why a request is not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// In this API's own words.
    Own(Own),
    /// As any API refuses.
    Failure(Failure),
}

/// A refusal in this API's words.
#[derive(Debug)]
pub(super) struct Own {
    code: Code,
    message: String,
    retry_after: Option<u64>,
}

impl Own {
    pub(super) fn response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.code.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        body(response, self.code.1, self.code.2, &self.message)
    }
}

impl Refusal {
    fn own(code: Code, message: impl Into<String>) -> Self {
        Self::Own(Own { code, message: message.into(), retry_after: None })
    }

    /// Something has to be there.
    pub(super) fn missing(member: &str) -> Self {
        Self::own(MISSING, format!("The {member} field is required"))
    }

    /// Something is not what it must be.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::own(INVALID, message)
    }

    /// Why a user was not made.
    pub(super) fn of_creation(error: Error) -> Self {
        match error {
            Error::Taken(name) => Self::own(EXISTS, taken(&name)),
            other => other.into(),
        }
    }

    /// What is said of one user among many; what is no matter of that user ends the whole request.
    pub(super) fn of_one(self) -> Result<String, Self> {
        match self {
            Self::Own(own) => Ok(own.message),
            Self::Failure(failure) if failure.error.kind.status() < 500 => Ok(failure.error.detail),
            failure @ Self::Failure(_) => Err(failure),
        }
    }
}

/// Which value another user has.
fn taken(name: &str) -> String {
    let name = match name {
        "userName" | "loginIds" => "login ID",
        "emails" => "email",
        "phoneNumbers" => "phone",
        other => other,
    };
    format!("Another user has this {name}")
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NoUser => Self::own(NO_USER, "User not found"),
            Error::Taken(name) => Self::own(CONFLICT, taken(&name)),
            Error::Limited(seconds) => Self::Own(Own {
                code: LIMITED,
                message: "Try again later".to_owned(),
                retry_after: Some(seconds),
            }),
            Error::Invalid { field, reason } if field == "passwordHash" => {
                Self::invalid(format!("hashedPassword: {reason}"))
            }
            Error::Failure(failure) => Self::Failure(failure.into()),
            other => Self::invalid(other.to_string()),
        }
    }
}

/// The body of a refusal.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["errorCode", "errorDescription", "errorMessage"],
        "properties": {
            "errorCode": {"type": "string"},
            "errorDescription": {"type": "string"},
            "errorMessage": {"type": "string"},
        },
    })
}

/// What every API refuses.
pub(super) fn spell(failure: &Failure, request_id: &str) -> HttpResponse {
    let status = failure.error.kind.status();
    let (code, description) = match failure.error.kind {
        ErrorKind::InvalidSyntax => (MALFORMED.1, MALFORMED.2),
        ErrorKind::Uniqueness => (CONFLICT.1, CONFLICT.2),
        _ if status == 400 => (INVALID.1, INVALID.2),
        _ => (
            "",
            StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or_default(),
        ),
    };
    let own = format!("MUSTER-{status}");
    let code = if code.is_empty() { &own } else { code };
    body(failure.response(), code, description, &failure.detail(request_id))
}

fn body(mut response: HttpResponseBuilder, code: &str, description: &str, message: &str) -> HttpResponse {
    let body = json!({"errorCode": code, "errorDescription": description, "errorMessage": message});
    response.insert_header((CONTENT_TYPE, "application/json")).body(body.to_string())
}
