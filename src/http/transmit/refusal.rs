//! Transmit's errors: `message` and `error_code`, and here and there one member more.
//!
//! Invariant: the message of a 400 is a list of sentences, but for codes and passwords; any other is one sentence.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::http::error::Failure;
use crate::identity::Error;
use crate::scim::schema::ContactKind;

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
    status: u16,
    body: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Own {
    fn new(status: u16, message: Value) -> Self {
        let mut body = Map::new();
        body.insert("message".into(), message);
        body.insert("error_code".into(), json!(status));
        Self { status, body, retry_after: None }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.body.insert(name.to_owned(), json!(value));
        self
    }

    pub(super) fn response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        response.insert_header((CONTENT_TYPE, "application/json")).body(Value::Object(self.body).to_string())
    }
}

impl Refusal {
    /// One sentence under a status.
    pub(super) fn says(status: u16, message: impl Into<String>) -> Self {
        Self::Own(Own::new(status, Value::String(message.into())))
    }

    /// A request that is not what it must be.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::Own(Own::new(400, json!([message.into()])))
    }

    /// The same with every reason.
    pub(super) fn bad_for(reasons: &[String]) -> Self {
        Self::Own(Own::new(400, json!(reasons)))
    }

    /// A code that does not count: `expired_otp` or `invalid_otp`.
    pub(super) fn code(message: &str, error_type: &str) -> Self {
        Self::Own(Own::new(400, json!(message)).with("error_type", error_type))
    }

    /// What is wrong with a password; the code is a word here.
    pub(super) fn password(status: u16, message: &str, code: &str) -> Self {
        Self::Own(Own::new(status, json!(message)).with("error_code", code))
    }

    /// Somebody verified the value already.
    pub(super) fn verified(kind: ContactKind) -> Self {
        Self::says(409, format!("{} is already verified in the tenant", noun(kind)))
    }

    /// The value is not on the user's profile.
    pub(super) fn missing(kind: ContactKind) -> Self {
        Self::says(404, format!("{} not found on the user's profile", noun(kind)))
    }
}

/// What a contact is called at the beginning of a sentence.
pub(super) fn noun(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Email => "Email",
        ContactKind::Phone => "Phone number",
    }
}

/// What a contact is called in bodies.
pub(super) fn member(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Email => "email",
        ContactKind::Phone => "phone_number",
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NoUser => Self::says(404, "User not found"),
            Error::NoContact(kind) => Self::missing(kind),
            Error::NotOne(ContactKind::Email) => Self::bad("email must be an email"),
            Error::NotOne(ContactKind::Phone) => Self::bad("phone_number must be a valid phone number"),
            Error::PrimaryNotRemovable(kind) => {
                Self::bad(format!("Cannot remove the primary {}", noun(kind).to_lowercase()))
            }
            Error::Taken(name) => {
                let name = match &*name {
                    "emails" => "email",
                    "phoneNumbers" => "phone_number",
                    "userName" => "username",
                    "externalId" => "external_user_id",
                    other => other,
                };
                let taken = Own::new(409, json!(format!("{name} is already taken")));
                Self::Own(taken.with("ts_error_code", "IdentifierIsTaken"))
            }
            Error::Limited(seconds) => {
                let limited = Own::new(429, json!("Too many messages were sent"));
                Self::Own(Own { retry_after: Some(seconds), ..limited })
            }
            Error::Failure(failure) => Self::Failure(failure.into()),
            other => Self::bad(other.to_string()),
        }
    }
}

/// The body of a refusal. The merging SCIM has one of its own.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    let message = json!({
        "type": "object",
        "required": ["message", "error_code"],
        "properties": {
            "message": {"type": ["string", "array"], "items": {"type": "string"}},
            "error_code": {"type": ["integer", "string"]},
            "error_type": {"type": "string"},
            "ts_error_code": {"type": "string"},
        },
    });
    let scim = json!({
        "type": "object",
        "required": ["schemas", "status", "detail"],
        "properties": {
            "schemas": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
        },
    });
    json_schema!({"anyOf": [message, scim]})
}

/// What every API refuses.
pub(super) fn spell(failure: &Failure, request_id: &str) -> HttpResponse {
    let status = failure.error.kind.status();
    let detail = failure.detail(request_id);
    let message = if status == 400 { json!([detail]) } else { json!(detail) };
    let body = json!({"message": message, "error_code": status});
    failure.response().insert_header((CONTENT_TYPE, "application/json")).body(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_sent_enough_is_told_when_to_come_back() {
        let Refusal::Own(own) = Refusal::from(Error::Limited(7)) else {
            panic!("it is no refusal of its own")
        };
        let refused = own.response();
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers().get(RETRY_AFTER).unwrap(), "7");
    }
}
