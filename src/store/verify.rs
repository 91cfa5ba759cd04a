//! Verifying: whether the rows beside the documents say what the documents say, and mending them where they do not.
//!
//! Invariant: the document is right. What is called wrong was read between two reads of one version, so that a write in
//! between is no disagreement; what is mended is guarded by that version.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::DateTime;

use crate::id::{ResourceId, TenantId};
use crate::scim::registry::ResourceType;
use crate::scim::schema::ContactKind;
use crate::store::Store;
use crate::store::batch::{Batch, Step};
use crate::store::driver::{Row, Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::{contact_kind, contact_number};
use crate::store::record::Record;
use crate::store::rows::{ContactRow, FactRow, SideRows};
use crate::store::write::{COUNTER_SLOTS, Mutation, Unique, What, Write};

/// How often a resource that others keep changing is looked at again.
const ATTEMPTS: usize = 32;

/// A page of resources that were looked at.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The `pk` of the last; none if there was none.
    pub last: Option<i64>,
    /// How many there were.
    pub looked_at: u64,
    /// Those whose rows do not say what their document says.
    pub wrong: Vec<Wrong>,
}

/// A resource whose rows do not say what its document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Its row key.
    pub pk: i64,
    /// Its id.
    pub id: ResourceId,
    /// What is wrong, without any value.
    pub what: Vec<String>,
}

/// The rows that belong to a resource, where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// Of no resource.
    Facts,
    /// Of no resource.
    Contacts,
    /// Of no group.
    Memberships,
    /// Of no resource, nor of one that was deleted and can be restored.
    Bags,
    /// Of no resource.
    Challenges,
}

impl Orphans {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Facts, Self::Contacts, Self::Memberships, Self::Bags, Self::Challenges];

    /// The table, and the column that names the resource.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Facts => ("fact", "resource"),
            Self::Contacts => ("contact", "resource"),
            Self::Memberships => ("membership", "grp"),
            Self::Bags => ("bag", "resource"),
            Self::Challenges => ("challenge", "resource"),
        }
    }

    /// What they are, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Contacts => "contacts",
            Self::Memberships => "memberships",
            Self::Bags => "bags",
            Self::Challenges => "challenges",
        }
    }

    /// Whether a resource that was deleted keeps them for the day on which it is restored.
    fn wait(self) -> bool {
        self == Self::Bags
    }
}

/// A resource, and the rows that are beside it.
struct Found {
    record: Record,
    rows: SideRows,
    /// Contacts that share their place with another.
    surplus: Vec<ContactRow>,
}

impl Store {
    /// Looks at the first resources of a type whose `pk` is greater than `after`. `also_unique` is what a policy
    /// makes unique.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn check(
        &self,
        tenant: TenantId,
        kind: &Arc<ResourceType>,
        after: i64,
        limit: u32,
        also_unique: Unique<'_>,
    ) -> Result<Checked, StoreError> {
        let sql = "SELECT r.pk FROM resource r WHERE r.tenant = $1 AND r.kind = $2 AND r.pk > $3 \
                   ORDER BY r.pk LIMIT $4";
        let number = self.layout().kind(kind)?.number;
        let params = vec![tenant.0.into(), number.into(), after.into(), i64::from(limit).into()];
        let rows = self.driver().scan(Statement::new(sql, params)).await?;
        let pks = rows.into_iter().map(|mut row| row.int()).collect::<Result<Vec<_>, _>>()?;
        let mut checked =
            Checked { last: pks.last().copied(), looked_at: pks.len() as u64, wrong: Vec::new() };
        for found in self.found(tenant, kind, &pks).await? {
            if self.faults(kind, &found, also_unique)?.is_empty() {
                continue;
            }
            if let Some((found, what)) = self.settled(tenant, kind, found.record.pk, also_unique).await? {
                checked.wrong.push(Wrong { pk: found.record.pk, id: found.record.id, what });
            }
        }
        Ok(checked)
    }

    /// Writes what is wrong beside a resource anew, unless somebody did so meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unique`] if a value of the resource is taken, [`StoreError::Corrupt`] if the document cannot be
    /// read, [`StoreError::Conflict`] if others change the resource all the time.
    pub async fn mend(
        &self,
        tenant: TenantId,
        kind: &Arc<ResourceType>,
        pk: i64,
        also_unique: Unique<'_>,
    ) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let Some((found, _)) = self.settled(tenant, kind, pk, also_unique).await? else { return Ok(()) };
            match self.driver().write(self.mending(tenant, kind, &found, also_unique)?).await {
                Err(StoreError::Conflict) => {}
                other => return other.map(drop),
            }
        }
        Err(StoreError::Conflict)
    }

    fn mending(
        &self,
        tenant: TenantId,
        kind: &Arc<ResourceType>,
        found: &Found,
        also_unique: Unique<'_>,
    ) -> Result<Batch, StoreError> {
        let Found { record, rows, surplus } = found;
        let right = SideRows::of(self.layout(), kind, &record.resource()?, also_unique)?;
        let now = DateTime::UNIX_EPOCH;
        let mutation =
            Mutation { tenant, kind, id: &record.id, now, who: "", what: What::Replace, also_unique };
        let write = Write { layout: self.layout(), mutation: &mutation, pk: record.pk };
        let sql =
            "UPDATE resource SET label = $4, label_key = $5 WHERE tenant = $1 AND pk = $2 AND version = $3";
        let params = vec![
            tenant.0.into(),
            record.pk.into(),
            record.version.into(),
            right.label.as_deref().into(),
            right.label_key.as_deref().into(),
        ];
        let mut batch = Batch::from(Step::new(sql, params).or_conflict());
        surplus.iter().for_each(|row| batch.push(write.delete_contact(row)));
        write.move_facts(rows, &right, &mut batch);
        mend_contacts(&write, rows, right, &mut batch);
        Ok(batch)
    }

    /// What is wrong with one resource, read until no write falls in between; none if nothing is, or it is gone.
    async fn settled(
        &self,
        tenant: TenantId,
        kind: &Arc<ResourceType>,
        pk: i64,
        also_unique: Unique<'_>,
    ) -> Result<Option<(Found, Vec<String>)>, StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.found(tenant, kind, &[pk]).await?.pop() else { return Ok(None) };
            let what = self.faults(kind, &found, also_unique)?;
            if what.is_empty() {
                return Ok(None);
            }
            let sql = "SELECT r.version FROM resource r WHERE r.tenant = $1 AND r.pk = $2 AND r.version = $3";
            let params = vec![tenant.0.into(), pk.into(), found.record.version.into()];
            if !self.driver().point(&Statement::new(sql, params)).await?.is_empty() {
                return Ok(Some((found, what)));
            }
        }
        Err(StoreError::Conflict)
    }

    fn faults(
        &self,
        kind: &Arc<ResourceType>,
        found: &Found,
        also_unique: Unique<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let Ok(resource) = found.record.resource() else {
            return Ok(vec!["the document is no JSON object".to_owned()]);
        };
        let right = SideRows::of(self.layout(), kind, &resource, also_unique)?;
        let mut faults = fact_faults(&found.rows, &right);
        faults.extend(contact_faults(&found.rows, &right));
        faults.extend(found.surplus.iter().map(|row| format!("{} is there twice", place_name(row))));
        if (&found.rows.label, &found.rows.label_key) != (&right.label, &right.label_key) {
            faults.push("the name that groups show is not the document's".to_owned());
        }
        Ok(faults)
    }

    /// Resources and the rows beside them; the resources are read first.
    async fn found(
        &self,
        tenant: TenantId,
        kind: &Arc<ResourceType>,
        pks: &[i64],
    ) -> Result<Vec<Found>, StoreError> {
        let ids = || pks.iter().map(|&pk| Value::Int(pk));
        let of_tenant = || vec![tenant.0.into()];
        let sql = format!(
            "SELECT {}, r.label, r.label_key FROM resource r WHERE r.tenant = $1 AND r.pk IN ({{ids}}) ORDER BY r.pk",
            Record::COLUMNS
        );
        let resources = self.by_ids(&sql, of_tenant(), ids()).await?;
        let sql = "SELECT f.resource, f.path, f.key, f.element, f.leads, f.uniq, f.long FROM fact f \
                   WHERE f.tenant = $1 AND f.resource IN ({ids})";
        let layout = self.layout().kind(kind)?;
        let names = layout.paths_by_number();
        let mut facts: HashMap<i64, BTreeMap<_, _>> = HashMap::new();
        for mut row in self.by_ids(sql, of_tenant(), ids()).await? {
            let pk = row.int()?;
            let key = (row.int()?, row.text()?, row.int()?);
            let attribute = names.get(&key.0).copied().unwrap_or("an attribute of no schema").to_owned();
            let (leads, unique) = (row.int()? != 0, Some(row.int()?).filter(|&path| path != 0));
            let fact = FactRow { leads, unique, long: row.maybe_text()?, attribute };
            facts.entry(pk).or_default().insert(key, fact);
        }
        let sql = "SELECT c.resource, c.kind, c.ordinal, c.key, c.long, c.canonical, c.value, c.type, c.type_key, \
                   c.display, c.display_key, c.is_primary, c.id, c.long_canonical, c.created, c.verified_at, \
                   c.verified_by, c.claim FROM contact c \
                   WHERE c.tenant = $1 AND c.resource IN ({ids}) ORDER BY c.kind, c.ordinal, c.verified_at IS NULL, c.id";
        let mut contacts: HashMap<i64, Vec<ContactRow>> = HashMap::new();
        for mut row in self.by_ids(sql, of_tenant(), ids()).await? {
            contacts.entry(row.int()?).or_default().push(read_contact(&mut row)?);
        }
        let found = resources.into_iter().map(|mut row| {
            let record = Record::read(&mut row)?;
            let (contacts, surplus) = places(contacts.remove(&record.pk).unwrap_or_default());
            let facts = facts.remove(&record.pk).unwrap_or_default();
            let rows = SideRows { facts, contacts, label: row.maybe_text()?, label_key: row.maybe_text()? };
            Ok(Found { record, rows, surplus })
        });
        found.collect()
    }

    /// The resources behind `after` that have rows and do not exist, and the last one that was looked at, if any.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn orphans(
        &self,
        tenant: TenantId,
        orphans: Orphans,
        after: i64,
        limit: u32,
    ) -> Result<(Option<i64>, Vec<i64>), StoreError> {
        let (table, column) = orphans.columns();
        let sql = format!(
            "SELECT DISTINCT x.{column} FROM {table} x WHERE x.tenant = $1 AND x.{column} > $2 \
             ORDER BY x.{column} LIMIT $3"
        );
        let params = vec![tenant.0.into(), after.into(), i64::from(limit).into()];
        let rows = self.driver().scan(Statement::new(sql, params)).await?;
        let pks = rows.into_iter().map(|mut row| row.int()).collect::<Result<Vec<_>, _>>()?;
        let mut there: HashSet<i64> =
            self.ids_of(tenant, &pks).await?.into_iter().map(|(pk, _)| pk).collect();
        if orphans.wait() {
            let sql = "SELECT d.pk FROM deleted d WHERE d.tenant = $1 AND d.pk IN ({ids})";
            let ids = pks.iter().map(|&pk| Value::Int(pk));
            for mut row in self.by_ids(sql, vec![tenant.0.into()], ids).await? {
                there.insert(row.int()?);
            }
        }
        let last = pks.last().copied();
        Ok((last, pks.into_iter().filter(|pk| !there.contains(pk)).collect()))
    }

    /// Deletes the rows of a resource that does not exist, unless it was restored meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn delete_orphans(
        &self,
        tenant: TenantId,
        orphans: Orphans,
        pk: i64,
    ) -> Result<(), StoreError> {
        let (table, column) = orphans.columns();
        let mut sql = format!(
            "DELETE FROM {table} WHERE tenant = $1 AND {column} = $2 AND NOT EXISTS \
             (SELECT 1 FROM resource r WHERE r.tenant = $1 AND r.pk = $2)"
        );
        if orphans.wait() {
            sql.push_str(" AND NOT EXISTS (SELECT 1 FROM deleted d WHERE d.tenant = $1 AND d.pk = $2)");
        }
        self.driver().write(Step::new(sql, vec![tenant.0.into(), pk.into()]).into()).await.map(drop)
    }

    /// How many resources of a type there are, and how many the counters say.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn counted(&self, tenant: TenantId, kind: &ResourceType) -> Result<(i64, i64), StoreError> {
        let sql = "SELECT (SELECT COUNT(*) FROM resource r WHERE r.tenant = $1 AND r.kind = $2), \
                   (SELECT CAST(COALESCE(SUM(c.n), 0) AS BIGINT) FROM counter c WHERE c.tenant = $1 AND c.kind = $2)";
        let number = self.layout().kind(kind)?.number;
        let rows = self.driver().scan(Statement::new(sql, vec![tenant.0.into(), number.into()])).await?;
        let missing = || StoreError::internal("a count has no answer");
        let mut row = rows.into_iter().next().ok_or_else(missing)?;
        Ok((row.int()?, row.int()?))
    }

    /// Counts the resources of a type anew, in one batch, so that no creation is missed or counted twice.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn recount(&self, tenant: TenantId, kind: &ResourceType) -> Result<(), StoreError> {
        let params = || -> Result<Vec<Value>, StoreError> {
            Ok(vec![tenant.0.into(), self.layout().kind(kind)?.number.into()])
        };
        let sql = format!(
            "INSERT INTO counter (tenant, kind, slot, n) SELECT r.tenant, r.kind, r.pk % {COUNTER_SLOTS}, COUNT(*) \
             FROM resource r WHERE r.tenant = $1 AND r.kind = $2 GROUP BY r.tenant, r.kind, r.pk % {COUNTER_SLOTS}"
        );
        let mut batch =
            Batch::from(Step::new("DELETE FROM counter WHERE tenant = $1 AND kind = $2", params()?));
        batch.push(Step::new(sql, params()?));
        self.driver().write(batch).await.map(drop)
    }
}

fn read_contact(row: &mut Row) -> Result<ContactRow, StoreError> {
    let unknown = || StoreError::corrupt("a contact is neither an e-mail address nor a phone number");
    Ok(ContactRow {
        kind: contact_kind(row.int()?).ok_or_else(unknown)?,
        ordinal: row.int()?,
        key: row.text()?,
        long: row.maybe_text()?,
        canonical: row.text()?,
        value: row.maybe_text()?,
        label: row.maybe_text()?,
        label_key: row.maybe_text()?,
        display: row.maybe_text()?,
        display_key: row.maybe_text()?,
        primary: row.int()? != 0,
        id: row.text()?,
        long_canonical: row.maybe_text()?,
        created: row.maybe_text()?,
        verified_at: row.maybe_text()?,
        verified_by: row.maybe_text()?,
        claim: row.int()? != 0,
    })
}

/// One contact for each place, the verified one if one is, and the others.
fn places(contacts: Vec<ContactRow>) -> (Vec<ContactRow>, Vec<ContactRow>) {
    let mut taken = HashSet::new();
    contacts.into_iter().partition(|row| taken.insert(place(row)))
}

/// A contact is the same one where its place and anything of its value are: it keeps its row, whatever else is damaged.
fn mend_contacts(write: &Write<'_>, there: &SideRows, right: SideRows, batch: &mut Batch) {
    let is_same = |a: &ContactRow, b: &ContactRow| {
        place(a) == place(b) && (a.key == b.key || a.value == b.value || a.canonical == b.canonical)
    };
    let (mut gone, mut new) = (Vec::new(), right.contacts);
    for row in &there.contacts {
        match new.iter().position(|other| is_same(row, other)) {
            Some(index) => {
                let other = new.swap_remove(index);
                if *row != other {
                    batch.push(write.replace_contact(row, &other));
                }
            }
            None => gone.push(row.clone()),
        }
    }
    let only = |contacts| SideRows { facts: BTreeMap::new(), contacts, label: None, label_key: None };
    write.move_contacts(&only(gone), &only(new), batch);
}

fn place(row: &ContactRow) -> (i64, i64) {
    (contact_number(row.kind), row.ordinal)
}

fn place_name(row: &ContactRow) -> String {
    match row.kind {
        ContactKind::Email => format!("e-mail address {}", row.ordinal),
        ContactKind::Phone => format!("phone number {}", row.ordinal),
    }
}

fn fact_faults(there: &SideRows, right: &SideRows) -> Vec<String> {
    let missing = right.facts.iter().filter_map(|(at, row)| match there.facts.get(at) {
        None => Some(format!("a fact of {} is missing", row.attribute)),
        Some(other) if other != row => Some(format!("a fact of {} differs", row.attribute)),
        Some(_) => None,
    });
    let surplus = there.facts.iter().filter(|(at, _)| !right.facts.contains_key(at));
    missing
        .chain(surplus.map(|(_, row)| format!("a fact of {} is not in the document", row.attribute)))
        .collect()
}

fn contact_faults(there: &SideRows, right: &SideRows) -> Vec<String> {
    let by_place = |rows: &SideRows| -> BTreeMap<(i64, i64), ContactRow> {
        rows.contacts.iter().map(|row| (place(row), row.clone())).collect()
    };
    let (there, right) = (by_place(there), by_place(right));
    let missing = right.iter().filter_map(|(at, row)| match there.get(at) {
        None => Some(format!("{} is missing", place_name(row))),
        Some(other) if other != row => Some(format!("{} differs", place_name(row))),
        Some(_) => None,
    });
    let surplus = there.iter().filter(|(at, _)| !right.contains_key(at));
    missing.chain(surplus.map(|(_, row)| format!("{} is not in the document", place_name(row)))).collect()
}
