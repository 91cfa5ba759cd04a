//! How users are shown, and the parts of requests that several operations have.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::contact::{Contact, Select, Verification};
use crate::http::api::Call;
use crate::http::error::Failure;
use crate::identity::{State, User};
use crate::scim::error::ScimError;
use crate::scim::schema::ContactKind;

/// What a contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Email,
    Phone,
}

impl From<ContactKind> for Kind {
    fn from(kind: ContactKind) -> Self {
        match kind {
            ContactKind::Email => Self::Email,
            ContactKind::Phone => Self::Phone,
        }
    }
}

impl From<Kind> for ContactKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Email => Self::Email,
            Kind::Phone => Self::Phone,
        }
    }
}

/// A user.
#[derive(Serialize, JsonSchema)]
pub(super) struct ShownUser {
    /// The id, which is also SCIM's.
    id: String,
    /// The name to log in by, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    /// The id in another system.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// Other names to log in by.
    login_ids: Vec<String>,
    /// `pending`, `active` or `suspended`.
    state: &'static str,
    /// What the user is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// The parts of the name, as SCIM has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Map<String, Value>>,
    /// The e-mail addresses, the primary one first.
    emails: Vec<ShownContact>,
    /// The phone numbers, the primary one first.
    phones: Vec<ShownContact>,
    /// What the password is like, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<ShownPassword>,
    /// When the user was created.
    created: DateTime<Utc>,
    /// When the user last changed.
    modified: DateTime<Utc>,
    /// 1 after creation, one more after every change.
    version: i64,
}

/// An e-mail address or phone number.
#[derive(Serialize, JsonSchema)]
pub(super) struct ShownContact {
    /// The id.
    id: String,
    /// What it is.
    kind: Kind,
    /// The address as it was given, the number in E.164 where it is one.
    value: String,
    /// What two spellings of it have in common.
    canonical: String,
    /// What sort it is, such as `work`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Whether it is the primary one of its kind.
    primary: bool,
    /// Whether it is known to be the user's.
    verified: bool,
    /// Since when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<DateTime<Utc>>,
    /// How that became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_source: Option<String>,
    /// Since when the user has it.
    created: DateTime<Utc>,
}

/// What a password is like.
#[derive(Serialize, JsonSchema)]
pub(super) struct ShownPassword {
    /// Whether it has to be changed at the next login.
    temporary: bool,
    /// When it was set, if that was here.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<DateTime<Utc>>,
}

impl From<&User> for ShownUser {
    fn from(user: &User) -> Self {
        let text = |name: &str| user.text(name).map(str::to_owned);
        let contacts = |kind: ContactKind| {
            let primary = user.primary(kind).map(|contact| ShownContact::of(contact, true));
            let others = user.contacts().secondary(kind);
            primary
                .into_iter()
                .chain(others.into_iter().map(|contact| ShownContact::of(contact, false)))
                .collect()
        };
        let password = user.has_password().then(|| ShownPassword {
            temporary: user.password().is_some_and(|info| info.temporary),
            updated: user.password().map(|info| info.updated),
        });
        Self {
            id: user.id().to_owned(),
            user_name: user.user_name().map(str::to_owned),
            external_id: text("externalId"),
            login_ids: user.login_ids().into_iter().map(str::to_owned).collect(),
            state: match user.state() {
                State::Pending => "pending",
                State::Active => "active",
                State::Suspended => "suspended",
            },
            display_name: text("displayName"),
            name: user.attribute("name").and_then(Value::as_object).cloned(),
            emails: contacts(ContactKind::Email),
            phones: contacts(ContactKind::Phone),
            password,
            created: user.created(),
            modified: user.modified(),
            version: user.version(),
        }
    }
}

impl ShownContact {
    pub(super) fn of(contact: &Contact, primary: bool) -> Self {
        let verification = contact.verified.as_ref();
        Self {
            id: contact.id.clone(),
            kind: contact.kind.into(),
            value: contact.shown().to_owned(),
            canonical: contact.canonical.clone(),
            label: contact.label().map(str::to_owned),
            primary,
            verified: verification.is_some(),
            verified_at: verification.map(|Verification { at, .. }| *at),
            verification_source: verification.map(|Verification { source, .. }| source.as_str().to_owned()),
            created: contact.created,
        }
    }
}

/// The contact that a path names: by its id, or by its value.
pub(super) fn named(user: &User, name: &str) -> Option<(ContactKind, Select)> {
    ContactKind::ALL.into_iter().find_map(|kind| {
        let selects = [Select::Id(name.to_owned()), Select::Value(name.to_owned())];
        let select = selects.into_iter().find(|select| user.contacts().find(kind, select).is_some())?;
        Some((kind, select))
    })
}

/// A kind as a path spells it.
pub(super) fn kind_in(call: &Call, index: usize) -> Result<ContactKind, Failure> {
    match call.capture(index) {
        "email" => Ok(ContactKind::Email),
        "phone" => Ok(ContactKind::Phone),
        other => Err(ScimError::value(format!("the kind is {other:?}; it must be email or phone")).into()),
    }
}
