//! The rows that stand beside a document: its facts, its contacts and its label.
//!
//! Invariant: they are a function of the resource and of what its tenant makes unique, so what an update must write is
//! the difference between the rows of the old resource and those of the new one.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::contact::{self, Claims};
use crate::scim::fact::{Fact, facts_of};
use crate::scim::key::Key;
use crate::scim::object;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::schema::{ContactKind, Kept, Uniqueness};
use crate::scim::urn;
use crate::store::error::StoreError;
use crate::store::layout::{
    ContactColumn, KindLayout, Layout, Place, contact_column, contact_number, label_key,
};
use crate::store::write::Unique;

/// The longest key, in bytes, that is stored as it is; PostgreSQL's index entries end at about 2,700.
const KEY_LIMIT: usize = 256;

/// Up to this many bytes, a text sorts among bounded keys as it does among full ones: every key that is cut keeps
/// more than this.
pub(super) const SAFE_PREFIX: usize = KEY_LIMIT - 4;

/// A key as index rows have it: bounded, and in full where that differs. A cut key is longer than any that is not,
/// and ends in a hash of all of it, so that bounded keys are equal only where full ones are.
pub(super) fn bounded(key: &str) -> (String, Option<String>) {
    if key.len() <= KEY_LIMIT {
        return (key.to_owned(), None);
    }
    let hash = STANDARD_NO_PAD.encode(Sha256::digest(key));
    (format!("{}\u{1}{hash}", cut(key, KEY_LIMIT)), Some(key.to_owned()))
}

/// The longest prefix of whole characters that has at most `limit` bytes.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let end = text.floor_char_boundary(limit);
    text.get(..end).unwrap_or_default()
}

/// What tells one fact row of a resource from another: path, bounded key, element.
pub(super) type FactKey = (i64, String, i64);

/// The rest of a fact row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FactRow {
    pub(super) leads: bool,
    /// The number of the path within whose values nobody else may have this one.
    pub(super) unique: Option<i64>,
    pub(super) long: Option<String>,
    /// The attribute's canonical path, for the error when `unique` is violated.
    pub(super) attribute: String,
}

/// One e-mail address or phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContactRow {
    pub(super) kind: ContactKind,
    pub(super) ordinal: i64,
    pub(super) key: String,
    pub(super) long: Option<String>,
    pub(super) canonical: String,
    pub(super) value: Option<String>,
    pub(super) label: Option<String>,
    pub(super) label_key: Option<String>,
    pub(super) display: Option<String>,
    pub(super) display_key: Option<String>,
    pub(super) primary: bool,
    pub(super) id: String,
    pub(super) long_canonical: Option<String>,
    pub(super) created: Option<String>,
    pub(super) verified_at: Option<String>,
    pub(super) verified_by: Option<String>,
    /// Whether nobody else in the tenant may claim the same value.
    pub(super) claim: bool,
}

/// Everything that is kept beside the document of one resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SideRows {
    pub(super) facts: BTreeMap<FactKey, FactRow>,
    pub(super) contacts: Vec<ContactRow>,
    pub(super) label: Option<String>,
    pub(super) label_key: Option<String>,
}

impl SideRows {
    /// The rows of a resource; `also_unique` is what a policy makes unique beside the schema.
    pub(super) fn of(
        layout: &Layout,
        kind: &ResourceType,
        resource: &Resource,
        also_unique: Unique<'_>,
    ) -> Result<Self, StoreError> {
        Self::made(layout, kind, resource.body(), |_| true, also_unique)
    }

    /// The rows of two versions of a resource, but those of attributes that have the same value in both.
    pub(super) fn of_both(
        layout: &Layout,
        kind: &ResourceType,
        versions: [&Resource; 2],
        also_unique: Unique<'_>,
    ) -> Result<[Self; 2], StoreError> {
        let [old, new] = versions.map(Resource::body);
        let mut names = object::differing(old, new);
        // Who claims an address depends on all addresses, and on what is known of them. Which attribute claims a name to
        // log in by depends on all that have one.
        let contacts = kind.all_attributes().filter(|attribute| matches!(attribute.kept, Kept::Contact(_)));
        let contacts: Vec<&str> = contacts.map(|a| a.extension.as_deref().unwrap_or(&a.name)).collect();
        for together in [vec!["userName", urn::IDENTIFIERS], contacts] {
            if names.iter().any(|name| together.contains(name)) {
                names.extend(together);
            }
        }
        let rows = |body| Self::made(layout, kind, body, |name| names.contains(&name), also_unique);
        Ok([rows(old)?, rows(new)?])
    }

    fn made(
        layout: &Layout,
        kind: &ResourceType,
        body: &Map<String, Json>,
        is_wanted: impl Fn(&str) -> bool,
        also_unique: Unique<'_>,
    ) -> Result<Self, StoreError> {
        let all = facts_of(kind, body, is_wanted);
        let label = label(body);
        Ok(Self {
            facts: fact_rows(&layout.kind(kind)?, &all, also_unique.paths),
            contacts: contact_rows(kind, body, &all, also_unique.claims),
            label_key: label.as_deref().and_then(|label| label_key(&kind.family, label)),
            label,
        })
    }
}

/// What others show for a resource: a name that a person can read (RFC 7643 §2.4, `display`), so a user name that is
/// a UUID does not count.
fn label(body: &Map<String, Json>) -> Option<String> {
    let text = |name: &str| object::get(body, name)?.as_str().filter(|text| !text.is_empty());
    let user_name = || text("userName").filter(|name| Uuid::try_parse(name).is_err());
    text("displayName").or_else(user_name).map(str::to_owned)
}

fn fact_rows(kind: &KindLayout<'_>, facts: &[Fact], also_unique: &[&str]) -> BTreeMap<FactKey, FactRow> {
    let mut rows = BTreeMap::new();
    // A resource does not clash with itself: of two equal values only the first goes into the unique index.
    let mut taken = HashSet::new();
    for fact in facts {
        let Place::Fact(path) = kind.place(&fact.attribute) else { continue };
        let attribute = &fact.attribute;
        let wants =
            attribute.uniqueness != Uniqueness::None || also_unique.contains(&attribute.path.as_str());
        let space = (wants && !fact.key.is_empty()).then(|| kind.space(attribute, path));
        let unique = space.filter(|&space| taken.insert((space, fact.key.as_str())));
        let (key, long) = bounded(fact.key.as_str());
        rows.entry((path, key, i64::from(fact.element))).or_insert_with(|| FactRow {
            leads: fact.leads,
            unique,
            long,
            attribute: attribute.path.clone(),
        });
    }
    rows
}

fn contact_rows(
    kind: &ResourceType,
    body: &Map<String, Json>,
    facts: &[Fact],
    claims: Claims,
) -> Vec<ContactRow> {
    let mut elements: BTreeMap<(i64, u32), (ContactKind, Vec<&Fact>)> = BTreeMap::new();
    for fact in facts {
        if let Kept::Contact(contact) = fact.kept {
            let at = (contact_number(contact), fact.element);
            elements.entry(at).or_insert_with(|| (contact, Vec::new())).1.push(fact);
        }
    }
    let user = body.get("id").and_then(Json::as_str).unwrap_or_default();
    let rows = elements.into_iter().map(|((_, element), (contact, facts))| {
        let attribute = kind.all_attributes().find(|attribute| attribute.kept == Kept::Contact(contact));
        let value = attribute.and_then(|attribute| body.get(&attribute.name));
        let value = match value {
            Some(Json::Array(values)) => usize::try_from(element).ok().and_then(|index| values.get(index)),
            value => value,
        };
        contact_row(user, contact, i64::from(element), value.unwrap_or(&Json::Null), &facts)
    });
    let mut rows: Vec<ContactRow> = rows.collect();
    claim(&mut rows, claims, &login_ids(body));
    rows
}

fn contact_row(user: &str, kind: ContactKind, ordinal: i64, element: &Json, facts: &[&Fact]) -> ContactRow {
    let key_of = |column: ContactColumn| {
        let fact = facts.iter().find(|fact| contact_column(&fact.attribute) == Some(column));
        fact.map(|fact| fact.key.as_str())
    };
    let text_of = |name: &str| element.get(name).and_then(Json::as_str).map(str::to_owned);
    let value_key = key_of(ContactColumn::Value);
    let (key, long) = bounded(value_key.unwrap_or_default());
    let canonical = match key_of(ContactColumn::Canonical) {
        Some(canonical) => canonical.to_owned(),
        None => contact::canonical(kind, value_key.unwrap_or_default(), None),
    };
    let id = key_of(ContactColumn::Id).map(str::to_owned);
    let id = id.unwrap_or_else(|| contact::contact_id(user, kind, &canonical));
    let (canonical, long_canonical) = bounded(&canonical);
    ContactRow {
        kind,
        ordinal,
        key,
        long,
        canonical,
        long_canonical,
        value: value_key.and_then(|_| text_of("value")),
        label: text_of("type"),
        label_key: key_of(ContactColumn::Type).map(str::to_owned),
        display: text_of("display"),
        display_key: key_of(ContactColumn::Display).map(str::to_owned),
        primary: key_of(ContactColumn::Primary) == Some("true"),
        id,
        created: key_of(ContactColumn::Created).map(str::to_owned),
        verified_at: key_of(ContactColumn::VerifiedAt).map(str::to_owned),
        verified_by: key_of(ContactColumn::Source).map(str::to_owned),
        claim: false,
    }
}

/// The keys of the names by which the user logs in.
fn login_ids(body: &Map<String, Json>) -> Vec<Key> {
    let ids = body.get(urn::IDENTIFIERS).and_then(|container| container.get("loginIds"));
    let ids = ids.and_then(Json::as_array).into_iter().flatten();
    ids.filter_map(Json::as_str).map(Key::user_name).collect()
}

/// Decides which rows claim their value. A resource does not clash with itself: of two rows with one canonical value the
/// first claims it.
fn claim(rows: &mut [ContactRow], claims: Claims, login_ids: &[Key]) {
    let mut primary: HashSet<(ContactKind, String)> = HashSet::new();
    primary.extend(rows.iter().filter(|row| row.primary).map(|row| (row.kind, row.canonical.clone())));
    let mut taken = HashSet::new();
    for row in rows.iter_mut().filter(|row| row.value.is_some() && !row.canonical.is_empty()) {
        let at = (row.kind, row.canonical.clone());
        let is_login = login_ids.iter().any(|id| id.as_str() == row.canonical);
        let wants = claims.of(primary.contains(&at), row.verified_at.is_some(), is_login);
        row.claim = wants && taken.insert(at);
    }
}

/// Whether the filter value can be compared with bounded keys alone.
pub(super) fn sorts_among_bounded(key: &Key) -> bool {
    key.as_str().len() <= SAFE_PREFIX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_keys_are_equal_only_where_full_keys_are() {
        let long = "a".repeat(400);
        let (key, full) = bounded(&long);
        assert!(key.len() > KEY_LIMIT && key.len() < 400);
        assert_eq!(full.as_deref(), Some(long.as_str()));
        assert_ne!(key, bounded(&"a".repeat(401)).0);
        // A value that looks like a cut key is itself too long to stay as it is.
        assert_ne!(key, bounded(&key).0);
        assert_eq!(bounded(&"a".repeat(KEY_LIMIT)), ("a".repeat(KEY_LIMIT), None));
    }

    #[test]
    fn keys_are_cut_between_characters() {
        for width in ["é", "€", "🙂"] {
            let (key, _) = bounded(&format!("a{}", width.repeat(200)));
            assert!(key.find('\u{1}').is_some_and(|end| end > SAFE_PREFIX), "{key}");
        }
    }

    #[test]
    fn bounded_keys_sort_among_safe_texts_as_full_keys_do() {
        let units = ["a", "b", "é", "€", "🙂", "\u{1}"];
        let texts = |lengths: std::ops::Range<usize>| {
            lengths.flat_map(move |length| units.map(|unit| format!("{}{unit}", "a".repeat(length))))
        };
        for needle in texts(240..260).filter(|text| sorts_among_bounded(&Key::stored(text.as_str()))) {
            for key in texts(240..260).flat_map(|text| [text.clone(), text + &"é".repeat(20)]) {
                let (bounded, _) = bounded(&key);
                assert_eq!(bounded.cmp(&needle), key.cmp(&needle), "{bounded:?} {needle:?}");
                assert_eq!(bounded.starts_with(&needle), key.starts_with(&needle), "{bounded:?} {needle:?}");
            }
        }
    }
}
