//! Searching on from where an earlier search ended (RFC 9865): the next matches behind a position.
//!
//! Invariant: a position is a sort key and a row's number, never a count of rows, so whatever others write meanwhile,
//! what is there throughout is met exactly once. The order is that of [`Store::search`]. A stretch in the middle costs
//! what the first one costs: without a sort it is a part of the index of rows, sorted by a fact a part of the facts'.

use crate::id::TenantId;
use crate::scim::registry::Path;
use crate::store::Store;
use crate::store::driver::{Dialect, Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::Place;
use crate::store::lower::Lowering;
use crate::store::record::Record;
use crate::store::search::{Scope, Search, check_parts, is_always_there};

/// Where a walk over matches has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The sort key of the last match; none if it has no value, or nothing is sorted by.
    pub key: Option<String>,
    /// The last match's row.
    pub pk: i64,
}

/// Some matches in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The index of the scope, and the resource.
    pub records: Vec<(usize, Record)>,
    /// Where they end; none if there are no more.
    pub end: Option<Position>,
}

type Found = (Option<String>, usize, Record);

impl Store {
    /// The matches behind a position, or the first ones. The offset of the search does not count.
    ///
    /// # Errors
    /// [`StoreError::TooComplex`], [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn search_after(
        &self,
        tenant: TenantId,
        search: &Search,
        after: Option<&Position>,
    ) -> Result<Stretch, StoreError> {
        check_parts(search)?;
        let limit = usize::try_from(search.limit).unwrap_or(usize::MAX);
        if limit == 0 || search.scopes.is_empty() {
            return Ok(Stretch { records: Vec::new(), end: None });
        }
        // One more than is wanted tells whether there are more.
        let mut found = Vec::new();
        for part in self.parts(tenant, search, after)? {
            let missing = limit.saturating_add(1) - found.len();
            if missing > 0 {
                found.extend(self.matches(part.limited(missing)).await?);
            }
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| has_more);
        let end = last.map(|(key, _, record)| Position { key: key.clone(), pk: record.pk });
        Ok(Stretch { records: found.into_iter().map(|(_, scope, record)| (scope, record)).collect(), end })
    }

    async fn matches(&self, statement: Statement) -> Result<Vec<Found>, StoreError> {
        let rows = self.driver().scan(statement).await?;
        rows.into_iter()
            .map(|mut row| {
                let (key, scope) = (row.maybe_text()?, usize::try_from(row.int()?).unwrap_or_default());
                Ok((key, scope, Record::read(&mut row)?))
            })
            .collect()
    }

    /// How the database goes about it, a line a step in its own words: for tests and for support.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn explain_after(
        &self,
        tenant: TenantId,
        search: &Search,
        after: Option<&Position>,
    ) -> Result<Vec<String>, StoreError> {
        let mut lines = Vec::new();
        for part in self.parts(tenant, search, after)? {
            let Statement { sql, params } = part.limited(usize::try_from(search.limit).unwrap_or(usize::MAX));
            let plan = Statement::new(self.driver().dialect().explain(&sql), params);
            for row in self.driver().scan(plan).await? {
                lines.push(row.last_text()?);
            }
        }
        Ok(lines)
    }

    /// The statements that answer it, one after the other until there are enough rows.
    fn parts(
        &self,
        tenant: TenantId,
        search: &Search,
        after: Option<&Position>,
    ) -> Result<Vec<Part>, StoreError> {
        if let ([scope], None) = (search.scopes.as_slice(), search.group)
            && let Some(path) = &scope.sort
        {
            let lowering = Lowering::new(self.layout(), self.dialect(), &scope.kind, vec![tenant.0.into()])?;
            if let Place::Fact(number) = lowering.kind.place(path.leaf())
                && !lowering.narrows(scope.filter.as_ref())
            {
                return self.along_facts(tenant, scope, (path, number), search.descending, after);
            }
        }
        Ok(vec![self.whole(tenant, search, after)?])
    }

    fn dialect(&self) -> Dialect {
        self.driver().dialect()
    }

    /// Any search: all matches, of which those behind the position count.
    fn whole(&self, tenant: TenantId, search: &Search, after: Option<&Position>) -> Result<Part, StoreError> {
        let dialect = self.dialect();
        let sorts = search.scopes.iter().any(|scope| scope.sort.is_some());
        let mut params = vec![tenant.0.into()];
        let mut arms = Vec::new();
        for (index, scope) in search.scopes.iter().enumerate() {
            let mut lowering = Lowering::new(self.layout(), dialect, &scope.kind, params)?;
            let narrows = lowering.narrows(scope.filter.as_ref()) || search.group.is_some();
            let condition = match narrows {
                true => lowering.condition(scope.filter.as_ref(), search.group),
                false => lowering.walked(scope.filter.as_ref()),
            };
            let key = match &scope.sort {
                Some(path) => dialect.bytes(&lowering.sort_key(path)),
                None => dialect.bytes("NULL"),
            };
            let behind = match after {
                Some(Position { pk, .. }) if !sorts => format!(" AND r.pk > {}", lowering.bind(*pk)),
                _ => String::new(),
            };
            let part = match sorts {
                // Each arm is in the order of its rows already, and no more of it can be needed.
                false => format!("{condition}{behind} ORDER BY r.pk LIMIT {{limit}}"),
                true => condition,
            };
            arms.push(format!(
                "SELECT * FROM (SELECT {index} AS scope, r.pk AS pk, {key} AS k FROM resource r WHERE {part}) a{index}"
            ));
            params = lowering.into_params();
        }
        let mut bind = |value: Value| {
            params.push(value);
            format!("${}", params.len())
        };
        let behind = match (sorts, search.descending, after) {
            (false, ..) | (true, _, None) => String::new(),
            (true, false, Some(Position { key: Some(key), pk })) => {
                let (key, pk) = (bind(key.as_str().into()), bind((*pk).into()));
                format!(" WHERE (x.k > {key} OR x.k IS NULL OR (x.k = {key} AND x.pk > {pk}))")
            }
            (true, false, Some(Position { key: None, pk })) => {
                format!(" WHERE x.k IS NULL AND x.pk > {}", bind((*pk).into()))
            }
            (true, true, Some(Position { key: Some(key), pk })) => {
                let (key, pk) = (bind(key.as_str().into()), bind((*pk).into()));
                format!(" WHERE (x.k < {key} OR (x.k = {key} AND x.pk > {pk}))")
            }
            (true, true, Some(Position { key: None, pk })) => {
                format!(" WHERE (x.k IS NOT NULL OR x.pk > {})", bind((*pk).into()))
            }
        };
        let order = |alias: &str| match (sorts, search.descending) {
            (false, _) => format!("{alias}.pk"),
            (true, false) => format!("{alias}.k NULLS LAST, {alias}.pk"),
            (true, true) => format!("{alias}.k DESC NULLS FIRST, {alias}.pk"),
        };
        let sql = format!(
            "SELECT p.k, p.scope, {} FROM (SELECT x.scope, x.pk, x.k FROM ({}) x{behind} ORDER BY {} LIMIT {{limit}}) p \
             JOIN resource r ON r.pk = p.pk AND {} = $1 ORDER BY {}",
            Record::COLUMNS,
            arms.join(" UNION ALL "),
            order("x"),
            dialect.tested("r.tenant"),
            order("p"),
        );
        Ok(Part(Statement::new(sql, params)))
    }

    /// One type sorted by a fact: first the resources with a value, in the order of the facts, then those without; or
    /// the other way round. Values that are always there leave none without.
    fn along_facts(
        &self,
        tenant: TenantId,
        scope: &Scope,
        sort: (&Path, i64),
        descending: bool,
        after: Option<&Position>,
    ) -> Result<Vec<Part>, StoreError> {
        let with = |range| self.with_fact(tenant, scope, sort, range);
        let without = |after| match is_always_there(sort.0) {
            true => Ok(None),
            false => self.without_fact(tenant, scope, sort, after).map(Some),
        };
        let all = if descending { Range::Down } else { Range::Up };
        let parts = match (descending, after) {
            (false, None) => vec![Some(with(all)?), without(0)?],
            (false, Some(Position { key: Some(key), pk })) => {
                vec![Some(with(Range::Above(key, *pk))?), without(0)?]
            }
            (false, Some(Position { key: None, pk })) => vec![without(*pk)?],
            (true, None) => vec![without(0)?, Some(with(all)?)],
            (true, Some(Position { key: None, pk })) => vec![without(*pk)?, Some(with(all)?)],
            (true, Some(Position { key: Some(key), pk })) => {
                vec![Some(with(Range::Beside(key, *pk))?), Some(with(Range::Below(key))?)]
            }
        };
        Ok(parts.into_iter().flatten().collect())
    }

    /// The rows are picked from the index of facts alone before any resource is read, each tested by itself: whatever
    /// a planner believes of the tables, there is one way to go.
    fn with_fact(
        &self,
        tenant: TenantId,
        scope: &Scope,
        (path, number): (&Path, i64),
        range: Range<'_>,
    ) -> Result<Part, StoreError> {
        let mut lowering = Lowering::new(self.layout(), self.dialect(), &scope.kind, vec![tenant.0.into()])?;
        let number = lowering.bind(number);
        let mut parts = vec![format!("s.tenant = $1 AND s.path = {number}")];
        if path.attribute.multi_valued {
            parts.push("s.leads = 1".to_owned());
        }
        let mut bind = |value: Value| lowering.bind(value);
        parts.extend(match range {
            Range::Up | Range::Down => None,
            Range::Above(key, pk) => {
                Some(format!("(s.key, s.resource) > ({}, {})", bind(key.into()), bind(pk.into())))
            }
            Range::Beside(key, pk) => {
                Some(format!("s.key = {} AND s.resource > {}", bind(key.into()), bind(pk.into())))
            }
            Range::Below(key) => Some(format!("s.key < {}", bind(key.into()))),
        });
        let tested = self.dialect().tested("r.tenant");
        if let Some(filter) = &scope.filter {
            let condition = lowering.filter(filter);
            parts.push(format!(
                "(SELECT COUNT(*) FROM resource r WHERE r.pk = s.resource AND {tested} = $1 AND {condition}) > 0"
            ));
        }
        let direction = if matches!(range, Range::Down | Range::Below(_)) { " DESC" } else { "" };
        let sql = format!(
            "WITH page AS MATERIALIZED (SELECT s.resource AS pk, s.key AS k FROM fact s WHERE {} \
             ORDER BY s.key{direction}, s.resource LIMIT {{limit}}) \
             SELECT p.k, 0, {} FROM page p JOIN resource r ON r.pk = p.pk AND {tested} = $1 ORDER BY p.k{direction}, p.pk",
            parts.join(" AND "),
            Record::COLUMNS,
        );
        Ok(Part(Statement::new(sql, lowering.into_params())))
    }

    fn without_fact(
        &self,
        tenant: TenantId,
        scope: &Scope,
        (path, number): (&Path, i64),
        after: i64,
    ) -> Result<Part, StoreError> {
        let mut lowering = Lowering::new(self.layout(), self.dialect(), &scope.kind, vec![tenant.0.into()])?;
        let condition = lowering.walked(scope.filter.as_ref());
        let (number, after) = (lowering.bind(number), lowering.bind(after));
        let leads = if path.attribute.multi_valued { " AND s.leads = 1" } else { "" };
        // A count is asked for each resource, where what must not exist might be read as a whole first. Planners take
        // `= 0` for rare, and would sort the few that they expect.
        let sql = format!(
            "SELECT NULL, 0, {} FROM resource r WHERE {condition} AND r.pk > {after} AND \
             (SELECT COUNT(*) FROM fact s WHERE s.tenant = $1 AND s.resource = r.pk AND {} = {number}{leads}) < 1 \
             ORDER BY r.pk LIMIT {{limit}}",
            Record::COLUMNS,
            self.dialect().last("s.path"),
        );
        Ok(Part(Statement::new(sql, lowering.into_params())))
    }
}

/// A part of the facts of one attribute, and the order in which it is read.
#[derive(Clone, Copy)]
enum Range<'a> {
    /// All.
    Up,
    /// All, the greatest first.
    Down,
    /// Behind a fact.
    Above(&'a str, i64),
    /// Those with the same value as a fact that are behind it.
    Beside(&'a str, i64),
    /// Those with smaller values, the greatest first.
    Below(&'a str),
}

/// A statement whose limit is not known yet.
struct Part(Statement);

impl Part {
    fn limited(self, limit: usize) -> Statement {
        let Statement { sql, mut params } = self.0;
        params.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        Statement::new(sql.replace("{limit}", &format!("${}", params.len())), params)
    }
}
