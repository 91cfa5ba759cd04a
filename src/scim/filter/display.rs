//! A bound filter as text: how it was understood, with every value in the form that is compared.

use std::fmt::{self, Display, Formatter};

use crate::scim::filter::{Filter, Op};
use crate::scim::key::Key;
use crate::scim::registry::Path;
use crate::scim::schema::{Attribute, Comparison};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Part { filter: self, is_inner: false }.fmt(f)
    }
}

/// A filter, or what stands inside brackets.
struct Part<'a> {
    filter: &'a Filter,
    is_inner: bool,
}

impl Part<'_> {
    fn of<'a>(&self, filter: &'a Filter) -> Part<'a> {
        Part { filter, is_inner: self.is_inner }
    }

    fn joined(&self, parts: &[Filter], word: &str, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                write!(f, " {word} ")?;
            }
            self.of(part).fmt(f)?;
        }
        f.write_str(")")
    }

    fn name<'a>(&self, path: &'a Path) -> &'a str {
        match (&path.sub, self.is_inner) {
            (Some(sub), true) => &sub.name,
            (None, true) => "value",
            (_, false) => &path.leaf().path,
        }
    }
}

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.filter {
            Filter::Always(true) => f.write_str("everything"),
            Filter::Always(false) => f.write_str("nothing"),
            Filter::And(parts) => self.joined(parts, "and", f),
            Filter::Or(parts) => self.joined(parts, "or", f),
            Filter::Not(part) => write!(f, "not ({})", self.of(part)),
            Filter::Present(path) => write!(f, "{} pr", self.name(path)),
            Filter::Test { path, op, key } => {
                write!(f, "{} {} {}", self.name(path), spelled(*op), literal(path.leaf(), key))
            }
            Filter::Each { path, inner } => {
                write!(f, "{}[{}]", self.name(path), Part { filter: inner, is_inner: true })
            }
        }
    }
}

fn spelled(op: Op) -> &'static str {
    Op::NAMES.iter().find(|(_, other)| *other == op).map_or("", |(name, _)| *name)
}

fn literal(attribute: &Attribute, key: &Key) -> String {
    match attribute.comparison {
        Comparison::Boolean => key.as_str().to_owned(),
        Comparison::Number => number(key.as_str()).map_or_else(|| quoted(key.as_str()), |n| n.to_string()),
        Comparison::Instant => quoted(&format!("{}Z", key.as_str())),
        _ => quoted(key.as_str()),
    }
}

/// A text as a filter writes it (RFC 7644 §3.4.2.2: as JSON does).
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The number behind a key's ordered bits; the digits behind the first sixteen are the same number as an integer.
fn number(key: &str) -> Option<f64> {
    let ordered = u64::from_str_radix(key.get(..16)?, 16).ok()?;
    let bits = if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered };
    Some(f64::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::registry::Registry;

    #[test]
    fn a_filter_says_how_it_was_understood() {
        let registry = Registry::built_in().unwrap();
        let kind = registry.type_named("User").unwrap();
        for (text, understood) in [
            ("USERNAME EQ \"BJensen\"", "userName eq \"bjensen\""),
            ("emails co \"x\"", "emails.value co \"x\""),
            (
                "emails[type eq \"Work\" and value pr] and active eq true",
                "(emails[(type eq \"work\" and value pr)] and active eq true)",
            ),
            ("title ne \"a\"", "not (title eq \"a\")"),
            ("title eq null or title sw \"\"", "(not (title pr) or title pr)"),
            ("meta.created gt \"2020-01-01T01:00:00+01:00\"", "meta.created gt \"2020-01-01T00:00:00Z\""),
            (
                "department eq \"R&D\"",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"r&d\"",
            ),
        ] {
            assert_eq!(Filter::parse(text, kind).unwrap().to_string(), understood);
        }
    }

    #[test]
    fn numbers_are_shown_as_numbers() {
        for value in [-2.5, 0.0, 1.0, 1e9, 443.0] {
            let bits = f64::to_bits(value);
            let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            assert_eq!(number(&format!("{ordered:016x}")), Some(value));
        }
    }
}
