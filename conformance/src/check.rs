//! One check of an answer, written as a short sentence: `/totalResults = 1`.
//!
//! A check is `PLACE VERB [VALUE]`; several alternatives are joined by ` || `, and one is enough. A place is
//! a JSON pointer, `status`, or `header:Name`. Beyond RFC 6901, `/emails/*/value` is every value,
//! `/emails[type=work]/value` the first value of that kind, `/emails/*[type=work]/value` all of them, `.` the
//! whole body, and names are found in any letter case, as SCIM has it. A value is JSON with placeholders;
//! `{{user/id}}` alone keeps its type. A `?` behind the verb lets what is absent pass: `/active =? true`.
//!
//! Invariant: a check that cannot be read is an error when the file is read. A check of a place with `*`
//! holds if it holds for every value there, and so holds where there is none.

use crate::placeholder::{Captured, texts};
use crate::value::{Kind, are_unique, compare, has, is_like, is_same, is_same_set, is_unassigned, member};
use serde::Deserialize;
use serde_json::Value;

/// A check as a scenario has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Check {
    text: String,
    alternatives: Vec<Clause>,
}

#[derive(Debug, Clone)]
struct Clause {
    place: Place,
    verb: Verb,
    /// Whether the verb holds where there is nothing.
    or_absent: bool,
}

#[derive(Debug, Clone)]
enum Place {
    Status,
    Header(String),
    Body(Vec<Token>),
}

#[derive(Debug, Clone)]
enum Token {
    Name(String),
    /// `*`: every element.
    Every,
    /// The elements, of which one will do.
    Flat,
    /// `[type=work]`: of the elements, those of that kind.
    Where(String, String),
}

#[derive(Debug, Clone)]
enum Verb {
    /// There is a value.
    Present,
    /// There is no value, or one that SCIM takes for none: null or an empty array.
    Absent,
    /// There is nothing at all.
    Missing,
    Unique,
    Is(Kind),
    Compare(Comparison, Value),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equals,
    Differs,
    /// Equal but for letter case.
    Like,
    /// Begins with, in any letter case.
    Starts,
    /// An array has such an element; of an object the named members count.
    Has,
    Lacks,
    In,
    /// With `*`: these values in this order.
    Lists,
    /// These values in any order.
    Set,
    Size,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What a check looks at.
pub(crate) struct Seen<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: Option<&'a Value>,
}

impl TryFrom<String> for Check {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let alternatives = text.split(" || ").map(clause).collect::<Result<_, _>>();
        let alternatives = alternatives.map_err(|reason| format!("the check `{text}` {reason}"))?;
        Ok(Self { text, alternatives })
    }
}

fn clause(text: &str) -> Result<Clause, String> {
    let (place, rest) = text.trim().split_once(' ').ok_or("has no verb")?;
    let (verb, value) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    let or_absent = verb.ends_with('?');
    let verb = parse_verb(verb.trim_end_matches('?'), value.trim())?;
    Ok(Clause { place: parse_place(place)?, verb, or_absent })
}

fn parse_place(text: &str) -> Result<Place, String> {
    if text == "status" {
        return Ok(Place::Status);
    }
    if let Some(name) = text.strip_prefix("header:") {
        return Ok(Place::Header(name.to_owned()));
    }
    if text == "." {
        return Ok(Place::Body(Vec::new()));
    }
    let pointer = text.strip_prefix('/').ok_or("names no place; begin with `/`, `header:` or `status`")?;
    let mut tokens = Vec::new();
    for part in parts(pointer) {
        match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
            Some((name, filter)) => {
                let (sub, value) = filter.split_once('=').ok_or("has a `[` without `=`")?;
                tokens.push(if name == "*" { Token::Every } else { Token::Name(unescaped(name)) });
                tokens.extend((name != "*").then_some(Token::Flat));
                tokens.push(Token::Where(sub.to_owned(), value.to_owned()));
            }
            None if part == "*" => tokens.push(Token::Every),
            None => tokens.push(Token::Name(unescaped(part))),
        }
    }
    Ok(Place::Body(tokens))
}

/// The parts between slashes; a slash inside a placeholder is none of them.
fn parts(pointer: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    for (at, c) in pointer.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                parts.extend(pointer.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(pointer.get(start..));
    parts
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

fn parse_verb(verb: &str, value: &str) -> Result<Verb, String> {
    let bare = |verb| if value.is_empty() { Ok(verb) } else { Err("takes no value".to_owned()) };
    let json = || -> Result<Value, String> {
        if value.starts_with("{{") && value.ends_with("}}") {
            return Ok(Value::String(value.to_owned()));
        }
        serde_json::from_str(value).map_err(|error| format!("has a value that is no JSON ({error})"))
    };
    match verb {
        "present" => bare(Verb::Present),
        "absent" => bare(Verb::Absent),
        "missing" => bare(Verb::Missing),
        "unique" => bare(Verb::Unique),
        "is" => Ok(Verb::Is(value.parse()?)),
        other => {
            let how = Comparison::named(other).ok_or_else(|| format!("has the unknown verb `{other}`"))?;
            Ok(Verb::Compare(how, json()?))
        }
    }
}

impl Check {
    /// Why the check does not hold; an error when a placeholder cannot be filled.
    pub(crate) fn failing(&self, seen: &Seen<'_>, captured: &Captured) -> Result<Option<Value>, String> {
        let mut first = None;
        for clause in &self.alternatives {
            match clause.failing(seen, captured)? {
                None => return Ok(None),
                Some(got) => first = first.or(Some(got)),
            }
        }
        Ok(first)
    }

    /// The check as it is written, with its placeholders filled where that can be done.
    pub(crate) fn told(&self, captured: &Captured) -> String {
        captured.fill(&self.text).unwrap_or_else(|_| self.text.clone())
    }

    /// Every text that may have placeholders.
    pub(crate) fn texts(&self) -> Vec<&str> {
        let mut all = Vec::new();
        for clause in &self.alternatives {
            if let Place::Body(tokens) = &clause.place {
                all.extend(tokens.iter().flat_map(Token::texts));
            }
            all.extend(clause.verb.value().into_iter().flat_map(texts));
        }
        all
    }

    /// Whether the body is looked at.
    pub(crate) fn needs_body(&self) -> bool {
        self.alternatives.iter().any(|clause| matches!(clause.place, Place::Body(_)))
    }
}

impl Clause {
    /// What is there instead, if the clause does not hold; `null` for nothing.
    fn failing(&self, seen: &Seen<'_>, captured: &Captured) -> Result<Option<Value>, String> {
        let found = self.place.find(seen, captured)?;
        let verb = match self.verb.filled(captured) {
            // Where the earlier answer lacks the value too, there is nothing to compare.
            Err(_) if self.or_absent => return Ok(None),
            verb => verb?,
        };
        let holds =
            |got: Option<&Value>| verb.holds(got) || (self.or_absent && got.is_none_or(is_unassigned));
        if self.place.has_every() && !verb.looks_at_all() {
            let wrong = found.into_iter().find(|got| !holds(got.as_ref()));
            return Ok(wrong.map(Option::unwrap_or_default));
        }
        let got = if self.place.has_every() {
            Some(Value::Array(found.into_iter().flatten().collect()))
        } else {
            found.into_iter().next().flatten()
        };
        Ok((!holds(got.as_ref())).then(|| got.unwrap_or_default()))
    }
}

impl Place {
    fn has_every(&self) -> bool {
        matches!(self, Self::Body(tokens) if tokens.iter().any(|token| matches!(token, Token::Every)))
    }

    /// The values that are there; with a `*`, none stands for an element that lacks the rest.
    fn find(&self, seen: &Seen<'_>, captured: &Captured) -> Result<Vec<Option<Value>>, String> {
        match self {
            Self::Status => Ok(vec![Some(seen.status.into())]),
            Self::Header(name) => {
                let wanted = |(known, value): &(String, String)| {
                    known.eq_ignore_ascii_case(name).then(|| Value::String(value.clone()))
                };
                Ok(vec![seen.headers.iter().find_map(wanted)])
            }
            Self::Body(tokens) => {
                let mut found = vec![seen.body];
                for token in tokens {
                    found = token.step(found, captured)?;
                }
                Ok(found.into_iter().map(Option::<&Value>::cloned).collect())
            }
        }
    }
}

impl Token {
    fn step<'a>(
        &self,
        from: Vec<Option<&'a Value>>,
        captured: &Captured,
    ) -> Result<Vec<Option<&'a Value>>, String> {
        Ok(match self {
            Self::Name(name) if name.starts_with("{{") => {
                // What stands for an attribute of an extension is two names.
                let path = captured.fill(name)?;
                let deeper =
                    |value| path.split('/').try_fold(value, |value, name| member(value, &unescaped(name)));
                from.into_iter().map(|value| value.and_then(deeper)).collect()
            }
            Self::Name(name) => {
                from.into_iter().map(|value| value.and_then(|value| member(value, name))).collect()
            }
            Self::Every | Self::Flat => {
                from.into_iter().flatten().filter_map(Value::as_array).flatten().map(Some).collect()
            }
            Self::Where(sub, wanted) => {
                let wanted = captured.fill(wanted)?;
                let fits = |item: &&Value| member(item, sub).is_some_and(|got| is_written(got, &wanted));
                from.into_iter().flatten().filter(fits).map(Some).collect()
            }
        })
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Name(name) => vec![name],
            Self::Every | Self::Flat => Vec::new(),
            Self::Where(_, value) => vec![value],
        }
    }
}

/// Whether a value is what stands in brackets, where texts have no quotes.
fn is_written(value: &Value, text: &str) -> bool {
    match value.as_str() {
        Some(value) => value.eq_ignore_ascii_case(text),
        None => serde_json::from_str(text).is_ok_and(|wanted| is_same(value, &wanted)),
    }
}

impl Verb {
    fn value(&self) -> Option<&Value> {
        match self {
            Self::Present | Self::Absent | Self::Missing | Self::Unique | Self::Is(_) => None,
            Self::Compare(_, value) => Some(value),
        }
    }

    /// With a `*`, most verbs look at each value; these look at all of them together.
    fn looks_at_all(&self) -> bool {
        use Comparison::{Has, Lacks, Lists, Set, Size};
        matches!(self, Self::Unique | Self::Compare(Has | Lacks | Lists | Set | Size, _))
    }

    fn filled(&self, captured: &Captured) -> Result<Self, String> {
        Ok(match self {
            Self::Compare(how, value) => Self::Compare(*how, captured.fill_json(value)?),
            other => other.clone(),
        })
    }

    fn holds(&self, got: Option<&Value>) -> bool {
        match self {
            Self::Present => got.is_some_and(|got| !is_unassigned(got)),
            Self::Absent => got.is_none_or(is_unassigned),
            Self::Missing => got.is_none(),
            Self::Unique => got.and_then(Value::as_array).is_some_and(|all| are_unique(all)),
            Self::Is(kind) => got.is_some_and(|got| kind.fits(got)),
            Self::Compare(Comparison::Differs, value) => got.is_none_or(|got| !is_same(got, value)),
            Self::Compare(Comparison::Lacks, value) => got.is_none_or(|got| !has(got, value)),
            Self::Compare(how, value) => got.is_some_and(|got| how.holds(got, value)),
        }
    }
}

impl Comparison {
    fn named(verb: &str) -> Option<Self> {
        Some(match verb {
            "=" => Self::Equals,
            "!=" => Self::Differs,
            "~" => Self::Like,
            "starts" => Self::Starts,
            "has" => Self::Has,
            "lacks" => Self::Lacks,
            "in" => Self::In,
            "lists" => Self::Lists,
            "set" => Self::Set,
            "size" => Self::Size,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::More,
            ">=" => Self::AtLeast,
            _ => return None,
        })
    }

    fn holds(self, got: &Value, value: &Value) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let text = |value: &Value| value.as_str().map(str::to_lowercase).unwrap_or_default();
        match self {
            Self::Equals | Self::Lists => is_same(got, value),
            Self::Differs => !is_same(got, value),
            Self::Like => is_like(got, value),
            Self::Starts => !text(value).is_empty() && text(got).starts_with(&text(value)),
            Self::Has => has(got, value),
            Self::Lacks => !has(got, value),
            Self::In => value.as_array().is_some_and(|all| all.iter().any(|one| is_same(got, one))),
            Self::Set => is_same_set(got, value),
            Self::Size => {
                got.as_array().map(Vec::len) == value.as_u64().and_then(|n| usize::try_from(n).ok())
            }
            Self::Less => compare(got, value) == Some(Less),
            Self::AtMost => matches!(compare(got, value), Some(Less | Equal)),
            Self::More => compare(got, value) == Some(Greater),
            Self::AtLeast => matches!(compare(got, value), Some(Greater | Equal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Seen};
    use crate::placeholder::Captured;
    use serde_json::{Value, json};

    fn holds(check: &str, body: &Value) -> bool {
        let headers = [("ETag".to_owned(), "W/\"1\"".to_owned())];
        let mut captured = Captured::new("t");
        captured.insert("user", json!({"id": "42", "n": 2}));
        captured.insert("Enterprise", "urn:x:2.0:User");
        let seen = Seen { status: 200, headers: &headers, body: Some(body) };
        Check::try_from(check.to_owned()).unwrap().failing(&seen, &captured).unwrap().is_none()
    }

    #[test]
    fn a_fitting_check_holds_and_its_opposite_does_not() {
        let body = json!({
            "id": "42", "n": 2, "at": "2020-01-01T01:00:00+01:00", "empty": [], "none": null, "userName": "Bob",
            "emails": [{"value": "a", "type": "work"}, {"value": "b", "type": "home"}],
            "urn:x:2.0:User": {"department": "d"},
        });
        for (right, wrong) in [
            ("/id = \"42\"", "/id = 42"),
            ("/id = {{user/id}}", "/n = {{user/id}}"),
            ("/n = {{user/n}}", "/n != 2"),
            ("/USERNAME = \"Bob\"", "/userName = \"bob\""),
            ("/userName ~ \"BOB\"", "/userName ~ \"Bo\""),
            ("/userName starts \"bO\"", "/userName starts \"\""),
            ("/id present", "/empty present"),
            ("/none absent", "/id absent"),
            ("/nothing missing", "/none missing"),
            ("/emails/*/value lists [\"a\", \"b\"]", "/emails/*/value lists [\"b\", \"a\"]"),
            ("/emails/*/value set [\"b\", \"a\"]", "/emails/*/value set [\"a\"]"),
            ("/emails/*/type unique", "/emails/*/value = \"a\""),
            ("/emails/*/type in [\"work\", \"home\"]", "/emails/*/type in [\"work\"]"),
            ("/emails[type=home]/value = \"b\"", "/emails[type=other]/value present"),
            ("/emails/*[type=home]/value = \"b\"", "/emails/*/display present"),
            ("/emails/*[type=home] size 1", "/emails/*[type=other] size 1"),
            ("/emails/*/display =? 1", "/emails/*/value =? \"a\""),
            ("/emails has {\"type\": \"work\"}", "/emails lacks {\"value\": \"b\"}"),
            ("/emails size 2", "/empty size 2"),
            ("/nothing/*/x = 1", "/nothing/0/x = 1"),
            ("/at is dateTime", "/id is integer"),
            ("/at < \"2020-01-01T00:30:00Z\"", "/at > \"2020-01-01T00:30:00Z\""),
            ("/n >= 2", "/n < 2"),
            ("/{{Enterprise}}/department = \"d\"", "/{{Enterprise}}/manager present"),
            ("header:etag starts \"w/\"", "header:Location present"),
            ("status = 200", "status = 204"),
            (". has \"x\" || /id present", "/x present || /y present"),
        ] {
            assert!(holds(right, &body), "{right}");
            assert!(!holds(wrong, &body), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in ["/id", "id = 1", "/id equals 1", "/id = x", "/id present 1", "/a[b] = 1", "/id is thing"]
        {
            let error = Check::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
