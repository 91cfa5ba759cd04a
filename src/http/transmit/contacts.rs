//! Marking an address or number as verified, and removing a secondary one.
//!
//! Invariant: what is named in the path is on the user's profile, or the answer is 404 and nothing changed.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::contact::{Select, Source};
use crate::http::api::Call;
use crate::http::transmit::Done;
use crate::identity::Draft;
use crate::scim::schema::ContactKind;

/// How a value is marked as verified.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Mark {
    /// Whether it becomes primary too; the one before stays as a secondary one.
    change_to_primary: Option<bool>,
}

pub(super) async fn verify_email(call: Call) -> Done {
    verify(call, ContactKind::Email).await
}

pub(super) async fn verify_phone(call: Call) -> Done {
    verify(call, ContactKind::Phone).await
}

async fn verify(mut call: Call, kind: ContactKind) -> Done {
    let mark: Mark = call.json_if_any().await?;
    let then_primary = mark.change_to_primary == Some(true);
    let value = call.capture(1).to_owned();
    let change = |draft: &mut Draft<'_>| {
        let now = draft.now();
        let select = Select::Value(value.clone());
        Ok(draft.contacts_mut().set_verified(kind, &select, Some(Source::Admin), then_primary, now)?)
    };
    call.app.identity.change(&call.context, call.capture(0), change).await?;
    Ok(HttpResponse::Accepted().finish())
}

pub(super) async fn remove_email(call: Call) -> Done {
    remove(call, ContactKind::Email).await
}

pub(super) async fn remove_phone(call: Call) -> Done {
    remove(call, ContactKind::Phone).await
}

async fn remove(call: Call, kind: ContactKind) -> Done {
    let value = call.capture(1).to_owned();
    let change = |draft: &mut Draft<'_>| {
        Ok(draft.contacts_mut().remove(kind, &Select::Value(value.clone()), false)?)
    };
    call.app.identity.change(&call.context, call.capture(0), change).await?;
    Ok(HttpResponse::NoContent().finish())
}
