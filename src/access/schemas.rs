//! A tenant's own schemas and resource types, which it adds and changes while the server runs.
//!
//! Invariant: the set is valid as a whole, and no stored resource contradicts it. A change that one could contradict is
//! checked twice: before it counts, and when the last process has heard of it (`judgement.rs`); what slipped in between
//! undoes it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::access::judgement::{reindex, unjudged};
use crate::access::{Access, AccessError, FRESH};
use crate::id::TenantId;
use crate::scim::evolution::Change;
use crate::scim::fact::facts;
use crate::scim::registry::{DocumentKey, Registry, ResourceType};
use crate::store::{Record, Sequel, StoreError, TenantDocuments};

pub use crate::store::Reindexing;

/// How many tenants' registries are kept in memory.
const CAPACITY: usize = 256;

/// How many resources are read at a time.
const PAGE: u32 = 1000;

/// How many obstacles are named.
const NAMED: usize = 20;

/// How often a change is tried again that lost a race.
pub(super) const ATTEMPTS: usize = 8;

/// How much longer than [`FRESH`] a request may last that began with older schemas.
pub(super) const GRACE: TimeDelta = TimeDelta::milliseconds(500);

/// For how long who judges a change, or writes facts anew, has it in hand.
pub const HOLD: TimeDelta = TimeDelta::seconds(60);

/// The registries of tenants that have documents of their own, by the version of these.
#[derive(Default)]
pub(super) struct Registries(Mutex<HashMap<TenantId, (i64, Arc<Registry>)>>);

impl Registries {
    fn get(&self, tenant: TenantId, version: i64) -> Option<Arc<Registry>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&tenant).filter(|(kept, _)| *kept == version).map(|(_, registry)| Arc::clone(registry))
    }

    fn keep(&self, tenant: TenantId, version: i64, registry: &Arc<Registry>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= CAPACITY && !kept.contains_key(&tenant) {
            kept.clear();
        }
        kept.insert(tenant, (version, Arc::clone(registry)));
    }
}

/// What a tenant has.
#[derive(Clone, Debug)]
pub struct TenantSchemas {
    /// Its own documents, in the order in which they are served.
    pub documents: Vec<Value>,
    /// All that it has, with those of the server.
    pub registry: Arc<Registry>,
    /// Whether facts are still being written anew after a change.
    pub is_indexing: bool,
    pub(super) version: i64,
}

impl TenantSchemas {
    /// The tenant's own document of that kind and name.
    pub fn own(&self, key: &DocumentKey) -> Option<&Value> {
        self.documents.iter().find(|document| DocumentKey::of(document) == *key)
    }
}

/// One part of a change.
#[derive(Clone, Debug)]
pub enum SchemaEdit {
    /// A document that is added, or takes the place of the one with its id.
    Put(Value),
    /// A document that goes.
    Remove(DocumentKey),
}

/// A stored resource that is in the way of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The attribute.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What is in the way of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// The first of them.
    pub first: Vec<Obstacle>,
    /// Whether there are more.
    pub more: bool,
}

impl fmt::Display for Obstacles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stored resources are in the way")?;
        for (index, Obstacle { kind, id, path, why }) in self.first.iter().enumerate() {
            write!(f, "{} {kind} {id} at {path}: {why}", if index == 0 { ":" } else { ";" })?;
        }
        if self.more { f.write_str("; and more") } else { Ok(()) }
    }
}

impl Access {
    /// The registry of a tenant whose documents have this version.
    pub(super) async fn registry_at(
        &self,
        tenant: TenantId,
        version: i64,
    ) -> Result<Arc<Registry>, AccessError> {
        if version == 0 {
            return Ok(Arc::clone(&self.registry));
        }
        match self.registries.get(tenant, version) {
            Some(registry) => Ok(registry),
            None => Ok(self.schemas(tenant).await?.registry),
        }
    }

    /// What a tenant has.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn schemas(&self, tenant: TenantId) -> Result<TenantSchemas, AccessError> {
        let TenantDocuments { version, is_indexing, documents } = self.store.tenant_documents(tenant).await?;
        let damaged = |error: &dyn fmt::Display| {
            StoreError::corrupt(format!("the schemas of tenant {} cannot be used: {error}", tenant.0))
        };
        let parsed = documents.iter().map(|text| serde_json::from_str(text));
        let documents: Vec<Value> = parsed.collect::<Result<_, _>>().map_err(|error| damaged(&error))?;
        if documents.is_empty() {
            let registry = Arc::clone(&self.registry);
            return Ok(TenantSchemas { documents, registry, is_indexing, version });
        }
        let registry = match self.registries.get(tenant, version) {
            Some(registry) => registry,
            None => {
                let built = self.registry.extended(&named(&documents)).map_err(|error| damaged(&error))?;
                self.store.learn(&built).await?;
                let built = Arc::new(built);
                self.registries.keep(tenant, version, &built);
                built
            }
        };
        Ok(TenantSchemas { documents, registry, is_indexing, version })
    }

    /// Changes what a tenant has. It counts with the next request to this process, and within [`FRESH`] with every other;
    /// if stored resources could contradict it, this answers only then. It runs to its end also if the caller goes away.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] for documents that do not make a whole, [`AccessError::InTheWay`], [`AccessError::Store`].
    pub async fn change_schemas(
        &self,
        tenant: TenantId,
        edits: &[SchemaEdit],
        now: DateTime<Utc>,
    ) -> Result<TenantSchemas, AccessError> {
        let (access, edits) = (self.clone(), edits.to_vec());
        let change = async move {
            for _ in 0..ATTEMPTS {
                match access.try_change(tenant, &edits, now).await {
                    Err(AccessError::Store(StoreError::Conflict)) => {}
                    other => return other,
                }
            }
            Err(contended())
        };
        tokio::spawn(change).await.map_err(|_| StoreError::unavailable("the program is stopping"))?
    }

    async fn try_change(
        &self,
        tenant: TenantId,
        edits: &[SchemaEdit],
        now: DateTime<Utc>,
    ) -> Result<TenantSchemas, AccessError> {
        let old = self.schemas(tenant).await?;
        let documents = edited(&old, edits)?;
        if documents == old.documents {
            return Ok(old);
        }
        let new = self.registry.for_tenant(&named(&documents));
        let new = new.map_err(|error| AccessError::invalid(error.to_string()))?;
        let changes = changes(&old.registry, &new);
        let is_narrowing =
            changes.iter().any(|(_, _, change)| change.as_ref().is_none_or(Change::is_narrowing));
        if is_narrowing {
            self.refuse_obstacles(tenant, &changes).await?;
        }
        self.store.learn(&new).await?;
        let reindex = reindex(&changes, now);
        if !is_narrowing {
            self.set(tenant, old.version, &documents, Sequel { reindex, ..Sequel::default() }).await?;
            return self.schemas(tenant).await;
        }
        let mut change = unjudged(tenant, old.version + 1, &documents, &old.documents, now);
        let judge = Some(&change);
        self.set(tenant, old.version, &documents, Sequel { reindex, judge, ..Sequel::default() }).await?;
        tokio::time::sleep((FRESH + GRACE).to_std().unwrap_or(Duration::ZERO)).await;
        let now = now + FRESH + GRACE;
        if !self.hold_unjudged(&mut change, now + HOLD).await? {
            return Err(StoreError::unavailable("another process judges the change of schemas").into());
        }
        self.judge(&change, now).await?;
        self.schemas(tenant).await
    }

    /// Puts documents in the place of those of that version.
    pub(super) async fn set(
        &self,
        tenant: TenantId,
        version: i64,
        documents: &[Value],
        sequel: Sequel<'_>,
    ) -> Result<(), AccessError> {
        let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
        self.store.set_tenant_documents(tenant, version, &texts, sequel).await?;
        self.known.forget();
        Ok(())
    }

    /// The tenants whose facts must be written anew, and which nobody has in hand.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn reindexings(&self, now: DateTime<Utc>) -> Result<Vec<Reindexing>, AccessError> {
        Ok(self.store.reindexings(now).await?)
    }

    /// Takes one in hand, or keeps it there, until `until`; false if somebody else has it, or it is done.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn hold_reindexing(
        &self,
        reindexing: &mut Reindexing,
        until: DateTime<Utc>,
    ) -> Result<bool, AccessError> {
        Ok(self.store.hold_reindexing(reindexing, until).await?)
    }

    /// Notes that it is done.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn end_reindexing(&self, reindexing: &Reindexing) -> Result<(), AccessError> {
        Ok(self.store.end_reindexing(reindexing).await?)
    }

    /// Looks at every resource of the types that change.
    pub(super) async fn refuse_obstacles(
        &self,
        tenant: TenantId,
        changes: &[Changed],
    ) -> Result<(), AccessError> {
        let mut found = Obstacles::default();
        for (old, new, change) in changes {
            let mut walk = Walk { old, new: new.as_ref(), change: change.as_ref(), seen: HashMap::new() };
            let mut after = 0;
            loop {
                let page = self.store.resources_after(tenant, old, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.pk;
                for record in &page {
                    walk.look(record, &mut found.first)?;
                }
                if found.first.len() > NAMED {
                    found.first.truncate(NAMED);
                    found.more = true;
                    return Err(AccessError::InTheWay(found));
                }
            }
        }
        match found.first.is_empty() {
            true => Ok(()),
            false => Err(AccessError::InTheWay(found)),
        }
    }
}

/// A type that changes: as it was, as it is if it is still there, and how that differs.
pub(super) type Changed = (Arc<ResourceType>, Option<Arc<ResourceType>>, Option<Change>);

pub(super) fn changes(old: &Registry, new: &Registry) -> Vec<Changed> {
    let changed = old.types().iter().filter_map(|kind| {
        let Some(after) = new.type_named(&kind.name) else { return Some((Arc::clone(kind), None, None)) };
        let change = Change::between(kind, after);
        let matters = change.is_narrowing() || change.changes_facts();
        matters.then(|| (Arc::clone(kind), Some(Arc::clone(after)), Some(change)))
    });
    changed.collect()
}

/// One walk over the resources of a type.
struct Walk<'a> {
    old: &'a ResourceType,
    new: Option<&'a Arc<ResourceType>>,
    change: Option<&'a Change>,
    /// Whose a value is that must be the only one, by the hash of path and key.
    seen: HashMap<[u8; 16], String>,
}

impl Walk<'_> {
    fn look(&mut self, record: &Record, out: &mut Vec<Obstacle>) -> Result<(), StoreError> {
        let mut found = |path: String, why: String| {
            out.push(Obstacle { kind: self.old.name.clone(), id: record.id.to_string(), path, why });
        };
        let (Some(new), Some(change)) = (self.new, self.change) else {
            found("schemas".to_owned(), "the type would be gone".to_owned());
            return Ok(());
        };
        let resource = record.resource()?;
        change.misfits(resource.body()).into_iter().for_each(|(path, why)| found(path, why));
        if change.unique().is_empty() {
            return Ok(());
        }
        let id = record.id.as_str();
        for fact in facts(new, resource.body()) {
            let path = &fact.attribute.path;
            if fact.key.is_empty() || !change.unique().contains(path) {
                continue;
            }
            let other = self.seen.entry(hash(path, fact.key.as_str())).or_insert_with(|| id.to_owned());
            if other != id {
                found(path.clone(), format!("{} {other} has the same value", self.old.name));
            }
        }
        Ok(())
    }
}

/// Enough of a hash that no two values of a tenant share it.
fn hash(path: &str, key: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(path).chain_update([0]).chain_update(key).finalize();
    let mut out = [0; 16];
    out.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    out
}

/// The tenant's documents after the edits.
fn edited(old: &TenantSchemas, edits: &[SchemaEdit]) -> Result<Vec<Value>, AccessError> {
    let mut documents = old.documents.clone();
    for edit in edits {
        match edit {
            SchemaEdit::Put(document) => {
                let key = DocumentKey::of(document);
                match documents.iter_mut().find(|other| DocumentKey::of(other) == key) {
                    Some(there) => there.clone_from(document),
                    None => documents.push(document.clone()),
                }
            }
            SchemaEdit::Remove(key) => {
                let before = documents.len();
                documents.retain(|document| DocumentKey::of(document) != *key);
                if documents.len() == before {
                    return Err(AccessError::invalid(format!(
                        "the tenant has no {key} of its own; those of the server cannot be removed"
                    )));
                }
            }
        }
    }
    Ok(documents)
}

pub(super) fn contended() -> AccessError {
    AccessError::invalid("the schemas are being changed by somebody else all the time; try again")
}

/// The documents with names for errors.
pub(super) fn named(documents: &[Value]) -> Vec<(String, Value)> {
    documents.iter().map(|document| (DocumentKey::of(document).to_string(), document.clone())).collect()
}
