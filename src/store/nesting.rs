//! Nested groups: who is in a group directly and through other groups (RFC 7643 §4.1.2).
//!
//! Invariant: the database walks, from one index entry to the next. It visits what can be reached from where it
//! begins and nothing else, and each only once, so that groups may contain each other. Whose groups are in no group
//! costs no walk. `$1` is the tenant.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::id::TenantId;
use crate::store::Store;
use crate::store::driver::{Dialect, Row};
use crate::store::error::StoreError;
use crate::store::record::{GroupRef, Record};

/// 1 if the group `g` is in a group, else 0.
const IS_NESTED: &str =
    "CASE WHEN EXISTS (SELECT 1 FROM membership n WHERE n.tenant = $1 AND n.member = g.id) THEN 1 ELSE 0 END";

/// The columns of a record, of the row with the alias `r`, and on request the groups that it is in itself.
pub(super) fn columns(dialect: Dialect, with_groups: bool) -> Cow<'static, str> {
    if !with_groups {
        return Record::COLUMNS.into();
    }
    let from = format!(
        "membership m JOIN resource g ON g.pk = m.grp AND {} = $1 WHERE m.tenant = $1 AND m.member = r.id",
        dialect.tested("g.tenant")
    );
    let groups = dialect.rows(&format!("g.pk, g.id, g.label, {IS_NESTED}"), &from);
    format!("{}, {groups}", Record::COLUMNS).into()
}

/// A record and the groups that it is in itself.
pub(super) struct Shown {
    pub(super) record: Record,
    groups: Vec<GroupRef>,
    /// Whether one of them is in a group.
    is_nested: bool,
}

impl Shown {
    /// Takes these columns from a row.
    pub(super) fn read(row: &mut Row, with_groups: bool) -> Result<Self, StoreError> {
        let record = Record::read(row)?;
        let text = if with_groups { row.maybe_text()? } else { None };
        let wrong = |error: serde_json::Error| StoreError::corrupt(error.to_string());
        let groups = text.map(|text| serde_json::from_str(&text).map_err(wrong)).transpose()?;
        let mut groups: Vec<(i64, String, Option<String>, i64)> = groups.unwrap_or_default();
        groups.sort_unstable_by_key(|(pk, ..)| *pk);
        let is_nested = groups.iter().any(|(_, _, _, nested)| *nested == 1);
        let groups = groups.into_iter().map(|(_, id, display, _)| GroupRef { id, display, is_direct: true });
        Ok(Self { record, groups: groups.collect(), is_nested })
    }
}

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

    /// Records with all their groups, in the order of the groups' creation. No statement where no group is in another.
    pub(super) async fn with_groups_above(
        &self,
        tenant: TenantId,
        shown: Vec<Shown>,
    ) -> Result<Vec<(Record, Vec<GroupRef>)>, StoreError> {
        let nested = shown.iter().filter(|shown| shown.is_nested);
        let nested: Vec<&str> = nested.map(|shown| shown.record.id.as_str()).collect();
        let mut above: HashMap<String, Vec<GroupRef>> = HashMap::new();
        if !nested.is_empty() {
            for (member, group) in self.groups_above(tenant, &nested).await? {
                above.entry(member).or_default().push(group);
            }
        }
        let with_groups = shown.into_iter().map(|Shown { record, groups, is_nested }| {
            let above = is_nested.then(|| above.remove(record.id.as_str()).unwrap_or_default());
            (record, above.unwrap_or(groups))
        });
        Ok(with_groups.collect())
    }

    /// The same for resources whose groups are known to be in groups.
    async fn groups_above(
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
