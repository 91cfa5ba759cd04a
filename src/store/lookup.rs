//! Looking up: the resource with an id, and those with one value, which providers ask for before every write.
//!
//! Invariant: the statements are made once, when the store is opened, so that a request only binds its values. What
//! finds by a value says what [`Lowering`](crate::store::lower::Lowering) makes of the same filter;
//! `tests/differential.rs` compares both with the evaluator in memory.

use crate::id::TenantId;
use crate::scim::filter::{Filter, Op};
use crate::scim::registry::ResourceType;
use crate::store::Store;
use crate::store::driver::{Dialect, Sql, Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::{ContactColumn, End, KindLayout, Place, contact_number};
use crate::store::nesting::{self, Shown};
use crate::store::record::{GroupRef, Record};
use crate::store::rows::bounded;

/// The statements.
pub(super) struct Lookups {
    by_id: Text,
    by_fact: Text,
    by_contact: Text,
    by_member: Text,
}

/// A statement that reads resources, without the groups that they are in and with them.
struct Text {
    bare: Sql,
    with_groups: Sql,
}

impl Text {
    fn new(dialect: Dialect, rest: &str) -> Self {
        let text = |with_groups| {
            let columns = nesting::columns(dialect, with_groups);
            dialect.spelled(&format!("SELECT {columns} FROM {rest}"))
        };
        Self { bare: text(false), with_groups: text(true) }
    }

    fn get(&self, with_groups: bool) -> Sql {
        if with_groups { self.with_groups.clone() } else { self.bare.clone() }
    }
}

impl Lookups {
    pub(super) fn new(dialect: Dialect) -> Self {
        let [tenant, kind] = ["r.tenant", "r.kind"].map(|column| dialect.tested(column));
        let found = |from: &str, pk: &str, value: &str| {
            // SQLite keeps the order of a CROSS JOIN.
            let rest = format!(
                "{from} CROSS JOIN resource r WHERE {value} AND r.pk = {pk} AND {tenant} = $1 AND {kind} = $2 \
                 ORDER BY {pk} LIMIT $4"
            );
            Text::new(dialect, &rest)
        };
        Self {
            by_id: Text::new(dialect, "resource r WHERE r.tenant = $1 AND r.id = $2 AND r.kind = $3"),
            by_fact: found("fact f", "f.resource", "f.tenant = $1 AND f.path = $5 AND f.key = $3"),
            by_contact: found(
                "contact c",
                "c.resource",
                "c.tenant = $1 AND c.kind = $5 AND c.key = $3 AND c.value IS NOT NULL",
            ),
            by_member: found("membership m", "m.grp", "m.tenant = $1 AND m.member = $3"),
        }
    }

    /// The statement that finds at most so many resources of a type by a filter; none if another is needed. A resource
    /// that has the value twice is found twice.
    pub(super) fn find(
        &self,
        tenant: TenantId,
        kind: &KindLayout<'_>,
        filter: &Filter,
        limit: i64,
        with_groups: bool,
    ) -> Option<Statement> {
        let Filter::Test { path, op: Op::Eq, key } = filter else { return None };
        let mut params = vec![tenant.0.into(), kind.number.into()];
        let text = match kind.place(path.leaf()) {
            Place::Fact(path) => {
                params.extend([bounded(key.as_str()).0.into(), limit.into(), path.into()]);
                &self.by_fact
            }
            Place::Contact(contact, ContactColumn::Value) => {
                let contact = contact_number(contact).into();
                params.extend([bounded(key.as_str()).0.into(), limit.into(), contact]);
                &self.by_contact
            }
            Place::Members(End::Value) => {
                params.extend([key.as_str().into(), limit.into()]);
                &self.by_member
            }
            _ => return None,
        };
        Some(Statement::new(text.get(with_groups), params))
    }
}

impl Store {
    /// The resource of that type with that id, and on request the groups that it is in, directly or through other
    /// groups. A read by key, which SQLite answers without leaving the caller's thread; one more where a group of
    /// its is in another.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn get(
        &self,
        tenant: TenantId,
        kind: &ResourceType,
        id: &str,
        with_groups: bool,
    ) -> Result<Option<(Record, Vec<GroupRef>)>, StoreError> {
        let number = self.layout().kind(kind)?.number;
        let text = self.inner.lookups.by_id.get(with_groups);
        let statement = Statement::new(text, vec![tenant.0.into(), id.into(), Value::Int(number)]);
        let Some(mut row) = self.driver().point(&statement).await?.into_iter().next() else {
            return Ok(None);
        };
        let shown = Shown::read(&mut row, with_groups)?;
        Ok(self.with_groups_above(tenant, vec![shown]).await?.pop())
    }
}
