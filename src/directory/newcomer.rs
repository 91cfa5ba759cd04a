//! A resource that an import brings: admitted as the body of a POST is, but with its own id, `meta` and secrets.
//!
//! Invariant: only what a POST cannot say goes past admission: `id`, `meta`, the hash of a password, and what a whole
//! resource says of its addresses and numbers. All of them are checked here.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::directory::{Directory, Failure, also_unique, hash, password, rules, settled, stored_precision};
use crate::id::ResourceId;
use crate::quirks;
use crate::scim::admit::index;
use crate::scim::error::ScimError;
use crate::scim::key::{Key, parse_instant};
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, Type};
use crate::scim::urn;
use crate::store::{Arrival, Aside, Stamp};

/// The longest id, in bytes: longer ones make URLs that not everything on the way takes.
const ID_LIMIT: usize = 256;

const PASSWORD: &str = "password";

/// A resource that was admitted.
pub struct Newcomer {
    pub(super) kind: Arc<ResourceType>,
    pub(super) resource: Resource,
    pub(super) id: ResourceId,
    pub(super) brings_id: bool,
    /// Whether the password is still in clear.
    pub(super) is_clear: bool,
    pub(super) arrival: Arrival,
    stamp: Stamp,
}

impl Newcomer {
    /// The same with bags, by their names: JSON beside the resource.
    #[must_use]
    pub fn with_bags(self, bags: Map<String, Value>) -> Self {
        let bag = |(name, content): (String, Value)| Aside::Bag(name, Some(content.to_string()));
        Self { arrival: self.arrival.with_asides(bags.into_iter().map(bag).collect()), ..self }
    }

    /// Its bags.
    pub(super) fn bags(&self) -> HashMap<&str, &str> {
        let bags = self.arrival.asides().iter().filter_map(|aside| match aside {
            Aside::Bag(name, Some(content)) => Some((name.as_str(), content.as_str())),
            _ => None,
        });
        bags.collect()
    }

    /// The ids of its members.
    pub(super) fn members(&self) -> &[String] {
        self.arrival.members()
    }
}

impl Directory {
    /// Admits a resource. `secrets` are what is never returned, as an export has them: passwords as hashes.
    ///
    /// # Errors
    /// Those of [`ResourceType::admit`], and `invalidValue` for an id, `meta` or secret that cannot be.
    pub fn admit_row(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        mut body: Map<String, Value>,
        secrets: Option<Map<String, Value>>,
    ) -> Result<Newcomer, ScimError> {
        let given = Given::of(&body)?;
        let mut brings_hash = false;
        if let Some(secrets) = secrets {
            if urn::same(&kind.schema.id, urn::USER) {
                check_hash(secrets.get(PASSWORD))?;
                brings_hash = index(&body)?.get(PASSWORD).is_none();
            }
            body = Resource::stored(body, Some(secrets)).into_body();
        }
        quirks::rewrite_resource(&cx.caller.profile, kind, &mut body);
        let known = known(kind, &body);
        let mut admitted = kind.admit(&body, rules(cx))?;
        if given.id.is_some() {
            // It was a whole resource: what it does not have, it was without.
            admitted.mentioned.extend(kind.all_attributes().map(|attribute| attribute.path.clone()));
        }
        let members = admitted.members.take().unwrap_or_default();
        let brings_id = given.id.is_some();
        let stamp = given.stamp(stored_precision(cx.now));
        let id = given.id.unwrap_or_else(ResourceId::generate);
        let resource = Resource::created(kind, admitted)?.with_id(kind, id.as_str());
        let resource = match known.filter(|_| brings_id) {
            Some(known) => resource.with_value(kind, urn::IDENTIFIERS, known),
            None => resource,
        };
        let (resource, adopted) = password::adopt(kind, resource, None)?;
        let resource = settled(cx, kind, id.as_str(), resource)?;
        let arrival = self
            .store
            .arrival(kind, &id, (&resource, members), stamp, also_unique(cx, kind))
            .map_err(|error| ScimError::value(error.to_string()))?;
        let is_clear = !brings_hash && !adopted;
        Ok(Newcomer { kind: Arc::clone(kind), resource, id, brings_id, is_clear, arrival, stamp })
    }

    /// Hashes the password, where it is in clear.
    pub(super) async fn protect(&self, cx: &Context, newcomer: &mut Newcomer) -> Result<(), Failure> {
        if !newcomer.is_clear || !newcomer.resource.body().contains_key(PASSWORD) {
            return Ok(());
        }
        let kind = &newcomer.kind;
        let resource = self.hasher.protect(kind, newcomer.resource.clone(), None).await?;
        let content = (&resource, newcomer.members().to_vec());
        let unique = also_unique(cx, kind);
        let asides = newcomer.arrival.asides().to_vec();
        let arrival = self.store.arrival(kind, &newcomer.id, content, newcomer.stamp, unique)?;
        newcomer.arrival = arrival.with_asides(asides);
        Ok(())
    }
}

/// What only the server says of a resource, but for the operator who brings a whole one.
#[derive(Default)]
struct Given {
    id: Option<ResourceId>,
    created: Option<DateTime<Utc>>,
    modified: Option<DateTime<Utc>>,
    version: Option<i64>,
}

impl Given {
    fn of(body: &Map<String, Value>) -> Result<Self, ScimError> {
        let members = index(body)?;
        let id = match members.get("id") {
            None | Some(Value::Null) => None,
            Some(id) => Some(checked_id(id)?),
        };
        let Some(Value::Object(meta)) = members.get("meta") else {
            return Ok(Self { id, ..Self::default() });
        };
        let meta = index(meta)?;
        let instant = |name: &str| match meta.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_str().and_then(parse_instant) {
                Some(instant) => Ok(Some(stored_precision(instant))),
                None => Err(ScimError::value(format!("meta.{name} must be a date and time"))),
            },
        };
        // A version of another server is opaque and says nothing here.
        let version = meta.get("version").and_then(|value| {
            let text = value.as_str()?;
            text.strip_prefix("W/").unwrap_or(text).trim_matches('"').parse().ok().filter(|n: &i64| *n > 0)
        });
        Ok(Self { id, created: instant("created")?, modified: instant("lastModified")?, version })
    }

    fn stamp(&self, now: DateTime<Utc>) -> Stamp {
        let created = self.created.unwrap_or(now);
        let modified = self.modified.unwrap_or(created);
        Stamp { created, modified, version: self.version.unwrap_or(1) }
    }
}

/// RFC 7643 §3.1: an id is never empty and never `bulkId`; and it must be possible to put it into a path.
fn checked_id(id: &Value) -> Result<ResourceId, ScimError> {
    let is_good = |text: &&str| {
        !text.is_empty()
            && text.len() <= ID_LIMIT
            && !text.contains(|c: char| c.is_control() || c == '/')
            && !text.contains("bulkId")
            && !matches!(*text, "." | "..")
    };
    let text = id.as_str().filter(is_good).ok_or_else(|| {
        ScimError::value(format!("id must be a string of 1 to {ID_LIMIT} bytes without slashes or bulkId"))
    })?;
    Ok(ResourceId::from_text(text))
}

/// What the other server knew of addresses and numbers, value by value; settling keeps what is about the resource.
fn known(kind: &ResourceType, body: &Map<String, Value>) -> Option<Value> {
    kind.extension(urn::IDENTIFIERS)?;
    let container = body.iter().find(|(name, _)| urn::same(name, urn::IDENTIFIERS))?.1.as_object()?;
    let lists = container.iter().filter_map(|(name, value)| {
        let attribute =
            kind.extension(urn::IDENTIFIERS)?.schema.attributes.iter().find(|a| a.name == *name)?;
        let values = value.as_array()?.iter().filter_map(|value| known_value(attribute, value));
        Some((name.clone(), values.collect()))
    });
    Some(Value::Object(lists.collect()))
}

/// The value, or those of its parts that are of their type.
fn known_value(attribute: &Attribute, value: &Value) -> Option<Value> {
    if attribute.kind != Type::Complex {
        return Key::of(attribute, value).map(|_| value.clone());
    }
    let parts = value.as_object().filter(|parts| parts.get("value").is_some_and(Value::is_string))?;
    let is_good =
        |name: &str, part: &Value| attribute.sub(name).is_some_and(|sub| Key::of(sub, part).is_some());
    let good = parts.iter().filter(|(name, part)| is_good(name, part));
    Some(Value::Object(good.map(|(name, part)| (name.clone(), part.clone())).collect()))
}

fn check_hash(password: Option<&Value>) -> Result<(), ScimError> {
    match password {
        None => Ok(()),
        Some(Value::String(text)) => hash::check(text).map_err(|error| error.at("secrets.password")),
        Some(_) => Err(ScimError::value("secrets.password must be the hash of a password")),
    }
}
