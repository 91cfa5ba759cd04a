//! Changing one thing of a user: address, number, those for recovery, a name to log in by.
//!
//! Invariant: an address or number by which another user logs in is a conflict, whoever is updated; the other user goes only
//! if neither the request nor the tenant forbids it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::api::Call;
use crate::http::descope::profile::{set_contact, set_recovery, truth};
use crate::http::descope::{Done, named, one, required};
use crate::identity::{Claim, Draft};
use crate::scim::schema::ContactKind;

/// An address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateEmail {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    /// The address; none takes it away.
    email: Option<String>,
    /// Whether the user may log in by it.
    verified: Option<bool>,
    /// Whether it is refused if another user logs in by it, who else may be merged into this one.
    fail_on_conflict: Option<bool>,
}

/// A number.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdatePhone {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    /// The number; none takes it away.
    phone: Option<String>,
    /// Whether the user may log in by it.
    verified: Option<bool>,
    /// Whether it is refused if another user logs in by it, who else may be merged into this one.
    fail_on_conflict: Option<bool>,
}

pub(super) async fn update_email(mut call: Call) -> Done {
    let UpdateEmail { login_id, email, verified, fail_on_conflict } = call.json().await?;
    update(&call, ContactKind::Email, (login_id, email), verified, fail_on_conflict).await
}

pub(super) async fn update_phone(mut call: Call) -> Done {
    let UpdatePhone { login_id, phone, verified, fail_on_conflict } = call.json().await?;
    update(&call, ContactKind::Phone, (login_id, phone), verified, fail_on_conflict).await
}

async fn update(
    call: &Call,
    kind: ContactKind,
    (login_id, value): (Option<String>, Option<String>),
    verified: Option<bool>,
    fail_on_conflict: Option<bool>,
) -> Done {
    let user = named(call, login_id.as_deref()).await?;
    let (value, verified) = (value.unwrap_or_default(), verified == Some(true));
    let edit = |draft: &mut Draft<'_>| set_contact(draft, kind, &value, truth(verified));
    let identity = &call.app.identity;
    let (user, ()) = match value.is_empty() {
        true => identity.change(&call.context, user.id(), edit).await?,
        false => {
            let may_merge = fail_on_conflict != Some(true);
            let claim = Claim { kind, value: &value, verified, may_merge };
            identity.claim(&call.context, user.id(), claim, edit).await?
        }
    };
    one(&user, false)
}

/// An address for the recovery of an account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateRecoveryEmail {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    /// The address; none takes it away.
    recovery_email: Option<String>,
    verified: Option<bool>,
}

/// A number for the recovery of an account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateRecoveryPhone {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    /// The number; none takes it away.
    recovery_phone: Option<String>,
    verified: Option<bool>,
}

pub(super) async fn update_recovery_email(mut call: Call) -> Done {
    let UpdateRecoveryEmail { login_id, recovery_email, verified } = call.json().await?;
    update_recovery(&call, ContactKind::Email, (login_id, recovery_email), verified).await
}

pub(super) async fn update_recovery_phone(mut call: Call) -> Done {
    let UpdateRecoveryPhone { login_id, recovery_phone, verified } = call.json().await?;
    update_recovery(&call, ContactKind::Phone, (login_id, recovery_phone), verified).await
}

async fn update_recovery(
    call: &Call,
    kind: ContactKind,
    (login_id, value): (Option<String>, Option<String>),
    verified: Option<bool>,
) -> Done {
    let user = named(call, login_id.as_deref()).await?;
    let value = value.unwrap_or_default();
    let edit = |draft: &mut Draft<'_>| set_recovery(draft, kind, &value, verified == Some(true));
    let (user, ()) = call.app.identity.change(&call.context, user.id(), edit).await?;
    one(&user, false)
}

/// A name to log in by, and the one in its place.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateLoginId {
    /// The name that is to change.
    login_id: Option<String>,
    /// The one in its place; none takes it away.
    new_login_id: Option<String>,
}

pub(super) async fn update_login_id(mut call: Call) -> Done {
    let UpdateLoginId { login_id, new_login_id } = call.json().await?;
    let user = named(&call, login_id.as_deref()).await?;
    let old = required("loginId", login_id.as_deref())?;
    let new = new_login_id.as_deref().filter(|new| !new.is_empty());
    let edit = |draft: &mut Draft<'_>| draft.replace_login_name(old, new);
    let (user, ()) = call.app.identity.change(&call.context, user.id(), edit).await?;
    one(&user, false)
}
