//! Searching: one statement answers the page and the total (RFC 7644 §3.4.2).
//!
//! Invariant: both come from one moment of the database. Without a filter the total comes from the counters; with
//! one it is counted only where the page does not already show where the matches end. Rows are picked by their keys,
//! and only those of the page are read. Two short ways answer what is asked most, and say when they do not.

use std::sync::Arc;

use crate::id::TenantId;
use crate::scim::filter::Filter;
use crate::scim::registry::{Path, ResourceType};
use crate::scim::schema::Kept;
use crate::store::Store;
use crate::store::driver::{Row, Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::Place;
use crate::store::lower::{Lowering, Relation};
use crate::store::nesting::{self, Shown};
use crate::store::record::{GroupRef, Record};

/// How many parts the filters of a search may have together: tests, `not`s, brackets and conjunctions. SQLite
/// takes a statement with about a thousand cursors, and a part needs up to eight of them.
const PARTS: usize = 100;

/// As many parts is a test on the groups that a resource is in, which looks into groups inside groups.
const NESTED: usize = 4;

/// One resource type of a search.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The type.
    pub kind: Arc<ResourceType>,
    /// What must match; bound to the type.
    pub filter: Option<Filter>,
    /// What to sort by; a simple attribute, or one of a complex one's.
    pub sort: Option<Path>,
}

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Search {
    /// The resource types; a query at the root has several.
    pub scopes: Vec<Scope>,
    /// Whether the greatest comes first. Resources without a value come last, or then first (reading A4).
    pub descending: bool,
    /// How many matches to leave out.
    pub offset: u64,
    /// How many to return; 0 asks for the total only.
    pub limit: u64,
    /// Only direct members of the group with this `pk`.
    pub group: Option<i64>,
}

/// A part of the matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many there are in all.
    pub total: u64,
    /// The index of the scope, and the resource; by sort key, then in the order of creation.
    pub records: Vec<(usize, Record)>,
}

/// The total, and the index of the scope of each resource.
type Found = (u64, Vec<(usize, Shown)>);

impl Store {
    /// One page of the matches and their total.
    ///
    /// # Errors
    /// [`StoreError::TooComplex`], [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn search(&self, tenant: TenantId, search: &Search) -> Result<Page, StoreError> {
        let (total, found) = self.find(tenant, search, false).await?;
        let records = found.into_iter().map(|(scope, shown)| (scope, shown.record));
        Ok(Page { total, records: records.collect() })
    }

    /// The same, and in the order of the records the groups that each is in, directly or through other groups. One
    /// statement where no group is in another, else two.
    ///
    /// # Errors
    /// As [`Store::search`].
    pub async fn search_with_groups(
        &self,
        tenant: TenantId,
        search: &Search,
    ) -> Result<(Page, Vec<Vec<GroupRef>>), StoreError> {
        let (total, found) = self.find(tenant, search, true).await?;
        let (scopes, shown): (Vec<usize>, Vec<Shown>) = found.into_iter().unzip();
        let shown = self.with_groups_above(tenant, shown).await?;
        let (records, groups): (Vec<Record>, Vec<_>) = shown.into_iter().unzip();
        Ok((Page { total, records: scopes.into_iter().zip(records).collect() }, groups))
    }

    async fn find(&self, tenant: TenantId, search: &Search, with_groups: bool) -> Result<Found, StoreError> {
        if search.scopes.is_empty() {
            return Ok((0, Vec::new()));
        }
        if let Some(found) = self.find_few(tenant, search, with_groups).await? {
            return Ok(found);
        }
        if let Some(found) = self.find_in_order(tenant, search, with_groups).await? {
            return Ok(found);
        }
        let rows = self.driver().brief(statement(self, tenant, search, with_groups)?).await?;
        let (mut total, mut found) = (0, Vec::new());
        for mut row in rows {
            total = u64::try_from(row.int()?).unwrap_or_default();
            if let Some(scope) = row.maybe_int()? {
                found.push((usize::try_from(scope).unwrap_or_default(), Shown::read(&mut row, with_groups)?));
            }
        }
        Ok((total, found))
    }

    /// The whole answer, where an index leaves so few matches that they fit on the first page. This is what providers
    /// ask before every write, so it takes the short way; none if it turned out to be no short way.
    async fn find_few(
        &self,
        tenant: TenantId,
        search: &Search,
        with_groups: bool,
    ) -> Result<Option<Found>, StoreError> {
        let Some(statement) = few(self, tenant, search, with_groups)? else { return Ok(None) };
        let rows = self.driver().brief(statement).await?;
        if rows.len() as u64 >= search.limit {
            return Ok(None);
        }
        let found = rows.into_iter().map(|mut row| Ok((0, Shown::read(&mut row, with_groups)?)));
        let mut found: Vec<(usize, Shown)> = found.collect::<Result<_, StoreError>>()?;
        // The rows of one resource lie together.
        found.dedup_by_key(|(_, shown)| shown.record.pk);
        Ok(Some((found.len() as u64, found)))
    }

    /// A full page of all resources of a type in the order of an index; none where an index has not all of it.
    async fn find_in_order(
        &self,
        tenant: TenantId,
        search: &Search,
        with_groups: bool,
    ) -> Result<Option<Found>, StoreError> {
        let Some(statement) = in_order(self, tenant, search, with_groups)? else { return Ok(None) };
        let rows = self.driver().brief(statement).await?;
        if (rows.len() as u64) < search.limit {
            // What has no value follows, and is in no index.
            return Ok(None);
        }
        let (mut total, mut found) = (0, Vec::with_capacity(rows.len()));
        for mut row in rows {
            total = u64::try_from(row.int()?).unwrap_or_default();
            found.push((0, Shown::read(&mut row, with_groups)?));
        }
        Ok(Some((total, found)))
    }

    /// How the database goes about a search, a line a step in its own words: for tests and for support.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn explain(&self, tenant: TenantId, search: &Search) -> Result<Vec<String>, StoreError> {
        let short = match few(self, tenant, search, false)? {
            Some(statement) => Some(statement),
            None => in_order(self, tenant, search, false)?,
        };
        let statement = short.map_or_else(|| statement(self, tenant, search, false), Ok)?;
        let sql = self.driver().dialect().explain(&statement.sql);
        let rows = self.driver().scan(Statement::new(sql, statement.params)).await?;
        rows.into_iter().map(Row::last_text).collect()
    }
}

/// The statement that reads what an index finds, if that is few as far as the filter tells, up to a page of it; none where
/// the search is for something else.
fn few(
    store: &Store,
    tenant: TenantId,
    search: &Search,
    with_groups: bool,
) -> Result<Option<Statement>, StoreError> {
    let ([Scope { kind, filter: Some(filter), sort: None }], None, 0) =
        (search.scopes.as_slice(), search.group, search.offset)
    else {
        return Ok(None);
    };
    if search.limit == 0 {
        return Ok(None);
    }
    check_parts(search)?;
    let dialect = store.driver().dialect();
    let mut lowering = Lowering::new(store.layout(), dialect, kind, vec![tenant.0.into()])?;
    if !lowering.finds_few(filter) {
        return Ok(None);
    }
    let limit = i64::try_from(search.limit).unwrap_or(i64::MAX);
    let lookups = &store.inner.lookups;
    if let Some(statement) = lookups.find(tenant, &lowering.kind, filter, limit, with_groups) {
        return Ok(Some(statement));
    }
    let Some(from) = lowering.found(filter) else { return Ok(None) };
    let limit = lowering.bind(limit);
    let columns = nesting::columns(dialect, with_groups);
    let sql = format!("SELECT {columns} FROM {from} ORDER BY r.pk LIMIT {limit}");
    Ok(Some(Statement::new(sql, lowering.into_params())))
}

/// The statement that reads all resources of a type in the order of the index on one of their values. Those without a
/// value are not in it: they come last, or first where the greatest does, which only a required attribute rules out.
fn in_order(
    store: &Store,
    tenant: TenantId,
    search: &Search,
    with_groups: bool,
) -> Result<Option<Statement>, StoreError> {
    let ([Scope { kind, filter: None, sort: Some(path) }], None) = (search.scopes.as_slice(), search.group)
    else {
        return Ok(None);
    };
    let kind = store.layout().kind(kind)?;
    let Place::Fact(number) = kind.place(path.leaf()) else { return Ok(None) };
    let attribute = &path.attribute;
    let is_single = !attribute.multi_valued && !path.leaf().multi_valued;
    if search.limit == 0 || !is_single || search.descending && !is_always_there(path) {
        return Ok(None);
    }
    let direction = if search.descending { " DESC" } else { "" };
    let number_of = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let sql = format!(
        "WITH page AS MATERIALIZED (SELECT f.resource AS pk, f.key AS k FROM fact f \
         WHERE f.tenant = $1 AND f.path = $2 ORDER BY f.key{direction}, f.resource LIMIT $3 OFFSET $4) \
         SELECT (SELECT CAST(COALESCE(SUM(c.n), 0) AS BIGINT) FROM counter c WHERE c.tenant = $1 AND c.kind = $5), {} \
         FROM page p JOIN resource r ON r.pk = p.pk AND {} = $1 ORDER BY p.k{direction}, p.pk",
        nesting::columns(store.driver().dialect(), with_groups),
        store.driver().dialect().tested("r.tenant"),
    );
    let (limit, offset) = (number_of(search.limit), number_of(search.offset));
    Ok(Some(Statement::new(sql, vec![tenant.0.into(), number.into(), limit, offset, kind.number.into()])))
}

/// Whether every resource of the type has a value of it.
pub(super) fn is_always_there(path: &Path) -> bool {
    path.sub.is_none() && path.attribute.extension.is_none() && path.attribute.required
}

pub(super) fn check_parts(search: &Search) -> Result<(), StoreError> {
    if search.scopes.iter().filter_map(|scope| scope.filter.as_ref()).map(parts).sum::<usize>() > PARTS {
        return Err(StoreError::TooComplex { limit: PARTS });
    }
    Ok(())
}

fn statement(
    store: &Store,
    tenant: TenantId,
    search: &Search,
    with_groups: bool,
) -> Result<Statement, StoreError> {
    check_parts(search)?;
    let dialect = store.driver().dialect();
    let mut params = vec![tenant.0.into()];
    let mut arms = Vec::new();
    let mut totals = Vec::new();
    let mut is_counted = true;
    for (index, scope) in search.scopes.iter().enumerate() {
        let mut lowering = Lowering::new(store.layout(), dialect, &scope.kind, params)?;
        let condition = lowering.condition(scope.filter.as_ref(), search.group);
        let sort = match &scope.sort {
            Some(path) => dialect.bytes(&lowering.sort_key(path)),
            None => dialect.bytes("NULL"),
        };
        arms.push(format!(
            "SELECT {index} AS scope, r.pk AS pk, {sort} AS k FROM resource r WHERE {condition}"
        ));
        if scope.filter.is_none() && search.group.is_none() {
            let kind = lowering.kind_number();
            totals.push(format!(
                "(SELECT CAST(COALESCE(SUM(c.n), 0) AS BIGINT) FROM counter c WHERE c.tenant = $1 AND c.kind = {kind})"
            ));
        } else {
            is_counted = false;
            totals.push(format!("(SELECT COUNT(*) FROM resource r WHERE {condition})"));
        }
        params = lowering.into_params();
    }
    let sorts = search.scopes.iter().any(|scope| scope.sort.is_some());
    let mut bind = |number: u64| {
        params.push(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        format!("${}", params.len())
    };
    let (limit, offset) = (bind(search.limit), bind(search.offset));
    let order = |sort: &str, pk: &str| match (sorts, search.descending) {
        (false, _) => pk.to_owned(),
        (true, false) => format!("{sort} NULLS LAST, {pk}"),
        (true, true) => format!("{sort} DESC NULLS FIRST, {pk}"),
    };
    let arms = arms.join(" UNION ALL ");
    let total = match (totals.join(" + "), is_counted) {
        (total, true) => total,
        (total, false) => format!(
            "CASE WHEN (SELECT COUNT(*) FROM page) < {limit} AND ({offset} = 0 OR (SELECT COUNT(*) FROM page) > 0) \
             THEN {offset} + (SELECT COUNT(*) FROM page) ELSE {total} END"
        ),
    };
    let sql = format!(
        "WITH page AS MATERIALIZED ({arms} ORDER BY {} LIMIT {limit} OFFSET {offset}) \
         SELECT t.total, p.scope, {} FROM (SELECT {total} AS total) t LEFT JOIN page p ON 1 = 1 \
         LEFT JOIN resource r ON r.pk = p.pk AND {} = $1 ORDER BY {}",
        order("k", "pk"),
        nesting::columns(dialect, with_groups),
        dialect.tested("r.tenant"),
        order("p.k", "p.pk"),
    );
    Ok(Statement::new(sql, params))
}

fn parts(filter: &Filter) -> usize {
    match filter {
        Filter::And(inner) | Filter::Or(inner) => 1 + inner.iter().map(parts).sum::<usize>(),
        Filter::Not(inner) | Filter::Each { inner, .. } => 1 + parts(inner),
        Filter::Present(path) | Filter::Test { path, .. } if path.attribute.kept == Kept::Groups => NESTED,
        Filter::Always(_) | Filter::Present(_) | Filter::Test { .. } => 1,
    }
}

/// Which members of a group match the filter inside `members[…]`.
pub(super) fn members_statement(
    store: &Store,
    tenant: TenantId,
    kind: &ResourceType,
    group: i64,
    filter: &Filter,
) -> Result<Statement, StoreError> {
    if parts(filter) > PARTS {
        return Err(StoreError::TooComplex { limit: PARTS });
    }
    let params = vec![tenant.0.into(), group.into()];
    let mut lowering = Lowering::new(store.layout(), store.driver().dialect(), kind, params)?;
    let from = lowering.from(&Relation::Members);
    let condition = lowering.row(filter, &Relation::Members);
    let sql = format!("SELECT m.member FROM {from} AND m.grp = $2 AND {condition} ORDER BY m.member");
    Ok(Statement::new(sql, lowering.into_params()))
}
