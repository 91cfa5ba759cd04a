//! Walking: everything that a tenant has, a page at a time.
//!
//! Invariant: a page begins behind the key that the one before ended with, so that each costs the same however far
//! the walk has come, and memory holds one page. Pages are moments of their own: what others write meanwhile is seen
//! or not.

use crate::id::{ResourceId, TenantId};
use crate::scim::registry::ResourceType;
use crate::store::Store;
use crate::store::driver::{Statement, Value};
use crate::store::error::StoreError;
use crate::store::record::Record;

impl Store {
    /// The first resources of a type whose `pk` is greater than `after`, in that order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn resources_after(
        &self,
        tenant: TenantId,
        kind: &ResourceType,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let sql = format!(
            "SELECT {} FROM resource r WHERE r.tenant = $1 AND r.kind = $2 AND r.pk > $3 ORDER BY r.pk LIMIT $4",
            Record::COLUMNS
        );
        let number = self.layout().kind(kind)?.number;
        let params = vec![tenant.0.into(), number.into(), after.into(), i64::from(limit).into()];
        let rows = self.driver().scan(Statement::new(sql, params)).await?;
        rows.into_iter().map(|mut row| Record::read(&mut row)).collect()
    }

    /// The first memberships behind a group's `pk` and a member's id, in the order of both.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn memberships_after(
        &self,
        tenant: TenantId,
        (group, member): &(i64, String),
        limit: u32,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let sql = "SELECT m.grp, m.member FROM membership m \
                   WHERE m.tenant = $1 AND (m.grp, m.member) > ($2, $3) ORDER BY m.grp, m.member LIMIT $4";
        let params = vec![tenant.0.into(), (*group).into(), member.as_str().into(), i64::from(limit).into()];
        let rows = self.driver().scan(Statement::new(sql, params)).await?;
        rows.into_iter().map(|mut row| Ok((row.int()?, row.text()?))).collect()
    }

    /// The ids of those of the `pk`s that are resources of the tenant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn ids_of(&self, tenant: TenantId, pks: &[i64]) -> Result<Vec<(i64, ResourceId)>, StoreError> {
        let sql = "SELECT r.pk, r.id FROM resource r WHERE r.tenant = $1 AND r.pk IN ({ids})";
        let rows = self.by_ids(sql, vec![tenant.0.into()], pks.iter().map(|&pk| Value::Int(pk))).await?;
        rows.into_iter().map(|mut row| Ok((row.int()?, ResourceId::from_text(row.text()?)))).collect()
    }

    /// How many resources of a type there are, as the counters say.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn count(&self, tenant: TenantId, kind: &ResourceType) -> Result<u64, StoreError> {
        let sql = "SELECT c.n FROM counter c WHERE c.tenant = $1 AND c.kind = $2";
        let number = self.layout().kind(kind)?.number;
        let rows = self.driver().point(&Statement::new(sql, vec![tenant.0.into(), number.into()])).await?;
        let slots = rows.into_iter().map(|mut row| row.int()).collect::<Result<Vec<_>, _>>()?;
        Ok(u64::try_from(slots.iter().sum::<i64>()).unwrap_or_default())
    }
}
