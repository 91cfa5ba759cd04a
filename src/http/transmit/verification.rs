//! Verifying an address or number with a code or a link, for a user who is logged in and for the application's server.
//!
//! Invariant: both ways are one: they differ in where the user is named. A value that is verified in the tenant is not
//! verified again.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::contact::Primary;
use crate::http::api::Call;
use crate::http::transmit::Done;
use crate::http::transmit::refusal::{Refusal, noun};
use crate::http::transmit::says;
use crate::identity::{Answer, Complete, Delivery, Draft, Error, Method, Start};
use crate::message::Wording;
use crate::scim::schema::ContactKind;

/// The longest text of a message to a phone, the longest name of a sender, and the longest logo.
const TEXT_LIMIT: usize = 140;
const SENDER_LIMIT: usize = 11;
const LOGO_LIMIT: usize = 20_000;

/// What an e-mail says; what is missing is not said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
struct Content {
    subject: String,
    header_text: String,
    body_text: String,
    link_text: String,
    info_text: String,
    footer_text: String,
    base64logo: String,
}

impl Content {
    fn wording(&self, placeholder: &str) -> Result<Wording, Refusal> {
        if self.subject.trim().is_empty() || self.subject.contains(char::is_control) {
            return Err(Refusal::bad("email_content.subject must be a line of text"));
        }
        if self.base64logo.len() > LOGO_LIMIT {
            let reason = format!("email_content.base64logo must be at most {LOGO_LIMIT} characters long");
            return Err(Refusal::bad(reason));
        }
        let parts = [
            &self.header_text,
            &self.body_text,
            &self.link_text,
            placeholder,
            &self.info_text,
            &self.footer_text,
        ];
        let said: Vec<&str> =
            parts.into_iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        Ok(Wording { subject: self.subject.clone(), text: said.join("\n\n") + "\n", html: None })
    }
}

/// An e-mail that is to be sent.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SendEmail {
    #[serde(alias = "email_address")]
    email: String,
    email_content: Option<Content>,
    /// `otp` or `link`, where the server asks.
    method: Option<String>,
    /// Where the browser goes when the link was opened.
    redirect_uri: Option<String>,
    /// Whether the address becomes primary even if the user has a verified one.
    update_primary: Option<bool>,
}

/// A text that is to be sent to a phone.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SendSms {
    phone_number: String,
    /// What it says, with {otp} and {app} in it.
    custom_message: Option<String>,
    sender_id: Option<String>,
}

/// A code that came back.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ValidateEmail {
    email: String,
    passcode: String,
    /// Whether the address becomes primary even if the user has a verified one.
    update_primary: Option<bool>,
}

/// A code that came back.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ValidateSms {
    phone_number: String,
    passcode: String,
    /// Whether the number becomes primary even if the user has a verified one.
    update_primary: Option<bool>,
}

/// The user whom a request is about: the one in its path, or the one who makes it.
fn about(call: &Call) -> Result<String, Refusal> {
    match call.capture(0) {
        "" => Ok(call.subject()?.to_owned()),
        id => Ok(id.to_owned()),
    }
}

fn promotes(update_primary: Option<bool>) -> Primary {
    if update_primary == Some(true) { Primary::Yes } else { Primary::UnlessVerified }
}

pub(super) async fn send_link(mut call: Call) -> Done {
    let send: SendEmail = call.json().await?;
    email_link(&call, send).await
}

pub(super) async fn send_email_code(mut call: Call) -> Done {
    let send: SendEmail = call.json().await?;
    email_code(&call, send).await
}

/// The server says which of the two.
pub(super) async fn send_email(mut call: Call) -> Done {
    let send: SendEmail = call.json().await?;
    match send.method.as_deref() {
        Some("otp") => email_code(&call, send).await,
        Some("link") => email_link(&call, send).await,
        _ => Err(Refusal::bad("method must be one of otp, link")),
    }
}

async fn email_link(call: &Call, send: SendEmail) -> Done {
    let redirect = send.redirect_uri.ok_or_else(|| Refusal::bad("redirect_uri should not be empty"))?;
    let wording = send.email_content.map(|content| content.wording("{link}")).transpose()?;
    let method = Method::Link { base: call.base()?, redirect: Some(redirect) };
    start(call, ContactKind::Email, send.email, method, promotes(send.update_primary), wording).await?;
    says(200, "Verification email sent")
}

async fn email_code(call: &Call, send: SendEmail) -> Done {
    let wording = send.email_content.map(|content| content.wording("{code}")).transpose()?;
    start(call, ContactKind::Email, send.email, Method::DIGITS, Primary::UnlessVerified, wording).await?;
    says(200, "Email sent successfully")
}

pub(super) async fn send_sms(mut call: Call) -> Done {
    let send: SendSms = call.json().await?;
    if send.sender_id.is_some_and(|sender| sender.chars().count() > SENDER_LIMIT) {
        let reason = format!("sender_id must be shorter than or equal to {SENDER_LIMIT} characters");
        return Err(Refusal::bad(reason));
    }
    let wording = match send.custom_message {
        None => None,
        Some(text) => {
            if text.chars().count() > TEXT_LIMIT || !text.contains("{otp}") || !text.contains("{app}") {
                let reason = format!(
                    "custom_message must have {{otp}} and {{app}} in it and at most {TEXT_LIMIT} characters"
                );
                return Err(Refusal::bad(reason));
            }
            let text = text.replace("{otp}", "{code}").replace("{app}", &call.context.caller.tenant_name);
            Some(Wording { subject: String::new(), text, html: None })
        }
    };
    let (kind, primary) = (ContactKind::Phone, Primary::UnlessVerified);
    start(&call, kind, send.phone_number, Method::DIGITS, primary, wording).await?;
    says(200, "SMS sent")
}

async fn start(
    call: &Call,
    kind: ContactKind,
    value: String,
    method: Method,
    primary: Primary,
    wording: Option<Wording>,
) -> Result<(), Refusal> {
    let (user, identity, cx) = (about(call)?, &call.app.identity, &call.context);
    // Nobody is left out: the user's own verified value is not verified again either.
    if identity.is_verified_elsewhere(cx, "", kind, &value).await? {
        return Err(Refusal::verified(kind));
    }
    let (value, delivery, lifetime) = (Some(value), Delivery::Send, None);
    let start = Start { kind, value, pending: true, method, delivery, lifetime, primary, wording };
    identity.change(cx, &user, |draft: &mut Draft<'_>| draft.start(&start)).await?;
    Ok(())
}

pub(super) async fn validate_email(mut call: Call) -> Done {
    let ValidateEmail { email, passcode, update_primary } = call.json().await?;
    validate(&call, ContactKind::Email, email, passcode, update_primary).await
}

pub(super) async fn validate_sms(mut call: Call) -> Done {
    let ValidateSms { phone_number, passcode, update_primary } = call.json().await?;
    validate(&call, ContactKind::Phone, phone_number, passcode, update_primary).await
}

async fn validate(
    call: &Call,
    kind: ContactKind,
    value: String,
    passcode: String,
    update_primary: Option<bool>,
) -> Done {
    let (user, identity, cx) = (about(call)?, &call.app.identity, &call.context);
    if identity.is_verified_elsewhere(cx, &user, kind, &value).await? {
        return Err(Refusal::verified(kind));
    }
    let primary = Some(promotes(update_primary));
    let complete = Complete { kind, value: Some(value), answer: Answer::Code(passcode), primary };
    match identity.complete(cx, &user, &complete).await {
        Ok(_) => super::result(200, true),
        Err(Error::CodeExpired) => Err(Refusal::code("Passcode expired", "expired_otp")),
        Err(Error::NoChallenge | Error::CodeInvalid | Error::TooManyAttempts) => {
            let message = format!("Invalid {} or passcode", noun(kind).to_lowercase());
            Err(Refusal::code(&message, "invalid_otp"))
        }
        Err(Error::Taken(_)) => Err(Refusal::verified(kind)),
        Err(other) => Err(other.into()),
    }
}
