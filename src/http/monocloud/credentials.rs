//! Passwords: set, changed, taken away, and whether one has to be changed at the next login.
//!
//! Invariant: a password comes in clear; a hash that another system made is refused.

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
    /// Not taken.
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

/// Refuses a hash, which says nothing to Muster.
pub(super) fn check_no_hash(hash: Option<&String>) -> Result<(), Refusal> {
    match hash {
        None => Ok(()),
        Some(_) => {
            let reason = "Muster hashes passwords itself; send the password.";
            Err(Refusal::Field("password_hash".into(), reason.into()))
        }
    }
}

pub(super) async fn set(mut call: Call) -> Done {
    let NewPassword { password, password_hash, is_temporary_password } = message(&mut call).await?;
    check_no_hash(password_hash.as_ref())?;
    let password = required("password", password)?;
    change(&call, |draft| draft.set_password(&password, is_temporary_password.unwrap_or(false))).await
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
