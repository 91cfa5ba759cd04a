//! E-mail addresses and phone numbers: added, removed, made primary, and said to be verified or not.
//!
//! Invariant: both kinds are one; a path names an identifier by its id, which is one of the user's and of that kind, or the
//! answer is 404 and nothing changed.

use actix_web::HttpResponse;
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contact::{Add, Primary, Select, Source, Truth};
use crate::http::api::{Call, answer};
use crate::http::monocloud::view::seconds;
use crate::http::monocloud::{Done, change, message, required};
use crate::identity::{Delivery, Draft, Error, Method, Start};
use crate::scim::schema::ContactKind;

/// An e-mail address that is to be added.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewEmail {
    /// The address.
    email: Option<String>,
    /// Whether it is known to be the user's.
    is_verified: Option<bool>,
}

/// A phone number that is to be added.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewPhone {
    /// The number, with + and its country code.
    phone_number: Option<String>,
    /// Whether it is known to be the user's.
    is_verified: Option<bool>,
}

/// A link that is to be sent.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AskForLink {
    /// For how many seconds it counts.
    expiry: Option<i64>,
}

/// A link that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Sent {
    /// When it ends.
    expires_at: i64,
    /// Whether a message goes out.
    email_sent: bool,
}

/// An identifier that is to be added; the first of its kind becomes primary.
pub(super) fn new(kind: ContactKind, value: String, verified: Option<bool>) -> Add {
    let truth = if verified == Some(true) { Truth::Verified(Source::Admin) } else { Truth::Unverified };
    Add { kind, value, label: None, truth, primary: Primary::Auto }
}

pub(super) async fn add_email(mut call: Call) -> Done {
    let NewEmail { email, is_verified } = message(&mut call).await?;
    add(&call, &new(ContactKind::Email, required("email", email)?, is_verified)).await
}

pub(super) async fn add_phone(mut call: Call) -> Done {
    let NewPhone { phone_number, is_verified } = message(&mut call).await?;
    add(&call, &new(ContactKind::Phone, required("phone_number", phone_number)?, is_verified)).await
}

async fn add(call: &Call, add: &Add) -> Done {
    change(call, |draft| {
        let now = draft.now();
        Ok(draft.contacts_mut().add(add, now).map(drop)?)
    })
    .await
}

/// The identifier that the path names.
fn named(call: &Call) -> Select {
    Select::Id(call.capture(1).to_owned())
}

/// Removes it; of the others the one that was verified first becomes primary, else the oldest.
pub(super) async fn remove(call: Call, kind: ContactKind) -> Done {
    change(&call, |draft| Ok(draft.contacts_mut().remove(kind, &named(&call), true).map(drop)?)).await
}

pub(super) async fn make_primary(call: Call, kind: ContactKind) -> Done {
    change(&call, |draft| Ok(draft.contacts_mut().make_primary(kind, &named(&call)).map(drop)?)).await
}

pub(super) async fn verify(call: Call, kind: ContactKind) -> Done {
    set_verified(&call, kind, Some(Source::Admin)).await
}

pub(super) async fn unverify(call: Call, kind: ContactKind) -> Done {
    set_verified(&call, kind, None).await
}

async fn set_verified(call: &Call, kind: ContactKind, verified: Option<Source>) -> Done {
    change(call, |draft| {
        let (now, verified) = (draft.now(), verified.clone());
        Ok(draft.contacts_mut().set_verified(kind, &named(call), verified, false, now).map(drop)?)
    })
    .await
}

/// Sends a link to an address, which is verified when somebody opens it.
pub(super) async fn send_link(mut call: Call) -> Done {
    let AskForLink { expiry } = message(&mut call).await?;
    let lifetime = expiry.map(|seconds| TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX));
    let method = Method::Link { base: call.base()?, redirect: None };
    let kind = ContactKind::Email;
    let command = |draft: &mut Draft<'_>| {
        let contact = draft.user().contacts().find(kind, &named(&call)).ok_or(Error::NoContact(kind))?;
        let value = Some(contact.shown().to_owned());
        draft.start(&Start {
            kind,
            value,
            pending: false,
            method: method.clone(),
            delivery: Delivery::Send,
            lifetime,
            primary: Primary::Auto,
            wording: None,
        })
    };
    let (_, started) = call.app.identity.change(&call.context, call.capture(0), command).await?;
    let sent = Sent { expires_at: seconds(started.expires), email_sent: started.sent };
    let answered: HttpResponse = answer(200, &sent)?;
    Ok(answered)
}
