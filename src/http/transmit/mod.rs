//! Transmit Security's Mosaic APIs around users, under `/cis`: users, verification, device keys, tokens and the merging
//! SCIM. The token endpoint is at `/oidc` too, where the vendor's document of it has it.
//!
//! Invariant: a tenant has one application here, which all of its users belong to. What an application may do, a token with
//! the scope `identity` may; what a logged-in user may, a token with the scope `me`; deleting users is administration.

mod contacts;
mod credentials;
mod devices;
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

use crate::http::api::{Api, Parameter, answer};
use crate::http::auth;
use crate::http::error::Failure;
use refusal::Refusal;

/// The API.
pub(super) const API: Api = Api {
    name: "Transmit",
    mounts: &["/cis", "/oidc"],
    operations: &table::OPERATIONS,
    parameters: &PARAMETERS,
    refusal: refusal::schema,
    refuses: &[404, 409, 429],
    token: auth::bearer,
    key: None,
    headers: &[],
    shows: &[],
    spelling: refusal::spell,
};

const PARAMETERS: [Parameter; 22] = [
    Parameter("user_id", "string", "The user's id"),
    Parameter("id", "string", "The user's id"),
    Parameter("email", "string", "The e-mail address"),
    Parameter("phone_number", "string", "The phone number"),
    Parameter("username", "string", "The user name"),
    Parameter("key_id", "string", "The key's id"),
    Parameter("external_user_id", "string", "The id in another system"),
    Parameter("search", "string", "Which users, in SCIM's grammar and this API's names"),
    Parameter("search_prefix", "string", "How the primary e-mail address or phone number begins"),
    Parameter("sort_field", "string", "`email`, `phone_number`, `created_at` or `last_auth`"),
    Parameter("sort_order", "string", "`asc`, which it is if it is missing, or `desc`"),
    Parameter("page_offset", "integer", "How many matches to pass over"),
    Parameter("page_limit", "integer", "How many users to show: 100 if it is missing, 5000 at most"),
    Parameter(
        "identifier_name",
        "string",
        "`email`, `phoneNumber`, `externalUserId`, `username` or `idpIdentifier`",
    ),
    Parameter("identifier_value", "string", "The identifier"),
    Parameter("filter", "string", "Which users (RFC 7644 §3.4.2.2)"),
    Parameter("sortBy", "string", "The attribute to sort by"),
    Parameter("sortOrder", "string", "`ascending`, which it is if it is missing, or `descending`"),
    Parameter("startIndex", "integer", "The number of the first match to show, from 1 on"),
    Parameter("count", "integer", "How many matches to show"),
    Parameter("attributes", "string", "What to show, with commas between"),
    Parameter("excludedAttributes", "string", "What not to show, with commas between"),
];

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
