//! Passwords: set, changed, taken away, and whether one has to be changed at the next login.
//!
//! Invariant: a password comes in clear, or as the hash that another system made of it, where the tenant takes hashes.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::api::Call;
use crate::http::monocloud::refusal::Refusal;
use crate::http::monocloud::{Done, change, message, required, whole};
use crate::identity::{Draft, Error};

/// A password that is to be set.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewPassword {
    password: Option<String>,
    /// The hash of the password, in its place; its beginning says the algorithm.
    password_hash: Option<String>,
    /// Whether it has to be changed at the next login.
    is_temporary_password: Option<bool>,
}

/// A password in the place of one that the user knows.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ChangePassword {
    old_password: Option<String>,
    new_password: Option<String>,
}

/// A password as it is given.
pub(super) enum Given {
    Clear(String),
    Hash(String),
}

impl Given {
    /// The one of the two that is there, if any is.
    pub(super) fn of(password: Option<String>, hash: Option<String>) -> Result<Option<Self>, Refusal> {
        match (password, hash) {
            (Some(_), Some(_)) => {
                let reason = "The password_hash field excludes the password field.";
                Err(Refusal::Field("password_hash".into(), reason.into()))
            }
            (clear, hash) => Ok(clear.map(Self::Clear).or(hash.map(Self::Hash))),
        }
    }

    /// Puts it into a user.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, temporary: Option<bool>) -> Result<(), Error> {
        let temporary = temporary.unwrap_or(false);
        match self {
            Self::Clear(password) => draft.set_password(password, temporary),
            Self::Hash(hash) => draft.set_password_hash(hash, temporary),
        }
    }
}

pub(super) async fn set(mut call: Call) -> Done {
    let NewPassword { password, password_hash, is_temporary_password } = message(&mut call).await?;
    let given = required("password", Given::of(password, password_hash)?)?;
    change(&call, |draft| given.apply(draft, is_temporary_password)).await
}

pub(super) async fn change_own(mut call: Call) -> Done {
    let ChangePassword { old_password, new_password } = message(&mut call).await?;
    let (old, new) = (required("old_password", old_password)?, required("new_password", new_password)?);
    let user = call.app.identity.change_password(&call.context, call.capture(0), &old, &new).await?;
    whole(200, &user)
}

pub(super) async fn remove(call: Call) -> Done {
    let command = |draft: &mut Draft<'_>| match draft.user().has_password() {
        true => {
            draft.remove_password();
            Ok(())
        }
        false => Err(Error::NoPassword),
    };
    call.app.identity.change(&call.context, call.capture(0), command).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Says whether the password has to be changed at the next login.
pub(super) async fn force_reset(call: Call, temporary: bool) -> Done {
    change(&call, |draft| draft.set_password_temporary(temporary)).await
}
