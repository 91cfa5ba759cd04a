//! The members of a group: who they are, and who of some is one.
//!
//! Invariant: no call reads more memberships than it is asked for, so that a group may have any number of members.

use crate::id::TenantId;
use crate::scim::filter::Filter;
use crate::scim::registry::ResourceType;
use crate::store::driver::{Row, Statement};
use crate::store::error::StoreError;
use crate::store::record::Member;
use crate::store::{Store, search};

impl Store {
    /// The members of groups, as pairs of the group's `pk` and a member, ordered by group and member id. None if there
    /// are more than `most` in all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn members(
        &self,
        tenant: TenantId,
        groups: &[i64],
        most: u32,
    ) -> Result<Option<Vec<(i64, Member)>>, StoreError> {
        let sql = shown("x.tenant = $1 AND x.grp IN ({ids}) ORDER BY x.grp, x.member LIMIT $2");
        let params = vec![tenant.0.into(), (i64::from(most) + 1).into()];
        let rows = self.by_ids(&sql, params, groups.iter().map(|&pk| pk.into())).await?;
        if rows.len() as u64 > u64::from(most) {
            return Ok(None);
        }
        rows.into_iter().map(|row| self.member(row)).collect::<Result<_, _>>().map(Some)
    }

    /// The first members of a group behind an id, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn members_after(
        &self,
        tenant: TenantId,
        group: i64,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        let sql = shown("x.tenant = $1 AND x.grp = $2 AND x.member > $3 ORDER BY x.member LIMIT $4");
        let params = vec![tenant.0.into(), group.into(), after.into(), i64::from(limit).into()];
        let rows = self.driver().brief(Statement::new(sql, params)).await?;
        rows.into_iter().map(|row| Ok(self.member(row)?.1)).collect()
    }

    fn member(&self, mut row: Row) -> Result<(i64, Member), StoreError> {
        let (group, id) = (row.int()?, row.text()?);
        let kind = row.maybe_int()?.and_then(|number| self.layout().kind_name(number));
        Ok((group, Member { id, kind: kind.map(|kind| kind.to_string()), display: row.maybe_text()? }))
    }

    /// The ids of all members of the group, in their order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn member_ids(&self, tenant: TenantId, group: i64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT m.member FROM membership m WHERE m.tenant = $1 AND m.grp = $2 ORDER BY m.member";
        let rows = self.driver().scan(Statement::new(sql, vec![tenant.0.into(), group.into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// Which of the ids are members of the group.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn members_among(
        &self,
        tenant: TenantId,
        group: i64,
        ids: &[&str],
    ) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT m.member FROM membership m \
                   WHERE m.tenant = $1 AND m.grp = $2 AND m.member IN ({ids}) ORDER BY m.member";
        let params = vec![tenant.0.into(), group.into()];
        let rows = self.by_ids(sql, params, ids.iter().map(|&id| id.into())).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// The members of the group that match the filter inside `members[…]`, which is bound to the group's type.
    ///
    /// # Errors
    /// [`StoreError::TooComplex`], [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn members_matching(
        &self,
        tenant: TenantId,
        kind: &ResourceType,
        group: i64,
        filter: &Filter,
    ) -> Result<Vec<String>, StoreError> {
        let statement = search::members_statement(self, tenant, kind, group, filter)?;
        self.driver().scan(statement).await?.into_iter().map(|mut row| row.text()).collect()
    }

    /// Whether the group has a member.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn has_members(&self, tenant: TenantId, group: i64) -> Result<bool, StoreError> {
        let sql = "SELECT m.member FROM membership m WHERE m.tenant = $1 AND m.grp = $2 LIMIT 1";
        let statement = Statement::new(sql, vec![tenant.0.into(), group.into()]);
        Ok(!self.driver().point(&statement).await?.is_empty())
    }

    /// Whether the group has more members than `most`; looks at no more than that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn has_more_members(
        &self,
        tenant: TenantId,
        group: i64,
        most: u32,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT m.member FROM membership m WHERE m.tenant = $1 AND m.grp = $2 LIMIT 1 OFFSET $3";
        let statement = Statement::new(sql, vec![tenant.0.into(), group.into(), i64::from(most).into()]);
        Ok(!self.driver().point(&statement).await?.is_empty())
    }
}

/// The statement that shows the memberships `x` that a condition picks.
fn shown(picked: &str) -> String {
    format!(
        "SELECT m.grp, m.member, u.kind, u.label \
         FROM (SELECT x.grp, x.member FROM membership x WHERE {picked}) m \
         LEFT JOIN resource u ON u.tenant = $1 AND u.id = m.member ORDER BY m.grp, m.member"
    )
}
