//! Descope's management API around users, under `/v1/mgmt` and `/v2/mgmt`.
//!
//! Invariant: a project is a tenant, by its name or its number, and a management key is a token of that tenant. A user has
//! one address and one number here: the primary ones.

mod contacts;
mod hashed;
mod passwords;
mod profile;
mod refusal;
mod search;
mod table;
mod users;

use actix_web::HttpResponse;
use actix_web::http::header::AUTHORIZATION;
use serde_json::json;

use crate::access::{AccessError, Refusal as Access};
use crate::context::Context;
use crate::http::api::{Api, Call, Parameter, answer};
use crate::http::auth;
use crate::http::error::Failure;
use crate::identity::{By, Error, User};
use refusal::Refusal;

/// The API.
pub(super) const API: Api = Api {
    name: "Descope",
    mounts: &["/v1/mgmt", "/v2/mgmt"],
    operations: &table::OPERATIONS,
    parameters: &[
        Parameter("loginId", "string", "A login id of the user, or its id"),
        Parameter("userId", "string", "The user's id"),
    ],
    refusal: refusal::schema,
    refuses: &[404, 409, 429],
    token: |request| project_and_key(auth::bearer(request)?).map(|(_, key)| key),
    key: None,
    headers: &[
        "x-descope-project-id",
        "x-descope-license",
        "x-descope-sdk-name",
        "x-descope-sdk-version",
        "x-descope-sdk-session-id",
        "x-descope-sdk-uuid",
    ],
    shows: &[],
    spelling: refusal::spell,
};

/// What came of an operation.
type Done = Result<HttpResponse, Refusal>;

/// What stands before and behind the first colon of a bearer token. No tenant's name has one.
fn project_and_key(bearer: &str) -> Option<(&str, &str)> {
    bearer.split_once(':').filter(|(_, key)| !key.is_empty())
}

/// Answers a request to the project that its key is for.
async fn done(call: Call, run: impl AsyncFnOnce(Call) -> Done) -> Result<HttpResponse, Failure> {
    check_project(&call.context, call.header(AUTHORIZATION.as_str()))?;
    match run(call).await {
        Ok(response) => Ok(response),
        Err(Refusal::Failure(failure)) => Err(failure),
        Err(Refusal::Own(own)) => Ok(own.response()),
    }
}

/// A key is unknown to any project but its own.
fn check_project(cx: &Context, header: Option<&str>) -> Result<(), Failure> {
    let bearer = header.and_then(|header| header.trim().split_once(' '));
    let project = bearer.and_then(|(_, bearer)| project_and_key(bearer.trim())).map(|(project, _)| project);
    let is_own = |project: &str| project == cx.caller.tenant_name || project == cx.caller.tenant.to_string();
    match project.is_some_and(is_own) {
        true => Ok(()),
        false => Err(AccessError::Refused(Access::Unknown).into()),
    }
}

/// The user with this id or login id. Ids go first: no client chooses them.
async fn named(call: &Call, name: Option<&str>) -> Result<User, Refusal> {
    let name = required("loginId", name)?;
    match call.app.identity.user(&call.context, name).await {
        Err(Error::NoUser) => {
            Ok(call.app.identity.resolve(&call.context, &By::LoginId(name.to_owned())).await?)
        }
        found => Ok(found?),
    }
}

/// A text that a request must have.
fn required<'a>(member: &str, text: Option<&'a str>) -> Result<&'a str, Refusal> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| Refusal::missing(member))
}

/// An answer with a user in it.
fn one(user: &User, created: bool) -> Done {
    Ok(answer(200, &json!({"user": profile::shown(user), "created": created}))?)
}

/// An answer that says nothing but that it is done.
fn nothing() -> Done {
    Ok(answer(200, &json!({}))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_have_colons_and_a_project_has_none() {
        assert_eq!(project_and_key("acme:k:1"), Some(("acme", "k:1")));
        assert_eq!(project_and_key("acme"), None);
        assert_eq!(project_and_key("acme:"), None);
    }
}
