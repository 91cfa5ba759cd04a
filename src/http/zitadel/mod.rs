//! ZITADEL's APIs around a user's e-mail address and phone number: REST under `/management/v1` and `/v2`, and the
//! Connect protocol's JSON.
//!
//! Invariant: REST and Connect are two spellings of the same operations. A user has one address and one number here: the
//! primary ones. A number without a country code is Swiss, unless the tenant says where it is from.

mod connect;
mod contacts;
mod human;
mod management;
mod message;
mod refusal;
mod rest;
mod search;

use std::sync::Arc;

use actix_web::HttpResponse;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::contact;
use crate::context::Context;
use crate::http::api::{Api, Call, Parameter, answer, formed};
use crate::http::error::Failure;
use crate::http::{auth, zitadel::message::normal};
use crate::quirks::Profile;
use refusal::{Code, Refusal, Spelling};

/// The REST API.
pub(super) const REST: Api = Api {
    name: "ZITADEL",
    mounts: &["/management/v1", "/v2/users"],
    operations: &rest::OPERATIONS,
    parameters: &[Parameter("id", "string", "The user's id")],
    refusal: refusal::schema,
    refuses: &[404, 409, 429, 501],
    token: auth::bearer,
    key: None,
    headers: &[ORGANISATION],
    shows: &[],
    spelling: |failure, request_id| Spelling::Gateway.spell(failure, request_id),
};

/// The same in the Connect protocol.
pub(super) const CONNECT: Api = Api {
    name: "ZITADEL Connect",
    mounts: &["/zitadel.user.v2.UserService"],
    operations: &connect::OPERATIONS,
    parameters: &[],
    refusal: refusal::schema,
    refuses: &[404, 409, 429, 501],
    token: auth::bearer,
    key: None,
    headers: &[ORGANISATION, "connect-protocol-version", "connect-timeout-ms"],
    shows: &[],
    spelling: |failure, request_id| Spelling::Connect.spell(failure, request_id),
};

/// The header that selects an organisation.
const ORGANISATION: &str = "x-zitadel-orgid";
/// Where numbers without a country code are from if the tenant does not say.
const HOME: &str = "CH";

/// A message that says about which user it is.
trait About {
    /// Takes the id that stands in the path.
    fn about(&mut self, user: &str);
}

/// Answers a request to the REST API.
async fn rest<Q, A>(
    call: Call,
    run: impl AsyncFn(&Call, Q) -> Result<A, Refusal>,
) -> Result<HttpResponse, Failure>
where
    Q: About + DeserializeOwned,
    A: Serialize,
{
    let about = async |call: &Call, mut request: Q| {
        request.about(call.capture(0));
        run(call, request).await
    };
    spelled(Spelling::Gateway, done(call, about).await)
}

/// Answers a request to the first version of the REST API, which looks at the organisation.
async fn first<Q, A>(
    call: Call,
    run: impl AsyncFn(&Call, Q) -> Result<A, Refusal>,
) -> Result<HttpResponse, Failure>
where
    Q: DeserializeOwned,
    A: Serialize,
{
    let answered = match check_organisation(&call.context, call.header(ORGANISATION)) {
        Ok(()) => done(call, run).await,
        Err(refusal) => Err(refusal),
    };
    spelled(Spelling::Gateway, answered)
}

/// Answers a request in the Connect protocol.
async fn connect<Q, A>(
    call: Call,
    run: impl AsyncFn(&Call, Q) -> Result<A, Refusal>,
) -> Result<HttpResponse, Failure>
where
    Q: DeserializeOwned,
    A: Serialize,
{
    spelled(Spelling::Connect, done(call, run).await)
}

/// Reads the message of a request and does what it asks.
async fn done<Q, A>(mut call: Call, run: impl AsyncFn(&Call, Q) -> Result<A, Refusal>) -> Result<A, Refusal>
where
    Q: DeserializeOwned,
{
    let request: Q = message(&mut call).await?;
    at_home(&mut call.context);
    run(&call, request).await
}

fn spelled<A: Serialize>(spelling: Spelling, answered: Result<A, Refusal>) -> Result<HttpResponse, Failure> {
    match answered {
        Ok(body) => answer(200, &body),
        Err(refusal) => spelling.refuse(refusal),
    }
}

async fn message<Q: DeserializeOwned>(call: &mut Call) -> Result<Q, Refusal> {
    let given: Map<String, Value> = call.json_if_any().await?;
    Ok(formed(normal(given)?)?)
}

/// Whether that is the caller's organisation: the tenant, by its number or by its name.
fn is_organisation(cx: &Context, given: &str) -> bool {
    given == cx.caller.tenant.to_string() || given == cx.caller.tenant_name
}

/// Refuses any other organisation.
fn check_organisation(cx: &Context, given: Option<&str>) -> Result<(), Refusal> {
    if given.is_none_or(|given| given.is_empty() || is_organisation(cx, given)) {
        return Ok(());
    }
    Err(Refusal::Known(Code::PermissionDenied, "Organisation doesn't exist", "AUTH-Bs7Ds"))
}

fn at_home(cx: &mut Context) {
    if cx.caller.profile.contacts.region.is_none() {
        let contacts = contact::Policy { region: HOME.parse().ok(), ..cx.caller.profile.contacts };
        Arc::make_mut(&mut cx.caller).profile =
            Arc::new(Profile { contacts, ..Profile::clone(&cx.caller.profile) });
    }
}
