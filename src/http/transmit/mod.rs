//! Transmit Security's Mosaic APIs around users, under `/cis`: users, verification, tokens and the merging SCIM.
//!
//! Invariant: a tenant has one application here, which all of its users belong to. What an application may do, a token with
//! the scope `identity` may; what a logged-in user may, a token with the scope `me`; deleting users is administration.

mod contacts;
mod credentials;
mod profile;
mod refusal;
mod scim;
mod search;
mod table;
mod token;
mod users;
mod verification;

use actix_web::HttpResponse;
use serde::Serialize;

use crate::http::api::{Api, answer};
use crate::http::auth;
use crate::http::error::Failure;
use refusal::Refusal;

/// The API.
pub(super) const API: Api = Api {
    name: "Transmit",
    mounts: &["/cis"],
    operations: &table::OPERATIONS,
    token: auth::bearer,
    key: None,
    spelling: refusal::spell,
};

/// What came of an operation.
type Done = Result<HttpResponse, Refusal>;

/// The answer, or the refusal in this API's words; the failures of every API are left to it.
async fn spelled(done: impl Future<Output = Done>) -> Result<HttpResponse, Failure> {
    match done.await {
        Ok(response) => Ok(response),
        Err(Refusal::Failure(failure)) => Err(failure),
        Err(Refusal::Own(own)) => Ok(own.response()),
    }
}

/// An answer whose body is `{"result": …}`.
fn result(status: u16, result: impl Serialize) -> Done {
    Ok(answer(status, &serde_json::json!({"result": result}))?)
}

/// An answer whose body is `{"message": "…"}`.
fn says(status: u16, message: &str) -> Done {
    Ok(answer(status, &serde_json::json!({"message": message}))?)
}
