//! Binding: the one place where unknown attributes, wrong operators and bad literals die (RFC 7644 §3.4.2.2).
//!
//! Invariant: every [`Filter`] that leaves here is fit for both evaluators. `ne`, `null`, empty needles and
//! complex attributes that stand for their `value` are resolved (readings A1, A3, A14, A24, A25, A27, A36).

use serde_json::Value;

use crate::scim::error::ScimError;
use crate::scim::filter::grammar::{self, Expr, Name, Tail};
use crate::scim::filter::{Filter, Op};
use crate::scim::key::Key;
use crate::scim::registry::{AttributeName, Path, ResourceType};
use crate::scim::schema::Type;

impl Filter {
    /// Parses a filter and binds it to one resource type.
    ///
    /// # Errors
    /// `invalidFilter` that says where and why.
    pub fn parse(text: &str, kind: &ResourceType) -> Result<Self, ScimError> {
        Binder { kind, unknown: Unknown::Refused }.filter(&grammar::parse(text)?)
    }

    /// Binds a filter to several types at once, as a query of the root does (RFC 7644 §3.4.2.1): an attribute
    /// that a type lacks has no value there, and is an error only if no type has it.
    ///
    /// # Errors
    /// `invalidFilter`, as [`Filter::parse`].
    pub fn parse_for_all<'a>(
        text: &str,
        kinds: impl Iterator<Item = &'a ResourceType> + Clone,
    ) -> Result<Vec<Self>, ScimError> {
        let expr = grammar::parse(text)?;
        for name in names(&expr) {
            let split = AttributeName::split(&name.text);
            if kinds.clone().all(|kind| kind.resolve(&split).is_none()) {
                return Err(unknown_attribute(name));
            }
        }
        kinds.map(|kind| Binder { kind, unknown: Unknown::HasNoValue }.filter(&expr)).collect()
    }
}

/// Binds the inside of a value path: names are sub-attributes of `attribute`.
///
/// # Errors
/// `invalidFilter`, as [`Filter::parse`].
pub(in crate::scim) fn bind_inner(attribute: &Path, inner: &Expr) -> Result<Filter, ScimError> {
    let subs = SubBinder { parent: attribute };
    subs.filter(inner)
}

/// What an attribute is that the type does not have.
#[derive(Clone, Copy, PartialEq)]
enum Unknown {
    Refused,
    HasNoValue,
}

/// How many values a test may meet.
#[derive(Clone, Copy, PartialEq)]
enum Cardinality {
    One,
    Many,
}

impl Cardinality {
    fn of(path: &Path) -> Self {
        if path.attribute.multi_valued || path.leaf().multi_valued { Self::Many } else { Self::One }
    }
}

struct Binder<'a> {
    kind: &'a ResourceType,
    unknown: Unknown,
}

impl Binder<'_> {
    fn filter(&self, expr: &Expr) -> Result<Filter, ScimError> {
        match expr {
            Expr::And(parts) => Ok(Filter::And(self.all(parts)?)),
            Expr::Or(parts) => Ok(Filter::Or(self.all(parts)?)),
            Expr::Not(part) => Ok(Filter::Not(Box::new(self.filter(part)?))),
            Expr::Present(name) => Ok(match self.path(name)? {
                Some(path) => Filter::Present(path),
                None => Filter::Always(false),
            }),
            Expr::Test(name, op, literal) => match self.path(name)? {
                Some(path) => {
                    let path = path.to_value();
                    bind_test(&path, Cardinality::of(&path), (*op, literal), name)
                }
                None => Ok(Filter::Always(holds_for_none(*op, literal))),
            },
            Expr::Each(name, inner, tail) => match self.path(name)? {
                Some(path) => bind_each(path, inner, tail.as_ref(), name),
                None => Ok(Filter::Always(false)),
            },
        }
    }

    fn all(&self, parts: &[Expr]) -> Result<Vec<Filter>, ScimError> {
        parts.iter().map(|part| self.filter(part)).collect()
    }

    fn path(&self, name: &Name) -> Result<Option<Path>, ScimError> {
        match self.kind.resolve(&AttributeName::split(&name.text)) {
            Some(path) if path.is_secret() => Err(unsearchable(name)),
            Some(path) => Ok(Some(path)),
            None if self.unknown == Unknown::HasNoValue => Ok(None),
            None => Err(unknown_attribute(name)),
        }
    }
}

/// The inside of brackets: every name is a sub-attribute of the parent, or `value` of a simple one (reading A48).
struct SubBinder<'a> {
    parent: &'a Path,
}

impl SubBinder<'_> {
    fn filter(&self, expr: &Expr) -> Result<Filter, ScimError> {
        match expr {
            Expr::And(parts) => Ok(Filter::And(self.all(parts)?)),
            Expr::Or(parts) => Ok(Filter::Or(self.all(parts)?)),
            Expr::Not(part) => Ok(Filter::Not(Box::new(self.filter(part)?))),
            Expr::Present(name) => Ok(Filter::Present(self.path(name)?)),
            Expr::Test(name, op, literal) => self.test(name, *op, literal),
            Expr::Each(name, ..) => {
                Err(at(name, "a value path cannot stand inside another (RFC 7644 §3.4.2.2)"))
            }
        }
    }

    fn all(&self, parts: &[Expr]) -> Result<Vec<Filter>, ScimError> {
        parts.iter().map(|part| self.filter(part)).collect()
    }

    fn test(&self, name: &Name, op: Op, literal: &Value) -> Result<Filter, ScimError> {
        let path = self.path(name)?;
        let several = path.sub.as_ref().is_some_and(|sub| sub.multi_valued);
        let cardinality = if several { Cardinality::Many } else { Cardinality::One };
        bind_test(&path, cardinality, (op, literal), name)
    }

    fn path(&self, name: &Name) -> Result<Path, ScimError> {
        let attribute = &self.parent.attribute;
        let path = if attribute.kind == Type::Complex {
            attribute.sub(&name.text).map(|sub| Path::to_sub(attribute, sub))
        } else {
            name.text.eq_ignore_ascii_case("value").then(|| self.parent.clone())
        };
        match path {
            Some(path) if path.is_secret() => Err(unsearchable(name)),
            Some(path) => Ok(path),
            None => Err(at(name, &format!("{} has no sub-attribute {}", attribute.path, name.text))),
        }
    }
}

fn bind_each(path: Path, inner: &Expr, tail: Option<&Tail>, name: &Name) -> Result<Filter, ScimError> {
    if path.sub.is_some() {
        return Err(at(name, "a filter in brackets belongs behind an attribute, not a sub-attribute"));
    }
    if !path.has_values() {
        return Err(at(name, &format!("{path} has no values that a filter could select from")));
    }
    let subs = SubBinder { parent: &path };
    let mut filter = subs.filter(inner)?;
    if let Some(Tail { sub, test }) = tail {
        let sub_path = subs.path(sub)?;
        let tested = match test {
            Some((op, literal)) => subs.test(sub, *op, literal)?,
            None => Filter::Present(sub_path),
        };
        filter = Filter::And(vec![filter, tested]);
    }
    Ok(Filter::Each { path, inner: Box::new(filter) })
}

/// Table X3: which operators fit which type, and what becomes of `null` and `ne`.
fn bind_test(
    path: &Path,
    cardinality: Cardinality,
    (op, literal): (Op, &Value),
    name: &Name,
) -> Result<Filter, ScimError> {
    let leaf = path.leaf();
    if leaf.kind == Type::Complex {
        let subs: Vec<&str> = leaf.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
        let detail =
            format!("{} is complex: name one of its sub-attributes ({})", leaf.path, subs.join(", "));
        return Err(at(name, &detail));
    }
    if literal.is_null() {
        return match op {
            Op::Eq => Ok(Filter::Not(Box::new(Filter::Present(path.clone())))),
            Op::Ne => Ok(Filter::Present(path.clone())),
            _ => Err(at(name, "null compares with eq and ne only")),
        };
    }
    check_operator(path, op, name)?;
    let key = Key::of(leaf, literal).ok_or_else(|| {
        let kind = leaf.kind.name();
        at(name, &format!("{} is of type {kind}; {literal} is no value of that type", leaf.path))
    })?;
    if key.as_str().contains('\0') {
        return Err(at(name, "the character U+0000 cannot be stored, so no value has it"));
    }
    let test = |op| Filter::Test { path: path.clone(), op, key: key.clone() };
    Ok(match op {
        // Reading A1: no value at all differs from every value; of several values, one that differs is enough.
        Op::Ne if cardinality == Cardinality::One => Filter::Not(Box::new(test(Op::Eq))),
        Op::Ne => {
            let some_value = Filter::Or(vec![test(Op::Eq), test(Op::Ne)]);
            Filter::Or(vec![Filter::Not(Box::new(some_value)), test(Op::Ne)])
        }
        // Every value contains the empty text.
        Op::Co | Op::Sw | Op::Ew if key.is_empty() => Filter::Present(path.clone()),
        _ => test(op),
    })
}

fn check_operator(path: &Path, op: Op, name: &Name) -> Result<(), ScimError> {
    let fits = match op {
        Op::Eq | Op::Ne => true,
        Op::Co | Op::Sw | Op::Ew => matches!(path.leaf().kind, Type::String | Type::Reference),
        Op::Gt | Op::Ge | Op::Lt | Op::Le => !matches!(path.leaf().kind, Type::Boolean | Type::Binary),
    };
    if fits {
        return Ok(());
    }
    let spelled = Op::NAMES.iter().find(|(_, known)| *known == op).map_or("", |(name, _)| name);
    let kind = path.leaf().kind.name();
    Err(at(name, &format!("{spelled} does not apply to {path}, which is of type {kind}")))
}

/// Reading A1 for an attribute that has no value.
fn holds_for_none(op: Op, literal: &Value) -> bool {
    match op {
        Op::Eq => literal.is_null(),
        Op::Ne => !literal.is_null(),
        _ => false,
    }
}

/// The attribute names of an expression outside brackets.
fn names(expr: &Expr) -> Vec<&Name> {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().flat_map(names).collect(),
        Expr::Not(part) => names(part),
        Expr::Present(name) | Expr::Test(name, ..) | Expr::Each(name, ..) => vec![name],
    }
}

fn at(name: &Name, detail: &str) -> ScimError {
    ScimError::filter(format!("at byte {}: {detail}", name.at))
}

fn unknown_attribute(name: &Name) -> ScimError {
    at(name, &format!("there is no attribute {}", name.text))
}

/// Reading A27: a secret must not be guessable through a filter.
fn unsearchable(name: &Name) -> ScimError {
    at(name, &format!("{} cannot be searched", name.text))
}
