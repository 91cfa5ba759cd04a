//! What values are to the examiner: which are equal, which comes first, what kind they are.
//!
//! Invariant: names of members are found in any letter case, as RFC 7643 §2.1 has it; values compare exactly.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;
use std::cmp::Ordering;
use std::str::FromStr;

/// What a value can be required to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    String,
    Boolean,
    Integer,
    Array,
    Object,
    /// `xsd:dateTime`.
    DateTime,
    /// An absolute URI.
    Uri,
    /// Characters that need no escape in a URI.
    Unreserved,
    /// A name of an attribute.
    AttributeName,
    /// A text that can be an identifier (RFC 7643 §3.1): it never has `bulkId` in it.
    Id,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "string" => Self::String,
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "array" => Self::Array,
            "object" => Self::Object,
            "dateTime" => Self::DateTime,
            "uri" => Self::Uri,
            "unreserved" => Self::Unreserved,
            "attributeName" => Self::AttributeName,
            "id" => Self::Id,
            other => return Err(format!("asks for the unknown kind `{other}`")),
        })
    }
}

impl Kind {
    pub(crate) fn fits(self, value: &Value) -> bool {
        let text = |test: fn(&str) -> bool| value.as_str().is_some_and(test);
        match self {
            Self::String => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_u64() || value.is_i64(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
            Self::DateTime => text(|text| instant(text).is_some()),
            Self::Uri => text(is_uri),
            Self::Unreserved => text(|text| text.bytes().all(is_unreserved) && !text.is_empty()),
            Self::AttributeName => text(is_attribute_name),
            Self::Id => text(|text| !text.is_empty() && !text.contains("bulkId")),
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_attribute_name(text: &str) -> bool {
    let name = text.strip_prefix('$').unwrap_or(text);
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_".contains(&byte))
}

/// The instant that an `xsd:dateTime` names; one without a zone counts as UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let local = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc());
    zoned.or_else(|_| local()).ok().filter(|_| text.contains(['T', 't']))
}

/// The member of an object, or the element of an array.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members
            .get(name)
            .or_else(|| members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v)),
        Value::Array(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
        _ => None,
    }
}

/// What RFC 7643 §2.5 makes the same as absent.
pub(crate) fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Whether two values are equal; 1 and 1.0 are, and members that are null count as absent.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(_), Value::Object(_)) => has_members(one, other) && has_members(other, one),
        _ => one == other,
    }
}

/// Whether two values are equal but for letter case.
pub(crate) fn is_like(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.to_lowercase() == other.to_lowercase(),
        _ => is_same(one, other),
    }
}

fn has_members(whole: &Value, part: &Value) -> bool {
    part.as_object().is_some_and(|members| {
        members.iter().all(|(name, wanted)| match member(whole, name) {
            Some(got) => is_same(got, wanted),
            None => is_unassigned(wanted),
        })
    })
}

/// Whether an array has an element like that, or an object has these members.
pub(crate) fn has(whole: &Value, wanted: &Value) -> bool {
    let fits =
        |item: &Value| if wanted.is_object() { has_members(item, wanted) } else { is_same(item, wanted) };
    match whole {
        Value::Array(items) => items.iter().any(fits),
        other => fits(other),
    }
}

pub(crate) fn is_same_set(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            let within = |some: &[Value], all: &[Value]| {
                some.iter().all(|wanted| all.iter().any(|item| is_same(item, wanted)))
            };
            one.len() == other.len() && within(one, other) && within(other, one)
        }
        _ => false,
    }
}

pub(crate) fn are_unique(all: &[Value]) -> bool {
    all.iter().enumerate().all(|(at, one)| !all.iter().skip(at + 1).any(|other| is_same(one, other)))
}

/// Numbers compare by value, dates as instants; anything else does not compare.
pub(crate) fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Value::String(one), Value::String(other)) => Some(instant(one)?.cmp(&instant(other)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, compare, is_same};
    use serde_json::json;
    use std::cmp::Ordering;

    #[test]
    fn kinds_take_what_they_name_and_nothing_else() {
        for (kind, good, bad) in [
            ("dateTime", "2011-05-13T04:42:34.1234+02:00", "2011-05-13"),
            ("dateTime", "2011-05-13T04:42:34", "2011-05-13 04:42:34Z"),
            ("uri", "https://example.com/a?b", "/Users/1"),
            ("uri", "urn:a:b", "a b:c"),
            ("unreserved", "aZ9-._~", "a+b"),
            ("attributeName", "$ref", "1bad"),
            ("attributeName", "a-b_c", "a b"),
            ("id", "7", "bulkId:7"),
        ] {
            let kind: Kind = kind.parse().unwrap();
            assert!(kind.fits(&json!(good)) && !kind.fits(&json!(bad)), "{kind:?}");
        }
    }

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        assert!(is_same(&json!({"a": 1, "b": null}), &json!({"A": 1.0})));
        assert!(!is_same(&json!({"a": 1, "b": 2}), &json!({"a": 1})));
        assert_eq!(
            compare(&json!("2020-01-01T01:00:00+01:00"), &json!("2020-01-01T00:00:00Z")),
            Some(Ordering::Equal)
        );
        assert_eq!(compare(&json!("a"), &json!("b")), None);
    }
}
