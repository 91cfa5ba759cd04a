//! A user as MonoCloud shows it.
//!
//! Invariant: members of the current API and of the one before are both there, so that clients of either read what they
//! know. Times are seconds since 1970. The six claims that the API names are attributes of SCIM's.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::contact::Contact;
use crate::identity::{Bag, State, User};
use crate::scim::schema::ContactKind;

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownUser {
    /// The id.
    user_id: String,
    /// Whether the user may not log in.
    disabled: bool,
    /// The e-mail addresses, the primary one first.
    emails: Vec<ShownEmail>,
    /// The phone numbers, the primary one first.
    phone_numbers: Vec<ShownPhone>,
    /// The name to log in by, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<ShownName>,
    /// What the user's tokens say.
    claims: Map<String, Value>,
    /// What the user may see; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_data: Option<Map<String, Value>>,
    /// What the user may not see; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_data: Option<Map<String, Value>>,
    /// Whether the user has a password.
    has_password: bool,
    /// When it was set, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_updated_at: Option<i64>,
    /// Whether it has to be changed at the next login.
    force_password_reset: bool,
    /// When the user was created.
    creation_time: i64,
    /// When the user last changed.
    last_updated: i64,
    #[serde(flatten)]
    unknown: Unknown,
}

/// What Muster is told nothing of.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Unknown {
    connections: Vec<Value>,
    passkeys: Vec<Value>,
    external_providers: Vec<Value>,
    idps: Vec<Value>,
    failure_count: u64,
    sign_in_attempts_count: u64,
    sign_in_success_count: u64,
}

/// An e-mail address.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownEmail {
    /// The address.
    email: String,
    #[serde(flatten)]
    state: Identifier,
}

/// A phone number.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownPhone {
    /// The number, in E.164 where it is one.
    phone: String,
    #[serde(flatten)]
    state: Identifier,
}

/// What is known of an address or number.
#[derive(Debug, Serialize, JsonSchema)]
struct Identifier {
    /// The id.
    id: String,
    /// Whether it is the primary one of its kind.
    primary: bool,
    /// Whether it is known to be the user's.
    verified: bool,
    /// How that became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_source: Option<String>,
    #[serde(flatten)]
    used: Used,
}

/// By what an identifier is used.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Used {
    authenticators: Vec<String>,
    idps: Vec<String>,
}

/// A name to log in by.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownName {
    /// The id; a user has one name, so it is the user's.
    id: String,
    /// The name.
    username: String,
    #[serde(flatten)]
    used: Used,
}

impl ShownUser {
    /// The whole user.
    pub(super) fn whole(user: &User) -> Self {
        let data = |bag: Bag| Some(user.bag(&bag).cloned().unwrap_or_default());
        Self { public_data: data(Bag::Public), private_data: data(Bag::Private), ..Self::brief(user) }
    }

    /// The user as it stands in a list.
    pub(super) fn brief(user: &User) -> Self {
        let emails = all(user, ContactKind::Email).into_iter();
        let phones = all(user, ContactKind::Phone).into_iter();
        Self {
            user_id: user.id().to_owned(),
            disabled: user.state() == State::Suspended,
            emails: emails.map(|(email, state)| ShownEmail { email, state }).collect(),
            phone_numbers: phones.map(|(phone, state)| ShownPhone { phone, state }).collect(),
            username: user.user_name().map(|name| ShownName {
                id: user.id().to_owned(),
                username: name.to_owned(),
                used: Used::default(),
            }),
            claims: claims(user),
            public_data: None,
            private_data: None,
            has_password: user.has_password(),
            password_updated_at: user.password().map(|info| seconds(info.updated)),
            force_password_reset: user.password().is_some_and(|info| info.temporary),
            creation_time: seconds(user.created()),
            last_updated: seconds(user.modified()),
            unknown: Unknown::default(),
        }
    }
}

/// The addresses or numbers, the primary one first, with what is known of each.
fn all(user: &User, kind: ContactKind) -> Vec<(String, Identifier)> {
    let shown = |contact: &Contact, primary: bool| {
        let state = Identifier {
            id: contact.id.clone(),
            primary,
            verified: contact.verified.is_some(),
            verification_source: contact.verified.as_ref().map(|known| known.source.as_str().to_owned()),
            used: Used::default(),
        };
        (contact.shown().to_owned(), state)
    };
    let primary = user.primary(kind).map(|contact| shown(contact, true));
    let others = user.contacts().secondary(kind).into_iter().map(|contact| shown(contact, false));
    primary.into_iter().chain(others).collect()
}

/// What is kept of claims, and in its place the six that are SCIM's.
fn claims(user: &User) -> Map<String, Value> {
    let mut out = user.bag(&Bag::Claims).cloned().unwrap_or_default();
    let name = |part: &str| user.attribute("name")?.get(part)?.as_str();
    let picture = user.attribute("photos").and_then(|photos| photos.get(0)?.get("value")?.as_str());
    let known = [
        ("name", user.text("displayName")),
        ("given_name", name("givenName")),
        ("middle_name", name("middleName")),
        ("family_name", name("familyName")),
        ("nickname", user.text("nickName")),
        ("picture", picture),
    ];
    for (claim, value) in known {
        if let Some(value) = value {
            out.insert(claim.to_owned(), json!(value));
        }
    }
    out
}

/// A time as this API writes it.
pub(super) fn seconds(at: DateTime<Utc>) -> i64 {
    at.timestamp()
}
