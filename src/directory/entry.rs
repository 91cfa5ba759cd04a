//! A resource with what belongs to its representation, and how that is written (RFC 7643 §3.1, RFC 7644 §3.9).
//!
//! Invariant: `meta`, `groups`, `members` and what is derived of a reference are added here and nowhere else. The usual
//! case copies the stored document as it is; only a projection or a reference takes it apart.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::directory::Failure;
use crate::scim::projection::Projection;
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::schema::{Attribute, Mutability};
use crate::scim::version::etag;
use crate::store::{Found, GroupRef, Member, Record};

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
}

/// A page of resources.
pub struct Listing {
    /// How many match.
    pub total: u64,
    /// The 1-based index of the first on this page.
    pub start_index: u64,
    /// The page.
    pub entries: Vec<Entry>,
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
        let refers = |a: &Arc<Attribute>| self.record.document.contains(&format!("\"{}\":{{", a.name));
        let is_plain = *projection == Projection::Default && !self.kind.is_selective;
        if !is_plain || self.kind.references.iter().any(refers) {
            let body = serde_json::from_str(&self.record.document).map_err(Failure::stored_document)?;
            self.body = Some(body);
        }
        Ok(())
    }

    /// The ids that the document refers to.
    pub(super) fn referenced(&self) -> Vec<String> {
        let values = self.kind.references.iter().filter_map(|attribute| self.value_of(attribute));
        values.map(str::to_owned).collect()
    }

    /// Takes from what was found what the document refers to.
    pub(super) fn refer(&mut self, found: &HashMap<String, Found>) {
        let references = self.kind.references.iter().filter_map(|attribute| {
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
        format!("{base}/{}/{}", self.kind.endpoint, self.record.id)
    }

    /// Whether the group has so many members that a PATCH is answered without a body.
    pub fn has_too_many_members(&self) -> bool {
        matches!(self.members, Members::TooMany)
    }

    /// The representation as JSON text.
    pub fn render(&self, base: &str, projection: &Projection) -> Vec<u8> {
        let Some(mut body) = self.body.clone() else { return self.splice(base) };
        for (attribute, target) in &self.references {
            self.complete(attribute, target, base, &mut body);
        }
        for (name, value) in self.additions(base) {
            body.insert(name.to_owned(), value);
        }
        let shown = projection.project(&self.kind, body, &self.touched);
        Value::Object(shown).to_string().into_bytes()
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
            parts.insert("$ref".into(), json!(format!("{base}/{}/{}", kind.endpoint, target.id)));
        }
        let derives = |sub: &&Arc<Attribute>| sub.mutability == Mutability::ReadOnly;
        let name = attribute.sub("displayName").or_else(|| attribute.sub("display")).filter(derives);
        if let (Some(name), Some(display)) = (name, &target.display) {
            parts.insert(name.name.clone(), json!(display));
        }
    }

    /// The stored document with the additions behind its last member.
    fn splice(&self, base: &str) -> Vec<u8> {
        let document = self.record.document.strip_suffix('}').unwrap_or(&self.record.document);
        let mut out = String::with_capacity(document.len() + 384);
        out.push_str(document);
        for (name, value) in self.additions(base) {
            out.push_str(",\"");
            out.push_str(name);
            out.push_str("\":");
            out.push_str(&value.to_string());
        }
        out.push('}');
        out.into_bytes()
    }

    fn additions(&self, base: &str) -> Vec<(&'static str, Value)> {
        let mut out = Vec::with_capacity(2);
        if !self.groups.is_empty() {
            out.push(("groups", self.groups.iter().map(|group| self.group(base, group)).collect()));
        }
        if let Members::Loaded(members) = &self.members {
            out.push(("members", members.iter().map(|member| self.member(base, member)).collect()));
        }
        out.push(("meta", self.meta(base)));
        out
    }

    fn meta(&self, base: &str) -> Value {
        json!({
            "resourceType": self.kind.name,
            "created": timestamp(&self.record.created),
            "lastModified": timestamp(&self.record.modified),
            "location": self.location(base),
            "version": self.etag(),
        })
    }

    fn group(&self, base: &str, group: &GroupRef) -> Value {
        let endpoint = self.registry.type_named("Group").map_or("Groups", |kind| &kind.endpoint);
        let mut out = Map::new();
        out.insert("value".into(), json!(group.id));
        out.insert("$ref".into(), json!(format!("{base}/{endpoint}/{}", group.id)));
        if let Some(display) = &group.display {
            out.insert("display".into(), json!(display));
        }
        out.insert("type".into(), json!("direct"));
        Value::Object(out)
    }

    /// A member that is no resource of the tenant has neither a URI nor a type.
    fn member(&self, base: &str, member: &Member) -> Value {
        let mut out = Map::new();
        out.insert("value".into(), json!(member.id));
        if let Some(kind) = member.kind.as_deref().and_then(|name| self.registry.type_named(name)) {
            out.insert("$ref".into(), json!(format!("{base}/{}/{}", kind.endpoint, member.id)));
            out.insert("type".into(), json!(kind.name));
        }
        if let Some(display) = &member.display {
            out.insert("display".into(), json!(display));
        }
        Value::Object(out)
    }
}

/// A stored instant as it is shown: milliseconds and `Z` (reading A31).
pub(super) fn timestamp(stored: &str) -> String {
    let (seconds, fraction) = stored.split_once('.').unwrap_or((stored, ""));
    format!("{seconds}.{fraction:0<3}Z")
}
