//! Passwords: a first one, a new one, and one's own.
//!
//! Invariant: a password that somebody else sets is temporary unless the request says otherwise.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::api::Call;
use crate::http::transmit::refusal::Refusal;
use crate::http::transmit::{Done, result};
use crate::identity::{Draft, Error};
use crate::scim::schema::ContactKind;

/// What is said of a name that is another user's.
const TAKEN: &str = "username is already taken";

/// A password.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Password {
    password: String,
    /// Whether it has to be changed at the next login; yes if it is missing.
    force_replace: Option<bool>,
    /// The name to log in by; a verified e-mail address if it is missing.
    username: Option<String>,
}

/// What becomes of a password that is there, and of one that is not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    First,
    Next,
}

pub(super) async fn add(mut call: Call) -> Done {
    let password = call.json().await?;
    set(&call, call.capture(0), &password, Kind::First).await.map_err(refused)?;
    registered(201)
}

pub(super) async fn update(mut call: Call) -> Done {
    let password = Password { username: None, ..call.json().await? };
    set(&call, call.capture(0), &password, Kind::Next).await.map_err(refused)?;
    registered(200)
}

/// A user's own first password, which is not temporary.
pub(super) async fn register_own(mut call: Call) -> Done {
    let password: Password = call.json().await?;
    let password = Password { force_replace: Some(false), ..password };
    match set(&call, call.subject()?, &password, Kind::First).await {
        Err(Error::HasPassword) => Err(Refusal::says(403, "The user has a password already")),
        Err(Error::Taken(_)) => Err(Refusal::bad(TAKEN)),
        Err(error) => Err(error.into()),
        Ok(()) => registered(200),
    }
}

fn registered(status: u16) -> Done {
    result(status, serde_json::json!({"message": "Password registered"}))
}

async fn set(call: &Call, user: &str, password: &Password, kind: Kind) -> Result<(), Error> {
    let change = |draft: &mut Draft<'_>| {
        match kind {
            Kind::First if draft.user().has_password() => return Err(Error::HasPassword),
            Kind::Next if !draft.user().has_password() => return Err(Error::NoPassword),
            Kind::First | Kind::Next => {}
        }
        let address = || {
            let primary = draft.user().primary(ContactKind::Email)?;
            let is_due = draft.user().user_name().is_none() && primary.verified.is_some();
            (kind == Kind::First && is_due).then(|| primary.shown().to_owned())
        };
        if let Some(name) = password.username.clone().or_else(address) {
            draft.set_user_name(Some(&name))?;
        }
        draft.set_password(&password.password, password.force_replace.unwrap_or(true))
    };
    call.app.identity.change(&call.context, user, change).await.map(drop)
}

fn refused(error: Error) -> Refusal {
    match error {
        Error::NoUser => Refusal::password(404, "User not found", "user_not_found"),
        Error::HasPassword => Refusal::password(
            409,
            "Password already configured for this user",
            "auth_password_already_configured",
        ),
        // The vendor has the same word for the opposite.
        Error::NoPassword => Refusal::password(
            409,
            "Password not configured for this user",
            "auth_password_already_configured",
        ),
        Error::Invalid { reason, .. } => Refusal::password(400, &reason, "system_invalid_input"),
        // The vendor's 409 means something else here.
        Error::Taken(_) => Refusal::password(400, TAKEN, "system_invalid_input"),
        other => other.into(),
    }
}
