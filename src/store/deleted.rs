//! What was deleted and can be restored until a day.
//!
//! Invariant: what is here is nowhere else: no index, filter, group or counter knows it, and its values are free for
//! others. It comes back as a new resource comes in, with the row key that it had, so that the bags which wait
//! under that key are its own again.

use chrono::{DateTime, Utc};

use crate::id::TenantId;
use crate::scim::key::Key;
use crate::scim::resource::Resource;
use crate::store::batch::{Batch, Step};
use crate::store::driver::{Dialect, Row, Statement, Value};
use crate::store::error::StoreError;
use crate::store::record::Record;
use crate::store::write::{Mutation, Write, new_record};
use crate::store::{Store, statements};

/// How many are removed for good in one batch.
const ROWS_A_BATCH: i64 = 500;

/// A resource that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// What it was.
    pub record: Record,
    /// The name of its type; none if no registry has that type any more.
    pub kind: Option<String>,
    /// What others showed for it.
    pub label: Option<String>,
    /// When it was deleted: a [`Key`] of an instant.
    pub at: String,
    /// Until when it can be restored, likewise.
    pub until: String,
    /// Who deleted it.
    pub who: String,
}

/// What there is of a membership's group and member when one of them comes back.
const WAITING: &str =
    "SELECT x.grp FROM deleted_membership x WHERE x.tenant = $1 AND x.resource = $2 AND x.grp <> $2";

impl Store {
    /// The first of a tenant's deleted resources whose `pk` is greater than `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn list_deleted(
        &self,
        tenant: TenantId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Deleted>, StoreError> {
        let sql = selected("r.tenant = $1 AND r.pk > $2 ORDER BY r.pk LIMIT $3");
        let params = vec![tenant.0.into(), after.into(), i64::from(limit).into()];
        let rows = self.driver().scan(Statement::new(sql, params)).await?;
        rows.into_iter().map(|row| self.deleted(row)).collect()
    }

    /// What had this id when it was deleted, the last that had it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn find_deleted(&self, tenant: TenantId, id: &str) -> Result<Option<Deleted>, StoreError> {
        let sql = selected("r.tenant = $1 AND r.id = $2 ORDER BY r.pk DESC LIMIT 1");
        let rows = self.driver().point(&Statement::new(sql, vec![tenant.0.into(), id.into()])).await?;
        rows.into_iter().next().map(|row| self.deleted(row)).transpose()
    }

    fn deleted(&self, mut row: Row) -> Result<Deleted, StoreError> {
        let record = Record::read(&mut row)?;
        let kind = self.layout().kind_name(row.int()?).map(|name| name.to_string());
        let (label, at, until, who) = (row.maybe_text()?, row.text()?, row.text()?, row.text()?);
        Ok(Deleted { record, kind, label, at, until, who })
    }

    /// Stores a deleted resource again, and its memberships in groups that are there, or with members that are. Those
    /// groups get a new version and a row in the change log.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is no longer there; [`StoreError::Unique`] with what another has by now.
    pub async fn restore(
        &self,
        mutation: &Mutation<'_>,
        deleted: &Record,
        resource: &Resource,
    ) -> Result<Record, StoreError> {
        // The change log has the next version as the one that was deleted.
        let mut record = new_record(mutation, deleted.pk, deleted.version + 2, resource);
        record.created.clone_from(&deleted.created);
        let write = Write { layout: self.layout(), mutation, pk: deleted.pk };
        self.driver().write(write.restore(&record, resource, self.driver().dialect())?).await?;
        Ok(record)
    }

    /// Removes one deleted resource for good; answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn purge(&self, tenant: TenantId, pk: i64) -> Result<bool, StoreError> {
        let removed = self.driver().write(removal(tenant, "= $2", &[pk.into()])).await?;
        Ok(!removed.is_empty())
    }

    /// Removes for good what could be restored until some time before `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn purge_ended(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let some = "IN (SELECT d.pk FROM deleted d WHERE d.tenant = $1 AND d.until < $2 \
                    ORDER BY d.until, d.pk LIMIT $3)";
        let params = [Value::from(Key::of_instant(now).as_str()), ROWS_A_BATCH.into()];
        while !self.driver().write(removal(tenant, some, &params)).await?.is_empty() {}
        Ok(())
    }
}

/// The statement that reads those deleted resources `r` that a condition picks.
fn selected(condition: &str) -> String {
    format!(
        "SELECT {}, r.kind, r.label, r.at, r.until, r.who FROM deleted r WHERE {condition}",
        Record::COLUMNS
    )
}

/// Removes those whose `pk` a condition picks, and what waits for them; the last statement answers which.
fn removal(tenant: TenantId, picked: &str, params: &[Value]) -> Batch {
    let mut batch = Batch::default();
    for sql in [
        format!("DELETE FROM bag WHERE tenant = $1 AND resource {picked}"),
        format!("DELETE FROM deleted_membership WHERE tenant = $1 AND resource {picked}"),
        format!("DELETE FROM deleted WHERE tenant = $1 AND pk {picked} RETURNING pk"),
    ] {
        let params = std::iter::once(tenant.0.into()).chain(params.iter().cloned());
        batch.push(Step::new(sql, params.collect()));
    }
    batch
}

impl Write<'_> {
    /// Keeps a resource that is about to be deleted, with its memberships.
    pub(super) fn keep(&self, until: DateTime<Utc>, groups: &[i64], batch: &mut Batch) {
        let pk = Value::from(self.pk);
        let sql = "INSERT INTO deleted (tenant, pk, kind, id, version, created, modified, label, document, secret, \
                   at, until, who) \
                   SELECT r.tenant, r.pk, r.kind, r.id, r.version, r.created, r.modified, r.label, r.document, \
                   r.secret, $3, $4, $5 FROM resource r WHERE r.tenant = $1 AND r.id = $6 AND r.pk = $2";
        let until = Key::of_instant(until).as_str().into();
        let who = self.mutation.who.into();
        let params = vec![self.tenant(), pk.clone(), self.now(), until, who, self.id()];
        batch.push(Step::new(sql, params));
        let sql = "INSERT INTO deleted_membership (tenant, resource, grp, member) \
                   SELECT m.tenant, m.grp, m.grp, m.member FROM membership m WHERE m.tenant = $1 AND m.grp = $2";
        batch.push(Step::new(sql, vec![self.tenant(), pk.clone()]));
        let sql = "INSERT INTO deleted_membership (tenant, resource, grp, member) \
                   SELECT m.tenant, $2, m.grp, m.member FROM membership m \
                   WHERE m.tenant = $1 AND m.grp <> $2 AND m.member = $3 AND m.grp IN ({ids})";
        let groups: Vec<Value> = groups.iter().map(|&group| group.into()).collect();
        let kept = statements(sql, &[self.tenant(), pk, self.id()], &groups);
        batch.steps.extend(kept.into_iter().map(Step::from));
    }

    /// The opposite of deleting what was kept.
    pub(super) fn restore(
        &self,
        record: &Record,
        resource: &Resource,
        dialect: Dialect,
    ) -> Result<Batch, StoreError> {
        let ours = || vec![self.tenant(), self.pk.into()];
        let kept = Step::new("DELETE FROM deleted WHERE tenant = $1 AND pk = $2", ours());
        let mut batch = Batch::from(kept.or_conflict());
        batch.steps.extend(self.create(record, resource, &[])?.steps);
        let (tenant, group_tenant) = (dialect.tested("tenant"), dialect.tested("g.tenant"));
        let returning = "INSERT INTO membership (tenant, grp, member) SELECT x.tenant, x.grp, x.member \
                         FROM deleted_membership x";
        let done = "ON CONFLICT (tenant, grp, member) DO NOTHING";
        let groups = format!(
            "{returning} JOIN resource g ON g.pk = x.grp AND {group_tenant} = $1 \
             WHERE x.tenant = $1 AND x.resource = $2 AND x.grp <> $2 {done}"
        );
        batch.push(Step::new(groups, ours()));
        let members = format!(
            "{returning} JOIN resource u ON u.tenant = $1 AND u.id = x.member \
             WHERE x.tenant = $1 AND x.resource = $2 AND x.grp = $2 {done}"
        );
        batch.push(Step::new(members, ours()));
        let bump = format!(
            "UPDATE resource SET version = version + 1, modified = $3 WHERE {tenant} = $1 AND pk IN ({WAITING})"
        );
        let mut params = ours();
        params.push(self.now());
        batch.push(Step::new(bump, params.clone()));
        let change = format!(
            "INSERT INTO change (tenant, kind, resource, version, what, at, who) \
             SELECT g.tenant, g.kind, g.id, g.version, 'members', $3, $4 FROM resource g \
             WHERE {group_tenant} = $1 AND g.pk IN ({WAITING}) ORDER BY g.pk"
        );
        params.push(self.mutation.who.into());
        batch.push(Step::new(change, params));
        let forget = "DELETE FROM deleted_membership WHERE tenant = $1 AND resource = $2";
        batch.push(Step::new(forget, ours()));
        Ok(batch)
    }
}
