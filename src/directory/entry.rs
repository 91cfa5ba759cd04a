//! A resource with what belongs to its representation, and how that is written (RFC 7643 §3.1, RFC 7644 §3.9).
//!
//! Invariant: `meta`, `groups` and `members` are added here and nowhere else. The usual case copies the stored
//! document as it is; only a projection takes it apart.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::scim::projection::Projection;
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::version::etag;
use crate::store::{GroupRef, Member, Record};

/// A resource that is about to be shown.
pub struct Entry {
    pub(super) kind: Arc<ResourceType>,
    pub(super) record: Record,
    pub(super) groups: Vec<GroupRef>,
    pub(super) members: Members,
    pub(super) touched: Vec<String>,
    registry: Arc<Registry>,
}

/// The members of a group, as far as they were read.
pub enum Members {
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
        Self { kind, record, groups: Vec::new(), members: Members::Hidden, touched: Vec::new(), registry }
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
        if *projection == Projection::Default && !self.kind.is_selective {
            return self.splice(base);
        }
        let mut body: Map<String, Value> = serde_json::from_str(&self.record.document).unwrap_or_default();
        for (name, value) in self.additions(base) {
            body.insert(name.to_owned(), value);
        }
        let shown = projection.project(&self.kind, body, &self.touched);
        Value::Object(shown).to_string().into_bytes()
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
fn timestamp(stored: &str) -> String {
    let (seconds, fraction) = stored.split_once('.').unwrap_or((stored, ""));
    format!("{seconds}.{fraction:0<3}Z")
}
