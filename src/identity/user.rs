//! A user as it was read.
//!
//! Invariant: it is one version of one resource with its bags; nothing is read later.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::contact::{Contact, Contacts};
use crate::context::Context;
use crate::directory::Stored;
use crate::identity::{Account, Error, State};
use crate::scim::key::{Key, parse_instant};
use crate::scim::resource::Resource;
use crate::scim::schema::ContactKind;
use crate::scim::urn;
use crate::store::{Record, StoreError};

/// A place for JSON that belongs to a user and not into its SCIM document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bag {
    /// What the tenant keeps of the user.
    Custom,
    /// What one application keeps of the user, by the application's name.
    App(String),
    /// What the user may see.
    Public,
    /// What the user may not see.
    Private,
    /// What goes into the user's tokens.
    Claims,
    /// Attributes that the tenant defined.
    Attributes,
    /// What is known of the account; see [`Account`].
    Account,
}

/// The largest bag, as JSON text in bytes.
const BAG_LIMIT: usize = 500 << 10;

impl Bag {
    /// The bag of that name. Applications have plain names of at most 64 bytes.
    pub fn named(name: &str) -> Option<Self> {
        let is_plain = |name: &&str| {
            (1..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        match name {
            "custom" => Some(Self::Custom),
            "public" => Some(Self::Public),
            "private" => Some(Self::Private),
            "claims" => Some(Self::Claims),
            "attributes" => Some(Self::Attributes),
            "account" => Some(Self::Account),
            other => other.strip_prefix("app:").filter(is_plain).map(|name| Self::App(name.to_owned())),
        }
    }

    /// The content as it is stored.
    ///
    /// # Errors
    /// Why it cannot be the bag's.
    pub fn text(&self, content: &Map<String, Value>) -> Result<String, String> {
        let value = Value::Object(content.clone());
        let text = value.to_string();
        if text.len() > BAG_LIMIT {
            return Err(format!("it is larger than {BAG_LIMIT} bytes"));
        }
        match self {
            Self::Account => serde_json::from_value::<Account>(value)
                .map(|_| text)
                .map_err(|error| format!("it is no account: {error}")),
            _ => Ok(text),
        }
    }

    /// The name under which it is stored.
    pub fn name(&self) -> String {
        match self {
            Self::Custom => "custom".into(),
            Self::App(name) => format!("app:{name}"),
            Self::Public => "public".into(),
            Self::Private => "private".into(),
            Self::Claims => "claims".into(),
            Self::Attributes => "attributes".into(),
            Self::Account => "account".into(),
        }
    }
}

/// An address or number for the recovery of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The address or number.
    pub value: String,
    /// Whether it is known to be the user's.
    pub verified: bool,
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    record: Record,
    pub(super) resource: Resource,
    pub(super) contacts: Contacts,
    pub(super) bags: BTreeMap<String, Map<String, Value>>,
    pub(super) account: Account,
}

impl User {
    pub(super) fn of(
        cx: &Context,
        stored: Stored,
        bags: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let Stored { record, resource } = stored;
        let contacts = Contacts::of(record.id.as_str(), &resource, cx.caller.profile.contacts, cx.now)?;
        let damaged =
            |error: serde_json::Error| StoreError::corrupt(format!("a bag is no JSON object: {error}"));
        let mut out = BTreeMap::new();
        for (name, text) in bags {
            out.insert(name, serde_json::from_str(&text).map_err(damaged)?);
        }
        let account = match out.get(&Bag::Account.name()) {
            Some(bag) => serde_json::from_value(Value::Object(Map::clone(bag))).map_err(damaged)?,
            None => Account::default(),
        };
        Ok(Self { record, resource, contacts, bags: out, account })
    }

    /// The id.
    pub fn id(&self) -> &str {
        self.record.id.as_str()
    }

    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// 1 after creation, one more after every change.
    pub fn version(&self) -> i64 {
        self.record.version
    }

    /// When it was created.
    pub fn created(&self) -> DateTime<Utc> {
        parse_instant(&self.record.created).unwrap_or_default()
    }

    /// When it last changed.
    pub fn modified(&self) -> DateTime<Utc> {
        parse_instant(&self.record.modified).unwrap_or_default()
    }

    /// An attribute of SCIM's core schema, such as `name`.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.resource.body().get(name)
    }

    /// An attribute that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attribute(name)?.as_str()
    }

    /// The name to log in by; none if the user has only an id.
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName").filter(|name| *name != self.id())
    }

    /// The addresses and numbers.
    pub fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// The primary address or number.
    pub fn primary(&self, kind: ContactKind) -> Option<&Contact> {
        self.contacts.primary(kind)
    }

    fn known(&self, name: &str) -> impl Iterator<Item = &Value> {
        let known = self.attribute(urn::IDENTIFIERS).and_then(|known| known.get(name));
        known.and_then(Value::as_array).into_iter().flatten()
    }

    /// The names to log in by that do not come through SCIM; the user name may be one of them.
    pub fn login_ids(&self) -> Vec<&str> {
        self.known("loginIds").filter_map(Value::as_str).collect()
    }

    /// All names to log in by, each once: the user name, and the others.
    pub fn login_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.user_name().into_iter().collect();
        for id in self.login_ids() {
            if !names.iter().any(|name| is_same_name(name, id)) {
                names.push(id);
            }
        }
        names
    }

    /// The address or number for the recovery of the account.
    pub fn recovery(&self, kind: ContactKind) -> Option<Recovery> {
        let entry = self.known(recovery_attribute(kind)).next()?;
        Some(Recovery {
            value: entry.get("value")?.as_str()?.to_owned(),
            verified: entry.get("verified") == Some(&Value::Bool(true)),
        })
    }

    /// Whether the user has a password.
    pub fn has_password(&self) -> bool {
        self.attribute("password").is_some()
    }

    /// What the password is like, if it was set through an identity API.
    pub fn password(&self) -> Option<&super::PasswordInfo> {
        self.account.password.as_ref().filter(|_| self.has_password())
    }

    /// Where the account is in its life.
    pub fn state(&self) -> State {
        match self.attribute("active") {
            Some(Value::Bool(false)) => State::Suspended,
            _ if self.account.pending => State::Pending,
            _ => State::Active,
        }
    }

    /// When the state last changed, if that was here.
    pub fn state_changed(&self) -> Option<DateTime<Utc>> {
        self.account.state_changed
    }

    /// The content of a bag, if there is any.
    pub fn bag(&self, bag: &Bag) -> Option<&Map<String, Value>> {
        self.bags.get(&bag.name())
    }
}

/// Whether two names to log in by are one.
pub(super) fn is_same_name(one: &str, other: &str) -> bool {
    Key::user_name(one) == Key::user_name(other)
}

/// The attribute of the identifiers extension that has addresses or numbers for recovery.
pub(super) fn recovery_attribute(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Email => "recoveryEmails",
        ContactKind::Phone => "recoveryPhones",
    }
}
