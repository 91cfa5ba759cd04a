//! Verifying an address or number: a code or a link goes there, and comes back.
//!
//! Invariant: a challenge is about one value of one user and is answered once; every wrong answer counts, also of answers
//! that come at the same time. Of several challenges of one method for one value the last one counts. A pending
//! value joins the profile only when it is verified.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use uuid::Uuid;

use crate::contact::{Contacts, Primary, Select, Source, address, number};
use crate::context::Context;
use crate::directory::{Amendment, Stored};
use crate::identity::{Draft, Error, Identity, User, secret};
use crate::message::{Channel, Message, Occasion, Wording};
use crate::scim::key::{Key, parse_instant};
use crate::scim::schema::ContactKind;
use crate::store::{Aside, Challenge, Outgoing, StoreError};

/// How often a challenge may be answered wrongly.
const ATTEMPTS: i64 = 5;
/// How long a code counts that was returned to the caller, or a link.
const LONG: TimeDelta = TimeDelta::hours(1);
/// How long a code counts that was sent.
const SHORT: TimeDelta = TimeDelta::minutes(10);
/// How long the longest counts that a caller may ask for.
const LONGEST: TimeDelta = TimeDelta::days(30);
/// How many messages go out in an hour: to one address or number, for one user, and for a tenant.
const TO_ONE: i64 = 10;
const FOR_ONE: i64 = 30;
const FOR_ALL: i64 = 5_000;

/// How a verification is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a code: the letters it is made of, and how many.
    Code(&'static str, usize),
    /// By opening a link, which begins with this base; a browser that did is sent on to the redirect.
    Link {
        /// Scheme, host and perhaps path of this server, without a slash at the end.
        base: String,
        /// Where the browser goes.
        redirect: Option<String>,
    },
}

impl Method {
    /// A code of six digits.
    pub const DIGITS: Self = Self::Code(secret::DIGITS, 6);

    fn name(&self) -> &'static str {
        match self {
            Self::Code(..) => "code",
            Self::Link { .. } => "link",
        }
    }
}

/// What becomes of the code or link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It goes to the address or number that it verifies.
    Send,
    /// The caller gets it.
    Return,
}

/// A verification that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What is verified.
    pub kind: ContactKind,
    /// The address or number; none means the primary one.
    pub value: Option<String>,
    /// Whether it may be one that the user does not have and gets by it.
    pub pending: bool,
    /// How it is answered.
    pub method: Method,
    /// What becomes of the code or link.
    pub delivery: Delivery,
    /// How long it counts; none for an hour, or ten minutes for a code that is sent.
    pub lifetime: Option<TimeDelta>,
    /// Whether the value becomes primary when it is verified.
    pub primary: Primary,
    /// Which words the message has; none for those of the tenant.
    pub wording: Option<Wording>,
}

/// A verification that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The code or link, for a caller that wanted it returned.
    pub secret: Option<String>,
    /// Whether a message goes out; not if nothing is there to send it with.
    pub sent: bool,
    /// When it ends.
    pub expires: DateTime<Utc>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A code.
    Code(String),
    /// A link's token.
    Token(String),
}

/// A verification that is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete {
    /// What is verified.
    pub kind: ContactKind,
    /// The address or number; none means whatever was asked about last.
    pub value: Option<String>,
    /// The answer.
    pub answer: Answer,
    /// Whether the value becomes primary; none for what was said when it began.
    pub primary: Option<Primary>,
}

impl Draft<'_> {
    /// Begins a verification.
    ///
    /// # Errors
    /// [`Error::NoContact`], [`Error::NotOne`]; [`Error::Invalid`] for a redirect that the tenant does not list or a
    /// lifetime that cannot be. [`Error::Limited`] comes when it is written.
    pub fn start(&mut self, start: &Start) -> Result<Started, Error> {
        let (value, is_pending) = self.target(start)?;
        let canonical = self.user.contacts.canonical(start.kind, &value);
        if let Method::Link { redirect: Some(redirect), .. } = &start.method
            && !self.cx.caller.profile.courier.admits_redirect(redirect)
        {
            let reason = "the tenant does not list it; set redirect-urls".into();
            return Err(Error::Invalid { field: "redirect_uri".into(), reason });
        }
        let is_sent_code = start.delivery == Delivery::Send && matches!(start.method, Method::Code(..));
        let lifetime = start.lifetime.unwrap_or(if is_sent_code { SHORT } else { LONG });
        if lifetime < TimeDelta::seconds(1) || lifetime > LONGEST {
            let reason = format!("it must be from a second to {} days", LONGEST.num_days());
            return Err(Error::Invalid { field: "expiry".into(), reason });
        }
        let id = Uuid::now_v7().hyphenated().to_string();
        let (answer, shown) = match &start.method {
            Method::Code(alphabet, length) => {
                let code = secret::random(alphabet, *length)?;
                (code.clone(), code)
            }
            Method::Link { base, .. } => {
                let token = secret::token()?;
                let address = self.link_token(&token);
                (token, format!("{base}{address}"))
            }
        };
        let expires = self.now() + lifetime;
        let redirect = match &start.method {
            Method::Link { redirect, .. } => redirect.clone(),
            Method::Code(..) => None,
        };
        self.asides.push(Aside::Begin(Box::new(Challenge {
            hash: secret::hash(&id, &canonical, &answer),
            id,
            kind: start.kind,
            canonical: canonical.clone(),
            value: value.clone(),
            method: start.method.name().to_owned(),
            attempts: 0,
            created: key(self.now()),
            expires: key(expires),
            pending: is_pending,
            promotes: promotes(start.primary).to_owned(),
            redirect,
        })));
        let is_sent =
            start.delivery == Delivery::Send && self.send(start, &value, &canonical, &shown, lifetime)?;
        let secret = (start.delivery == Delivery::Return).then_some(shown);
        Ok(Started { secret, sent: is_sent, expires })
    }

    /// Begins the last verification of a kind anew, or that of a value: the same method, a new code or link.
    ///
    /// # Errors
    /// [`Error::NoChallenge`] if there was none, and those of [`Draft::start`].
    pub fn resend(&mut self, start: &Start) -> Result<Started, Error> {
        let canonical = start.value.as_ref().map(|value| self.user.contacts.canonical(start.kind, value));
        let earlier = self.challenges.iter().find(|challenge| {
            let is_value = canonical.as_ref().is_none_or(|wanted| *wanted == challenge.canonical);
            challenge.kind == start.kind && is_value && challenge.method == start.method.name()
        });
        let earlier = earlier.ok_or(Error::NoChallenge)?;
        let method = match &start.method {
            Method::Link { base, .. } => {
                Method::Link { base: base.clone(), redirect: earlier.redirect.clone() }
            }
            code @ Method::Code(..) => code.clone(),
        };
        let start = Start {
            value: Some(earlier.value.clone()),
            pending: earlier.pending,
            primary: promoted(&earlier.promotes),
            method,
            ..start.clone()
        };
        self.start(&start)
    }

    /// The value, and whether the user does not have it yet.
    fn target(&self, start: &Start) -> Result<(String, bool), Error> {
        let missing = || Error::NoContact(start.kind);
        let contacts = &self.user.contacts;
        let Some(text) = &start.value else {
            let primary = contacts.primary(start.kind).ok_or_else(missing)?;
            return Ok((primary.shown().to_owned(), false));
        };
        if let Some(contact) = contacts.find(start.kind, &Select::Value(text.clone())) {
            return Ok((contact.shown().to_owned(), false));
        }
        let value = match start.kind {
            ContactKind::Email => address(text),
            ContactKind::Phone => number(text, self.cx.caller.profile.contacts.region),
        };
        let value = value.ok_or(Error::NotOne(start.kind))?;
        if start.pending { Ok((value, true)) } else { Err(missing()) }
    }

    /// Lets a message go out, if there is anything to send it with.
    fn send(
        &mut self,
        start: &Start,
        value: &str,
        canonical: &str,
        shown: &str,
        lifetime: TimeDelta,
    ) -> Result<bool, Error> {
        let channel = match start.kind {
            ContactKind::Email => Channel::Email,
            ContactKind::Phone => Channel::Sms,
        };
        if !self.channels.has(channel) {
            return Ok(false);
        }
        let occasion = match start.method {
            Method::Code(..) => Occasion::Code,
            Method::Link { .. } => Occasion::Link,
        };
        let settings = &self.cx.caller.profile.courier;
        let language = self.user.text("preferredLanguage");
        let wording = match &start.wording {
            Some(wording) => wording.clone(),
            None => settings.wording(channel, occasion, language),
        };
        let message = Message::new(channel, value, occasion, &wording, shown, lifetime.num_minutes().max(1));
        let message =
            serde_json::to_string(&message).map_err(|error| StoreError::corrupt(error.to_string()))?;
        // One allowance after the other, so that the narrowest says no first.
        let until = key(hour_after(self.now()));
        let kind = start.kind.attribute();
        let user = self.user.id();
        for (subject, limit) in [
            (format!("sent to {kind} {}", digest(canonical)), TO_ONE),
            (format!("sent for {user}"), FOR_ONE),
            ("sent".to_owned(), FOR_ALL),
        ] {
            self.asides.push(Aside::Spend(subject, until.clone(), limit));
        }
        self.asides.push(Aside::Send(Outgoing {
            tenant: self.cx.caller.tenant,
            id: Uuid::now_v7().hyphenated().to_string(),
            due: key(self.now()),
            expires: key(self.now() + lifetime),
            attempts: 0,
            message,
        }));
        Ok(true)
    }
}

/// A canonical value as an allowance names it: short, whatever it is.
fn digest(canonical: &str) -> String {
    let hash = secret::hash("", "", canonical);
    hash.iter().take(12).map(|octet| format!("{octet:02x}")).collect()
}

/// The end of the hour.
fn hour_after(now: DateTime<Utc>) -> DateTime<Utc> {
    let begun = now.with_minute(0).and_then(|now| now.with_second(0)).and_then(|now| now.with_nanosecond(0));
    begun.unwrap_or(now) + TimeDelta::hours(1)
}

/// The error with the time until more can be sent.
pub(super) fn timed(error: Error, now: DateTime<Utc>) -> Error {
    match error {
        Error::Limited(_) => {
            let seconds = (hour_after(now) - now).num_seconds();
            Error::Limited(u64::try_from(seconds).unwrap_or_default().max(1))
        }
        other => other,
    }
}

fn key(at: DateTime<Utc>) -> String {
    Key::of_instant(at).as_str().to_owned()
}

fn promotes(primary: Primary) -> &'static str {
    match primary {
        Primary::Auto => "auto",
        Primary::Yes => "yes",
        Primary::UnlessVerified => "unless-verified",
    }
}

fn promoted(text: &str) -> Primary {
    match text {
        "yes" => Primary::Yes,
        "unless-verified" => Primary::UnlessVerified,
        _ => Primary::Auto,
    }
}

impl Identity {
    /// Ends a verification.
    ///
    /// # Errors
    /// [`Error::NoChallenge`], [`Error::CodeInvalid`], [`Error::CodeExpired`], [`Error::TooManyAttempts`];
    /// [`Error::Taken`] if somebody else verified the value meanwhile; [`Error::NoUser`].
    pub async fn complete(&self, cx: &Context, id: &str, complete: &Complete) -> Result<User, Error> {
        let amend = async |stored: &Stored| {
            let challenges = self.store.challenges(cx.caller.tenant, stored.record.pk).await?;
            let policy = cx.caller.profile.contacts;
            let mut contacts = Contacts::of(stored.record.id.as_str(), &stored.resource, policy, cx.now)?;
            let same = Amendment { resource: stored.resource.clone(), asides: Vec::new() };
            let now = chrono::SubsecRound::trunc_subsecs(cx.now, 3);
            match judge(&challenges, &contacts, complete, now) {
                Verdict::Right(challenge) => {
                    let (method, primary) = (&challenge.method, complete.primary);
                    let source = if method == "link" { Source::Link } else { Source::Otp };
                    let primary = primary.unwrap_or_else(|| promoted(&challenge.promotes));
                    contacts.verified(
                        challenge.kind,
                        &challenge.value,
                        source,
                        primary,
                        challenge.pending,
                        now,
                    )?;
                    let resource = contacts.written(Self::kind(cx)?, stored.resource.clone());
                    let asides = vec![Aside::Answered(challenge.id.clone(), challenge.attempts)];
                    Ok((Amendment { resource, asides }, Ok(())))
                }
                Verdict::Wrong(challenge) => {
                    let asides = vec![Aside::Missed(challenge.id.clone(), challenge.attempts)];
                    Ok((Amendment { asides, ..same }, Err(Error::CodeInvalid)))
                }
                Verdict::Not(error) => Ok::<_, Error>((same, Err(error))),
            }
        };
        let (stored, verdict) = self.directory.amend(cx, Self::kind(cx)?, id, amend).await?;
        verdict?;
        self.whole(cx, stored).await
    }

    /// Whether another user verified this value.
    ///
    /// # Errors
    /// [`Error::Failure`].
    pub async fn is_verified_elsewhere(
        &self,
        cx: &Context,
        id: &str,
        kind: ContactKind,
        value: &str,
    ) -> Result<bool, Error> {
        let policy = cx.caller.profile.contacts;
        let canonical = crate::contact::canonical(kind, value, policy.region);
        for stored in self.having(cx, kind, &canonical).await? {
            let contacts = Contacts::of(stored.record.id.as_str(), &stored.resource, policy, cx.now)?;
            let select = Select::Value(value.to_owned());
            let is_verified = contacts.find(kind, &select).is_some_and(|contact| contact.verified.is_some());
            if stored.record.id.as_str() != id && is_verified {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What an answer is.
enum Verdict<'a> {
    Right(&'a Challenge),
    Wrong(&'a Challenge),
    Not(Error),
}

/// Judges an answer by the challenge that it is about: the last one of its method, or that for a value.
fn judge<'a>(
    challenges: &'a [Challenge],
    contacts: &Contacts,
    complete: &Complete,
    now: DateTime<Utc>,
) -> Verdict<'a> {
    let (method, answer) = match &complete.answer {
        Answer::Code(code) => ("code", code),
        Answer::Token(token) => ("link", token),
    };
    let canonical = complete.value.as_ref().map(|value| contacts.canonical(complete.kind, value));
    let is_meant = |challenge: &&Challenge| {
        let is_value = canonical.as_ref().is_none_or(|wanted| *wanted == challenge.canonical);
        challenge.kind == complete.kind && challenge.method == method && is_value
    };
    let Some(challenge) = challenges.iter().find(is_meant) else { return Verdict::Not(Error::NoChallenge) };
    let is_over = parse_instant(&challenge.expires).is_none_or(|end| end <= now);
    if challenge.attempts >= ATTEMPTS {
        return Verdict::Not(Error::TooManyAttempts);
    }
    if is_over {
        return Verdict::Not(Error::CodeExpired);
    }
    let given = secret::hash(&challenge.id, &challenge.canonical, answer);
    if secret::same(&given, &challenge.hash) { Verdict::Right(challenge) } else { Verdict::Wrong(challenge) }
}

/// The link's challenge with this token among a user's.
pub(super) fn of_token<'a>(challenges: &'a [Challenge], token: &str) -> Option<&'a Challenge> {
    let is_it = |challenge: &&Challenge| {
        let given = secret::hash(&challenge.id, &challenge.canonical, token);
        challenge.method == "link" && secret::same(&given, &challenge.hash)
    };
    challenges.iter().find(is_it)
}
