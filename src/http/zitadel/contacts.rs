//! The second version's operations on a user's phone number and e-mail address.
//!
//! Invariant: what differs between the two is in [`Of`]; a user may do to himself what neither shows a code nor says that
//! a value is verified.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::contact::{Demotion, Primary, Select, SetPrimary, Source, Truth, address, number};
use crate::context::Permission;
use crate::http::api::Call;
use crate::http::zitadel::About;
use crate::http::zitadel::message::{Choice, Details, Done, DoneWithCode, Verification, check_length};
use crate::http::zitadel::refusal::{Code, Refusal};
use crate::identity::{Answer, Complete, Delivery, Draft, Error, Method, Outcome, Start, Started, State};
use crate::message::Wording;
use crate::scim::schema::ContactKind;

/// A code: six capital letters and digits, which count for an hour.
const METHOD: Method = Method::Code("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 6);
const LIFETIME: TimeDelta = TimeDelta::hours(1);
/// The longest link in an e-mail, the longest address or number, and the longest code.
const URL_LIMIT: usize = 200;
pub(super) const VALUE_LIMIT: usize = 200;
const CODE_LIMIT: usize = 20;
/// Where the user's id goes in a link. A user who is only being made has none yet, so it is put in last.
const USER_ID: &str = "{{.UserID}}";

/// What is said of a kind of contact.
pub(super) struct Of {
    pub(super) kind: ContactKind,
    /// The name of the field.
    field: &'static str,
    invalid: (&'static str, &'static str),
    not_changed: &'static str,
    not_found: &'static str,
    /// When a code is sent again that was never sent.
    no_code: &'static str,
}

pub(super) const PHONE: Of = Of {
    kind: ContactKind::Phone,
    field: "Phone",
    invalid: ("Phone is invalid", "PHONE-so0wa"),
    not_changed: "Phone not changed",
    not_found: "Phone not found",
    no_code: "PHONE-5xrra88eq8",
};

pub(super) const EMAIL: Of = Of {
    kind: ContactKind::Email,
    field: "Email",
    invalid: ("Email is invalid", "EMAIL-599BI"),
    not_changed: "Email not changed",
    not_found: "Email not found",
    no_code: "EMAIL-5w5ilin4yt",
};

impl Of {
    /// The user is not there, or has none.
    fn missing(&self) -> Refusal {
        Refusal::Known(Code::NotFound, self.not_found, "COMMAND-ieJ2e")
    }

    pub(super) fn not_changed(&self, id: &'static str) -> Refusal {
        Refusal::Known(Code::FailedPrecondition, self.not_changed, id)
    }

    /// What an error of the domain is here.
    pub(super) fn refused(&self, error: Error) -> Refusal {
        match error {
            Error::NoUser | Error::NoContact(_) => self.missing(),
            Error::NotOne(_) => Refusal::Known(Code::InvalidArgument, self.invalid.0, self.invalid.1),
            Error::NoChallenge => Refusal::Known(Code::FailedPrecondition, "Code is empty", self.no_code),
            other => other.into(),
        }
    }

    /// Refuses what the rules of a field do not admit, before anything is looked up.
    pub(super) fn check_value(&self, message: &str, value: &str) -> Result<(), Refusal> {
        let field = format!("{message}.{}", self.field);
        check_length(&field, value, VALUE_LIMIT)?;
        if self.kind == ContactKind::Email && address(value).is_none() {
            return Err(Refusal::field(&field, "value must be a valid email address"));
        }
        Ok(())
    }

    /// Refuses what is no address or number, before anything is looked up.
    pub(super) fn check_one(&self, call: &Call, value: &str) -> Result<(), Refusal> {
        let is_one = match self.kind {
            ContactKind::Email => address(value).is_some(),
            ContactKind::Phone => number(value, call.context.caller.profile.contacts.region).is_some(),
        };
        if is_one { Ok(()) } else { Err(self.refused(Error::NotOne(self.kind))) }
    }

    /// What [`begin`]s the verification of the primary value.
    pub(super) fn start(&self, call: &Call, choice: &Choice) -> Result<Start, Refusal> {
        let (delivery, wording) = match choice {
            Choice::Send(Some(template)) => (Delivery::Send, Some(wording(call, template)?)),
            Choice::Send(None) => (Delivery::Send, None),
            Choice::Return | Choice::Verified => (Delivery::Return, None),
        };
        let (kind, method, lifetime) = (self.kind, METHOD, Some(LIFETIME));
        let (value, pending, primary) = (None, false, Primary::Auto);
        Ok(Start { kind, value, pending, method, delivery, lifetime, primary, wording })
    }
}

/// Begins a verification, with the user's id where the link in the e-mail has it.
pub(super) fn begin(draft: &mut Draft<'_>, start: &Start) -> Result<Started, Error> {
    let start = named(draft, start);
    draft.start(&start)
}

fn named(draft: &Draft<'_>, start: &Start) -> Start {
    let id = draft.user().id();
    let wording =
        start.wording.clone().map(|words| Wording { text: words.text.replace(USER_ID, id), ..words });
    Start { wording, ..start.clone() }
}

/// The words of an e-mail with a link of this form in it.
fn wording(call: &Call, template: &str) -> Result<Wording, Refusal> {
    check_length("SendEmailVerificationCode.UrlTemplate", template, URL_LIMIT)?;
    let organisation = call.context.caller.tenant.to_string();
    let url = template.replace("{{.OrgID}}", &organisation).replace("{{.Code}}", "{code}");
    let rest = url.replace(USER_ID, "");
    if rest.contains("{{") || rest.contains("}}") {
        let text = "User URL Template is invalid";
        return Err(Refusal::Known(Code::InvalidArgument, text, "DOMAIN-oGh5e"));
    }
    let subject = "Verify your e-mail address".to_owned();
    let text = format!("Open this link to verify your e-mail address:\n\n{url}\n\nYour code is {{code}}.\n");
    Ok(Wording { subject, text, html: None })
}

/// A command that is done, or a refusal that left everything as it was.
pub(super) type Command<T> = Result<Result<T, Refusal>, Error>;

/// Refuses users who were not there yet.
pub(super) fn check_initialised(draft: &Draft<'_>, id: &'static str) -> Result<(), Refusal> {
    match draft.user().state() {
        State::Pending => Err(Refusal::Known(Code::FailedPrecondition, "User is not yet initialized", id)),
        State::Active | State::Suspended => Ok(()),
    }
}

/// Sets the primary value, and whether it is verified, unless it is the same.
pub(super) fn set_primary(
    draft: &mut Draft<'_>,
    kind: ContactKind,
    value: &str,
    verified: bool,
    only_if_other: bool,
) -> Result<Outcome, Error> {
    let truth = if verified { Truth::Verified(Source::Admin) } else { Truth::Unverified };
    let set = SetPrimary { kind, value: Some(value.to_owned()), truth, old: Demotion::Drop, only_if_other };
    let now = draft.now();
    Ok(draft.contacts_mut().set_primary(&set, now)?)
}

/// A number or address that is to be set.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SetPhone {
    user_id: String,
    /// The number.
    phone: String,
    #[serde(flatten)]
    verification: Verification,
}

/// An address that is to be set.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SetEmail {
    user_id: String,
    /// The address.
    email: String,
    #[serde(flatten)]
    verification: Verification,
}

/// A request for a code.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AskForCode {
    user_id: String,
    #[serde(flatten)]
    verification: Verification,
}

/// A code that came back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Verify {
    user_id: String,
    /// The code.
    verification_code: String,
}

/// The user that a request is about.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OfUser {
    pub(super) user_id: String,
}

macro_rules! about {
    ($($message:ty),*) => {$(
        impl About for $message {
            fn about(&mut self, user: &str) {
                user.clone_into(&mut self.user_id);
            }
        }
    )*};
}
about!(SetPhone, SetEmail, AskForCode, Verify, OfUser);

pub(super) async fn set_phone(call: &Call, request: SetPhone) -> Result<DoneWithCode, Refusal> {
    set(call, &PHONE, "SetPhoneRequest", &request.user_id, &request.phone, &request.verification).await
}

pub(super) async fn set_email(call: &Call, request: SetEmail) -> Result<DoneWithCode, Refusal> {
    set(call, &EMAIL, "SetEmailRequest", &request.user_id, &request.email, &request.verification).await
}

async fn set(
    call: &Call,
    of: &Of,
    message: &str,
    user: &str,
    value: &str,
    verification: &Verification,
) -> Result<DoneWithCode, Refusal> {
    let choice = verification.choice(message)?.unwrap_or(Choice::Send(None));
    of.check_value(message, value)?;
    check_may(call, user, &choice)?;
    let start = of.start(call, &choice)?;
    let verified = choice == Choice::Verified;
    let command = |draft: &mut Draft<'_>| -> Command<Option<Started>> {
        if let Err(refusal) = check_initialised(draft, "COMMAND-uz0Uu") {
            return Ok(Err(refusal));
        }
        match set_primary(draft, of.kind, value, verified, true)? {
            Outcome::Unchanged => Ok(Err(of.not_changed("COMMAND-Uch5e"))),
            Outcome::Changed if verified => Ok(Ok(None)),
            Outcome::Changed => Ok(Ok(Some(begin(draft, &start)?))),
        }
    };
    let changed = call.app.identity.change(&call.context, user, command).await;
    let (user, started) = changed.map_err(|error| of.refused(error))?;
    let verification_code = started?.and_then(|started| started.secret);
    Ok(DoneWithCode { details: Details::changed(&call.context, &user), verification_code })
}

/// A user may have a code sent to himself, and no more.
fn check_may(call: &Call, user: &str, choice: &Choice) -> Result<(), Refusal> {
    match choice {
        Choice::Send(_) => Ok(call.check_about(Permission::WriteIdentity, user)?),
        Choice::Return | Choice::Verified => Ok(call.check(Permission::WriteIdentity)?),
    }
}

pub(super) async fn resend_phone(call: &Call, request: AskForCode) -> Result<DoneWithCode, Refusal> {
    ask_for_code(call, &PHONE, "ResendPhoneCodeRequest", &request, true).await
}

pub(super) async fn resend_email(call: &Call, request: AskForCode) -> Result<DoneWithCode, Refusal> {
    ask_for_code(call, &EMAIL, "ResendEmailCodeRequest", &request, true).await
}

pub(super) async fn send_email(call: &Call, request: AskForCode) -> Result<DoneWithCode, Refusal> {
    ask_for_code(call, &EMAIL, "SendEmailCodeRequest", &request, false).await
}

async fn ask_for_code(
    call: &Call,
    of: &Of,
    message: &str,
    request: &AskForCode,
    again: bool,
) -> Result<DoneWithCode, Refusal> {
    let AskForCode { user_id, verification } = request;
    let choice = verification.choice(message)?.unwrap_or(Choice::Send(None));
    check_may(call, user_id, &choice)?;
    let start = of.start(call, &choice)?;
    let command = |draft: &mut Draft<'_>| {
        if !again {
            return begin(draft, &start);
        }
        let primary = draft.user().primary(of.kind).map(|contact| contact.shown().to_owned());
        let value = Some(primary.ok_or(Error::NoChallenge)?);
        let start = named(draft, &start);
        draft.resend(&Start { value, ..start })
    };
    let changed = call.app.identity.change(&call.context, user_id, command).await;
    let (user, started) = changed.map_err(|error| of.refused(error))?;
    let details = Details::changed(&call.context, &user);
    Ok(DoneWithCode { details, verification_code: started.secret })
}

pub(super) async fn verify_phone(call: &Call, request: Verify) -> Result<Done, Refusal> {
    verify(call, &PHONE, "VerifyPhoneRequest.VerificationCode", request).await
}

pub(super) async fn verify_email(call: &Call, request: Verify) -> Result<Done, Refusal> {
    verify(call, &EMAIL, "VerifyEmailRequest.VerificationCode", request).await
}

async fn verify(call: &Call, of: &Of, field: &str, request: Verify) -> Result<Done, Refusal> {
    let Verify { user_id, verification_code } = request;
    call.check_about(Permission::WriteIdentity, &user_id)?;
    if verification_code.is_empty() {
        return Err(Refusal::Known(Code::InvalidArgument, "Code is empty", "COMMAND-Fia4a"));
    }
    check_length(field, &verification_code, CODE_LIMIT)?;
    let wrong = || Refusal::Known(Code::InvalidArgument, "Code is invalid", "COMMAND-eis9R");
    let (identity, cx) = (&call.app.identity, &call.context);
    let user = identity.user(cx, &user_id).await.map_err(|error| of.refused(error))?;
    let primary = user.primary(of.kind).ok_or_else(wrong)?.shown().to_owned();
    let answer = Answer::Code(verification_code);
    let complete = Complete { kind: of.kind, value: Some(primary), answer, primary: None };
    let verified = identity.complete(cx, &user_id, &complete).await;
    let user = verified.map_err(|error| match error {
        Error::NoChallenge | Error::CodeInvalid | Error::CodeExpired | Error::TooManyAttempts => wrong(),
        other => of.refused(other),
    })?;
    Ok(Done { details: Details::changed(cx, &user) })
}

pub(super) async fn remove_phone(call: &Call, request: OfUser) -> Result<Done, Refusal> {
    call.check_about(Permission::WriteIdentity, &request.user_id)?;
    let command = |draft: &mut Draft<'_>| {
        Ok(draft.contacts_mut().remove(ContactKind::Phone, &Select::Primary, true)?)
    };
    let changed = call.app.identity.change(&call.context, &request.user_id, command).await;
    let (user, _) = changed.map_err(|error| match error {
        Error::NoContact(_) => Refusal::Known(Code::FailedPrecondition, PHONE.not_found, "COMMAND-ieJ2e"),
        other => PHONE.refused(other),
    })?;
    Ok(Done { details: Details::changed(&call.context, &user) })
}
