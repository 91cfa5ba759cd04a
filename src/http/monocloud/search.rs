//! Lists: their pages, and searches in Lucene's language → filters in SCIM's.
//!
//! Invariant: clauses combine as Lucene's do: those that must match, those that must not, and of the others one at least
//! if none must. A word without a field is looked for in names, addresses and numbers; behind a field it is the whole
//! value, but for a `*` at its ends.

use std::iter::Peekable;
use std::str::Chars;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::json;

use crate::contact;
use crate::http::api::Call;
use crate::http::error::Failure;
use crate::http::monocloud::Done;
use crate::http::monocloud::refusal::Refusal;
use crate::identity::Query;
use crate::scim::filter::quoted;
use crate::scim::urn;

/// The header that tells about a page.
pub(super) const PAGINATION: &str = "x-pagination";

/// How many entries a page has, and the most that it may have.
const SIZE: u64 = 10;
const LARGEST_SIZE: u64 = 1_000;
/// How deep brackets may be nested.
const DEPTH: usize = 16;

/// Which page of a list.
#[derive(Debug)]
pub(super) struct Page {
    /// 1 for the first.
    number: u64,
    pub(super) size: u64,
}

impl Page {
    /// What the request asks for.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let number = |name: &str, default: u64, most: u64| {
            let read = match call.parameter(name)? {
                None => Some(default),
                Some(text) => text.parse().ok().filter(|number| (1..=most).contains(number)),
            };
            let reason = || format!("The {name} field must be a number from 1 to {most}.");
            read.ok_or_else(|| Refusal::Field(name.to_owned(), reason()))
        };
        Ok(Self {
            number: number("page", 1, u64::from(u32::MAX))?,
            size: number("size", SIZE, LARGEST_SIZE)?,
        })
    }

    /// How many entries are before it.
    pub(super) fn offset(&self) -> u64 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// The answer with its entries, and with a header that says how many there are.
    pub(super) fn answer(&self, entries: &impl Serialize, total: u64) -> Done {
        let about = json!({
            "page_size": self.size,
            "current_page": self.number,
            "total_count": total,
            "has_previous": self.number > 1,
            "has_next": self.offset().saturating_add(self.size) < total,
        });
        let text = serde_json::to_string(entries).map_err(|error| Failure::internal(error.to_string()))?;
        Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((PAGINATION, about.to_string()))
            .body(text))
    }
}

/// What the parameters of a list ask for.
pub(super) fn query(call: &Call, page: &Page) -> Result<Query, Refusal> {
    let (sort, descending) = match call.parameter("sort")? {
        None => ("meta.created", false),
        Some(text) => sorted_by(&text)?,
    };
    let region = call.context.caller.profile.contacts.region;
    let filter = call.parameter("filter")?.map(|text| filter(&text, region)).transpose()?;
    Ok(Query { filter, sort: Some(sort.to_owned()), descending, offset: page.offset(), limit: page.size })
}

/// The path of the attribute to sort by, and whether the greatest come first.
fn sorted_by(text: &str) -> Result<(&'static str, bool), Refusal> {
    let wrong = || {
        let reason = "The sort field must be KEY:1 or KEY:-1, where KEY is creation_time, last_updated, name, given_name, \
                      middle_name or family_name.";
        Refusal::Field("sort".into(), reason.into())
    };
    let (key, order) = text.split_once(':').ok_or_else(wrong)?;
    let path = match key {
        "creation_time" => "meta.created",
        "last_updated" => "meta.lastModified",
        "name" => "displayName",
        "given_name" => "name.givenName",
        "middle_name" => "name.middleName",
        "family_name" => "name.familyName",
        _ => return Err(wrong()),
    };
    match order {
        "1" => Ok((path, false)),
        "-1" => Ok((path, true)),
        _ => Err(wrong()),
    }
}

fn wrong(reason: impl Into<String>) -> Refusal {
    Refusal::Field("filter".into(), reason.into())
}

/// An expression in Lucene's language as a SCIM filter.
fn filter(text: &str, region: Option<contact::Region>) -> Result<String, Refusal> {
    let mut reader = Reader { letters: text.chars().peekable(), region };
    let found = reader.clauses(0)?;
    match reader.letters.next() {
        None => Ok(found),
        Some(letter) => Err(wrong(format!("There is a {letter} too much."))),
    }
}

/// What a clause is to the others beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occur {
    Should,
    Must,
    MustNot,
}

/// What stands next in an expression.
enum Token {
    And,
    Or,
    Occur(Occur),
    Clause(String),
}

/// A word or a text, and where a `*` stands at it.
struct Term {
    text: String,
    begins_open: bool,
    ends_open: bool,
}

struct Reader<'a> {
    letters: Peekable<Chars<'a>>,
    region: Option<contact::Region>,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        while self.letters.next_if(|letter| letter.is_whitespace()).is_some() {}
    }

    /// Clauses up to the end, or to a closing bracket.
    fn clauses(&mut self, depth: usize) -> Result<String, Refusal> {
        if depth > DEPTH {
            return Err(wrong("The brackets are nested too deeply."));
        }
        let mut clauses: Vec<(Occur, String)> = Vec::new();
        let (mut occur, mut is_and) = (None, false);
        while let Some(token) = self.token(depth)? {
            match token {
                Token::Or => is_and = false,
                Token::And => {
                    is_and = true;
                    match clauses.last_mut() {
                        Some((before @ Occur::Should, _)) => *before = Occur::Must,
                        Some(_) => {}
                        None => return Err(wrong("There is nothing before AND.")),
                    }
                }
                Token::Occur(given) => occur = Some(given),
                Token::Clause(clause) => {
                    let alone = if is_and { Occur::Must } else { Occur::Should };
                    clauses.push((occur.take().unwrap_or(alone), clause));
                    is_and = false;
                }
            }
        }
        if occur.is_some() || is_and {
            return Err(wrong("Something is missing at the end."));
        }
        combined(&clauses)
    }

    fn token(&mut self, depth: usize) -> Result<Option<Token>, Refusal> {
        self.skip_blanks();
        let Some(&letter) = self.letters.peek() else { return Ok(None) };
        match letter {
            ')' => Ok(None),
            '(' => {
                self.letters.next();
                let clause = self.clauses(depth + 1)?;
                match self.letters.next() {
                    Some(')') => Ok(Some(Token::Clause(clause))),
                    _ => Err(wrong("A bracket is not closed.")),
                }
            }
            '+' | '-' | '!' => {
                self.letters.next();
                Ok(Some(Token::Occur(if letter == '+' { Occur::Must } else { Occur::MustNot })))
            }
            _ => {
                let is_quoted = letter == '"';
                let term = self.term()?;
                match (is_quoted, term.text.as_str()) {
                    (false, "AND" | "&&") => Ok(Some(Token::And)),
                    (false, "OR" | "||") => Ok(Some(Token::Or)),
                    (false, "NOT") => Ok(Some(Token::Occur(Occur::MustNot))),
                    (false, _) if self.letters.next_if_eq(&':').is_some() => {
                        self.behind(&term.text).map(Some)
                    }
                    _ => Ok(Some(Token::Clause(self.anywhere(&term)))),
                }
            }
        }
    }

    /// A word, or a text in quotation marks.
    fn term(&mut self) -> Result<Term, Refusal> {
        let mut term = Term { text: String::new(), begins_open: false, ends_open: false };
        if self.letters.next_if_eq(&'"').is_some() {
            while let Some(letter) = self.letters.next() {
                match letter {
                    '"' => return Ok(term),
                    '\\' => term.text.extend(self.letters.next()),
                    letter => term.text.push(letter),
                }
            }
            return Err(wrong("A quotation mark is not closed."));
        }
        term.begins_open = self.letters.next_if_eq(&'*').is_some();
        let ends =
            |letter: &char| letter.is_whitespace() || matches!(letter, '(' | ')' | '"' | ':' | ']' | '}');
        while let Some(letter) = self.letters.next_if(|letter| !ends(letter)) {
            if term.ends_open || matches!(letter, '?' | '~' | '^' | '/') {
                let reason = "A * may stand at the ends of a word only, and ? ~ ^ / are not known; write \\ before them.";
                return Err(wrong(reason));
            }
            match letter {
                '*' => term.ends_open = true,
                '\\' => term.text.extend(self.letters.next()),
                letter => term.text.push(letter),
            }
        }
        match term.text.is_empty() && !term.begins_open {
            true => Err(wrong("A word is missing.")),
            false => Ok(term),
        }
    }

    /// What stands behind a field and its colon.
    fn behind(&mut self, field: &str) -> Result<Token, Refusal> {
        let field = Field::named(field)?;
        let Some(open) = self.letters.next_if(|letter| matches!(letter, '[' | '{')) else {
            let term = self.term()?;
            return Ok(Token::Clause(field.matching(&term, self.region)?));
        };
        self.skip_blanks();
        let from = self.term()?;
        self.skip_blanks();
        if self.term()?.text != "TO" {
            return Err(wrong("A range is [FROM TO UNTIL] or {FROM TO UNTIL}."));
        }
        self.skip_blanks();
        let until = self.term()?;
        self.skip_blanks();
        let close = self.letters.next();
        let least = if open == '[' { "ge" } else { "gt" };
        let most = match close {
            Some(']') => "le",
            Some('}') => "lt",
            _ => return Err(wrong("A range is not closed.")),
        };
        let mut ends = Vec::new();
        for (operator, term) in [(least, from), (most, until)] {
            // A * alone leaves this end open.
            if !term.text.is_empty() {
                ends.push(field.compared(operator, &term.text, self.region)?);
            }
        }
        match ends.is_empty() {
            true => Ok(Token::Clause(field.present())),
            false => Ok(Token::Clause(format!("({})", ends.join(" and ")))),
        }
    }

    /// A word that may stand in any name, address or number.
    fn anywhere(&self, term: &Term) -> String {
        if term.text.is_empty() {
            return Field::Text("id").present();
        }
        let operator = match (term.begins_open, term.ends_open) {
            (true, false) => "ew",
            (false, true) => "sw",
            _ => "co",
        };
        let paths =
            ["userName", "displayName", "nickName", "name.givenName", "name.middleName", "name.familyName"];
        let contacts = ["emails.value", "phoneNumbers.value"];
        let compared =
            paths.iter().chain(&contacts).map(|path| format!("{path} {operator} {}", quoted(&term.text)));
        format!("({})", compared.collect::<Vec<_>>().join(" or "))
    }
}

/// Clauses as one.
fn combined(clauses: &[(Occur, String)]) -> Result<String, Refusal> {
    let of = |wanted: Occur| {
        clauses.iter().filter(move |(occur, _)| *occur == wanted).map(|(_, clause)| clause.as_str())
    };
    let mut all: Vec<String> = of(Occur::Must).map(str::to_owned).collect();
    let any: Vec<&str> = of(Occur::Should).collect();
    if all.is_empty() && !any.is_empty() {
        all.push(format!("({})", any.join(" or ")));
    }
    all.extend(of(Occur::MustNot).map(|clause| format!("not ({clause})")));
    match all.is_empty() {
        true => Err(wrong("There is nothing to search for.")),
        false => Ok(format!("({})", all.join(" and "))),
    }
}

/// What can be searched by its name.
#[derive(Clone, Copy)]
enum Field {
    /// An attribute that is a text.
    Text(&'static str),
    Phone,
    /// Whether an address or number is verified: the attribute of the identifiers extension.
    Verified(&'static str),
    Disabled,
    /// A time, in seconds since 1970.
    Time(&'static str),
}

impl Field {
    fn named(name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "user_id" => Self::Text("id"),
            "username" | "username.username" => Self::Text("userName"),
            "email" | "emails.email" => Self::Text("emails.value"),
            "phone" | "phone_number" | "phone_numbers.phone" => Self::Phone,
            "emails.verified" => Self::Verified("emails"),
            "phone_numbers.verified" => Self::Verified("phoneNumbers"),
            "name" | "claims.name" => Self::Text("displayName"),
            "given_name" | "claims.given_name" => Self::Text("name.givenName"),
            "middle_name" | "claims.middle_name" => Self::Text("name.middleName"),
            "family_name" | "claims.family_name" => Self::Text("name.familyName"),
            "nickname" | "claims.nickname" => Self::Text("nickName"),
            "disabled" => Self::Disabled,
            "creation_time" => Self::Time("meta.created"),
            "last_updated" => Self::Time("meta.lastModified"),
            other => return Err(wrong(format!("{other} cannot be searched."))),
        })
    }

    /// Whether it is there at all.
    fn present(self) -> String {
        match self {
            Self::Text(path) | Self::Time(path) => format!("{path} pr"),
            Self::Phone => "phoneNumbers.value pr".to_owned(),
            Self::Verified(attribute) => format!("{attribute}.value pr"),
            Self::Disabled => "id pr".to_owned(),
        }
    }

    fn matching(self, term: &Term, region: Option<contact::Region>) -> Result<String, Refusal> {
        let operator = match (term.begins_open, term.ends_open) {
            (false, false) => "eq",
            (true, false) if term.text.is_empty() => return Ok(self.present()),
            (true, false) => "ew",
            (false, true) => "sw",
            (true, true) => "co",
        };
        self.compared(operator, &term.text, region)
    }

    fn compared(
        self,
        operator: &str,
        text: &str,
        region: Option<contact::Region>,
    ) -> Result<String, Refusal> {
        let no = |what: &str| Err(wrong(format!("{text} is {what}.")));
        match self {
            Self::Text(path) => Ok(format!("{path} {operator} {}", quoted(text))),
            Self::Phone => {
                let number = contact::number(text, region).filter(|_| operator == "eq");
                Ok(format!("phoneNumbers.value {operator} {}", quoted(number.as_deref().unwrap_or(text))))
            }
            Self::Verified(_) | Self::Disabled if operator != "eq" => no("no whole word"),
            Self::Verified(attribute) => match text {
                "true" => Ok(format!("{}:{attribute}[verified eq true]", urn::IDENTIFIERS)),
                "false" => Ok(format!("{}:{attribute}[not (verified eq true)]", urn::IDENTIFIERS)),
                _ => no("neither true nor false"),
            },
            Self::Disabled => match text {
                "true" => Ok("active eq false".to_owned()),
                "false" => Ok("not (active eq false)".to_owned()),
                _ => no("neither true nor false"),
            },
            Self::Time(_) if matches!(operator, "sw" | "ew" | "co") => no("no time in seconds since 1970"),
            Self::Time(path) => {
                match text.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0)) {
                    Some(at) => Ok(format!(
                        "{path} {operator} {}",
                        quoted(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
                    )),
                    None => no("no time in seconds since 1970"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(text: &str) -> Result<String, ()> {
        filter(text, Some("CH".parse().unwrap())).map_err(|_| ())
    }

    #[test]
    fn clauses_combine_as_they_do_in_lucene() {
        let (a, b, c) = ("userName eq \"a\"", "userName eq \"b\"", "userName eq \"c\"");
        let cases = [
            ("username:a", format!("(({a}))")),
            ("username:a username:b", format!("(({a} or {b}))")),
            ("username:a OR username:b", format!("(({a} or {b}))")),
            ("username:a AND username:b", format!("({a} and {b})")),
            ("username:a && NOT username:b", format!("({a} and not ({b}))")),
            ("+username:a username:b -username:c", format!("({a} and not ({c}))")),
            ("-username:a", format!("(not ({a}))")),
            ("(username:a OR username:b) AND username:c", format!("((({a} or {b})) and {c})")),
        ];
        for (text, expected) in cases {
            assert_eq!(translated(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_term_is_what_its_field_is() {
        let cases = [
            ("email:\"a \\\"b\\\"@example.com\"", r#"emails.value eq "a \"b\"@example.com""#),
            ("email:a*", "emails.value sw \"a\""),
            ("email:*example.com", "emails.value ew \"example.com\""),
            ("email:*x*", "emails.value co \"x\""),
            ("email:*", "emails.value pr"),
            ("phone_numbers.phone:\"079 123 45 67\"", "phoneNumbers.value eq \"+41791234567\""),
            ("disabled:false", "not (active eq false)"),
            ("creation_time:0", "meta.created eq \"1970-01-01T00:00:00Z\""),
            (
                "creation_time:[0 TO 60}",
                "(meta.created ge \"1970-01-01T00:00:00Z\" and meta.created lt \"1970-01-01T00:01:00Z\")",
            ),
            ("last_updated:{0 TO *]", "(meta.lastModified gt \"1970-01-01T00:00:00Z\")"),
        ];
        for (text, expected) in cases {
            assert_eq!(translated(text), Ok(format!("(({expected}))")), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let deep = "(".repeat(1000);
        let cases = [
            "",
            " ",
            "(",
            ")",
            "a)",
            "(a",
            "()",
            "AND a",
            "a AND",
            "NOT",
            "\"a",
            "email:",
            "shoe:1",
            "a*b",
            "a?",
            "a~",
            "creation_time:x",
            "creation_time:1*",
            "disabled:maybe",
            "disabled:[true TO false]",
            "email:[a b]",
            "email:[a TO b",
            &deep,
        ];
        for text in cases {
            assert_eq!(translated(text), Err(()), "{text}");
        }
    }
}
