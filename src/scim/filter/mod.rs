//! Filters (RFC 7644 §3.4.2.2): text → [`Expr`](grammar::Expr) → [`Filter`], which exists only bound to a schema.
//!
//! Invariant: a [`Filter`] names attributes that exist, operators that fit their types, and literals that are
//! already [`Key`]s; `ne`, `null`, empty needles and `emails co "x"` are resolved. Its logic is two-valued:
//! `not (F)` is the exact complement of `F` (reading A2).

pub mod bind;
mod display;
pub mod grammar;
pub mod matches;

pub use display::quoted;

use crate::scim::key::Key;
use crate::scim::registry::Path;

/// A filter that is bound to a resource type.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Matches everything or nothing.
    Always(bool),
    /// All must match.
    And(Vec<Filter>),
    /// One must match.
    Or(Vec<Filter>),
    /// Must not match.
    Not(Box<Filter>),
    /// The attribute has a non-empty value (`pr`); of a complex attribute, any part of one.
    Present(Path),
    /// Some value of the simple attribute stands in this relation to the key.
    Test {
        /// The attribute; its leaf is never complex and never secret.
        path: Path,
        /// The relation.
        op: Op,
        /// The right-hand side; never empty for [`Op::Co`], [`Op::Sw`] and [`Op::Ew`].
        key: Key,
    },
    /// One and the same value of the attribute satisfies the inner filter (`attr[…]`).
    Each {
        /// The attribute in front of the bracket.
        path: Path,
        /// The tests inside; their paths begin with the same attribute.
        inner: Box<Filter>,
    },
}

/// The relation of a value to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl Op {
    /// The operators as filters spell them.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("co", Self::Co),
        ("sw", Self::Sw),
        ("ew", Self::Ew),
        ("gt", Self::Gt),
        ("ge", Self::Ge),
        ("lt", Self::Lt),
        ("le", Self::Le),
    ];

    /// Whether `value` stands in this relation to `key`.
    pub fn holds(self, value: &Key, key: &Key) -> bool {
        match self {
            Self::Eq => value == key,
            Self::Ne => value != key,
            Self::Co => value.as_str().contains(key.as_str()),
            Self::Sw => value.as_str().starts_with(key.as_str()),
            Self::Ew => value.as_str().ends_with(key.as_str()),
            Self::Gt => value > key,
            Self::Ge => value >= key,
            Self::Lt => value < key,
            Self::Le => value <= key,
        }
    }
}
