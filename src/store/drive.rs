//! Driving: the part of a filter that an index answers becomes the place where the search begins.
//!
//! Invariant: what drives is implied by the filter, so it leaves out nothing that matches; where it says exactly
//! what a part of the filter says, that part is not tested again. The most selective part drives.

use crate::scim::filter::{Filter, Op};
use crate::scim::key::Key;
use crate::scim::registry::Path;
use crate::scim::schema::Type;
use crate::store::explain::Start;
use crate::store::layout::{ContactColumn, End, Header, Place};
use crate::store::lower::{Lowering, Relation};
use crate::store::nesting;
use crate::store::rows::{SAFE_PREFIX, bounded, cut};

/// As many alternatives of an `or` are looked up one by one; each is a SELECT of its own.
const ALTERNATIVES: usize = 50;

/// How few rows a test leaves, as far as its form tells: the fewest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// One resource.
    Id,
    /// The resources with one value.
    Value,
    /// Those whose values begin alike.
    Prefix,
    /// Those on one side of a value.
    Range,
    /// Those with one of a few values: booleans and canonical types.
    Class,
    /// Any; but all the values lie together.
    Walk,
}

impl Lowering<'_> {
    /// The condition on `r` that a search of one type is. Where something better drives, tenant and
    /// type are only tested.
    pub(super) fn condition(&mut self, filter: Option<&Filter>, group: Option<i64>) -> String {
        let kind = self.kind_number();
        let driven = filter.and_then(|filter| self.driven(filter));
        let group = group.map(|group| self.bind(group));
        let (driver, mut parts) = match (driven, &group) {
            (Some((driver, rest)), None) => (driver, rest),
            (Some((driver, mut rest)), Some(group)) => {
                rest.push(format!(
                    "EXISTS (SELECT 1 FROM membership m WHERE m.tenant = $1 AND m.grp = {group} AND m.member = r.id)"
                ));
                (driver, rest)
            }
            (None, Some(group)) => {
                let driver = format!(
                    "SELECT x.pk FROM membership m JOIN resource x ON x.tenant = m.tenant AND x.id = m.member \
                     WHERE m.tenant = $1 AND m.grp = {group}"
                );
                (driver, filter.map(|filter| self.filter(filter)).into_iter().collect())
            }
            (None, None) => {
                let mut parts = vec![format!("r.tenant = $1 AND r.kind = {kind}")];
                parts.extend(filter.map(|filter| self.filter(filter)));
                return parts.join(" AND ");
            }
        };
        let [tenant, of_kind] = ["r.tenant", "r.kind"].map(|column| self.dialect.tested(column));
        parts.insert(0, format!("{tenant} = $1 AND {of_kind} = {kind} AND r.pk IN ({driver})"));
        parts.join(" AND ")
    }

    /// Whether an index leaves a few resources of all that there are, as far as the filter's form tells.
    pub(super) fn finds_few(&self, filter: &Filter) -> bool {
        self.rank(filter).is_some_and(|rank| rank <= Rank::Value)
    }

    /// The resources `r` that an index finds by a filter: what goes behind FROM, up to where conditions can be
    /// added with AND. One may be found more than once.
    pub(super) fn found(&mut self, filter: &Filter) -> Option<String> {
        let kind = self.kind_number();
        let (driver, rest) = self.driven(filter)?;
        let [tenant, of_kind] = ["r.tenant", "r.kind"].map(|column| self.dialect.tested(column));
        // SQLite keeps the order of a CROSS JOIN.
        let joined = format!(
            "({driver}) d CROSS JOIN resource r WHERE r.pk = d.pk AND {tenant} = $1 AND {of_kind} = {kind}"
        );
        Some(std::iter::once(joined).chain(rest).collect::<Vec<_>>().join(" AND "))
    }

    /// Whether an index leaves so many fewer resources that it is better to begin with them than to walk all.
    pub(super) fn narrows(&self, filter: Option<&Filter>) -> bool {
        filter.and_then(|filter| self.rank(filter)).is_some_and(|rank| rank <= Rank::Range)
    }

    /// The condition on `r` that a search of one type is, for those that come by all resources of the type anyway.
    pub(super) fn walked(&mut self, filter: Option<&Filter>) -> String {
        let kind = self.kind_number();
        let filter = filter.map(|filter| self.filter(filter));
        let parts = std::iter::once(format!("r.tenant = $1 AND r.kind = {kind}")).chain(filter);
        parts.collect::<Vec<_>>().join(" AND ")
    }

    /// Where a search begins.
    pub(super) fn start(&self, filter: &Filter) -> Start {
        match self.rank(filter) {
            Some(Rank::Id) => Start::Resource,
            Some(Rank::Value) => Start::Value,
            Some(Rank::Prefix) => Start::Prefix,
            Some(Rank::Range) => Start::Range,
            Some(Rank::Class) => Start::Class,
            Some(Rank::Walk) => Start::Values,
            None => Start::Everything,
        }
    }

    /// The SELECT that drives, and the conditions that it leaves to test.
    fn driven(&mut self, filter: &Filter) -> Option<(String, Vec<String>)> {
        let (part, rest) = match filter {
            Filter::And(parts) => {
                let best = self.best(parts)?;
                let rest = parts.iter().enumerate().filter(|(index, _)| *index != best).map(|(_, part)| part);
                (parts.get(best)?, rest.collect::<Vec<_>>())
            }
            part => {
                self.rank(part)?;
                (part, Vec::new())
            }
        };
        let driver = self.selects(part).join(" UNION ");
        let again = (!self.is_exact(part)).then_some(part);
        let rest = again.into_iter().chain(rest).map(|part| self.filter(part)).collect();
        Some((driver, rest))
    }

    fn best(&self, parts: &[Filter]) -> Option<usize> {
        let ranked = parts.iter().enumerate().filter_map(|(index, part)| Some((self.rank(part)?, index)));
        ranked.min().map(|(_, index)| index)
    }

    /// How well a part of a filter drives; none if it does not.
    fn rank(&self, filter: &Filter) -> Option<Rank> {
        match filter {
            Filter::Test { path, op, .. } => self.rank_test(path, *op),
            Filter::And(parts) => parts.iter().filter_map(|part| self.rank(part)).min(),
            Filter::Or(parts) if alternatives(filter) <= ALTERNATIVES => {
                let ranks: Option<Vec<Rank>> = parts.iter().map(|part| self.rank(part)).collect();
                ranks?.into_iter().max()
            }
            Filter::Each { path, inner } => {
                let relation = self.relation_of(&path.attribute)?;
                conjuncts(inner).iter().filter_map(|part| self.rank_inner(part, &relation)).min()
            }
            _ => None,
        }
    }

    /// How well a test inside brackets drives: it must be on the value that begins an index of the relation's rows.
    fn rank_inner(&self, filter: &Filter, relation: &Relation) -> Option<Rank> {
        let Filter::Test { path, op, .. } = filter else { return None };
        match (relation, self.kind.place(path.leaf())) {
            (Relation::Contact(_), Place::Contact(..))
            | (Relation::Members, Place::Members(_))
            | (Relation::Groups, Place::Groups(_))
            | (Relation::Element(_), Place::Fact(_)) => self.rank_test(path, *op),
            _ => None,
        }
    }

    fn rank_test(&self, path: &Path, op: Op) -> Option<Rank> {
        let leaf = path.leaf();
        let is_class = leaf.kind == Type::Boolean || !leaf.canonical_values.is_empty();
        match (self.kind.place(leaf), op) {
            (Place::Header(Header::Id), Op::Eq) => Some(Rank::Id),
            (Place::Header(Header::Modified), Op::Eq) => Some(Rank::Value),
            (Place::Header(Header::Modified), Op::Gt | Op::Ge | Op::Lt | Op::Le) => Some(Rank::Range),
            (Place::Members(End::Value) | Place::Groups(End::Value), Op::Eq) => Some(Rank::Value),
            (Place::Fact(_) | Place::Contact(_, ContactColumn::Value), op) => match op {
                Op::Eq if is_class => Some(Rank::Class),
                Op::Eq => Some(Rank::Value),
                Op::Sw => Some(Rank::Prefix),
                Op::Gt | Op::Ge | Op::Lt | Op::Le => Some(Rank::Range),
                Op::Co | Op::Ew => Some(Rank::Walk),
                Op::Ne => None,
            },
            _ => None,
        }
    }

    /// Whether the SELECTs of a part return exactly what matches it.
    fn is_exact(&self, filter: &Filter) -> bool {
        match filter {
            Filter::Test { .. } => true,
            Filter::Each { path, inner } => match self.relation_of(&path.attribute) {
                Some(Relation::Element(_)) => false,
                // Only the group is looked for; what else is said of it is not.
                Some(Relation::Groups) => matches!(**inner, Filter::Test { .. }),
                _ => true,
            },
            Filter::Or(parts) => parts.iter().all(|part| self.is_exact(part)),
            _ => false,
        }
    }

    /// SELECTs of `pk`s, which together hold every resource that matches.
    fn selects(&mut self, filter: &Filter) -> Vec<String> {
        match filter {
            Filter::And(parts) => {
                let best = self.best(parts).and_then(|best| parts.get(best));
                best.map(|best| self.selects(best)).unwrap_or_default()
            }
            Filter::Or(parts) => parts.iter().flat_map(|part| self.selects(part)).collect(),
            Filter::Each { path, inner } => {
                let Some(relation) = self.relation_of(&path.attribute) else { return Vec::new() };
                let parts = conjuncts(inner).into_iter();
                let ranked = parts.filter_map(|part| Some((self.rank_inner(part, &relation)?, part)));
                match (&relation, ranked.min_by_key(|(rank, _)| *rank)) {
                    // The parts of an element are spread over rows; the best of them leads to the resource.
                    (Relation::Element(_), Some((_, best))) => self.selects(best),
                    (_, Some((_, Filter::Test { op, key, .. }))) => {
                        vec![self.select(&relation, *op, key, inner)]
                    }
                    _ => Vec::new(),
                }
            }
            Filter::Test { path, op, key } => {
                let relation = match self.kind.place(path.leaf()) {
                    Place::Contact(kind, _) => Relation::Contact(kind),
                    Place::Members(_) => Relation::Members,
                    Place::Groups(_) => Relation::Groups,
                    Place::Fact(number) => Relation::Fact(number),
                    Place::Header(Header::Modified) => return vec![self.modified(*op, key)],
                    Place::Header(_) | Place::Nowhere => {
                        let id = self.bind(key.as_str());
                        return vec![format!(
                            "SELECT x.pk FROM resource x WHERE x.tenant = $1 AND x.id = {id}"
                        )];
                    }
                };
                vec![self.select(&relation, *op, key, filter)]
            }
            _ => Vec::new(),
        }
    }

    /// The resources of the type that changed then, before or since.
    fn modified(&mut self, op: Op, key: &Key) -> String {
        let (kind, instant) = (self.kind_number(), self.bind(key.as_str()));
        let op = match op {
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Lt => "<",
            Op::Le => "<=",
            _ => "=",
        };
        format!(
            "SELECT x.pk FROM resource x WHERE x.tenant = $1 AND x.kind = {kind} AND x.modified {op} {instant}"
        )
    }

    /// The resources with a row of the relation that satisfies `inner`, found by the index on the row's value.
    fn select(&mut self, relation: &Relation, op: Op, key: &Key, inner: &Filter) -> String {
        let (owner, from, range) = match relation {
            Relation::Contact(_) => ("c.resource", self.from(relation), self.range("c.key", op, key)),
            Relation::Fact(_) | Relation::Element(_) => {
                ("f.resource", self.from(relation), self.range("f.key", op, key))
            }
            Relation::Members => ("m.grp", self.from(relation), None),
            Relation::Groups => {
                let (group, leaf) = (self.bind(key.as_str()), self.kind_number());
                let below = nesting::below(&group, &leaf);
                return self.dialect.few(&format!("SELECT b.pk FROM ({below} SELECT pk FROM below) b"));
            }
        };
        // Equality with a fact is all in the range; anything else is tested on the rows of the range.
        let row = (!matches!((relation, op), (Relation::Fact(_), Op::Eq))).then(|| self.row(inner, relation));
        let parts: Vec<String> = std::iter::once(from).chain(range).chain(row).collect();
        format!("SELECT {owner} AS pk FROM {}", parts.join(" AND "))
    }

    /// The part of an index in which all matching keys are, though perhaps others too.
    fn range(&mut self, column: &str, op: Op, key: &Key) -> Option<String> {
        if op == Op::Eq {
            return Some(format!("{column} = {}", self.bind(bounded(key.as_str()).0)));
        }
        let prefix = Key::stored(cut(key.as_str(), SAFE_PREFIX));
        let is_cut = prefix.as_str().len() < key.as_str().len();
        let end = prefix.after_prefix();
        match op {
            Op::Sw => {
                let from = format!("{column} >= {}", self.bind(prefix.as_str()));
                Some(match end {
                    Some(end) => format!("{from} AND {column} < {}", self.bind(end)),
                    None => from,
                })
            }
            Op::Gt | Op::Ge => Some(format!("{column} >= {}", self.bind(prefix.as_str()))),
            Op::Lt | Op::Le if !is_cut => Some(format!("{column} <= {}", self.bind(prefix.as_str()))),
            Op::Lt | Op::Le => end.map(|end| format!("{column} < {}", self.bind(end))),
            _ => None,
        }
    }
}

/// The parts of a filter that must all match.
fn conjuncts(filter: &Filter) -> Vec<&Filter> {
    match filter {
        Filter::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        one => vec![one],
    }
}

/// How many SELECTs an `or` would become at most.
fn alternatives(filter: &Filter) -> usize {
    match filter {
        Filter::Or(parts) | Filter::And(parts) => parts.iter().map(alternatives).sum(),
        _ => 1,
    }
}
