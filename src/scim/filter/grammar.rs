//! The filter grammar (RFC 7644 §3.4.2.2, figure 1, with errata 4670, 7319 and 7322) in nom.
//!
//! Invariant: what parses is grammatical and bounded in length, depth and number of tests; nothing is said yet
//! about which attributes exist. Every error knows the byte where it happened and what would have been right there;
//! it does not repeat what stands there, because that may be a secret.
//! Beyond the figure: runs of blanks (reading A47), and `attr[…].sub op value` (reading A24).

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{cut, map, opt, peek, recognize, value};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};
use serde_json::Value;

use crate::scim::error::ScimError;
use crate::scim::filter::Op;

/// The longest filter that is read, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;
/// How deep parentheses, `not` and brackets may nest.
pub const MAX_DEPTH: usize = 64;
/// How many tests one filter may hold.
pub const MAX_TESTS: usize = 256;

/// A filter as it is written, not yet bound to a schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `a and b and …`
    And(Vec<Expr>),
    /// `a or b or …`
    Or(Vec<Expr>),
    /// `not (a)`
    Not(Box<Expr>),
    /// `name pr`
    Present(Name),
    /// `name op literal`
    Test(Name, Op, Value),
    /// `name[inner]`, or `name[inner].sub op literal` with the tail as its last part.
    Each(Name, Box<Expr>, Option<Tail>),
}

/// An attribute name and where in the text it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// `[urn:]name[.sub]`, checked for its characters.
    pub text: String,
    /// The byte at which it begins.
    pub at: usize,
}

/// What follows a value path: `.sub op literal`, or `.sub pr` where there is no operator and literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// The sub-attribute.
    pub sub: Name,
    /// The comparison; none for `pr`.
    pub test: Option<(Op, Value)>,
}

/// Parses a filter.
///
/// # Errors
/// `invalidFilter` with the byte offset and what was expected there.
pub fn parse(text: &str) -> Result<Expr, ScimError> {
    check_bounds(text)?;
    let source = Source { length: text.len(), in_bracket: false };
    match source.disjunction(text) {
        Ok(("", expr)) => Ok(expr),
        Ok((rest, _)) => Err(Expected::at(rest, "\"and\", \"or\" or the end").in_text(text)),
        Err(error) => Err(expected(error).in_text(text)),
    }
}

/// Parses the text between the brackets of a value path, from `text` on; says what follows the closing bracket.
///
/// # Errors
/// As [`parse`]; offsets count from the beginning of `whole`, of which `text` is the end.
pub(in crate::scim) fn parse_bracket<'a>(
    whole: &'a str,
    text: &'a str,
) -> Result<(Expr, &'a str), ScimError> {
    check_bounds(whole)?;
    let source = Source { length: whole.len(), in_bracket: false };
    let (rest, expr) = source.bracket(text).map_err(|error| expected(error).in_text(whole))?;
    Ok((expr, rest))
}

/// Whether the text is `[urn:]name[.sub]` by its characters: those of RFC 7643 §2.1, which allows `$` where RFC 7644
/// figure 1 does not, because whatever a schema can define a filter must be able to name. `$` may also begin a name
/// (erratum 8924).
pub(in crate::scim) fn is_attribute_name(text: &str) -> bool {
    let (urn, rest) = text.rsplit_once(':').map_or((None, text), |(urn, rest)| (Some(urn), rest));
    let (name, sub) = rest.split_once('.').map_or((rest, None), |(name, sub)| (name, Some(sub)));
    urn.is_none_or(is_uri) && is_name(name) && sub.is_none_or(is_name)
}

fn is_name(text: &str) -> bool {
    let rest = text.strip_prefix('$').unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '$' | '-' | '_'))
}

fn is_uri(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.contains(':')
}

/// Depth and number of tests are counted before parsing, so that no input can make the parser recurse far.
/// What stands in JSON strings does not count.
fn check_bounds(text: &str) -> Result<(), ScimError> {
    if text.len() > MAX_LENGTH {
        let detail = format!("the filter has {} bytes; at most {MAX_LENGTH} are read", text.len());
        return Err(ScimError::filter(detail));
    }
    let (mut depth, mut joints, mut quoted, mut escaped) = (0usize, 0usize, false, false);
    let mut word_begins = 0;
    for (at, byte) in text.bytes().enumerate() {
        let ends_word = !quoted && matches!(byte, b' ' | b'\t' | b'(' | b')' | b'[' | b']' | b'"');
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' | b'[' if !quoted => depth += 1,
            b')' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if ends_word {
            joints += usize::from(text.get(word_begins..at).is_some_and(is_joint));
        }
        if ends_word || quoted {
            word_begins = at + 1;
        }
        if depth > MAX_DEPTH {
            return Err(ScimError::filter(format!("at byte {at}: nested deeper than {MAX_DEPTH} levels")));
        }
    }
    if joints >= MAX_TESTS {
        return Err(ScimError::filter(format!("the filter has more than {MAX_TESTS} tests")));
    }
    Ok(())
}

fn is_joint(word: &str) -> bool {
    word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or")
}

/// What was expected where.
#[derive(Debug, PartialEq)]
struct Expected {
    /// How many bytes were left.
    left: usize,
    what: &'static str,
}

impl Expected {
    fn at(rest: &str, what: &'static str) -> Self {
        Self { left: rest.len(), what }
    }

    fn in_text(&self, text: &str) -> ScimError {
        ScimError::filter(format!("at byte {}: expected {}", text.len() - self.left, self.what))
    }
}

impl ParseError<&str> for Expected {
    fn from_error_kind(rest: &str, _: ErrorKind) -> Self {
        Self::at(rest, "an attribute name")
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }

    /// Of two alternatives that failed, the one that got further knows better.
    fn or(self, other: Self) -> Self {
        if other.left < self.left { other } else { self }
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Expected>;

fn expected(error: nom::Err<Expected>) -> Expected {
    match error {
        nom::Err::Error(expected) | nom::Err::Failure(expected) => expected,
        nom::Err::Incomplete(_) => Expected { left: 0, what: "more" },
    }
}

/// Makes a parser say what it wanted.
fn or_expect<'a, T>(
    mut parser: impl Parser<&'a str, Output = T, Error = Expected>,
    what: &'static str,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| {
        parser.parse(input).map_err(|error| match error {
            nom::Err::Error(_) => nom::Err::Error(Expected::at(input, what)),
            other => other,
        })
    }
}

fn blanks(input: &str) -> Parsed<'_, &str> {
    take_while(is_blank)(input)
}

fn blanks1(input: &str) -> Parsed<'_, &str> {
    or_expect(take_while1(is_blank), "a blank")(input)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// The text that is being parsed.
#[derive(Clone, Copy)]
struct Source {
    /// How long it is, to turn what is left into an offset.
    length: usize,
    /// Whether this part of it stands in the brackets of a value path, where no other may begin (erratum 7322).
    in_bracket: bool,
}

impl Source {
    fn disjunction<'a>(&self, input: &'a str) -> Parsed<'a, Expr> {
        joined(input, "or", |input| self.conjunction(input), Expr::Or)
    }

    fn conjunction<'a>(&self, input: &'a str) -> Parsed<'a, Expr> {
        joined(input, "and", |input| self.factor(input), Expr::And)
    }

    fn factor<'a>(&self, input: &'a str) -> Parsed<'a, Expr> {
        let negated = |input| {
            let not = (tag_no_case("not"), blanks, peek(char('(')));
            preceded(not, |input| self.group(input)).parse(input)
        };
        alt((
            map(negated, |inner| Expr::Not(Box::new(inner))),
            |input| self.group(input),
            |input| self.test(input),
        ))
        .parse(input)
    }

    fn group<'a>(&self, input: &'a str) -> Parsed<'a, Expr> {
        let inner = delimited(blanks, |input| self.disjunction(input), blanks);
        delimited(char('('), cut(inner), cut(or_expect(char(')'), "\")\""))).parse(input)
    }

    /// `name[…]` with an optional tail, `name pr` or `name op literal`.
    fn test<'a>(&self, input: &'a str) -> Parsed<'a, Expr> {
        let (rest, name) = self.name(input)?;
        if rest.starts_with('[') && !self.in_bracket {
            let (rest, inner) = self.bracket(rest)?;
            let (rest, tail) = opt(|input| self.tail(input)).parse(rest)?;
            return Ok((rest, Expr::Each(name, Box::new(inner), tail)));
        }
        let (rest, comparison) = cut(comparison).parse(rest)?;
        let expr = match comparison {
            Some((op, literal)) => Expr::Test(name, op, literal),
            None => Expr::Present(name),
        };
        Ok((rest, expr))
    }

    fn bracket<'a>(&self, input: &'a str) -> Parsed<'a, Expr> {
        let inside = Self { in_bracket: true, ..*self };
        let inner = delimited(blanks, |input| inside.disjunction(input), blanks);
        delimited(char('['), cut(inner), cut(or_expect(char(']'), "\"]\""))).parse(input)
    }

    fn tail<'a>(&self, input: &'a str) -> Parsed<'a, Tail> {
        let (rest, _) = char('.').parse(input)?;
        let (rest, sub) = cut(|input| self.name(input)).parse(rest)?;
        let (rest, test) = cut(comparison).parse(rest)?;
        Ok((rest, Tail { sub, test }))
    }

    fn name<'a>(&self, input: &'a str) -> Parsed<'a, Name> {
        let word = take_while1(|c: char| !is_blank(c) && !matches!(c, '[' | ']' | '(' | ')' | '"'));
        let (rest, text) = or_expect(word, "an attribute name")(input)?;
        if is_attribute_name(text) {
            Ok((rest, Name { text: text.to_owned(), at: self.length - input.len() }))
        } else {
            Err(nom::Err::Error(Expected::at(input, "an attribute name")))
        }
    }
}

/// `part (blank word blank part)*`; a single part stays as it is.
fn joined<'a>(
    input: &'a str,
    word: &'static str,
    mut part: impl FnMut(&'a str) -> Parsed<'a, Expr>,
    join: fn(Vec<Expr>) -> Expr,
) -> Parsed<'a, Expr> {
    let (mut rest, first) = part(input)?;
    let mut parts = vec![first];
    while let Ok((after, _)) = joint(word, rest) {
        let (after, next) = cut(&mut part).parse(after)?;
        parts.push(next);
        rest = after;
    }
    let expr = match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    };
    Ok((rest, expr))
}

fn joint<'a>(word: &'static str, input: &'a str) -> Parsed<'a, ()> {
    value((), (blanks1, tag_no_case(word), blanks1)).parse(input)
}

/// `pr`, or an operator and a literal.
fn comparison(input: &str) -> Parsed<'_, Option<(Op, Value)>> {
    let (rest, _) = or_expect(blanks1, "a blank and an operator")(input)?;
    let (after, word) = or_expect(take_while1(|c: char| c.is_ascii_alphabetic()), OPERATORS)(rest)?;
    if word.eq_ignore_ascii_case("pr") {
        return Ok((after, None));
    }
    let op = Op::NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, op)| *op);
    let op = op.ok_or(nom::Err::Error(Expected::at(rest, OPERATORS)))?;
    let (after, literal) = preceded(or_expect(blanks1, "a blank and a value"), literal).parse(after)?;
    Ok((after, Some((op, literal))))
}

const OPERATORS: &str = "an operator (eq, ne, co, sw, ew, gt, ge, lt, le or pr)";

/// A JSON string, number, `true`, `false` or `null`.
fn literal(input: &str) -> Parsed<'_, Value> {
    let token = alt((
        recognize((char('"'), cut(string_body), char('"'))),
        take_while1(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')),
        alt((tag("true"), tag("false"), tag("null"))),
    ));
    let (rest, text) = or_expect(token, LITERAL)(input)?;
    match serde_json::from_str(text) {
        Ok(value) => Ok((rest, value)),
        Err(_) => Err(nom::Err::Error(Expected::at(input, LITERAL))),
    }
}

const LITERAL: &str = "a JSON string, a number, true, false or null";

/// Everything up to the closing quote; serde_json judges the escapes.
fn string_body(input: &str) -> Parsed<'_, &str> {
    let mut escaped = false;
    let end = input.char_indices().find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    match end.and_then(|(at, _)| input.split_at_checked(at)) {
        Some((body, rest)) => Ok((rest, body)),
        None => Err(nom::Err::Error(Expected::at("", "a closing quote"))),
    }
}
