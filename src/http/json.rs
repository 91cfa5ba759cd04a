//! JSON text → value, refusing what SCIM could read two ways (RFC 7644 §3.8, reading A51).
//!
//! Invariant: no object has two members of one name, nothing is nested deeper than [`DEPTH_LIMIT`], and a
//! refusal says line and column. One pass; the value is what `serde_json` would have made.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use crate::scim::error::ScimError;

/// How deep arrays and objects may be nested; SCIM itself needs five levels.
pub(super) const DEPTH_LIMIT: usize = 64;

/// Reads the object that a request's body must be.
///
/// # Errors
/// `invalidSyntax`.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, ScimError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ScimError::syntax(format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(ScimError::syntax("the body is empty; it must be a JSON object"));
    }
    let value = value(text)
        .map_err(|error| ScimError::syntax(format!("the body is not acceptable JSON: {error}")))?;
    match value {
        Value::Object(object) => Ok(object),
        other => Err(ScimError::syntax(format!("the body must be a JSON object, not {}", kind(&other)))),
    }
}

/// Reads a text that is one JSON value.
///
/// # Errors
/// What is wrong, with line and column.
pub(crate) fn value(text: &str) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Nested { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Reads a value that stands inside `depth` others.
#[derive(Clone, Copy)]
struct Nested {
    depth: usize,
}

impl Nested {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_LIMIT {
            return Err(E::custom(format_args!("nested deeper than {DEPTH_LIMIT} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        // The members of a large group are objects of one member each.
        let mut object = Map::with_capacity(1);
        while let Some(name) = members.next_key::<String>()? {
            match object.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(members.next_value_seed(inner)?);
                }
                Entry::Occupied(place) => {
                    return Err(A::Error::custom(format_args!(
                        "the member {:?} is there twice",
                        place.key()
                    )));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        object(text.as_bytes()).unwrap_err().detail
    }

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#" {"a": [1, -2, 3.5, 1e3, 18446744073709551615, true, null, "é\u00e9\ud83d\ude00"], "b": {"a": {}}} "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expected);
    }

    #[test]
    fn two_members_of_one_name_are_refused_at_any_depth_with_their_place() {
        assert!(refusal(r#"{"a":1,"a":1}"#).contains(r#"the member "a" is there twice at line 1 column "#));
        assert!(refusal("{\"a\":[{\n\"b\":1,\"b\":2}]}").contains("twice at line 2 column "));
        assert!(refusal(r#"{"a":1,"\u0061":1}"#).contains("twice"));
        assert!(object(br#"{"a":1,"A":1}"#).is_ok(), "spellings are compared by the schema");
    }

    #[test]
    fn nesting_has_a_limit() {
        let nest = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(object(nest(DEPTH_LIMIT).as_bytes()).is_ok());
        assert!(refusal(&nest(DEPTH_LIMIT + 1)).contains("nested deeper than 64 levels at line 1"));
        assert!(refusal(&"[".repeat(100_000)).contains("nested deeper than 64 levels"));
        assert!(refusal(&"{\"a\":".repeat(100_000)).contains("nested deeper than 64 levels"));
    }

    #[test]
    fn what_is_no_object_is_named() {
        let cases = [
            ("", "the body is empty"),
            (" \r\n", "the body is empty"),
            ("[]", "not an array"),
            ("\"x\"", "not a string"),
            ("5", "not a number"),
            ("null", "not null"),
            ("true", "not a boolean"),
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("{} {}", "trailing characters at line 1 column 4"),
            ("{\"a\":1e999}", "number out of range"),
            ("{\"a\":\"\\ud800\"}", "line 1"),
            ("{'a':1}", "line 1 column 2"),
        ];
        for (text, part) in cases {
            assert!(refusal(text).contains(part), "{text}: {}", refusal(text));
        }
        let error = object(b"{\"a\":\"\xff\"}").unwrap_err();
        assert!(error.detail.contains("not UTF-8 from byte 6 on"), "{error}");
    }
}
