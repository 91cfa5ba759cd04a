//! Bulk: many new resources, or members, in one batch.
//!
//! Invariant: what a bulk writes is what as many creations would have written, with fewer commits and in the order of
//! the indexes. How far the import has come is in the same batch. What is taken is found out before, in few reads;
//! a value that somebody takes in between fails the batch as a whole.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::id::{ResourceId, TenantId};
use crate::scim::key::Key;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::store::Store;
use crate::store::batch::{Batch, Step};
use crate::store::beside::Aside;
use crate::store::driver::{Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::{contact_kind, contact_number};
use crate::store::record::Record;
use crate::store::rows::SideRows;
use crate::store::write::{COUNTER_SLOTS, Mutation, Unique, What, Write, count, new_record};

/// The path that stands for `id` among what was seen; the dictionary begins with 1, and a kind of contact stands below 0.
const ID: i64 = 0;

/// What all rows of a bulk have in common.
#[derive(Clone, Copy, Debug)]
pub struct Bulk<'a> {
    /// Whose directory it is.
    pub tenant: TenantId,
    /// The time for the change log.
    pub now: DateTime<Utc>,
    /// Who does it, for the change log.
    pub who: &'a str,
    /// How far the import has come with this batch, where that is kept.
    pub mark: Option<Mark<'a>>,
}

/// A place in what is imported.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// What tells the file from others.
    pub source: &'a str,
    /// The last line that was dealt with.
    pub line: i64,
}

/// Where a resource is in its life.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub modified: DateTime<Utc>,
    /// Its version.
    pub version: i64,
}

/// A new resource and the rows beside it.
#[derive(Debug)]
pub struct Arrival {
    kind: Arc<ResourceType>,
    record: Record,
    rows: SideRows,
    members: Vec<String>,
    asides: Vec<Aside>,
}

/// Members that a group gets.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The group's type.
    pub kind: Arc<ResourceType>,
    /// The group's `pk`.
    pub group: i64,
    /// The ids of the new members.
    pub members: Vec<String>,
    /// Whether the group's `lastModified` stays, because the members belong to its creation.
    pub is_creation: bool,
}

/// A value that an arrival must not have.
#[derive(Clone, Debug)]
pub struct Clash {
    /// The attribute; `id` if it is that.
    pub path: String,
    /// Who has it: the name of its type, and the resource. None if it is an arrival before this one.
    pub holder: Option<(String, Record)>,
}

/// The unique values of the arrivals so far that are not stored yet.
#[derive(Debug, Default)]
pub struct Seen(HashSet<(i64, String)>);

impl Seen {
    /// Forgets what was seen, because it is stored now.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Store {
    /// Computes the rows of a new resource. `also_unique` is what a policy makes unique.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if the store does not know the type.
    pub fn arrival(
        &self,
        kind: &Arc<ResourceType>,
        id: &ResourceId,
        (resource, members): (&Resource, Vec<String>),
        stamp: Stamp,
        also_unique: Unique<'_>,
    ) -> Result<Arrival, StoreError> {
        let tenant = TenantId::DEFAULT;
        let now = stamp.modified;
        let mutation = Mutation { tenant, kind, id, now, who: "", what: What::Create, also_unique };
        let mut record = new_record(&mutation, 0, stamp.version, resource);
        record.created = Key::of_instant(stamp.created).as_str().to_owned();
        let rows = SideRows::of(self.layout(), kind, resource, also_unique)?;
        Ok(Arrival { kind: Arc::clone(kind), record, rows, members, asides: Vec::new() })
    }

    /// Which arrivals have an id or a unique value that is taken, one answer for each.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn clashes(
        &self,
        tenant: TenantId,
        arrivals: &[&Arrival],
        seen: &mut Seen,
    ) -> Result<Vec<Option<Clash>>, StoreError> {
        let taken = self.taken(tenant, arrivals).await?;
        let pks: HashSet<i64> = taken.values().copied().collect();
        let holders = self.holders(tenant, pks).await?;
        let clash = |arrival: &&Arrival| {
            let unique = arrival.unique();
            let stored = unique.iter().find_map(|(at, path)| Some((taken.get(at)?, path)));
            if let Some((pk, path)) = stored {
                return Some(Clash { path: (*path).to_owned(), holder: holders.get(pk).cloned() });
            }
            if let Some((_, path)) = unique.iter().find(|(at, _)| seen.0.contains(at)) {
                return Some(Clash { path: (*path).to_owned(), holder: None });
            }
            seen.0.extend(unique.into_iter().map(|(at, _)| at));
            None
        };
        Ok(arrivals.iter().map(clash).collect())
    }

    /// The `pk`s of the resources that hold a unique value of the arrivals.
    async fn taken(
        &self,
        tenant: TenantId,
        arrivals: &[&Arrival],
    ) -> Result<HashMap<(i64, String), i64>, StoreError> {
        let mut wanted: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for ((path, key), _) in arrivals.iter().flat_map(|arrival| arrival.unique()) {
            wanted.entry(path).or_default().push(key);
        }
        let mut taken = HashMap::new();
        for (path, keys) in wanted {
            let (sql, params) = if path == ID {
                let sql = "SELECT r.id, r.pk FROM resource r WHERE r.tenant = $1 AND r.id IN ({ids})";
                (sql, vec![tenant.0.into()])
            } else if let Some(kind) = contact_kind(-path) {
                let sql = "SELECT c.canonical, c.resource FROM contact c \
                           WHERE c.tenant = $1 AND c.kind = $2 AND c.claim = 1 AND c.canonical IN ({ids})";
                (sql, vec![tenant.0.into(), contact_number(kind).into()])
            } else {
                let sql = "SELECT f.key, f.resource FROM fact f \
                           WHERE f.tenant = $1 AND f.uniq > 0 AND f.uniq = $2 AND f.key IN ({ids})";
                (sql, vec![tenant.0.into(), path.into()])
            };
            for mut row in self.by_ids(sql, params, keys.into_iter().map(Value::Text)).await? {
                taken.insert((path, row.text()?), row.int()?);
            }
        }
        Ok(taken)
    }

    async fn holders(
        &self,
        tenant: TenantId,
        pks: HashSet<i64>,
    ) -> Result<HashMap<i64, (String, Record)>, StoreError> {
        let columns = Record::COLUMNS;
        let sql =
            format!("SELECT r.kind, {columns} FROM resource r WHERE r.tenant = $1 AND r.pk IN ({{ids}})");
        let rows = self.by_ids(&sql, vec![tenant.0.into()], pks.into_iter().map(Value::Int)).await?;
        let holder = rows.into_iter().map(|mut row| {
            let kind = self.layout().kind_name(row.int()?).unwrap_or_default().to_string();
            let record = Record::read(&mut row)?;
            Ok((record.pk, (kind, record)))
        });
        holder.collect()
    }

    /// Stores new resources with their members, all or none.
    ///
    /// # Errors
    /// [`StoreError::Unique`] if a value was taken meanwhile.
    pub async fn create_all(&self, bulk: &Bulk<'_>, arrivals: &[&Arrival]) -> Result<(), StoreError> {
        let first = self.next_pks(i64::try_from(arrivals.len()).unwrap_or(i64::MAX)).await?;
        let mut batch = Batch::default();
        let (mut facts, mut contacts) = (Vec::new(), Vec::new());
        let (mut changes, mut rest) = (Vec::new(), Vec::new());
        let mut counts: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for (arrival, pk) in arrivals.iter().zip(first..) {
            let mutation = bulk.mutation(&arrival.kind, &arrival.record.id);
            let write = Write { layout: self.layout(), mutation: &mutation, pk };
            let Arrival { kind, record, rows, members, asides } = arrival;
            batch.push(write.insert_resource(record, rows)?);
            facts.extend(rows.facts.iter().map(|(key, row)| (key, pk, write.insert_fact(key, row))));
            contacts.extend(rows.contacts.iter().map(|row| (&row.key, pk, write.insert_contact(row))));
            rest.extend(write.insert_members(members));
            let mut beside = Batch::default();
            asides.iter().for_each(|aside| aside.steps(bulk.tenant, pk, &mut beside));
            rest.extend(beside.steps);
            changes.push(write.change(record.version)?);
            let slot = (self.layout().kind(kind)?.number, pk.rem_euclid(COUNTER_SLOTS));
            *counts.entry(slot).or_default() += 1;
        }
        facts.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        contacts.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        batch.insert(facts.into_iter().map(|(_, _, step)| step));
        batch.insert(contacts.into_iter().map(|(_, _, step)| step));
        batch.insert(changes);
        batch.steps.extend(rest);
        batch.steps.extend(counts.into_iter().map(|((kind, slot), n)| count(bulk.tenant, kind, slot, n)));
        batch.steps.extend(bulk.mark());
        self.driver().write(batch).await.map(drop)
    }

    /// Adds members to groups, all or none. Each group gets a new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if one of the groups is gone.
    pub async fn join_all(&self, bulk: &Bulk<'_>, joinings: &[&Joining]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        let now = Key::of_instant(bulk.now).as_str().to_owned();
        for joining in joinings {
            let mut params = vec![bulk.tenant.0.into(), joining.group.into()];
            let sql = if joining.is_creation {
                "UPDATE resource SET version = version + 1 WHERE tenant = $1 AND pk = $2"
            } else {
                params.push(now.as_str().into());
                "UPDATE resource SET version = version + 1, modified = $3 WHERE tenant = $1 AND pk = $2"
            };
            batch.push(Step::new(sql, params).or_conflict());
            let id = ResourceId::from_text(String::new());
            let mutation = bulk.mutation(&joining.kind, &id);
            let write = Write { layout: self.layout(), mutation: &mutation, pk: joining.group };
            batch.steps.extend(write.insert_members(&joining.members));
            let sql = "INSERT INTO change (tenant, kind, resource, version, what, at, who) \
                       SELECT g.tenant, g.kind, g.id, g.version, 'patch', $3, $4 FROM resource g \
                       WHERE g.tenant = $1 AND g.pk = $2";
            let params =
                vec![bulk.tenant.0.into(), joining.group.into(), now.as_str().into(), bulk.who.into()];
            batch.push(Step::new(sql, params));
        }
        batch.steps.extend(bulk.mark());
        self.driver().write(batch).await.map(drop)
    }

    /// The last line of the source that an import which has not ended dealt with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn import_mark(&self, tenant: TenantId, source: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT i.line FROM import i WHERE i.tenant = $1 AND i.source = $2";
        let statement = Statement::new(sql, vec![tenant.0.into(), source.into()]);
        self.driver().point(&statement).await?.into_iter().next().map(|mut row| row.int()).transpose()
    }

    /// Forgets how far an import has come.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn end_import(&self, tenant: TenantId, source: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM import WHERE tenant = $1 AND source = $2";
        let step = Step::new(sql, vec![tenant.0.into(), source.into()]);
        self.driver().write(step.into()).await.map(drop)
    }
}

impl<'a> Bulk<'a> {
    fn mutation(&self, kind: &'a Arc<ResourceType>, id: &'a ResourceId) -> Mutation<'a> {
        let Self { tenant, now, who, .. } = *self;
        Mutation { tenant, kind, id, now, who, what: What::Create, also_unique: Unique::default() }
    }

    fn mark(&self) -> Option<Step> {
        let sql = "INSERT INTO import (tenant, source, line) VALUES ($1, $2, $3) \
                   ON CONFLICT (tenant, source) DO UPDATE SET line = excluded.line";
        let mark = self.mark?;
        Some(Step::new(sql, vec![self.tenant.0.into(), mark.source.into(), mark.line.into()]))
    }
}

impl Arrival {
    /// The same with something beside the resource.
    #[must_use]
    pub fn with_asides(self, asides: Vec<Aside>) -> Self {
        Self { asides, ..self }
    }

    /// What comes beside the resource.
    pub fn asides(&self) -> &[Aside] {
        &self.asides
    }

    /// The ids of its members.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// The values that nobody else may have, and the attributes that they are of.
    fn unique(&self) -> Vec<((i64, String), &str)> {
        let id = ((ID, self.record.id.as_str().to_owned()), "id");
        let facts = self
            .rows
            .facts
            .iter()
            .filter_map(|((_, key, _), row)| Some(((row.unique?, key.clone()), row.attribute.as_str())));
        let claims = self.rows.contacts.iter().filter(|row| row.claim);
        let claims =
            claims.map(|row| ((-contact_number(row.kind), row.canonical.clone()), row.kind.attribute()));
        std::iter::once(id).chain(facts).chain(claims).collect()
    }
}
