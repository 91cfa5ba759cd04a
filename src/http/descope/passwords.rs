//! Passwords.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::api::Call;
use crate::http::descope::{Done, named, nothing, required};
use crate::identity::Draft;

/// A password.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Password {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    password: Option<String>,
}

/// Sets a password that counts.
pub(super) async fn set_active(call: Call) -> Done {
    set(call, false).await
}

/// Sets a password that has to be changed at the next login.
pub(super) async fn set_temporary(call: Call) -> Done {
    set(call, true).await
}

async fn set(mut call: Call, temporary: bool) -> Done {
    let Password { login_id, password } = call.json().await?;
    let user = named(&call, login_id.as_deref()).await?;
    let password = required("password", password.as_deref())?;
    let edit = |draft: &mut Draft<'_>| draft.set_password(password, temporary);
    call.app.identity.change(&call.context, user.id(), edit).await?;
    nothing()
}

/// Says that the password has to be changed at the next login.
pub(super) async fn expire(mut call: Call) -> Done {
    let Password { login_id, .. } = call.json().await?;
    let user = named(&call, login_id.as_deref()).await?;
    let edit = |draft: &mut Draft<'_>| draft.set_password_temporary(true);
    call.app.identity.change(&call.context, user.id(), edit).await?;
    nothing()
}
