//! Creating, changing and deleting resources: each is one batch, computed from what was read.
//!
//! Invariant: document, facts, contacts, memberships, counters and the change log move together. An update writes
//! only what differs; a contact that is still there keeps its row.

use std::sync::Arc;

use crate::contact::Claims;
use crate::id::{ResourceId, TenantId};
use crate::scim::key::Key;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::store::batch::{Batch, Step};
use crate::store::beside::Aside;
use crate::store::driver::{Dialect, Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::Layout;
use crate::store::record::Record;
use crate::store::rows::{FactKey, FactRow, SideRows};
use crate::store::{Store, statements};
use chrono::{DateTime, Utc};

/// The slots that a counter is spread over.
pub(super) const COUNTER_SLOTS: i64 = 8;

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// It was created.
    Create,
    /// It was replaced (PUT).
    Replace,
    /// It was patched.
    Patch,
    /// It was deleted.
    Delete,
    /// It was deleted, and can be restored until then.
    Retire(DateTime<Utc>),
    /// It was restored.
    Restore,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Patch => "patch",
            Self::Delete | Self::Retire(_) => "delete",
            Self::Restore => "restore",
        }
    }
}

/// Which resource is written, by whom and when.
#[derive(Clone, Copy, Debug)]
pub struct Mutation<'a> {
    /// Whose directory it is in.
    pub tenant: TenantId,
    /// Its type.
    pub kind: &'a Arc<ResourceType>,
    /// Its id.
    pub id: &'a ResourceId,
    /// The time that goes into `meta` and the change log.
    pub now: DateTime<Utc>,
    /// Who does it, for the change log.
    pub who: &'a str,
    /// What is done, for the change log.
    pub what: What,
    /// What a policy makes unique, beside what the schema does.
    pub also_unique: Unique<'a>,
}

/// What a tenant's policies make unique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unique<'a> {
    /// The paths of attributes.
    pub paths: &'a [&'a str],
    /// Which addresses and numbers.
    pub claims: Claims,
}

/// What becomes of a group's members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberEdit {
    /// Whether all that are there go first.
    pub clear: bool,
    /// Ids that become members; those that are members already stay as they are.
    pub add: Vec<String>,
    /// Ids that cease to be members.
    pub remove: Vec<String>,
}

impl MemberEdit {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        !self.clear && self.add.is_empty() && self.remove.is_empty()
    }
}

impl Store {
    /// Stores a new resource and its members.
    ///
    /// # Errors
    /// [`StoreError::Unique`] with the attribute that is taken; `id` if the id is.
    pub async fn create(
        &self,
        mutation: &Mutation<'_>,
        resource: &Resource,
        members: &[String],
    ) -> Result<Record, StoreError> {
        self.create_with(mutation, resource, members, &[]).await
    }

    /// Stores a new resource, its members, and what stands beside it.
    ///
    /// # Errors
    /// As [`Store::create`], and [`StoreError::Exhausted`].
    pub async fn create_with(
        &self,
        mutation: &Mutation<'_>,
        resource: &Resource,
        members: &[String],
        asides: &[Aside],
    ) -> Result<Record, StoreError> {
        let record = new_record(mutation, self.next_pk().await?, 1, resource);
        let write = Write { layout: self.layout(), mutation, pk: record.pk };
        let mut batch = write.create(&record, resource, members)?;
        write.beside(asides, &mut batch);
        self.driver().write(batch).await?;
        Ok(record)
    }

    /// Puts `new` in the place of `old`, which must be what `before` holds, and edits the members.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the stored version is no longer `before`'s; [`StoreError::Unique`] as for create.
    pub async fn update(
        &self,
        mutation: &Mutation<'_>,
        before: &Record,
        old: &Resource,
        new: &Resource,
        members: &MemberEdit,
    ) -> Result<Record, StoreError> {
        self.update_with(mutation, before, old, new, members, &[]).await
    }

    /// Puts `new` in the place of `old`, edits the members, and writes what stands beside.
    ///
    /// # Errors
    /// As [`Store::update`], and [`StoreError::Exhausted`].
    pub async fn update_with(
        &self,
        mutation: &Mutation<'_>,
        before: &Record,
        old: &Resource,
        new: &Resource,
        members: &MemberEdit,
        asides: &[Aside],
    ) -> Result<Record, StoreError> {
        let mut record = new_record(mutation, before.pk, before.version + 1, new);
        record.created.clone_from(&before.created);
        let write = Write { layout: self.layout(), mutation, pk: before.pk };
        let mut batch = write.update(&record, old, new, members)?;
        write.beside(asides, &mut batch);
        self.driver().write(batch).await?;
        Ok(record)
    }

    /// Puts `new` in the place of `old` and removes another resource, which is `absorbed`, in one batch.
    ///
    /// # Errors
    /// As [`Store::update_with`]; [`StoreError::Conflict`] also if the other one changed.
    pub async fn merge(
        &self,
        mutation: &Mutation<'_>,
        before: &Record,
        (old, new): (&Resource, &Resource),
        asides: &[Aside],
        gone: &Mutation<'_>,
        absorbed: &Record,
    ) -> Result<Record, StoreError> {
        let groups = self.groups_with(gone).await?;
        let write = Write { layout: self.layout(), mutation: gone, pk: absorbed.pk };
        let mut batch = write.delete(absorbed.version, true, &groups, self.driver().dialect())?;
        let mut record = new_record(mutation, before.pk, before.version + 1, new);
        record.created.clone_from(&before.created);
        let write = Write { layout: self.layout(), mutation, pk: before.pk };
        batch.steps.extend(write.update(&record, old, new, &MemberEdit::default())?.steps);
        write.beside(asides, &mut batch);
        self.driver().write(batch).await?;
        Ok(record)
    }

    /// Puts other secrets in the place of a record's, if it is still the version that is stored. What the resource says
    /// is the same, so its version stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn set_secret(
        &self,
        tenant: TenantId,
        record: &Record,
        secret: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE resource SET secret = $4 WHERE tenant = $1 AND pk = $2 AND version = $3";
        let params = vec![tenant.0.into(), record.pk.into(), record.version.into(), secret.into()];
        self.driver().write(Step::new(sql, params).into()).await.map(drop)
    }

    /// Removes a resource, all that belongs to it, and its memberships both ways. The groups that it was in get a
    /// new version and a row in the change log.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is gone, or with `guarded` if its version is no longer `before`'s.
    pub async fn delete(
        &self,
        mutation: &Mutation<'_>,
        before: &Record,
        guarded: bool,
    ) -> Result<(), StoreError> {
        let write = Write { layout: self.layout(), mutation, pk: before.pk };
        let groups = self.groups_with(mutation).await?;
        let batch = write.delete(before.version, guarded, &groups, self.driver().dialect())?;
        self.driver().write(batch).await.map(drop)
    }

    /// The groups that the resource is in. They are read before it is deleted: where transactions run side by side,
    /// each statement of the batch would find others. A group that the resource joins meanwhile keeps a member that
    /// does not exist, as if it had joined a moment later.
    pub(super) async fn groups_with(&self, mutation: &Mutation<'_>) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT m.grp FROM membership m WHERE m.tenant = $1 AND m.member = $2 ORDER BY m.grp";
        let params = vec![mutation.tenant.0.into(), mutation.id.as_str().into()];
        let rows = self.driver().brief(Statement::new(sql, params)).await?;
        rows.into_iter().map(|mut row| row.int()).collect()
    }
}

pub(super) fn new_record(mutation: &Mutation<'_>, pk: i64, version: i64, resource: &Resource) -> Record {
    let document = resource.to_document(mutation.kind);
    let now = Key::of_instant(mutation.now).as_str().to_owned();
    Record {
        pk,
        id: mutation.id.clone(),
        version,
        created: now.clone(),
        modified: now,
        document: document.visible,
        secret: document.secret,
    }
}

/// Counts resources of a type, in the slot of one of them.
pub(super) fn count(tenant: TenantId, kind: i64, pk: i64, by: i64) -> Step {
    let sql = "INSERT INTO counter (tenant, kind, slot, n) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (tenant, kind, slot) DO UPDATE SET n = counter.n + excluded.n";
    let slot = pk.rem_euclid(COUNTER_SLOTS);
    Step::new(sql, vec![tenant.0.into(), kind.into(), slot.into(), by.into()])
}

/// The statements of one mutation.
pub(super) struct Write<'a> {
    pub(super) layout: &'a Layout,
    pub(super) mutation: &'a Mutation<'a>,
    pub(super) pk: i64,
}

impl Write<'_> {
    pub(super) fn create(
        &self,
        record: &Record,
        resource: &Resource,
        members: &[String],
    ) -> Result<Batch, StoreError> {
        let rows = self.rows_of(resource)?;
        let mut batch = Batch::from(self.insert_resource(record, &rows)?);
        rows.facts.iter().for_each(|(key, row)| batch.push(self.insert_fact(key, row)));
        rows.contacts.iter().for_each(|row| batch.push(self.insert_contact(row)));
        batch.steps.extend(self.insert_members(members));
        batch.push(self.count(1)?);
        batch.push(self.change(record.version)?);
        Ok(batch)
    }

    pub(super) fn update(
        &self,
        record: &Record,
        old: &Resource,
        new: &Resource,
        members: &MemberEdit,
    ) -> Result<Batch, StoreError> {
        let Mutation { kind, also_unique, .. } = *self.mutation;
        let [old, new] = SideRows::of_both(self.layout, kind, [old, new], also_unique)?;
        let mut batch = Batch::from(self.replace_resource(record, &new));
        self.move_facts(&old, &new, &mut batch);
        self.move_contacts(&old, &new, &mut batch);
        self.move_members(members, &mut batch);
        batch.push(self.change(record.version)?);
        Ok(batch)
    }

    pub(super) fn delete(
        &self,
        version: i64,
        guarded: bool,
        groups: &[i64],
        dialect: Dialect,
    ) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        let is_kept = match self.mutation.what {
            What::Retire(until) => {
                self.keep(until, groups, &mut batch);
                true
            }
            _ => false,
        };
        batch.push(self.delete_resource(guarded.then_some(version)));
        self.leave_groups(groups, dialect, &mut batch);
        self.delete_side_rows(is_kept, &mut batch);
        batch.push(self.count(-1)?);
        batch.push(self.change(version + 1)?);
        Ok(batch)
    }

    fn beside(&self, asides: &[Aside], batch: &mut Batch) {
        asides.iter().for_each(|aside| aside.steps(self.mutation.tenant, self.pk, batch));
    }

    fn rows_of(&self, resource: &Resource) -> Result<SideRows, StoreError> {
        SideRows::of(self.layout, self.mutation.kind, resource, self.mutation.also_unique)
    }

    pub(super) fn tenant(&self) -> Value {
        self.mutation.tenant.0.into()
    }

    pub(super) fn id(&self) -> Value {
        self.mutation.id.as_str().into()
    }

    fn kind(&self) -> Result<Value, StoreError> {
        Ok(self.layout.kind(self.mutation.kind)?.number.into())
    }

    pub(super) fn now(&self) -> Value {
        Key::of_instant(self.mutation.now).as_str().into()
    }

    pub(super) fn insert_resource(&self, record: &Record, rows: &SideRows) -> Result<Step, StoreError> {
        let sql = "INSERT INTO resource \
                   (tenant, kind, id, pk, version, created, modified, label, label_key, document, secret) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let params = vec![
            self.tenant(),
            self.kind()?,
            self.id(),
            self.pk.into(),
            record.version.into(),
            record.created.as_str().into(),
            record.modified.as_str().into(),
            rows.label.as_deref().into(),
            rows.label_key.as_deref().into(),
            record.document.as_str().into(),
            record.secret.as_deref().into(),
        ];
        Ok(Step::new(sql, params).unique("id"))
    }

    /// The compare-and-swap: it changes nothing unless the version is still the one that was read.
    fn replace_resource(&self, record: &Record, rows: &SideRows) -> Step {
        let sql = "UPDATE resource SET version = $4, modified = $5, label = $6, label_key = $7, document = $8, \
                   secret = $9 WHERE tenant = $1 AND pk = $2 AND version = $3";
        let params = vec![
            self.tenant(),
            self.pk.into(),
            (record.version - 1).into(),
            record.version.into(),
            record.modified.as_str().into(),
            rows.label.as_deref().into(),
            rows.label_key.as_deref().into(),
            record.document.as_str().into(),
            record.secret.as_deref().into(),
        ];
        Step::new(sql, params).or_conflict()
    }

    fn delete_resource(&self, version: Option<i64>) -> Step {
        let (tenant, pk) = (self.tenant(), self.pk.into());
        let step = match version {
            Some(version) => {
                let sql = "DELETE FROM resource WHERE tenant = $1 AND pk = $2 AND version = $3";
                Step::new(sql, vec![tenant, pk, version.into()])
            }
            None => Step::new("DELETE FROM resource WHERE tenant = $1 AND pk = $2", vec![tenant, pk]),
        };
        step.or_conflict()
    }

    fn delete_side_rows(&self, keep_bags: bool, batch: &mut Batch) {
        let bags = "DELETE FROM bag WHERE tenant = $1 AND resource = $2";
        let rows = [
            "DELETE FROM fact WHERE tenant = $1 AND resource = $2",
            "DELETE FROM contact WHERE tenant = $1 AND resource = $2",
            "DELETE FROM membership WHERE tenant = $1 AND grp = $2",
            "DELETE FROM challenge WHERE tenant = $1 AND resource = $2",
        ];
        for sql in rows.into_iter().chain((!keep_bags).then_some(bags)) {
            batch.push(Step::new(sql, vec![self.tenant(), self.pk.into()]));
        }
    }

    /// The groups that the resource was in change too, though nobody names them.
    fn leave_groups(&self, groups: &[i64], dialect: Dialect, batch: &mut Batch) {
        let groups: Vec<Value> = groups.iter().map(|&group| group.into()).collect();
        let bump = format!(
            "UPDATE resource SET version = version + 1, modified = $2 WHERE {} = $1 AND pk IN ({{ids}})",
            dialect.tested("tenant")
        );
        let change = format!(
            "INSERT INTO change (tenant, kind, resource, version, what, at, who) \
             SELECT g.tenant, g.kind, g.id, g.version, 'members', $2, $3 FROM resource g \
             WHERE {} = $1 AND g.pk IN ({{ids}}) ORDER BY g.pk",
            dialect.tested("g.tenant")
        );
        let leave = "DELETE FROM membership WHERE tenant = $1 AND member = $2 AND grp IN ({ids})";
        for (sql, params) in [
            (&*bump, vec![self.tenant(), self.now()]),
            (&*change, vec![self.tenant(), self.now(), self.mutation.who.into()]),
            (leave, vec![self.tenant(), self.id()]),
        ] {
            statements(sql, &params, &groups).into_iter().for_each(|statement| batch.push(statement.into()));
        }
    }

    pub(super) fn insert_fact(&self, (path, key, element): &FactKey, row: &FactRow) -> Step {
        let sql = "INSERT INTO fact (tenant, path, key, resource, element, leads, uniq, long) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let params = vec![
            self.tenant(),
            (*path).into(),
            key.as_str().into(),
            self.pk.into(),
            (*element).into(),
            row.leads.into(),
            row.unique.unwrap_or(0).into(),
            row.long.as_deref().into(),
        ];
        let step = Step::new(sql, params);
        if row.unique.is_some() { step.unique(&row.attribute) } else { step }
    }

    /// Writes the difference; what goes, goes first, so that a unique value may move between elements.
    pub(super) fn move_facts(&self, old: &SideRows, new: &SideRows, batch: &mut Batch) {
        let sql = "DELETE FROM fact WHERE tenant = $1 AND path = $2 AND key = $3 AND resource = $4 AND element = $5";
        for (at, _) in old.facts.iter().filter(|(at, row)| new.facts.get(at) != Some(row)) {
            let (path, key, element) = at;
            let params =
                vec![self.tenant(), (*path).into(), key.as_str().into(), self.pk.into(), (*element).into()];
            batch.push(Step::new(sql, params));
        }
        for (at, row) in new.facts.iter().filter(|(at, row)| old.facts.get(at) != Some(row)) {
            batch.push(self.insert_fact(at, row));
        }
    }

    /// Adds members, a few hundred a statement; those that are there stay.
    pub(super) fn insert_members(&self, members: &[String]) -> Vec<Step> {
        let sql = "INSERT INTO membership (tenant, grp, member) VALUES {rows} \
                   ON CONFLICT (tenant, grp, member) DO NOTHING";
        let ids: Vec<Value> = members.iter().map(|id| id.as_str().into()).collect();
        let statements = statements(sql, &[self.tenant(), self.pk.into()], &ids);
        statements.into_iter().map(Step::from).collect()
    }

    fn move_members(&self, edit: &MemberEdit, batch: &mut Batch) {
        if edit.clear {
            let sql = "DELETE FROM membership WHERE tenant = $1 AND grp = $2";
            batch.push(Step::new(sql, vec![self.tenant(), self.pk.into()]));
        }
        let sql = "DELETE FROM membership WHERE tenant = $1 AND grp = $2 AND member IN ({ids})";
        let gone: Vec<Value> = edit.remove.iter().map(|id| id.as_str().into()).collect();
        let leave = statements(sql, &[self.tenant(), self.pk.into()], &gone);
        batch.steps.extend(leave.into_iter().map(Step::from));
        batch.steps.extend(self.insert_members(&edit.add));
    }

    fn count(&self, by: i64) -> Result<Step, StoreError> {
        Ok(count(self.mutation.tenant, self.layout.kind(self.mutation.kind)?.number, self.pk, by))
    }

    pub(super) fn change(&self, version: i64) -> Result<Step, StoreError> {
        let sql = "INSERT INTO change (tenant, kind, resource, version, what, at, who) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let params = vec![
            self.tenant(),
            self.kind()?,
            self.id(),
            version.into(),
            self.mutation.what.as_str().into(),
            self.now(),
            self.mutation.who.into(),
        ];
        Ok(Step::new(sql, params))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::registry::Registry;
    use crate::store::DatabaseUrl;

    /// The steps of a plan that walk a table, or a tenant's part of one.
    async fn walks(store: &Store, batch: &Batch) -> Vec<String> {
        let mut found = Vec::new();
        for Step { statement, .. } in &batch.steps {
            let plan =
                Statement::new(store.driver().dialect().explain(&statement.sql), statement.params.clone());
            for row in store.driver().scan(plan).await.unwrap() {
                let step = row.last_text().unwrap();
                if step.starts_with("SCAN") || step.ends_with("(tenant=?)") {
                    found.push(format!("{step}: {}", &*statement.sql));
                }
            }
        }
        found
    }

    #[tokio::test]
    async fn no_write_walks_a_table() {
        let registry = Registry::built_in().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("muster.db"));
        let store = Store::open(&url, &registry).await.unwrap();
        let (kind, id) = (registry.type_named("User").unwrap(), ResourceId::generate());
        let (tenant, now) = (TenantId::DEFAULT, DateTime::UNIX_EPOCH);
        let mutation = Mutation {
            tenant,
            kind,
            id: &id,
            now,
            who: "",
            what: What::Patch,
            also_unique: Unique::default(),
        };
        let user = |email: &str| {
            let body =
                json!({"userName": email, "emails": [{"value": email, "type": "work"}, {"value": "same"}]});
            Resource::stored(body.as_object().unwrap().clone(), None)
        };
        let write = Write { layout: store.layout(), mutation: &mutation, pk: 1 };
        let record = new_record(&mutation, 1, 2, &user("a"));
        let edit = MemberEdit { clear: true, add: vec!["a".into()], remove: vec!["b".into()] };
        let groups = [7, 8, 9];
        let batches = [
            write.create(&record, &user("a"), &["m".to_owned()]).unwrap(),
            write.update(&record, &user("a"), &user("b"), &edit).unwrap(),
            write.delete(1, false, &groups, Dialect::Sqlite).unwrap(),
            write.delete(1, true, &groups, Dialect::Sqlite).unwrap(),
            Write { mutation: &Mutation { what: What::Retire(now), ..mutation }, ..write }
                .delete(1, true, &groups, Dialect::Sqlite)
                .unwrap(),
            write.restore(&record, &user("a"), Dialect::Sqlite).unwrap(),
        ];
        for batch in &batches {
            assert_eq!(walks(&store, batch).await, Vec::<String>::new());
        }
    }
}
