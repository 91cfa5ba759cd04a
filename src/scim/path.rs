//! PATCH paths (RFC 7644 §3.5.2, figure 7): which part of a resource an operation is about.
//!
//! Invariant: a [`Target`] names what exists in the resource type; its filter, if any, is bound to the
//! sub-attributes of the attribute in front of the bracket.

use serde_json::{Map, Value};

use crate::scim::admit::{self, Rules};
use crate::scim::error::ScimError;
use crate::scim::filter::bind::bind_inner;
use crate::scim::filter::grammar::{self, Expr};
use crate::scim::filter::{Filter, Op};
use crate::scim::registry::{AttributeName, Path, ResourceType};
use crate::scim::schema::{Attribute, Mutability, Type};
use crate::scim::urn;

/// What an operation with a path is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The core attributes, named by the base schema's URN.
    Core,
    /// A whole extension, named by its URN as the schema spells it.
    Extension(String),
    /// An attribute or sub-attribute: `name`, `name.familyName`.
    Attribute(Path),
    /// The selected values of a multi-valued attribute, or a sub-attribute of them: `emails[type eq "work"].value`.
    Values {
        /// The attribute in front of the bracket and the sub-attribute behind it, if any.
        path: Path,
        /// Which values.
        filter: Filter,
    },
}

impl Target {
    /// Parses and binds a path.
    ///
    /// # Errors
    /// `invalidPath` for what is no path or names nothing, `invalidFilter` for a bad filter in the brackets.
    pub fn parse(text: &str, kind: &ResourceType) -> Result<Self, ScimError> {
        if urn::same(text, &kind.schema.id) {
            return Ok(Self::Core);
        }
        if let Some(extension) = kind.extension(text) {
            return Ok(Self::Extension(extension.schema.id.to_string()));
        }
        if let Some(open) = text.find('[') {
            return parse_values(text, open, kind);
        }
        if text.contains([' ', '\t']) {
            return parse_simple_value(text, kind);
        }
        resolve(text, kind).map(Self::Attribute)
    }

    /// The attribute path, where the target is not a whole schema.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Core | Self::Extension(_) => None,
            Self::Attribute(path) | Self::Values { path, .. } => Some(path),
        }
    }
}

/// The value that a path's filter describes: the sub-attributes that it wants to be equal to something (reading A16).
/// None where the filter is anything but a conjunction of `eq`, and where the path selects no values.
pub fn described_value(text: &str, target: &Target) -> Option<Map<String, Value>> {
    let Target::Values { path, .. } = target else { return None };
    let bracket = text.split_at_checked(text.find('[')?)?.1;
    let (inner, _) = grammar::parse_bracket(text, bracket).ok()?;
    let mut parts = Map::new();
    collect_equalities(&path.attribute, &inner, &mut parts)?;
    Some(parts)
}

fn collect_equalities(attribute: &Attribute, expr: &Expr, parts: &mut Map<String, Value>) -> Option<()> {
    match expr {
        Expr::And(all) => all.iter().try_for_each(|expr| collect_equalities(attribute, expr, parts)),
        Expr::Test(name, Op::Eq, literal) => {
            let sub = attribute.sub(&name.text).filter(|sub| sub.mutability != Mutability::ReadOnly)?;
            let value = admit::admit_value(sub, literal, Rules::default()).ok()??;
            parts.insert(sub.name.clone(), value);
            Some(())
        }
        _ => None,
    }
}

/// `attribute[filter]` and `attribute[filter].sub`.
fn parse_values(text: &str, open: usize, kind: &ResourceType) -> Result<Target, ScimError> {
    let (name, bracket) = text.split_at_checked(open).ok_or_else(bad_path)?;
    let whole = resolve(name, kind)?;
    if !whole.has_values() {
        return Err(ScimError::path(format!("{name} has no values that a filter could select from")));
    }
    check_bracket(bracket)?;
    let (inner, rest) = grammar::parse_bracket(text, bracket)?;
    let filter = bind_inner(&whole, &inner)?;
    let path = match rest.strip_prefix('.') {
        Some(sub) => {
            let sub = whole.attribute.sub(sub).ok_or_else(|| {
                ScimError::path(format!("{} has no sub-attribute {sub:?}", whole.attribute.path))
            })?;
            Path::to_sub(&whole.attribute, sub)
        }
        None if rest.is_empty() => whole,
        None => return Err(bad_path()),
    };
    Ok(Target::Values { path, filter })
}

/// Refuses what is no filter to begin with: nothing, an index (SCIM has none), a bracket that is never closed.
fn check_bracket(bracket: &str) -> Result<(), ScimError> {
    let inner = bracket.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
    if !bracket.contains(']') || inner.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad_path());
    }
    Ok(())
}

/// `attribute eq literal` for multi-valued attributes without sub-attributes (erratum 7122).
fn parse_simple_value(text: &str, kind: &ResourceType) -> Result<Target, ScimError> {
    let Ok(Expr::Test(name, Op::Eq, literal)) = grammar::parse(text) else {
        return Err(bad_path());
    };
    let path = resolve(&name.text, kind)?;
    if path.sub.is_some() || !path.attribute.multi_valued || path.attribute.kind == Type::Complex {
        return Err(bad_path());
    }
    let value = grammar::Name { text: "value".to_owned(), at: name.at };
    let filter = bind_inner(&path, &Expr::Test(value, Op::Eq, literal))?;
    Ok(Target::Values { path, filter })
}

fn resolve(text: &str, kind: &ResourceType) -> Result<Path, ScimError> {
    if !grammar::is_attribute_name(text) {
        return Err(bad_path());
    }
    kind.resolve(&AttributeName::split(text))
        .ok_or_else(|| ScimError::path(format!("there is no attribute {text:?} in {}", kind.name)))
}

/// The path itself is not repeated: its filter may hold a secret.
fn bad_path() -> ScimError {
    ScimError::path(
        "this is no path; write attribute, attribute.sub, attribute[filter] or attribute[filter].sub",
    )
}
