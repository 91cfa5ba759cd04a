//! What the domain refuses, as problem details (RFC 9457).
//!
//! Invariant: every refusal has a `code` that a program can tell it by, and a sentence for people.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};

use crate::http::error::Failure;
use crate::http::problem::{PROBLEM_JSON, Problem};
use crate::identity::Error;

/// The answer to a command that failed; what is no matter of the domain is spelled like everywhere.
pub(super) fn refuse(error: Error) -> Result<HttpResponse, Failure> {
    let (status, code) = match &error {
        Error::Failure(_) => match error {
            Error::Failure(failure) => return Err(failure.into()),
            _ => return Err(Failure::internal("a failure is none")),
        },
        Error::NoUser => (404, "user-not-found"),
        Error::NoContact(_) => (404, "contact-not-found"),
        Error::NoChallenge => (404, "verification-not-found"),
        Error::NotOne(_) | Error::Invalid { .. } => (400, "invalid-value"),
        Error::CodeInvalid => (400, "code-invalid"),
        Error::CodeExpired => (400, "code-expired"),
        Error::WrongPassword => (400, "wrong-password"),
        Error::Present(_) => (409, "contact-present"),
        Error::PrimaryNotRemovable(_) => (409, "primary-not-removable"),
        Error::Taken(_) => (409, "taken"),
        Error::LastLoginId => (409, "last-login-id"),
        Error::HasPassword => (409, "password-present"),
        Error::NoPassword => (409, "password-missing"),
        Error::TooManyAttempts => (429, "too-many-attempts"),
        Error::Limited(_) => (429, "limited"),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let problem = Problem::new(status, error.to_string()).with_code(code);
    let mut response = HttpResponse::build(status);
    if let Error::Limited(seconds) = error {
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    Ok(response.insert_header((CONTENT_TYPE, PROBLEM_JSON)).body(problem.text()))
}
