//! ZITADEL's errors: a gRPC code, a sentence with an id in brackets, and the id again as a detail.
//!
//! Invariant: one refusal, two spellings: that of the gateway to gRPC (REST), and that of the Connect protocol. The ids are
//! ZITADEL's where it has one for the case; those that begin with `MUSTER-` are not.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::access::Refusal as Access;
use crate::http::error::Failure;
use crate::identity::Error;
use crate::scim::error::ErrorKind;

/// The name of the detail's message type.
const DETAIL: &str = "zitadel.v1.ErrorDetail";

/// A code of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    InvalidArgument,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Unimplemented,
    Internal,
    Unavailable,
    Unauthenticated,
}

impl Code {
    /// The number, the name in the Connect protocol, and the HTTP status.
    fn spelled(self) -> (u8, &'static str, u16) {
        match self {
            Self::InvalidArgument => (3, "invalid_argument", 400),
            Self::NotFound => (5, "not_found", 404),
            Self::AlreadyExists => (6, "already_exists", 409),
            Self::PermissionDenied => (7, "permission_denied", 403),
            Self::ResourceExhausted => (8, "resource_exhausted", 429),
            Self::FailedPrecondition => (9, "failed_precondition", 400),
            Self::Unimplemented => (12, "unimplemented", 501),
            Self::Internal => (13, "internal", 500),
            Self::Unavailable => (14, "unavailable", 503),
            Self::Unauthenticated => (16, "unauthenticated", 401),
        }
    }
}

/// Why a request is not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// For a reason that ZITADEL has an id for.
    Known(Code, &'static str, &'static str),
    /// The request is not what it must be.
    Invalid(String),
    /// Enough was sent for now; seconds until more can be.
    Limited(u64),
    /// As any API refuses.
    Failure(Failure),
}

impl Refusal {
    /// A field that its rules do not admit, as in `SetPhoneRequest.Phone`.
    pub(super) fn field(field: &str, rule: &str) -> Self {
        Self::Invalid(format!("invalid {field}: {rule}"))
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
            Error::NoUser => Self::Known(Code::NotFound, "User could not be found", "QUERY-Dfbg2"),
            Error::Taken(name) if name == "emails" => {
                Self::Known(Code::AlreadyExists, "Email is verified by another user", "MUSTER-Em1Tk")
            }
            Error::Taken(name) if name == "phoneNumbers" => {
                Self::Known(Code::AlreadyExists, "Phone is verified by another user", "MUSTER-Ph1Tk")
            }
            Error::Taken(_) => Self::Known(Code::AlreadyExists, "User already exists", "V3-DKcYh"),
            Error::Limited(seconds) => Self::Limited(seconds),
            Error::Failure(failure) => Self::Failure(failure.into()),
            other => Self::Invalid(other.to_string()),
        }
    }
}

/// The body of a refusal. The code is a number for the gateway, and a name in the Connect protocol.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": ["integer", "string"]},
            "message": {"type": "string"},
            "details": {"type": "array", "items": {"type": "object"}},
        },
    })
}

/// How refusals are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Gateway,
    Connect,
}

impl Spelling {
    /// The answer to a request that is not done; the failures of every API are left to it.
    pub(super) fn refuse(self, refusal: Refusal) -> Result<HttpResponse, Failure> {
        match refusal {
            Refusal::Failure(failure) => Err(failure),
            Refusal::Invalid(text) => Ok(self.answer(Code::InvalidArgument, &text, None, None)),
            Refusal::Known(code, text, id) => Ok(self.answer(code, text, Some(id), None)),
            Refusal::Limited(seconds) => {
                let mut response = HttpResponse::TooManyRequests();
                response.insert_header((RETRY_AFTER, seconds.to_string()));
                let (code, text) = (Code::ResourceExhausted, "Enough codes were sent for now");
                Ok(self.answer(code, text, Some("MUSTER-Lm1Sn"), Some(response)))
            }
        }
    }

    /// What every API refuses.
    pub(super) fn spell(self, failure: &Failure, request_id: &str) -> HttpResponse {
        let detail = failure.detail(request_id);
        let (code, text, id) = match failure.error.kind {
            ErrorKind::Unauthorized if failure.error.detail == Access::Missing.to_string() => {
                (Code::Unauthenticated, "auth header missing", None)
            }
            ErrorKind::Unauthorized => (Code::Unauthenticated, "Token is invalid", Some("AUTH-7fs1e")),
            ErrorKind::Forbidden => {
                (Code::PermissionDenied, "No matching permissions found", Some("AUTH-5mWD2"))
            }
            ErrorKind::NotFound => (Code::NotFound, "Not Found", None),
            ErrorKind::MethodNotAllowed => (Code::Unimplemented, "Method Not Allowed", None),
            ErrorKind::NotImplemented => (Code::Unimplemented, &*detail, None),
            ErrorKind::Uniqueness => (Code::AlreadyExists, "User already exists", Some("V3-DKcYh")),
            ErrorKind::PayloadTooLarge => (Code::ResourceExhausted, &*detail, None),
            ErrorKind::Internal => (Code::Internal, &*detail, None),
            ErrorKind::Unavailable => (Code::Unavailable, &*detail, None),
            _ => (Code::InvalidArgument, &*detail, None),
        };
        self.answer(code, text, id, Some(failure.response()))
    }

    fn answer(
        self,
        code: Code,
        text: &str,
        id: Option<&str>,
        response: Option<HttpResponseBuilder>,
    ) -> HttpResponse {
        let (number, name, status) = code.spelled();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = response.unwrap_or_else(|| HttpResponse::build(status));
        let message = id.map_or_else(|| text.to_owned(), |id| format!("{text} ({id})"));
        let code = match self {
            Self::Gateway => json!(number),
            Self::Connect => json!(name),
        };
        let mut body = json!({"code": code, "message": message});
        if let (Some(id), Some(body)) = (id, body.as_object_mut()) {
            body.insert("details".into(), json!([self.detail(id, text)]));
        }
        response.insert_header((CONTENT_TYPE, "application/json")).body(body.to_string())
    }

    fn detail(self, id: &str, text: &str) -> Value {
        match self {
            Self::Gateway => {
                json!({"@type": format!("type.googleapis.com/{DETAIL}"), "id": id, "message": text})
            }
            Self::Connect => {
                let mut message = protobuf(1, id);
                message.extend(protobuf(2, text));
                json!({"type": DETAIL, "value": STANDARD_NO_PAD.encode(message)})
            }
        }
    }
}

/// A field of a protobuf message that is a text of less than 128 bytes.
fn protobuf(number: u8, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX).min(127);
    let mut out = vec![number << 3 | 2, length];
    out.extend(text.bytes().take(length.into()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_a_message_of_two_texts() {
        let detail = Spelling::Connect.detail("COMMAND-Uch5e", "Phone not changed");
        assert_eq!(detail["value"], "Cg1DT01NQU5ELVVjaDVlEhFQaG9uZSBub3QgY2hhbmdlZA");
        let plain = Spelling::Gateway.detail("COMMAND-Uch5e", "Phone not changed");
        assert_eq!(plain["@type"], "type.googleapis.com/zitadel.v1.ErrorDetail");
    }

    #[test]
    fn who_was_sent_enough_is_told_when_to_come_back() {
        for spelling in [Spelling::Gateway, Spelling::Connect] {
            let refused = spelling.refuse(Error::Limited(7).into()).unwrap();
            assert_eq!(refused.status(), 429);
            assert_eq!(refused.headers().get(RETRY_AFTER).unwrap(), "7");
        }
    }
}
