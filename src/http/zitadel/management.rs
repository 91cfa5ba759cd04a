//! The first version's operations on a user's phone number and e-mail address, under `/management/v1`.
//!
//! Invariant: they answer as the second version's do but for what is written here: other limits, other ids, and a value
//! that is set again may be said to be verified.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contact::Select;
use crate::http::api::Call;
use crate::http::zitadel::contacts::{
    Command, EMAIL, Of, PHONE, VALUE_LIMIT, begin, check_initialised, set_primary,
};
use crate::http::zitadel::message::{Choice, Details, Done, Empty, check_length};
use crate::http::zitadel::refusal::{Code, Refusal};
use crate::identity::{Draft, Error, Outcome, User};
use crate::scim::schema::ContactKind;

/// The longest phone number.
const PHONE_LIMIT: usize = 50;
/// The longest id of a user.
const ID_LIMIT: usize = 200;

/// A phone number.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Phone {
    /// The number, with its country code.
    phone: String,
    /// Whether it is verified.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_phone_verified: bool,
}

/// An e-mail address.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Email {
    /// The address.
    email: String,
    /// Whether it is verified.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_email_verified: bool,
}

/// A user's phone number.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HasPhone {
    details: Details,
    phone: Phone,
}

/// A user's e-mail address.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HasEmail {
    details: Details,
    email: Email,
}

fn refuse<T>(code: Code, text: &'static str, id: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Known(code, text, id))
}

async fn user(call: &Call) -> Result<User, Refusal> {
    Ok(call.app.identity.user(&call.context, call.capture(0)).await?)
}

pub(super) async fn get_phone(call: &Call, _: Empty) -> Result<HasPhone, Refusal> {
    let user = user(call).await?;
    let Some(contact) = user.primary(ContactKind::Phone) else {
        return refuse(Code::NotFound, "Phone not found", "MUSTER-Ph1Nf");
    };
    let (phone, is_phone_verified) = (contact.shown().to_owned(), contact.verified.is_some());
    Ok(HasPhone { details: Details::read(&call.context, &user), phone: Phone { phone, is_phone_verified } })
}

pub(super) async fn get_email(call: &Call, _: Empty) -> Result<HasEmail, Refusal> {
    let user = user(call).await?;
    let Some(contact) = user.primary(ContactKind::Email) else {
        return refuse(Code::NotFound, "Email not found", "MUSTER-Em1Nf");
    };
    let (email, is_email_verified) = (contact.shown().to_owned(), contact.verified.is_some());
    Ok(HasEmail { details: Details::read(&call.context, &user), email: Email { email, is_email_verified } })
}

pub(super) async fn set_phone(call: &Call, request: Phone) -> Result<Done, Refusal> {
    let message = "UpdateHumanPhoneRequest";
    check_length(&format!("{message}.UserId"), call.capture(0), ID_LIMIT)?;
    let field = format!("{message}.Phone");
    check_length(&field, &request.phone, PHONE_LIMIT)?;
    if !request.phone.starts_with('+') {
        return Err(Refusal::field(&field, "value does not have prefix \"+\""));
    }
    set(call, &PHONE, &request.phone, request.is_phone_verified).await
}

pub(super) async fn set_email(call: &Call, request: Email) -> Result<Done, Refusal> {
    let message = "UpdateHumanEmailRequest";
    check_length(&format!("{message}.UserId"), call.capture(0), ID_LIMIT)?;
    check_length(&format!("{message}.Email"), &request.email, VALUE_LIMIT)?;
    set(call, &EMAIL, &request.email, request.is_email_verified).await
}

async fn set(call: &Call, of: &Of, value: &str, verified: bool) -> Result<Done, Refusal> {
    of.check_one(call, value)?;
    let start = of.start(call, &Choice::Send(None))?;
    let is_email = of.kind == ContactKind::Email;
    let command = |draft: &mut Draft<'_>| -> Command<()> {
        if is_email && let Err(refusal) = check_initialised(draft, "COMMAND-J8dsk") {
            return Ok(Err(refusal));
        }
        let before = draft.user().primary(of.kind).and_then(|contact| contact.verified.clone());
        match set_primary(draft, of.kind, value, verified, !verified || before.is_some())? {
            Outcome::Unchanged if is_email => Ok(Err(of.not_changed("COMMAND-2b7fM"))),
            Outcome::Unchanged => Ok(Err(of.not_changed("COMMAND-wF94r"))),
            Outcome::Changed if verified => Ok(Ok(())),
            Outcome::Changed => {
                begin(draft, &start)?;
                Ok(Ok(()))
            }
        }
    };
    let changed = call.app.identity.change(&call.context, call.capture(0), command).await;
    let (user, done) = changed.map_err(|error| match error {
        Error::NoUser => no_user(of),
        other => of.refused(other),
    })?;
    done?;
    Ok(Done { details: Details::changed(&call.context, &user) })
}

/// The user is not there, or is another organisation's.
fn no_user(of: &Of) -> Refusal {
    match of.kind {
        ContactKind::Phone => {
            Refusal::Known(Code::FailedPrecondition, "User could not be found", "COMMAND-3M0fs")
        }
        ContactKind::Email => Refusal::Known(Code::FailedPrecondition, "Email not found", "COMMAND-0Pe4r"),
    }
}

pub(super) async fn resend_phone(call: &Call, _: Empty) -> Result<Done, Refusal> {
    let missing = Refusal::Known(Code::NotFound, "Phone not found", "COMMAND-2b7Hf");
    let verified = Refusal::Known(Code::FailedPrecondition, "Phone already verified", "COMMAND-2M9sf");
    resend(call, &PHONE, missing, verified).await
}

pub(super) async fn resend_email(call: &Call, _: Empty) -> Result<Done, Refusal> {
    let verified = Refusal::Known(Code::FailedPrecondition, "Email is already verified", "COMMAND-3M9ds");
    resend(call, &EMAIL, no_user(&EMAIL), verified).await
}

async fn resend(call: &Call, of: &Of, missing: Refusal, verified: Refusal) -> Result<Done, Refusal> {
    let start = of.start(call, &Choice::Send(None))?;
    let command = |draft: &mut Draft<'_>| {
        let primary = draft.user().primary(of.kind).ok_or(Error::NoContact(of.kind))?;
        if primary.verified.is_some() {
            return Ok(false);
        }
        begin(draft, &start).map(|_| true)
    };
    let changed = call.app.identity.change(&call.context, call.capture(0), command).await;
    match changed {
        Ok((user, true)) => Ok(Done { details: Details::changed(&call.context, &user) }),
        Ok((_, false)) => Err(verified),
        Err(Error::NoUser | Error::NoContact(_)) => Err(missing),
        Err(other) => Err(of.refused(other)),
    }
}

pub(super) async fn remove_phone(call: &Call, _: Empty) -> Result<Done, Refusal> {
    let command = |draft: &mut Draft<'_>| {
        Ok(draft.contacts_mut().remove(ContactKind::Phone, &Select::Primary, true)?)
    };
    match call.app.identity.change(&call.context, call.capture(0), command).await {
        Ok((user, _)) => Ok(Done { details: Details::changed(&call.context, &user) }),
        Err(Error::NoUser | Error::NoContact(_)) => {
            refuse(Code::NotFound, "Phone not found", "COMMAND-p6rsc")
        }
        Err(other) => Err(PHONE.refused(other)),
    }
}
