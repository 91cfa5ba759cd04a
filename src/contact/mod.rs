//! A user's contacts: e-mail addresses and phone numbers, which of them is primary, and which were verified.
//!
//! Invariant: pure; the time is a parameter. `emails` and `phoneNumbers` of the document are the contacts themselves, and
//! the identifiers extension says of each, in the same order, what only the server may say. Contacts with one
//! canonical value share their verification; a value that is new is unverified; at most one of a kind is primary.

mod canonical;
mod command;
mod document;
#[cfg(test)]
mod laws;
mod policy;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use canonical::{Region, UnknownRegion, address, admitted, canonical, number};
pub use command::{Add, Demotion, Error, Outcome, Primary, Select, SetPrimary, Truth};
pub use document::{differ, settle};
pub use policy::{Claims, Policy};

use crate::scim::schema::ContactKind;

/// How somebody came to know that an address or number is the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An administrator or the application said so.
    Admin,
    /// A code that was sent there came back.
    Otp,
    /// A link that was sent there was opened.
    Link,
    /// It came that way from another system.
    Import,
    /// A client of SCIM said so.
    Scim,
    /// Anything else, such as an identity provider's name.
    Other(String),
}

impl Source {
    /// The word that stands in documents.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Admin => "admin",
            Self::Otp => "otp",
            Self::Link => "link",
            Self::Import => "import",
            Self::Scim => "scim",
            Self::Other(name) => name,
        }
    }

    fn named(text: &str) -> Self {
        let known = [Self::Admin, Self::Otp, Self::Link, Self::Import, Self::Scim];
        known.into_iter().find(|source| source.as_str() == text).unwrap_or_else(|| Self::Other(text.into()))
    }
}

/// That an address or number was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// When.
    pub at: DateTime<Utc>,
    /// How.
    pub source: Source,
}

/// One e-mail address or phone number of a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Its id: a function of user, kind and canonical value, so that a value that comes back has the id that it had.
    pub id: String,
    /// What it is.
    pub kind: ContactKind,
    /// What makes two spellings the same one.
    pub canonical: String,
    /// Whether it was verified, when and how.
    pub verified: Option<Verification>,
    /// Since when the user has it.
    pub created: DateTime<Utc>,
    /// The value in `emails` or `phoneNumbers`.
    element: Map<String, Value>,
}

impl Contact {
    fn text(&self, name: &str) -> Option<&str> {
        self.element.get(name).and_then(Value::as_str)
    }

    /// The address or number as it was given.
    pub fn value(&self) -> &str {
        self.text("value").unwrap_or_default()
    }

    /// The number in its canonical form, the address as it was given: what other systems expect to see.
    pub fn shown(&self) -> &str {
        match self.kind {
            ContactKind::Email => self.value(),
            ContactKind::Phone => &self.canonical,
        }
    }

    /// What sort of address it is: `work`, `home`, `mobile`.
    pub fn label(&self) -> Option<&str> {
        self.text("type")
    }

    /// What people call it.
    pub fn display(&self) -> Option<&str> {
        self.text("display")
    }

    /// Whether it is marked primary.
    pub fn is_marked_primary(&self) -> bool {
        self.element.get("primary") == Some(&Value::Bool(true))
    }

    fn mark_primary(&mut self, primary: bool) {
        if primary != self.is_marked_primary() {
            self.element.insert("primary".into(), Value::Bool(primary));
        }
    }

    fn has_value(&self) -> bool {
        self.text("value").is_some_and(|value| !value.is_empty())
    }
}

/// All contacts of one user.
#[derive(Clone, Debug, PartialEq)]
pub struct Contacts {
    user: String,
    policy: Policy,
    all: Vec<Contact>,
}

impl Contacts {
    /// The contacts of a kind, in the order of the document.
    pub fn of_kind(&self, kind: ContactKind) -> impl Iterator<Item = &Contact> {
        self.all.iter().filter(move |contact| contact.kind == kind && contact.has_value())
    }

    /// The primary contact of a kind: the one that is marked so, else the first one.
    pub fn primary(&self, kind: ContactKind) -> Option<&Contact> {
        self.of_kind(kind).find(|contact| contact.is_marked_primary()).or_else(|| self.of_kind(kind).next())
    }

    /// The contacts of a kind but the primary one, each canonical value once.
    pub fn secondary(&self, kind: ContactKind) -> Vec<&Contact> {
        let mut seen: Vec<&str> = self.primary(kind).map(|contact| &*contact.canonical).into_iter().collect();
        let mut out = Vec::new();
        for contact in self.of_kind(kind) {
            if !seen.contains(&&*contact.canonical) {
                seen.push(&contact.canonical);
                out.push(contact);
            }
        }
        out
    }

    /// The contact that is selected; of several with one canonical value the primary one, else the first.
    pub fn find(&self, kind: ContactKind, select: &Select) -> Option<&Contact> {
        let found = || self.of_kind(kind).filter(|contact| self.is_selected(contact, select));
        found().find(|contact| contact.is_marked_primary()).or_else(|| found().next())
    }

    fn is_selected(&self, contact: &Contact, select: &Select) -> bool {
        match select {
            Select::Id(id) => contact.id == *id,
            Select::Value(text) => contact.canonical == self.canonical(contact.kind, text),
            Select::Primary => self.primary(contact.kind).is_some_and(|other| other.id == contact.id),
        }
    }

    /// What makes this text the same value as another.
    pub fn canonical(&self, kind: ContactKind, text: &str) -> String {
        canonical(kind, text, self.policy.region)
    }

    /// The id of a contact with this canonical value.
    fn id_of(&self, kind: ContactKind, canonical: &str) -> String {
        contact_id(&self.user, kind, canonical)
    }
}

/// The id of a contact: a UUID that is made of what the contact is.
pub fn contact_id(user: &str, kind: ContactKind, canonical: &str) -> String {
    let kind = match kind {
        ContactKind::Email => "email",
        ContactKind::Phone => "phone",
    };
    let hash = Sha256::digest(format!("{user}\0{kind}\0{canonical}"));
    let mut octets = [0_u8; 16];
    octets.iter_mut().zip(hash).for_each(|(octet, hashed)| *octet = hashed);
    Uuid::new_v8(octets).hyphenated().to_string()
}
