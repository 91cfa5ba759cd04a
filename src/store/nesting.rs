//! Nested groups: who is in a group directly and through other groups (RFC 7643 §4.1.2).
//!
//! Invariant: the database walks, from one index entry to the next. It visits what can be reached from where it
//! begins and nothing else, and each only once, so that groups may contain each other. Whose groups are in no group
//! costs no walk. `$1` is the tenant.

use std::collections::BTreeSet;

use crate::id::TenantId;
use crate::store::Store;
use crate::store::driver::Dialect;
use crate::store::error::StoreError;
use crate::store::record::GroupRef;

/// 1 if the group `g` is in a group, else 0.
pub(super) const IS_NESTED: &str =
    "CASE WHEN EXISTS (SELECT 1 FROM membership n WHERE n.tenant = $1 AND n.member = g.id) THEN 1 ELSE 0 END";

/// `above (tenant, member, grp)`: the groups that members are in, directly or not; `seed` says which `m.member` are
/// meant.
pub(super) fn above(dialect: Dialect, seed: &str) -> String {
    format!(
        "WITH RECURSIVE above (tenant, member, grp) AS (\
         SELECT m.tenant, m.member, m.grp FROM membership m WHERE m.tenant = $1 AND {seed} \
         UNION SELECT a.tenant, a.member, m.grp FROM above a \
         JOIN resource h ON h.pk = a.grp AND {} = a.tenant \
         JOIN membership m ON m.tenant = a.tenant AND m.member = h.id)",
        dialect.tested("h.tenant")
    )
}

/// `below (pk, kind)`: the resources that are in the group with this id, directly or not. Of those whose type has
/// the number `leaf` none is a group.
pub(super) fn below(group: &str, leaf: &str) -> String {
    let members = "JOIN resource x ON x.tenant = $1 AND x.id = m.member";
    format!(
        "WITH RECURSIVE below (pk, kind) AS (\
         SELECT x.pk, x.kind FROM resource g JOIN membership m ON m.tenant = $1 AND m.grp = g.pk {members} \
         WHERE g.tenant = $1 AND g.id = {group} \
         UNION SELECT x.pk, x.kind FROM below b JOIN membership m ON m.tenant = $1 AND m.grp = b.pk {members} \
         WHERE b.kind <> {leaf})"
    )
}

/// That the member is in the group `g` itself, and not only in one inside it.
pub(super) fn is_direct(member: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM membership d WHERE d.tenant = $1 AND d.grp = g.pk AND d.member = {member})"
    )
}

impl Store {
    /// The groups that resources are in, directly or through other groups, as pairs of the member's id and a group,
    /// ordered by member and the groups' creation. One statement where no group is in another, else two.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn groups_of(
        &self,
        tenant: TenantId,
        members: &[&str],
    ) -> Result<Vec<(String, GroupRef)>, StoreError> {
        let sql = format!(
            "SELECT m.member, g.id, g.label, {IS_NESTED} FROM membership m \
             JOIN resource g ON g.pk = m.grp AND {} = $1 \
             WHERE m.tenant = $1 AND m.member IN ({{ids}}) ORDER BY m.member, m.grp",
            self.driver().dialect().tested("g.tenant")
        );
        let rows = self.by_ids(&sql, vec![tenant.0.into()], members.iter().map(|&id| id.into())).await?;
        let mut direct = Vec::with_capacity(rows.len());
        let mut nested = BTreeSet::new();
        for mut row in rows {
            let (member, id, display) = (row.text()?, row.text()?, row.maybe_text()?);
            if row.int()? == 1 {
                nested.insert(member.clone());
            }
            direct.push((member, GroupRef { id, display, is_direct: true }));
        }
        if nested.is_empty() {
            return Ok(direct);
        }
        direct.retain(|(member, _)| !nested.contains(member));
        let nested: Vec<&str> = nested.iter().map(String::as_str).collect();
        direct.extend(self.groups_above(tenant, &nested).await?);
        Ok(direct)
    }

    /// The same for resources whose groups are known to be in groups.
    pub(super) async fn groups_above(
        &self,
        tenant: TenantId,
        members: &[&str],
    ) -> Result<Vec<(String, GroupRef)>, StoreError> {
        let dialect = self.driver().dialect();
        let sql = format!(
            "{} SELECT a.member, g.id, g.label, CASE WHEN {} THEN 1 ELSE 0 END FROM above a \
             JOIN resource g ON g.pk = a.grp AND {} = a.tenant ORDER BY a.member, a.grp",
            above(dialect, "m.member IN ({ids})"),
            is_direct("a.member"),
            dialect.tested("g.tenant")
        );
        let rows = self.by_ids(&sql, vec![tenant.0.into()], members.iter().map(|&id| id.into())).await?;
        let groups = rows.into_iter().map(|mut row| {
            let (member, id, display) = (row.text()?, row.text()?, row.maybe_text()?);
            Ok((member, GroupRef { id, display, is_direct: row.int()? == 1 }))
        });
        groups.collect()
    }
}
