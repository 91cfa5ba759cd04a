//! Filling `{{name}}` placeholders with captured values.
//!
//! Invariant: a placeholder is either filled or an error; it never reaches the server as text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The name that stands for the token of the examined server.
pub(crate) const TOKEN: &str = "token";

/// Everything but the unreserved characters of RFC 3986.
const URL_DATA: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes a value for use inside a URL.
pub(crate) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, URL_DATA).to_string()
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// The names used in a text, or why it cannot be read.
pub(crate) fn names(text: &str) -> Result<Vec<&str>, String> {
    let names = pieces(text)?.into_iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    });
    Ok(names.collect())
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            return Err(format!("`{text}` has `{{{{` without `}}}}`; close the placeholder"));
        };
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Name(name));
        rest = behind;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

/// Every text inside a JSON value, names of members included.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| std::iter::once(name.as_str()).chain(texts(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// The values captured so far, the token among them.
///
/// A name may be followed by a pointer: `{{user/emails/0}}` is a part of what was captured as `user`.
pub(crate) struct Captured(BTreeMap<String, Value>);

impl Captured {
    pub(crate) fn new(token: &str) -> Self {
        Self(BTreeMap::from([(TOKEN.to_owned(), token.into())]))
    }

    pub(crate) fn insert(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Fills a header value or a text inside a body.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        self.fill_with(text, str::to_owned)
    }

    /// Fills a path; the values are percent-encoded, the path itself stays as it is.
    pub(crate) fn fill_path(&self, path: &str) -> Result<String, String> {
        self.fill_with(path, encoded)
    }

    /// Fills every text inside a JSON value; a text that is one placeholder becomes what was captured, of
    /// whatever type it is.
    pub(crate) fn fill_json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match only_a_name(text) {
                Some(name) => self.value(name)?.clone(),
                None => Value::String(self.fill(text)?),
            },
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.fill_json(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => Value::Object(self.fill_members(members)?),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    fn fill_members(&self, members: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        members.iter().map(|(name, value)| Ok((self.fill(name)?, self.fill_json(value)?))).collect()
    }

    fn fill_with(&self, text: &str, dress: impl Fn(&str) -> String) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        for piece in pieces(text)? {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Name(name) => filled.push_str(&dress(&as_text(self.value(name)?))),
            }
        }
        Ok(filled)
    }

    /// What was captured under a name, or the part of it that a pointer behind the name leads to.
    pub(crate) fn value(&self, name: &str) -> Result<&Value, String> {
        let (whole, pointer) = name.split_at(name.find('/').unwrap_or(name.len()));
        let captured = self
            .0
            .get(whole)
            .ok_or_else(|| format!("nothing was captured as `{whole}`; capture it in an earlier step"))?;
        captured.pointer(pointer).ok_or_else(|| format!("what was captured as `{whole}` has no {pointer}"))
    }
}

/// The name, if the text is one placeholder and nothing else.
fn only_a_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains(['{', '}'])).then_some(name)
}

fn as_text(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::{Captured, names, texts};
    use serde_json::json;

    fn captured() -> Captured {
        let mut captured = Captured::new("s3cret");
        captured.insert("user.id", "42");
        captured.insert("odd", "a b/c?\"ü");
        captured
    }

    #[test]
    fn fills_headers_with_the_token() {
        assert_eq!(captured().fill("Bearer {{token}}").unwrap(), "Bearer s3cret");
    }

    #[test]
    fn fills_every_place_in_a_body() {
        let body = json!({"a": ["{{user.id}}", 1, null, true], "b": {"c": "x{{user.id}}y{{user.id}}"}});
        assert_eq!(
            captured().fill_json(&body).unwrap(),
            json!({"a": ["42", 1, null, true], "b": {"c": "x42y42"}})
        );
    }

    #[test]
    fn leaves_a_path_alone_and_encodes_only_the_value() {
        let path = "//Users/{{odd}}?filter=id+eq+%22{{user.id}}%22&";
        assert_eq!(
            captured().fill_path(path).unwrap(),
            "//Users/a%20b%2Fc%3F%22%C3%BC?filter=id+eq+%2242%22&"
        );
    }

    #[test]
    fn refuses_an_unknown_or_unclosed_placeholder() {
        assert!(captured().fill("{{group.id}}").unwrap_err().contains("`group.id`"));
        assert!(captured().fill("{{user.id").unwrap_err().contains("close the placeholder"));
    }

    #[test]
    fn a_part_of_what_was_captured_keeps_its_type() {
        let mut captured = captured();
        captured.insert("list", json!({"total": 2, "ids": ["a", "b"]}));
        let body =
            json!({"n": "{{list/total}}", "ids": "{{list/ids}}", "text": "{{list/total}} of {{list/ids/1}}"});
        let filled = json!({"n": 2, "ids": ["a", "b"], "text": "2 of b"});
        assert_eq!(captured.fill_json(&body).unwrap(), filled);
        assert!(captured.fill("{{list/nothing}}").unwrap_err().contains("`list` has no /nothing"));
    }

    #[test]
    fn single_braces_are_plain_text() {
        assert_eq!(captured().fill("{$user.id}").unwrap(), "{$user.id}");
    }

    #[test]
    fn finds_the_names_in_member_names_too() {
        let body = json!({"{{a}}": [{"x": "{{b}}"}]});
        let found: Vec<_> = texts(&body).into_iter().flat_map(|text| names(text).unwrap()).collect();
        assert_eq!(found, ["a", "b"]);
    }
}
