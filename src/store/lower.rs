//! Lowering: a bound [`Filter`] becomes a condition on the row `r` of a resource.
//!
//! Invariant: every condition is true or false and never NULL, so that NOT is the exact complement (reading A2), and
//! it holds for exactly the resources whose facts the evaluator in memory accepts; `tests/differential.rs` compares
//! the two. Values are bound. The tenant is always `$1`.

use std::sync::Arc;

use crate::scim::filter::{Filter, Op};
use crate::scim::key::Key;
use crate::scim::registry::{Path, ResourceType};
use crate::scim::schema::{Attribute, ContactKind, Kept};
use crate::store::driver::{Dialect, Value};
use crate::store::error::StoreError;
use crate::store::layout::{ContactColumn, End, Header, KindLayout, Layout, Place, contact_number, type_key};
use crate::store::nesting;
use crate::store::rows::{bounded, sorts_among_bounded};

/// True and false, as every engine understands them.
const TRUE: &str = "1 = 1";
const FALSE: &str = "1 = 0";

/// How many looks into other rows a planner may reorder; PostgreSQL's own limit for joins that are spelled out.
const JOINED: usize = 8;

/// The rows that hold an attribute's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Relation {
    /// `c`: e-mail addresses or phone numbers.
    Contact(ContactKind),
    /// `m` and the member's resource `u`, if there is one.
    Members,
    /// `m`, a group that `r` is in, directly or through other groups, and the group's resource `g`.
    Groups,
    /// `f`: the values of one simple attribute.
    Fact(i64),
    /// `e`: the values of one multi-valued attribute; rows with the same `element` are one value.
    Element(Vec<i64>),
}

/// Something that has a comparable value.
struct Column {
    /// The value; where `full` is given, bounded.
    text: String,
    /// All of the value.
    full: Option<String>,
    /// What must be true for there to be a value.
    exists: Option<String>,
}

impl Column {
    fn always(text: impl Into<String>) -> Self {
        Self { text: text.into(), full: None, exists: None }
    }

    fn nullable(text: &str) -> Self {
        Self { text: text.to_owned(), full: None, exists: Some(format!("{text} IS NOT NULL")) }
    }
}

/// The lowering of the filters of one scope: what it needs to know, and the parameters so far.
pub(super) struct Lowering<'a> {
    layout: &'a Layout,
    pub(super) kind: KindLayout<'a>,
    pub(super) dialect: Dialect,
    params: Vec<Value>,
    /// How many times the filter has looked into other rows.
    looks: usize,
}

impl<'a> Lowering<'a> {
    /// For resources of one type; `$1` of the parameters must be the tenant.
    pub(super) fn new(
        layout: &'a Layout,
        dialect: Dialect,
        kind: &'a ResourceType,
        params: Vec<Value>,
    ) -> Result<Self, StoreError> {
        Ok(Self { kind: layout.kind(kind)?, layout, dialect, params, looks: 0 })
    }

    pub(super) fn into_params(self) -> Vec<Value> {
        self.params
    }

    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.params.push(value.into());
        format!("${}", self.params.len())
    }

    pub(super) fn kind_number(&mut self) -> String {
        self.bind(self.kind.number)
    }

    /// The condition that a filter is.
    pub(super) fn filter(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::Always(verdict) => truth(*verdict),
            Filter::And(parts) => {
                let parts = parts.iter().map(|part| self.filter(part)).collect();
                all_of(parts)
            }
            Filter::Or(parts) => {
                let parts = parts.iter().map(|part| self.filter(part)).collect();
                any_of(parts)
            }
            Filter::Not(part) => format!("NOT ({})", self.filter(part)),
            Filter::Present(path) => self.present(filter, path),
            Filter::Test { path, op, key } => match self.home(path.leaf()) {
                Home::Own(column) => self.compare(&column, *op, key),
                Home::Rows(relation) => self.exists(&relation, filter),
                Home::Nowhere => FALSE.to_owned(),
            },
            Filter::Each { path, inner } => match self.relation_of(&path.attribute) {
                // An attribute in the resource's own row has exactly one value.
                None => self.filter(inner),
                Some(relation) => self.exists(&relation, inner),
            },
        }
    }

    /// That a row of the relation which belongs to `r` satisfies the filter.
    fn exists(&mut self, relation: &Relation, filter: &Filter) -> String {
        if matches!(relation, Relation::Element(paths) if paths.is_empty()) {
            return FALSE.to_owned();
        }
        let from = self.from(relation);
        let join = match relation {
            Relation::Contact(_) => "c.resource = r.pk",
            Relation::Members => "m.grp = r.pk",
            Relation::Groups => "m.member = r.id",
            Relation::Fact(_) => "f.resource = r.pk",
            Relation::Element(_) => "e.resource = r.pk",
        };
        let condition = self.row(filter, relation);
        self.any(&format!("{from} AND {join} AND {condition}"))
    }

    /// That there is such a row. A planner may take the first looks as joins, in the order that suits it; it would
    /// weigh the orders of a hundred for half a minute.
    fn any(&mut self, rows: &str) -> String {
        self.looks += 1;
        let end = if self.looks > JOINED { self.dialect.not_joined() } else { "" };
        format!("EXISTS (SELECT 1 FROM {rows}{end})")
    }

    /// The rows of a relation: what goes behind FROM, up to where conditions can be added with AND.
    pub(super) fn from(&mut self, relation: &Relation) -> String {
        match relation {
            Relation::Contact(kind) => {
                let kind = self.bind(contact_number(*kind));
                format!("contact c WHERE c.tenant = $1 AND c.kind = {kind}")
            }
            Relation::Members => {
                "membership m LEFT JOIN resource u ON u.tenant = m.tenant AND u.id = m.member WHERE m.tenant = $1"
                    .to_owned()
            }
            Relation::Groups => format!(
                "({} SELECT a.tenant, a.member, a.grp FROM above a) m \
                 JOIN resource g ON g.pk = m.grp AND {} = m.tenant WHERE m.tenant = $1",
                nesting::above(self.dialect, "m.member = r.id"),
                self.dialect.tested("g.tenant")
            ),
            Relation::Fact(path) => {
                let path = self.bind(*path);
                format!("fact f WHERE f.tenant = $1 AND f.path = {path}")
            }
            Relation::Element(paths) => {
                let paths: Vec<String> = paths.iter().map(|&path| self.bind(path)).collect();
                format!("fact e WHERE e.tenant = $1 AND e.path IN ({})", paths.join(", "))
            }
        }
    }

    /// The condition that a filter is for one row of a relation, or one value of a multi-valued attribute.
    pub(super) fn row(&mut self, filter: &Filter, relation: &Relation) -> String {
        match filter {
            Filter::Always(verdict) => truth(*verdict),
            Filter::And(parts) => {
                let parts = parts.iter().map(|part| self.row(part, relation)).collect();
                all_of(parts)
            }
            Filter::Or(parts) => {
                let parts = parts.iter().map(|part| self.row(part, relation)).collect();
                any_of(parts)
            }
            Filter::Not(part) => format!("NOT ({})", self.row(part, relation)),
            Filter::Each { inner, .. } => self.row(inner, relation),
            Filter::Present(path) if matches!(relation, Relation::Element(_)) => {
                match self.relation_of(path.leaf()) {
                    Some(Relation::Element(paths)) if !paths.is_empty() => {
                        let paths: Vec<String> = paths.into_iter().map(|path| self.bind(path)).collect();
                        self.any(&format!(
                            "fact f WHERE f.tenant = $1 AND f.path IN ({}) \
                             AND f.resource = e.resource AND f.element = e.element AND f.key > ''",
                            paths.join(", ")
                        ))
                    }
                    _ => FALSE.to_owned(),
                }
            }
            Filter::Present(path) => {
                any_of(leaves(path.leaf()).map(|leaf| self.row_test(leaf, relation, None)).collect())
            }
            Filter::Test { path, op, key } => self.row_test(path.leaf(), relation, Some((*op, key))),
        }
    }

    /// One test on one row; no comparison means that there must be a value that is not empty.
    fn row_test(&mut self, leaf: &Attribute, relation: &Relation, test: Option<(Op, &Key)>) -> String {
        let column = match (self.kind.place(leaf), relation) {
            (Place::Contact(of, column), Relation::Contact(kind)) if of == *kind => contact(column),
            (Place::Members(end), Relation::Members) => self.member(end),
            (Place::Groups(end), Relation::Groups) => self.group(end),
            (Place::Fact(of), Relation::Fact(path)) if of == *path => fact(),
            (Place::Fact(path), Relation::Element(_)) => {
                return self.part(path, "f.resource = e.resource AND f.element = e.element", test);
            }
            (Place::Fact(path), Relation::Contact(_)) => {
                return self.part(path, "f.resource = c.resource AND f.element = c.ordinal", test);
            }
            _ => return FALSE.to_owned(),
        };
        self.test(&column, test)
    }

    /// A test on a fact that belongs to the same value as a row of the relation around it.
    fn part(&mut self, path: i64, join: &str, test: Option<(Op, &Key)>) -> String {
        let from = self.from(&Relation::Fact(path));
        let condition = self.test(&fact(), test);
        self.any(&format!("{from} AND {join} AND {condition}"))
    }

    fn test(&mut self, column: &Column, test: Option<(Op, &Key)>) -> String {
        match test {
            Some((op, key)) => self.compare(column, op, key),
            None => existing(column, format!("{} > ''", column.text)),
        }
    }

    fn present(&mut self, filter: &Filter, path: &Path) -> String {
        match self.relation_of(path.leaf()) {
            None => {
                let tests = leaves(path.leaf()).filter_map(|leaf| match self.home(leaf) {
                    Home::Own(column) => Some(self.test(&column, None)),
                    Home::Rows(_) | Home::Nowhere => None,
                });
                any_of(tests.collect())
            }
            Some(Relation::Element(paths)) if paths.is_empty() => FALSE.to_owned(),
            Some(relation @ Relation::Element(_)) => {
                let from = self.from(&relation);
                self.any(&format!("{from} AND e.resource = r.pk AND e.key > ''"))
            }
            Some(relation) => self.exists(&relation, filter),
        }
    }

    /// The comparison of a column with a key. Bounded keys are equal where full ones are, and sort like them
    /// against a text that is short enough.
    fn compare(&mut self, column: &Column, op: Op, key: &Key) -> String {
        let by_bounded = match op {
            Op::Eq | Op::Ne => true,
            Op::Co | Op::Ew => false,
            Op::Sw | Op::Gt | Op::Ge | Op::Lt | Op::Le => sorts_among_bounded(key),
        };
        let text = column.full.as_ref().filter(|_| !by_bounded).unwrap_or(&column.text);
        let needle = match op {
            Op::Eq | Op::Ne if column.full.is_some() => bounded(key.as_str()).0,
            _ => key.as_str().to_owned(),
        };
        let length = i64::try_from(needle.chars().count()).unwrap_or(i64::MAX);
        let bound = self.bind(needle);
        let bound = self.dialect.bytes(&bound);
        let condition = match op {
            Op::Eq => format!("{text} = {bound}"),
            Op::Ne => format!("{text} <> {bound}"),
            Op::Co => self.dialect.contains(text, &bound),
            Op::Sw => match key.after_prefix() {
                Some(end) => {
                    let end = self.bind(end);
                    format!("({text} >= {bound} AND {text} < {})", self.dialect.bytes(&end))
                }
                None => format!("{text} >= {bound}"),
            },
            Op::Ew => {
                let length = self.bind(length);
                self.dialect.ends_with(text, &bound, &length)
            }
            Op::Gt => format!("{text} > {bound}"),
            Op::Ge => format!("{text} >= {bound}"),
            Op::Lt => format!("{text} < {bound}"),
            Op::Le => format!("{text} <= {bound}"),
        };
        existing(column, condition)
    }

    /// What a resource sorts by: the value that stands for the attribute, or NULL. Of a very long value the
    /// bounded key counts.
    pub(super) fn sort_key(&mut self, path: &Path) -> String {
        let leaf = path.leaf();
        match self.home(leaf) {
            Home::Own(column) => column.text,
            Home::Nowhere => "NULL".to_owned(),
            Home::Rows(relation) => {
                let from = self.from(&relation);
                let column = match (self.kind.place(leaf), &relation) {
                    (Place::Contact(_, column), _) => contact(column),
                    (Place::Members(end), _) => self.member(end),
                    (Place::Groups(end), _) => self.group(end),
                    _ => fact(),
                };
                let text = match &column.exists {
                    Some(exists) => format!("CASE WHEN {exists} THEN {} END", column.text),
                    None => column.text,
                };
                match relation {
                    // What is known of the values has no primary one of its own.
                    Relation::Contact(_) if path.attribute.extension.is_some() => {
                        format!(
                            "(SELECT {text} FROM {from} AND c.resource = r.pk ORDER BY c.ordinal LIMIT 1)"
                        )
                    }
                    Relation::Contact(_) => format!(
                        "(SELECT {text} FROM {from} AND c.resource = r.pk \
                         ORDER BY c.is_primary DESC, c.ordinal LIMIT 1)"
                    ),
                    Relation::Members => {
                        format!("(SELECT {text} FROM {from} AND m.grp = r.pk ORDER BY m.member LIMIT 1)")
                    }
                    Relation::Groups => {
                        format!("(SELECT {text} FROM {from} AND m.member = r.id ORDER BY m.grp LIMIT 1)")
                    }
                    Relation::Fact(_) | Relation::Element(_) => {
                        // Where there is one value it leads, and the index alone answers.
                        let leads = if path.attribute.multi_valued { " AND f.leads = 1" } else { "" };
                        format!("(SELECT MIN(f.key) FROM {from} AND f.resource = r.pk{leads})")
                    }
                }
            }
        }
    }

    /// Where the values of a simple attribute are.
    fn home(&mut self, leaf: &Attribute) -> Home {
        match self.kind.place(leaf) {
            Place::Header(header) => Home::Own(self.header(header)),
            Place::Contact(kind, _) => Home::Rows(Relation::Contact(kind)),
            Place::Members(_) => Home::Rows(Relation::Members),
            Place::Groups(_) => Home::Rows(Relation::Groups),
            Place::Fact(path) => Home::Rows(Relation::Fact(path)),
            Place::Nowhere => Home::Nowhere,
        }
    }

    /// The rows that are the values of an attribute as a whole; none if its value is in the resource's own row.
    pub(super) fn relation_of(&self, attribute: &Attribute) -> Option<Relation> {
        match attribute.kept {
            Kept::Header => None,
            Kept::Contact(kind) => Some(Relation::Contact(kind)),
            Kept::Members => Some(Relation::Members),
            Kept::Groups => Some(Relation::Groups),
            Kept::Document => {
                let paths = leaves(attribute).filter_map(|leaf| match self.kind.place(leaf) {
                    Place::Fact(path) => Some(path),
                    _ => None,
                });
                Some(Relation::Element(paths.collect()))
            }
        }
    }

    fn header(&mut self, header: Header) -> Column {
        Column::always(match header {
            Header::Id => "r.id".to_owned(),
            Header::Created => "r.created".to_owned(),
            Header::Modified => "r.modified".to_owned(),
            Header::Version => "('W/\"' || r.version || '\"')".to_owned(),
            Header::Kind => self.bind(self.kind.kind.name.as_str()),
            Header::Location => {
                let endpoint = self.bind(format!("{}/", self.kind.kind.endpoint));
                format!("({endpoint} || r.id)")
            }
        })
    }

    fn member(&mut self, end: End) -> Column {
        match end {
            End::Value => Column::always("m.member"),
            End::Display => Column::nullable("u.label_key"),
            End::Type => {
                let family = Arc::clone(&self.kind.kind.family);
                let text = self.by_kind("u", |name, _| type_key(&family, name));
                Column { text, full: None, exists: Some("u.pk IS NOT NULL".to_owned()) }
            }
            End::Reference => {
                let endpoint = self.by_kind("u", |_, endpoint| format!("{endpoint}/"));
                let text = format!("({endpoint} || m.member)");
                Column { text, full: None, exists: Some("u.pk IS NOT NULL".to_owned()) }
            }
        }
    }

    fn group(&mut self, end: End) -> Column {
        match end {
            End::Value => Column::always("g.id"),
            End::Display => Column::nullable("g.label_key"),
            End::Type => Column::always(format!(
                "CASE WHEN {} THEN 'direct' ELSE 'indirect' END",
                nesting::is_direct("m.member")
            )),
            End::Reference => {
                let endpoint = self.by_kind("g", |_, endpoint| format!("{endpoint}/"));
                Column::always(format!("({endpoint} || g.id)"))
            }
        }
    }

    /// A text that depends on the name and the endpoint of the type of the resource with that alias.
    fn by_kind(&mut self, alias: &str, text: impl Fn(&str, &str) -> String) -> String {
        let family = Arc::clone(&self.kind.kind.family);
        let cases: Vec<String> = family
            .types
            .iter()
            .filter_map(|(name, endpoint)| {
                let number = self.layout.kind_number(name)?;
                Some(format!("WHEN {} THEN {}", self.bind(number), self.bind(text(name, endpoint))))
            })
            .collect();
        format!("CASE {alias}.kind {} ELSE '' END", cases.join(" "))
    }
}

/// Where the values of a simple attribute are, seen from a resource's row.
enum Home {
    /// In the row itself.
    Own(Column),
    /// In rows of their own.
    Rows(Relation),
    /// Nowhere.
    Nowhere,
}

fn contact(column: ContactColumn) -> Column {
    match column {
        ContactColumn::Value => Column {
            text: "c.key".to_owned(),
            full: Some("COALESCE(c.long, c.key)".to_owned()),
            exists: Some("c.value IS NOT NULL".to_owned()),
        },
        ContactColumn::Type => Column::nullable("c.type_key"),
        ContactColumn::Display => Column::nullable("c.display_key"),
        ContactColumn::Primary => Column::always("CASE c.is_primary WHEN 1 THEN 'true' ELSE 'false' END"),
        ContactColumn::Id => Column::nullable("c.id"),
        ContactColumn::Verified => Column {
            text: "CASE WHEN c.verified_at IS NULL THEN 'false' ELSE 'true' END".to_owned(),
            full: None,
            exists: Some("c.id IS NOT NULL".to_owned()),
        },
        ContactColumn::VerifiedAt => Column::nullable("c.verified_at"),
        ContactColumn::Source => Column::nullable("c.verified_by"),
        ContactColumn::Canonical => Column {
            text: "c.canonical".to_owned(),
            full: Some("COALESCE(c.long_canonical, c.canonical)".to_owned()),
            exists: Some("c.value IS NOT NULL".to_owned()),
        },
        ContactColumn::Created => Column::nullable("c.created"),
    }
}

fn fact() -> Column {
    Column { text: "f.key".to_owned(), full: Some("COALESCE(f.long, f.key)".to_owned()), exists: None }
}

/// The attribute itself and its sub-attributes.
fn leaves(attribute: &Attribute) -> impl Iterator<Item = &Attribute> {
    std::iter::once(attribute).chain(attribute.sub_attributes.iter().map(AsRef::as_ref))
}

fn existing(column: &Column, condition: String) -> String {
    match &column.exists {
        // FALSE AND NULL is FALSE: this is what keeps NULL out.
        Some(exists) => format!("({exists} AND {condition})"),
        None => condition,
    }
}

fn truth(verdict: bool) -> String {
    if verdict { TRUE } else { FALSE }.to_owned()
}

fn all_of(parts: Vec<String>) -> String {
    if parts.is_empty() { TRUE.to_owned() } else { joined(&parts, " AND ") }
}

fn any_of(parts: Vec<String>) -> String {
    if parts.is_empty() { FALSE.to_owned() } else { joined(&parts, " OR ") }
}

/// Joins in halves: engines limit how deep an expression is, and a chain of a thousand ORs is a thousand deep.
fn joined(parts: &[String], word: &str) -> String {
    match parts {
        [one] => one.clone(),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            format!("({}{word}{})", joined(left, word), joined(right, word))
        }
    }
}
