//! Contacts in a document: `emails` and `phoneNumbers`, and beside them the identifiers extension.
//!
//! Invariant: [`settle`] is idempotent, and after it the extension has one entry for every value of the two attributes, in
//! the same order. What it says of a value is kept as long as the value is there, however its spelling changes.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::contact::{Contact, Contacts, Policy, Source, Verification, canonical, contact_id};
use crate::scim::error::ScimError;
use crate::scim::key::parse_instant;
use crate::scim::object;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::schema::{ContactKind, Kept};
use crate::scim::urn;

/// What one entry of the extension says.
struct Entry {
    value: String,
    canonical: String,
    verified: Option<Verification>,
    created: Option<DateTime<Utc>>,
    /// Whether the server made it; one that a PATCH made is about nothing.
    is_known: bool,
}

/// Puts the identifiers extension of a user in agreement with its addresses and numbers, after a client changed either.
///
/// # Errors
/// `noTarget` if the extension speaks of a value that the user does not have and never had.
pub fn settle(
    kind: &ResourceType,
    user: &str,
    resource: Resource,
    policy: Policy,
    now: DateTime<Utc>,
) -> Result<Resource, ScimError> {
    if kind.extension(urn::IDENTIFIERS).is_none() {
        return Ok(resource);
    }
    let container = resource.body().contains_key(urn::IDENTIFIERS);
    let has_contacts = kind
        .attributes
        .iter()
        .any(|a| matches!(a.kept, Kept::Contact(_)) && resource.body().contains_key(&a.name));
    if !container && !has_contacts {
        return Ok(resource);
    }
    let contacts = Contacts::of(user, &resource, policy, now)?;
    Ok(contacts.written(kind, resource))
}

/// Whether two versions of a user say something else of addresses and numbers. Where they do not, what was settled in
/// one is settled in the other.
pub fn differ(old: &Resource, new: &Resource) -> bool {
    let differing = object::differing(old.body(), new.body());
    let names = ContactKind::ALL.map(ContactKind::attribute).into_iter().chain([urn::IDENTIFIERS]);
    names.into_iter().any(|name| differing.contains(&name))
}

impl Contacts {
    /// The contacts of a user's document.
    ///
    /// # Errors
    /// As [`settle`].
    pub fn of(
        user: &str,
        resource: &Resource,
        policy: Policy,
        now: DateTime<Utc>,
    ) -> Result<Self, ScimError> {
        let mut contacts = Self { user: user.to_owned(), policy, all: Vec::new() };
        for kind in ContactKind::ALL {
            let name = kind.attribute();
            let extension = resource.body().get(urn::IDENTIFIERS);
            let entries = entries(extension.and_then(|container| container.get(name)), now);
            contacts.read(kind, resource.body().get(name), entries, now)?;
        }
        Ok(contacts)
    }

    fn read(
        &mut self,
        kind: ContactKind,
        elements: Option<&Value>,
        entries: Vec<Entry>,
        now: DateTime<Utc>,
    ) -> Result<(), ScimError> {
        let by_value: HashMap<&str, &Entry> = entries.iter().map(|e| (e.value.as_str(), e)).collect();
        let by_canonical: HashMap<&str, &Entry> = entries.iter().map(|e| (e.canonical.as_str(), e)).collect();
        let from = self.all.len();
        for element in elements.and_then(Value::as_array).into_iter().flatten() {
            let Some(element) = element.as_object() else { continue };
            let value = element.get("value").and_then(Value::as_str).unwrap_or_default();
            // A spelling that is there already keeps the canonical form that it was given.
            let known = by_value.get(value).filter(|entry| !entry.canonical.is_empty());
            let canonical = match known {
                Some(entry) => entry.canonical.clone(),
                None => canonical(kind, value, self.policy.region),
            };
            let entry = known.or_else(|| by_canonical.get(canonical.as_str())).copied();
            self.all.push(Contact {
                id: contact_id(&self.user, kind, &canonical),
                kind,
                verified: entry.and_then(|entry| entry.verified.clone()),
                created: entry.and_then(|entry| entry.created).unwrap_or(now),
                canonical,
                element: element.clone(),
            });
        }
        self.share(from);
        let read = self.all.get(from..).unwrap_or_default();
        let is_about = |entry: &Entry| {
            read.iter().any(|contact| contact.canonical == entry.canonical || contact.value() == entry.value)
        };
        match entries.iter().find(|entry| !entry.is_known && !is_about(entry)) {
            None => Ok(()),
            Some(entry) => {
                let (name, value) = (kind.attribute(), &entry.value);
                Err(ScimError::no_target(format!("{}:{name}: the user has no {value:?}", urn::IDENTIFIERS)))
            }
        }
    }

    /// Contacts with one canonical value share what is known of it.
    fn share(&mut self, from: usize) {
        let mut known: HashMap<String, (Option<Verification>, DateTime<Utc>)> = HashMap::new();
        for contact in self.all.iter().skip(from) {
            let shared =
                known.entry(contact.canonical.clone()).or_insert((contact.verified.clone(), contact.created));
            shared.0 = shared.0.clone().or_else(|| contact.verified.clone());
            shared.1 = shared.1.min(contact.created);
        }
        for contact in self.all.iter_mut().skip(from) {
            if let Some((verified, created)) = known.get(&contact.canonical) {
                contact.verified.clone_from(verified);
                contact.created = *created;
            }
        }
    }

    /// The user's document with these contacts in it.
    #[must_use]
    pub fn written(&self, kind: &ResourceType, resource: Resource) -> Resource {
        let mut body = resource.into_body();
        let mut container = match body.shift_remove(urn::IDENTIFIERS) {
            Some(Value::Object(container)) => container,
            _ => Map::new(),
        };
        for of in ContactKind::ALL {
            let all = || self.all.iter().filter(|contact| contact.kind == of);
            let elements: Vec<Value> = all().map(|contact| Value::Object(contact.element.clone())).collect();
            body.insert(of.attribute().into(), Value::Array(elements));
            container.insert(of.attribute().into(), all().map(entry).collect());
        }
        body.insert(urn::IDENTIFIERS.into(), Value::Object(container));
        Resource::canonical(kind, body)
    }
}

fn entry(contact: &Contact) -> Value {
    let mut out = Map::new();
    let value = contact.text("value");
    if let Some(value) = value {
        out.insert("value".into(), json!(value));
    }
    out.insert("id".into(), json!(contact.id));
    out.insert("verified".into(), json!(contact.verified.is_some()));
    if let Some(Verification { at, source }) = &contact.verified {
        out.insert("verifiedAt".into(), json!(instant(*at)));
        out.insert("verificationSource".into(), json!(source.as_str()));
    }
    if value.is_some() {
        out.insert("canonical".into(), json!(contact.canonical));
    }
    out.insert("created".into(), json!(instant(contact.created)));
    Value::Object(out)
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// What the extension says. Where it says `verified` and not since when, a client of SCIM has just said so.
fn entries(given: Option<&Value>, now: DateTime<Utc>) -> Vec<Entry> {
    let read = |entry: &Value| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let value = text("value").unwrap_or_default().to_owned();
        let source = text("verificationSource").map_or(Source::Scim, Source::named);
        let at = text("verifiedAt").and_then(parse_instant).unwrap_or(now);
        let is_verified = entry.get("verified") == Some(&Value::Bool(true));
        Entry {
            value,
            canonical: text("canonical").unwrap_or_default().to_owned(),
            verified: is_verified.then_some(Verification { at, source }),
            created: text("created").and_then(parse_instant),
            is_known: text("id").is_some(),
        }
    };
    given.and_then(Value::as_array).into_iter().flatten().map(read).collect()
}
