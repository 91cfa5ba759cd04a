//! The token endpoint: client credentials for a token of an hour (RFC 6749 §4.4).
//!
//! Invariant: the secret of a client is a token of Muster's, and what comes for it allows no more and lasts no longer.

use schemars::JsonSchema;
use serde::Serialize;

use crate::access::AccessError;
use crate::http::api::{Anybody, Call, answer};
use crate::http::transmit::Done;
use crate::http::transmit::refusal::Refusal;

/// A token.
#[derive(Serialize, JsonSchema)]
pub(super) struct Token {
    access_token: String,
    token_type: &'static str,
    /// For how many seconds it counts.
    expires_in: i64,
    /// What it allows.
    scope: String,
}

pub(super) async fn token(mut call: Call<Anybody>) -> Done {
    let form = call.form().await?;
    let field = |name: &str| form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    // That a 400 of this operation is one sentence is the vendor's document.
    let bad = || Refusal::says(400, "Bad request");
    if field("grant_type") != Some("client_credentials") {
        return Err(bad());
    }
    let (client, secret) = field("client_id").zip(field("client_secret")).ok_or_else(bad)?;
    match call.app.access.exchange_token(client, secret, call.context.now).await {
        Ok(token) => Ok(answer(
            200,
            &Token {
                access_token: token.text.reveal().to_owned(),
                token_type: "Bearer",
                expires_in: token.lifetime.num_seconds(),
                scope: token.scopes.replace(',', " "),
            },
        )?),
        Err(AccessError::Refused(_)) => {
            Err(Refusal::says(401, "The client is unknown or its secret is wrong"))
        }
        Err(error) => Err(Refusal::Failure(error.into())),
    }
}
