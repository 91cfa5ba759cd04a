//! The tenant's tokens: listing, making and revoking them.
//!
//! Invariant: a token's text is in the answer that makes it and nowhere else.

use actix_web::HttpResponse;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{AccessError, NewClient, TokenSummary};
use crate::context::Permission;
use crate::http::api::{Answer, Call, Operation, Run, answer, schema};
use crate::http::error::Failure;
use crate::id::{ClientId, ResourceId};
use crate::scim::error::{ErrorKind, ScimError};

pub(super) const OPERATIONS: [Operation; 3] = [
    Operation {
        method: "GET",
        path: "/admin/v1/tokens",
        summary: "List the tokens, without their texts",
        takes: None,
        answers: &[Answer(200, "The tokens in the order in which they were made", Some(schema::<Tokens>))],
        run: Run::For(Permission::Administer, |call| Box::pin(list(call))),
    },
    Operation {
        method: "POST",
        path: "/admin/v1/tokens",
        summary: "Make a token",
        takes: Some(schema::<NewToken>),
        answers: &[Answer(201, "The token; its text is shown only now", Some(schema::<MadeToken>))],
        run: Run::For(Permission::Administer, |call| Box::pin(create(call))),
    },
    Operation {
        method: "DELETE",
        path: "/admin/v1/tokens/{id}",
        summary: "Revoke a token",
        takes: None,
        answers: &[Answer(204, "It no longer counts", None)],
        run: Run::For(Permission::Administer, |call| Box::pin(revoke(call))),
    },
];

/// A page of tokens.
#[derive(Serialize, JsonSchema)]
struct Tokens {
    /// The tokens.
    tokens: Vec<Token>,
}

/// A token as a list shows it.
#[derive(Serialize, JsonSchema)]
struct Token {
    /// The number that revokes it.
    id: i64,
    /// What the client is called.
    name: String,
    /// How lenient the server is to it.
    profile: String,
    /// What it may do.
    scopes: Vec<String>,
    /// The id of the user that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// When it was made.
    created: Option<DateTime<Utc>>,
    /// When it ends; never, if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<DateTime<Utc>>,
    /// `live`, `expired` or `revoked`.
    state: &'static str,
}

impl From<TokenSummary> for Token {
    fn from(token: TokenSummary) -> Self {
        Self {
            id: token.id.0,
            name: token.name,
            profile: token.profile,
            scopes: token.scopes.split(',').map(str::to_owned).collect(),
            subject: token.subject.map(|subject| subject.to_string()),
            created: token.created,
            expires: token.expires,
            state: token.state.name(),
        }
    }
}

/// A token that is to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// What to call the client in lists and logs.
    name: String,
    /// How lenient the server is to it: a profile, `default` if it is missing.
    #[serde(default = "default_profile")]
    profile: String,
    /// What it may do.
    scopes: Vec<String>,
    /// The id of the user that it is about.
    subject: Option<String>,
    /// For how many seconds it counts; a year if it is missing.
    #[serde(default = "a_year")]
    lifetime_seconds: u32,
}

fn default_profile() -> String {
    "default".to_owned()
}

fn a_year() -> u32 {
    365 * 24 * 60 * 60
}

/// A token that was made.
#[derive(Serialize, JsonSchema)]
struct MadeToken {
    /// Its text, for the client's configuration.
    token: String,
}

async fn list(call: Call) -> Result<HttpResponse, Failure> {
    let tokens = call.app.access.tokens(call.context.caller.tenant, call.context.now).await?;
    answer(200, &Tokens { tokens: tokens.into_iter().map(Token::from).collect() })
}

async fn create(mut call: Call) -> Result<HttpResponse, Failure> {
    let wanted: NewToken = call.json().await?;
    let scopes = wanted.scopes.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>()?;
    if scopes.is_empty() {
        return Err(ScimError::value("scopes: a token needs at least one").into());
    }
    let client = NewClient {
        tenant: call.context.caller.tenant,
        name: wanted.name,
        profile: wanted.profile,
        scopes,
        subject: wanted.subject.map(ResourceId::from_text),
        lifetime: Some(TimeDelta::seconds(wanted.lifetime_seconds.into())),
    };
    let token = call.app.access.create_token(&client, call.context.now).await?;
    answer(201, &MadeToken { token: token.reveal().to_owned() })
}

async fn revoke(call: Call) -> Result<HttpResponse, Failure> {
    let unknown = || ScimError::new(ErrorKind::NotFound, "the tenant has no such token");
    let id = call.capture(0).parse().map(ClientId).map_err(|_| unknown())?;
    match call.app.access.revoke_token(call.context.caller.tenant, id, call.context.now).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(AccessError::Invalid(_)) => Err(unknown().into()),
        Err(error) => Err(error.into()),
    }
}
