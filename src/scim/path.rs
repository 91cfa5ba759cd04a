//! PATCH paths (RFC 7644 §3.5.2, figure 7): which part of a resource an operation is about.
//!
//! Invariant: a [`Target`] names what exists in the resource type; its filter, if any, is bound to the
//! sub-attributes of the attribute in front of the bracket.

use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::filter::bind::bind_inner;
use crate::scim::filter::grammar::{self, Expr};
use crate::scim::filter::{Filter, Op};
use crate::scim::registry::{AttributeName, Path, ResourceType};
use crate::scim::schema::Type;
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

/// `attribute[filter]` and `attribute[filter].sub`.
fn parse_values(text: &str, open: usize, kind: &ResourceType) -> Result<Target, ScimError> {
    let (name, bracket) = text.split_at_checked(open).ok_or_else(|| bad_path(text))?;
    let whole = resolve(name, kind)?;
    if whole.sub.is_some() || !whole.attribute.multi_valued && whole.attribute.kind != Type::Complex {
        return Err(ScimError::path(format!("{name} has no values that a filter could select from")));
    }
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
        None => return Err(bad_path(text)),
    };
    Ok(Target::Values { path, filter })
}

/// `attribute eq literal` for multi-valued attributes without sub-attributes (erratum 7122).
fn parse_simple_value(text: &str, kind: &ResourceType) -> Result<Target, ScimError> {
    let Ok(Expr::Test(name, Op::Eq, literal)) = grammar::parse(text) else {
        return Err(bad_path(text));
    };
    let path = resolve(&name.text, kind)?;
    if path.sub.is_some() || !path.attribute.multi_valued || path.attribute.kind == Type::Complex {
        return Err(bad_path(text));
    }
    let value = grammar::Name { text: "value".to_owned(), at: name.at };
    let filter = bind_inner(&path, &Expr::Test(value, Op::Eq, literal))?;
    Ok(Target::Values { path, filter })
}

fn resolve(text: &str, kind: &ResourceType) -> Result<Path, ScimError> {
    if !grammar::is_attribute_name(text) {
        return Err(bad_path(text));
    }
    kind.resolve(&AttributeName::split(text))
        .ok_or_else(|| ScimError::path(format!("there is no attribute {text:?} in {}", kind.name)))
}

fn bad_path(text: &str) -> ScimError {
    let shown: String = text.chars().take(80).collect();
    let detail = format!(
        "{shown:?} is no path; write attribute, attribute.sub, attribute[filter] or attribute[filter].sub"
    );
    ScimError::new(ErrorKind::InvalidPath, detail)
}
