//! A resource with what belongs to its representation, and how that is written (RFC 7643 §3.1, RFC 7644 §3.9).
//!
//! Invariant: `meta`, `groups`, `members` and what is derived of a reference are added here and nowhere else. The usual
//! case copies the stored document as it is; only a projection or a reference takes it apart.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::directory::Failure;
use crate::directory::pieces::Walk;
use crate::directory::render::{self, Link};
use crate::scim::projection::Projection;
use crate::scim::registry::{Reference, Registry, ResourceType};
use crate::scim::schema::{Attribute, Mutability};
use crate::scim::version::{etag, fingerprint};
use crate::store::{Found, GroupRef, Member, Record};

/// About how many octets `meta` takes, and a value of `groups` or `members`.
const ADDITIONS: usize = 384;
const LINK: usize = 192;

/// A resource that is about to be shown.
pub struct Entry {
    pub(super) kind: Arc<ResourceType>,
    pub(super) record: Record,
    pub(super) groups: Vec<GroupRef>,
    pub(super) members: Members,
    pub(super) touched: Vec<String>,
    registry: Arc<Registry>,
    /// The document taken apart, where it cannot be copied.
    body: Option<Map<String, Value>>,
    /// The resources that the document refers to, by the attribute that does.
    references: Vec<(Arc<Attribute>, Found)>,
}

/// The members of a group, as far as they were read.
pub(super) enum Members {
    /// The representation does not show them.
    Hidden,
    /// All of them.
    Loaded(Vec<Member>),
    /// More than the answer to a PATCH carries.
    TooMany,
    /// So many that they are read while they are sent.
    Unread(Walk),
}

/// A page of resources.
pub struct Listing {
    /// How many match.
    pub total: u64,
    /// The 1-based index of the first on this page; none where a cursor was asked for.
    pub start_index: Option<u64>,
    /// Where the next page begins; none on the last one, or where no cursor was asked for.
    pub next_cursor: Option<String>,
    /// The page.
    pub entries: Vec<Entry>,
}

impl Listing {
    /// What stands for the page in an entity tag: the numbers, or the next cursor, which is never given twice, and the
    /// ids and versions of its resources. As in the tag of one resource, what is derived from others has no part in
    /// it (reading A43).
    pub fn tag(&self) -> String {
        let place = self.start_index.map(|index| index.to_string()).or_else(|| self.next_cursor.clone());
        let mut content = format!("{} {}", self.total, place.unwrap_or_default());
        for Entry { record, .. } in &self.entries {
            content.extend([" ", record.id.as_str(), " ", &record.version.to_string()]);
        }
        fingerprint(&content)
    }
}

impl Entry {
    pub(super) fn new(registry: Arc<Registry>, kind: Arc<ResourceType>, record: Record) -> Self {
        Self {
            kind,
            record,
            groups: Vec::new(),
            members: Members::Hidden,
            touched: Vec::new(),
            registry,
            body: None,
            references: Vec::new(),
        }
    }

    /// Takes the document apart if this projection cannot copy it.
    pub(super) fn open(&mut self, projection: &Projection) -> Result<(), Failure> {
        let document = self.record.document.as_bytes();
        let is_plain = *projection == Projection::Default && !self.kind.is_selective;
        if !is_plain || self.kind.references.iter().any(|reference| reference.may_be_in(document)) {
            let body = serde_json::from_str(&self.record.document).map_err(Failure::stored_document)?;
            self.body = Some(body);
        }
        Ok(())
    }

    /// The ids that the document refers to.
    pub(super) fn referenced(&self) -> Vec<String> {
        let values = self.kind.references.iter().filter_map(|reference| self.value_of(&reference.attribute));
        values.map(str::to_owned).collect()
    }

    /// Takes from what was found what the document refers to.
    pub(super) fn refer(&mut self, found: &HashMap<String, Found>) {
        let references = self.kind.references.iter().filter_map(|Reference { attribute, .. }| {
            let target = found.get(self.value_of(attribute)?)?;
            Some((Arc::clone(attribute), target.clone()))
        });
        self.references = references.collect();
    }

    fn value_of(&self, attribute: &Attribute) -> Option<&str> {
        let holder = match &attribute.extension {
            Some(id) => self.body.as_ref()?.get(&**id)?.as_object()?,
            None => self.body.as_ref()?,
        };
        holder.get(&attribute.name)?.get("value")?.as_str()
    }

    /// The version, for preconditions.
    pub fn version(&self) -> i64 {
        self.record.version
    }

    /// The entity tag.
    pub fn etag(&self) -> String {
        etag(self.record.version)
    }

    /// The resource's URI under a base without a slash at its end.
    pub fn location(&self, base: &str) -> String {
        render::location(base, &self.kind.endpoint, self.record.id.as_str()).concat()
    }

    /// Whether the group has so many members that a PATCH is answered without a body.
    pub fn has_too_many_members(&self) -> bool {
        matches!(self.members, Members::TooMany)
    }

    /// Writes the representation as JSON text behind what is there, without members that are not read yet.
    pub(super) fn write(&self, base: &str, projection: &Projection, out: &mut Vec<u8>) {
        let Some(mut body) = self.body.clone() else { return self.splice(base, out) };
        for (attribute, target) in &self.references {
            self.complete(attribute, target, base, &mut body);
        }
        body.extend(self.additions(base));
        let shown = projection.project(&self.kind, body, &self.touched);
        out.extend_from_slice(Value::Object(shown).to_string().as_bytes());
    }

    /// RFC 7643 §4.3: what the client did not say of a reference, and what only the server may say.
    fn complete(&self, attribute: &Attribute, target: &Found, base: &str, body: &mut Map<String, Value>) {
        let holder = match &attribute.extension {
            Some(id) => body.get_mut(&**id).and_then(Value::as_object_mut),
            None => Some(body),
        };
        let parts = holder.and_then(|holder| holder.get_mut(&attribute.name)?.as_object_mut());
        let (Some(parts), Some(kind)) = (parts, self.registry.type_named(&target.kind)) else { return };
        if !parts.contains_key("$ref") {
            parts.insert("$ref".into(), json!(render::location(base, &kind.endpoint, &target.id).concat()));
        }
        let derives = |sub: &&Arc<Attribute>| sub.mutability == Mutability::ReadOnly;
        let name = attribute.sub("displayName").or_else(|| attribute.sub("display")).filter(derives);
        if let (Some(name), Some(display)) = (name, &target.display) {
            parts.insert(name.name.clone(), json!(display));
        }
    }

    /// The stored document with the additions behind its last member.
    fn splice(&self, base: &str, out: &mut Vec<u8>) {
        let document = self.record.document.strip_suffix('}').unwrap_or(&self.record.document);
        let members = if let Members::Loaded(members) = &self.members { members.len() } else { 0 };
        out.reserve(document.len() + ADDITIONS + (self.groups.len() + members) * LINK);
        out.extend_from_slice(document.as_bytes());
        out.push(b',');
        self.add(base, out);
        out.push(b'}');
    }

    /// What the document does not hold.
    fn additions(&self, base: &str) -> Map<String, Value> {
        let mut text = vec![b'{'];
        self.add(base, &mut text);
        text.push(b'}');
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes what the document does not hold, as members of an object.
    fn add(&self, base: &str, out: &mut Vec<u8>) {
        if !self.groups.is_empty() {
            let endpoint = self.registry.type_named("Group").map_or("Groups", |kind| &kind.endpoint);
            out.extend_from_slice(b"\"groups\":");
            render::links(out, self.groups.iter().map(|group| Link::to_group(group, base, endpoint)));
            out.push(b',');
        }
        if let Members::Loaded(members) = &self.members {
            let link = |member| Link::to_member(member, base, self.kind_of(member));
            out.extend_from_slice(b"\"members\":");
            render::links(out, members.iter().map(link));
            out.push(b',');
        }
        out.extend_from_slice(b"\"meta\":");
        render::meta(out, &self.record, &self.kind.name, base, &self.kind.endpoint);
    }

    /// A list of members as the projection shows it: the text itself where the document is copied, too.
    pub(super) fn shown_members(&self, text: Vec<u8>, projection: &Projection) -> Vec<u8> {
        if self.body.is_none() {
            return text;
        }
        let links = serde_json::from_slice(&text).unwrap_or_default();
        let body = Map::from_iter([("members".to_owned(), links)]);
        let mut shown = projection.project(&self.kind, body, &self.touched);
        shown.remove("members").unwrap_or_default().to_string().into_bytes()
    }

    /// The name and the endpoint of a member's type.
    pub(super) fn kind_of(&self, member: &Member) -> Option<(&str, &str)> {
        let kind = self.registry.type_named(member.kind.as_deref()?)?;
        Some((&kind.name, &kind.endpoint))
    }
}
