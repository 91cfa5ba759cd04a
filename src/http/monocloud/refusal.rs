//! MonoCloud's errors: problem details, of which media type, `status` and `type` tell clients what they are.
//!
//! Invariant: 422 has two shapes. What has not the form that it must have is told by its field; what the rules for
//! accounts forbid, by a code.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::http::error::Failure;
use crate::identity::Error;
use crate::scim::error::ScimError;
use crate::scim::schema::ContactKind;

/// Where the types of problems stand; the status follows.
const TYPES: &str = "https://httpstatuses.io/";

/// Why a request is not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The user, or what the path names of it, is not there.
    Missing(&'static str),
    /// A field is not what it must be: its name, and why.
    Field(String, String),
    /// The rules for accounts forbid it: a code, and a sentence.
    Rule(&'static str, String),
    /// Enough was sent for now; seconds until more can be.
    Limited(u64),
    /// As any API refuses.
    Failure(Failure),
}

impl Refusal {
    /// The answer; the failures of every API are left to it.
    pub(super) fn response(self) -> Result<HttpResponse, Failure> {
        let (status, kind, more) = match &self {
            Self::Missing(detail) => (404, "", ("detail", json!(detail))),
            Self::Field(field, reason) => (422, "#validation-error", ("errors", json!({field: [reason]}))),
            Self::Rule(code, description) => {
                let errors = json!([{"code": code, "description": description}]);
                (422, "#identity-validation-error", ("errors", errors))
            }
            Self::Limited(_) => (429, "", ("detail", json!("Too many messages were sent."))),
            Self::Failure(_) => match self {
                Self::Failure(failure) => return Err(failure),
                _ => return Err(Failure::internal("a failure is none")),
            },
        };
        let mut response = HttpResponse::build(code(status));
        if let Self::Limited(seconds) = self {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        Ok(said(&mut response, problem(status, kind, [more])))
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A problem: what every one has, and what this one has.
fn problem<const N: usize>(status: u16, kind: &str, more: [(&str, Value); N]) -> Value {
    let title = code(status).canonical_reason().unwrap_or_default();
    let common = [
        ("type", json!(format!("{TYPES}{status}{kind}"))),
        ("title", json!(title)),
        ("status", json!(status)),
    ];
    common.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn said(response: &mut HttpResponseBuilder, problem: Value) -> HttpResponse {
    response.insert_header((CONTENT_TYPE, "application/problem+json")).body(problem.to_string())
}

/// What an address or number is called in codes, and in sentences.
fn noun(kind: ContactKind) -> (&'static str, &'static str) {
    match kind {
        ContactKind::Email => ("DuplicateEmail", "email"),
        ContactKind::Phone => ("DuplicatePhoneNumber", "phone number"),
    }
}

/// What a field of the domain is called here.
fn member(field: &str) -> &str {
    match field {
        "userName" => "username",
        "displayName" => "name",
        "nickName" => "nickname",
        "photos" => "picture",
        "passwordHash" => "password_hash",
        "public" => "public_data",
        "private" => "private_data",
        other => other,
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let duplicate = |kind: ContactKind, whose: &str| {
            let (code, noun) = noun(kind);
            Self::Rule(code, format!("{whose} has this {noun} already."))
        };
        match error {
            Error::NoUser => Self::Missing("There is no such user."),
            Error::NoContact(ContactKind::Email) => Self::Missing("The user has no such email."),
            Error::NoContact(ContactKind::Phone) => Self::Missing("The user has no such phone number."),
            Error::NotOne(ContactKind::Email) => {
                Self::Rule("InvalidEmail", "The email is no e-mail address.".into())
            }
            Error::NotOne(ContactKind::Phone) => {
                let reason = "The phone number must begin with + and its country code.";
                Self::Rule("InvalidPhoneNumber", reason.into())
            }
            Error::Present(kind) => duplicate(kind, "The user"),
            Error::Taken(name) if name == "emails" => duplicate(ContactKind::Email, "Another user"),
            Error::Taken(name) if name == "phoneNumbers" => duplicate(ContactKind::Phone, "Another user"),
            Error::Taken(_) => Self::Rule("DuplicateUserName", "Another user has this username.".into()),
            Error::NoPassword => Self::Rule("UserHasNoPassword", "The user has no password.".into()),
            Error::WrongPassword => Self::Rule("PasswordMismatch", "It is not the user's password.".into()),
            Error::Invalid { field, reason } => Self::Field(member(&field).to_owned(), reason),
            Error::Limited(seconds) => Self::Limited(seconds),
            Error::Failure(failure) => Self::Failure(failure.into()),
            other => Self::Failure(ScimError::value(other.to_string()).into()),
        }
    }
}

/// The body of a refusal.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "errors": {"anyOf": [
                {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
                {"type": "array", "items": {
                    "type": "object",
                    "properties": {"code": {"type": "string"}, "description": {"type": "string"}},
                }},
            ]},
        },
    })
}

/// What every API refuses.
pub(super) fn spell(failure: &Failure, request_id: &str) -> HttpResponse {
    let more = [
        ("detail", json!(failure.detail(request_id))),
        ("instance", json!(format!("urn:request:{request_id}"))),
    ];
    said(&mut failure.response(), problem(failure.error.kind.status(), "", more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_sent_enough_is_told_when_to_come_back() {
        let refused = Refusal::from(Error::Limited(7)).response().unwrap();
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers().get(RETRY_AFTER).unwrap(), "7");
        assert_eq!(refused.headers().get(CONTENT_TYPE).unwrap(), "application/problem+json");
    }
}
