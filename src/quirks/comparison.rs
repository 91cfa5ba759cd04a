//! The comparisons in the text of a filter or PATCH path, found with less than the filter grammar asks for.
//!
//! Invariant: only literals are ever replaced, and only where the attribute on their left is known. A text whose
//! shape is not understood gives nothing, so that strict SCIM sees it, and says what is wrong, as it was sent.

use std::ops::Range;
use std::sync::Arc;

use crate::scim::filter::Op;
use crate::scim::registry::{AttributeName, Path};
use crate::scim::schema::{Attribute, Type};

/// `attribute op literal` in a text.
pub(super) struct Comparison<'a> {
    /// The simple attribute on the left.
    pub(super) attribute: Arc<Attribute>,
    /// The operator.
    pub(super) op: Op,
    /// The right-hand side as it is written: a JSON string with its quotes, or a bare word.
    pub(super) literal: &'a str,
    /// Where the literal stands, in bytes.
    at: Range<usize>,
}

type Resolve<'r> = &'r dyn Fn(&AttributeName<'_>) -> Option<Path>;

/// The text with every literal replaced for which `rewrite` gives another; none if there is none.
pub(super) fn rewrite(
    text: &str,
    resolve: Resolve<'_>,
    rewrite: fn(&Comparison<'_>) -> Option<String>,
) -> Option<String> {
    let comparisons = Reader { text, rest: text, resolve, found: Vec::new() }.read()?;
    let mut out = String::new();
    let mut copied = 0;
    for comparison in &comparisons {
        if let Some(literal) = rewrite(comparison) {
            out.push_str(text.get(copied..comparison.at.start)?);
            out.push_str(&literal);
            copied = comparison.at.end;
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(text.get(copied..)?);
    Some(out)
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The value path in which a reader stands.
struct Bracket {
    /// What is in front of the bracket, if it is known.
    path: Option<Path>,
    /// How many parentheses were open there.
    depth: usize,
}

struct Reader<'a, 'r> {
    text: &'a str,
    rest: &'a str,
    resolve: Resolve<'r>,
    found: Vec<Comparison<'a>>,
}

impl<'a> Reader<'a, '_> {
    /// All comparisons; none if the text has another shape than `operand (and|or operand)*`.
    fn read(mut self) -> Option<Vec<Comparison<'a>>> {
        let mut depth = 0usize;
        let mut bracket: Option<Bracket> = None;
        loop {
            self.blanks();
            if self.eat('(') {
                depth += 1;
                continue;
            }
            let name = self.word()?;
            if name.eq_ignore_ascii_case("not") && self.rest.trim_start_matches(BLANKS).starts_with('(') {
                continue;
            }
            if self.eat('[') {
                // A value path inside another is refused by strict SCIM.
                if bracket.is_some() {
                    return None;
                }
                bracket = Some(Bracket { path: (self.resolve)(&AttributeName::split(name)), depth });
                continue;
            }
            let left = match &bracket {
                Some(bracket) => bracket.path.as_ref().and_then(|path| inner(path, name)),
                None => {
                    (self.resolve)(&AttributeName::split(name)).map(|path| Arc::clone(path.to_value().leaf()))
                }
            };
            self.comparison(left)?;
            if self.close(&mut depth, &mut bracket)? {
                return (depth == 0 && bracket.is_none()).then_some(self.found);
            }
        }
    }

    /// Reads what may follow an operand: closing brackets, then `and`, `or` or the end; says whether it is the end.
    fn close(&mut self, depth: &mut usize, bracket: &mut Option<Bracket>) -> Option<bool> {
        loop {
            let blank = self.blanks();
            if self.rest.is_empty() {
                return Some(true);
            }
            if self.eat(')') {
                *depth = depth.checked_sub(1)?;
            } else if self.eat(']') {
                let closed = bracket.take().filter(|bracket| bracket.depth == *depth)?;
                if self.eat('.') {
                    let sub = self.word()?;
                    if !self.rest.is_empty() {
                        self.comparison(closed.path.as_ref().and_then(|path| inner(path, sub)))?;
                    }
                }
            } else {
                let word = self.word()?;
                let joins = word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or");
                return (blank && joins && self.rest.starts_with(BLANKS)).then_some(false);
            }
        }
    }

    /// Reads ` pr` or ` op literal`.
    fn comparison(&mut self, attribute: Option<Arc<Attribute>>) -> Option<()> {
        let blank = self.blanks();
        let word = self.word().filter(|_| blank)?;
        if word.eq_ignore_ascii_case("pr") {
            return Some(());
        }
        let (_, op) = Op::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        let blank = self.blanks();
        let start = self.text.len() - self.rest.len();
        let literal = self.literal().filter(|_| blank)?;
        if let Some(attribute) = attribute.filter(|attribute| attribute.kind != Type::Complex) {
            let at = start..start + literal.len();
            self.found.push(Comparison { attribute, op: *op, literal, at });
        }
        Some(())
    }

    /// A JSON string, or everything up to a blank, `)` or `]`. A bare word with quotes or escapes in it has too many
    /// meanings to choose from, and single quotes stay refused (reading A47).
    fn literal(&mut self) -> Option<&'a str> {
        let length = match self.rest.strip_prefix('"') {
            Some(body) => 2 + string_length(body)?,
            None => self.rest.find([' ', '\t', ')', ']']).unwrap_or(self.rest.len()),
        };
        let literal = self.take(length)?;
        let is_clear =
            literal.starts_with('"') || !literal.starts_with('\'') && !literal.contains(['"', '\\']);
        (!literal.is_empty() && is_clear).then_some(literal)
    }

    fn word(&mut self) -> Option<&'a str> {
        let end = self.rest.find([' ', '\t', '(', ')', '[', ']', '"']).unwrap_or(self.rest.len());
        self.take(end).filter(|word| !word.is_empty())
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches(BLANKS);
        self.rest.len() < before
    }
}

/// The attribute that a name inside brackets means: a sub-attribute, or `value` of a simple one (reading A48).
fn inner(path: &Path, name: &str) -> Option<Arc<Attribute>> {
    let attribute = &path.attribute;
    if attribute.kind == Type::Complex {
        return attribute.sub(name).cloned();
    }
    name.eq_ignore_ascii_case("value").then(|| Arc::clone(attribute))
}

/// The bytes before the quote that closes a JSON string.
fn string_length(body: &str) -> Option<usize> {
    let mut escaped = false;
    body.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
