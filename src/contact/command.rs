//! What can be done with a user's contacts, and what each command comes to.
//!
//! Invariant: a command that fails changes nothing, and one that changes nothing says so. A user who has contacts of a
//! kind has a primary one: the one that is marked, or the first where a provider marked none.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::contact::{Contact, Contacts, Source, Verification, admitted};
use crate::scim::schema::ContactKind;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something is different now.
    Changed,
    /// It was so already.
    Unchanged,
}

/// Why a command cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The user has no such contact.
    NotFound(ContactKind),
    /// The text is no address or number.
    Invalid(ContactKind),
    /// The user has this value already.
    Present(ContactKind),
    /// The primary contact may not be removed here.
    PrimaryNotRemovable(ContactKind),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |kind: &ContactKind| kind.noun();
        match self {
            Self::NotFound(kind) => write!(f, "the user has no such {}", name(kind)),
            Self::Invalid(ContactKind::Email) => f.write_str("it is no e-mail address"),
            Self::Invalid(ContactKind::Phone) => {
                f.write_str("it is no phone number; write it with its country code, as in +41791234567")
            }
            Self::Present(kind) => write!(f, "the user has this {} already", name(kind)),
            Self::PrimaryNotRemovable(kind) => write!(f, "the primary {} cannot be removed", name(kind)),
        }
    }
}

/// Which contact of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// The one with this id.
    Id(String),
    /// The one that is this address or number, however it is spelled.
    Value(String),
    /// The primary one.
    Primary,
}

/// What a command says of the verification of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Nothing: a value that the user has stays as it is, a new one is unverified.
    Keep,
    /// It is verified, and how.
    Verified(Source),
    /// It is not verified.
    Unverified,
}

/// Whether a contact that is added becomes primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primary {
    /// If the user has no other of its kind.
    Auto,
    /// It does.
    Yes,
    /// If the user has none of its kind that is both primary and verified.
    UnlessVerified,
}

/// What becomes of the contact that was primary before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demotion {
    /// It stays, as a secondary one.
    Keep,
    /// It is removed.
    Drop,
}

/// A contact that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// What it is.
    pub kind: ContactKind,
    /// The address or number.
    pub value: String,
    /// What sort of address it is: `work`, `home`, `mobile`.
    pub label: Option<String>,
    /// Whether it is verified; [`Truth::Keep`] says no.
    pub truth: Truth,
    /// Whether it becomes primary.
    pub primary: Primary,
}

/// A primary value that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPrimary {
    /// What it is.
    pub kind: ContactKind,
    /// The address or number; none removes the primary contact.
    pub value: Option<String>,
    /// Whether it is verified.
    pub truth: Truth,
    /// What becomes of the one that was primary.
    pub old: Demotion,
    /// Whether a value that is the primary one already is left alone, whatever `truth` says.
    pub only_if_other: bool,
}

impl Contacts {
    /// Adds an address or number.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Present`] if the user has it already.
    pub fn add(&mut self, add: &Add, now: DateTime<Utc>) -> Result<Outcome, Error> {
        let kind = add.kind;
        let value = self.admit(kind, &add.value)?;
        let canonical = self.canonical(kind, &value);
        if self.of_kind(kind).any(|contact| contact.canonical == canonical) {
            return Err(Error::Present(kind));
        }
        let leads = match add.primary {
            Primary::Yes => true,
            Primary::Auto => self.primary(kind).is_none(),
            Primary::UnlessVerified => self.primary(kind).is_none_or(|primary| primary.verified.is_none()),
        };
        let mut element = Map::new();
        element.insert("value".into(), Value::String(value));
        if let Some(label) = &add.label {
            element.insert("type".into(), Value::String(label.clone()));
        }
        let verified = match &add.truth {
            Truth::Verified(source) => Some(Verification { at: now, source: source.clone() }),
            Truth::Keep | Truth::Unverified => None,
        };
        let id = self.id_of(kind, &canonical);
        self.all.push(Contact { id: id.clone(), kind, canonical, verified, created: now, element });
        self.all.sort_by_key(|contact| contact.kind == ContactKind::Phone);
        if leads {
            self.lead(kind, &id);
        }
        Ok(Outcome::Changed)
    }

    /// Sets the primary value of a kind: a value that the user has is promoted, another takes the place of the one
    /// that is there.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::NotFound`] if there is nothing to remove.
    pub fn set_primary(&mut self, set: &SetPrimary, now: DateTime<Utc>) -> Result<Outcome, Error> {
        let SetPrimary { kind, value, truth, old, only_if_other } = set;
        let Some(value) = value else { return self.remove(*kind, &Select::Primary, true) };
        let value = self.admit(*kind, value)?;
        let canonical = self.canonical(*kind, &value);
        let before = self.all.clone();
        let earlier = self.primary(*kind).map(|contact| contact.canonical.clone());
        if earlier.as_ref() == Some(&canonical) {
            if *only_if_other {
                return Ok(Outcome::Unchanged);
            }
        } else {
            if *old == Demotion::Drop {
                self.all
                    .retain(|contact| contact.kind != *kind || Some(&contact.canonical) != earlier.as_ref());
            }
            if !self.of_kind(*kind).any(|contact| contact.canonical == canonical) {
                let add = Add { kind: *kind, value, label: None, truth: Truth::Keep, primary: Primary::Yes };
                self.add(&add, now)?;
            }
        }
        self.assert(*kind, &canonical, truth, now);
        if earlier.as_ref() != Some(&canonical) {
            self.lead(*kind, &self.id_of(*kind, &canonical));
        }
        Ok(self.outcome(&before))
    }

    /// Removes a contact. If it was primary, the one that was verified first becomes it, else the oldest.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::PrimaryNotRemovable`] unless `allow_primary`.
    pub fn remove(
        &mut self,
        kind: ContactKind,
        select: &Select,
        allow_primary: bool,
    ) -> Result<Outcome, Error> {
        let canonical = self.selected(kind, select)?;
        let is_primary = self.primary(kind).is_some_and(|primary| primary.canonical == canonical);
        if is_primary && !allow_primary {
            return Err(Error::PrimaryNotRemovable(kind));
        }
        self.all.retain(|contact| contact.kind != kind || contact.canonical != canonical);
        if is_primary {
            self.succeed(kind);
        }
        Ok(Outcome::Changed)
    }

    /// Makes a contact the primary one; the one that was stays as a secondary one.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn make_primary(&mut self, kind: ContactKind, select: &Select) -> Result<Outcome, Error> {
        let canonical = self.selected(kind, select)?;
        let before = self.all.clone();
        self.lead(kind, &self.id_of(kind, &canonical));
        Ok(self.outcome(&before))
    }

    /// Says whether a contact is verified; saying so again makes it so anew. With `then_primary` it becomes primary too.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn set_verified(
        &mut self,
        kind: ContactKind,
        select: &Select,
        verified: Option<Source>,
        then_primary: bool,
        now: DateTime<Utc>,
    ) -> Result<Outcome, Error> {
        let canonical = self.selected(kind, select)?;
        let before = self.all.clone();
        let truth = verified.map_or(Truth::Unverified, Truth::Verified);
        self.assert(kind, &canonical, &truth, now);
        if then_primary {
            self.lead(kind, &self.id_of(kind, &canonical));
        }
        Ok(self.outcome(&before))
    }

    /// What a verification that succeeded comes to: the value is verified, and is the user's if it was not.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::NotFound`] if the user no longer has it and `may_join` is false.
    pub fn verified(
        &mut self,
        kind: ContactKind,
        value: &str,
        source: Source,
        primary: Primary,
        may_join: bool,
        now: DateTime<Utc>,
    ) -> Result<Outcome, Error> {
        let select = Select::Value(value.to_owned());
        if self.find(kind, &select).is_none() && may_join {
            let value = value.to_owned();
            return self.add(&Add { kind, value, label: None, truth: Truth::Verified(source), primary }, now);
        }
        let then_primary = match primary {
            Primary::Yes => true,
            Primary::Auto => false,
            Primary::UnlessVerified => self.primary(kind).is_none_or(|primary| primary.verified.is_none()),
        };
        self.set_verified(kind, &select, Some(source), then_primary, now)
    }

    fn admit(&self, kind: ContactKind, text: &str) -> Result<String, Error> {
        admitted(kind, text, self.policy.region).ok_or(Error::Invalid(kind))
    }

    /// The canonical value of the selected contact.
    fn selected(&self, kind: ContactKind, select: &Select) -> Result<String, Error> {
        let found = self.find(kind, select).ok_or(Error::NotFound(kind))?;
        Ok(found.canonical.clone())
    }

    fn assert(&mut self, kind: ContactKind, canonical: &str, truth: &Truth, now: DateTime<Utc>) {
        let verified = match truth {
            Truth::Keep => return,
            Truth::Verified(source) => Some(Verification { at: now, source: source.clone() }),
            Truth::Unverified => None,
        };
        for contact in self.all.iter_mut().filter(|c| c.kind == kind && c.canonical == canonical) {
            contact.verified.clone_from(&verified);
        }
    }

    /// Marks the contact with this id primary, and no other of its kind.
    fn lead(&mut self, kind: ContactKind, id: &str) {
        let marked = self.of_kind(kind).position(|contact| contact.id == id && contact.is_marked_primary());
        let place = marked.or_else(|| self.of_kind(kind).position(|contact| contact.id == id));
        let of_kind = self.all.iter_mut().filter(|contact| contact.kind == kind && contact.has_value());
        for (index, contact) in of_kind.enumerate() {
            contact.mark_primary(Some(index) == place);
        }
    }

    /// After the primary contact is gone: the one that was verified first becomes it, else the oldest.
    fn succeed(&mut self, kind: ContactKind) {
        let by_age = |contact: &&Contact| {
            let verified = contact.verified.as_ref().map(|verification| verification.at);
            (verified.is_none(), verified, contact.created)
        };
        if let Some(id) = self.of_kind(kind).min_by_key(by_age).map(|contact| contact.id.clone()) {
            self.lead(kind, &id);
        }
    }

    fn outcome(&self, before: &[Contact]) -> Outcome {
        if self.all == before { Outcome::Unchanged } else { Outcome::Changed }
    }
}
