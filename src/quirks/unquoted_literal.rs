//! `unquoted-literal`: text in a filter without its quotes.
//!
//! Who: Microsoft's Postman collection and older pages of Entra's documentation (`externalId eq jyoung`, D08). They send
//! a word up to a blank or closing bracket and mean a string:
//!
//! ```text
//! name.familyName eq Man and (emails.value co example.com or externalId eq 12345)
//! name.familyName eq "Man" and (emails.value co "example.com" or externalId eq "12345")
//! ```
//!
//! `true`, `false` and `null` are literals, and a word in single quotes stays refused (reading A47).

use serde_json::Value;

use crate::quirks::comparison::Comparison;
use crate::scim::key::Key;

/// Quotes a bare word where the attribute takes text, and would take this one.
pub(super) fn rewrite(comparison: &Comparison<'_>) -> Option<String> {
    let word = comparison.literal;
    if word.starts_with('"') || matches!(word, "true" | "false" | "null") {
        return None;
    }
    let quoted = Value::from(word);
    Key::of(&comparison.attribute, &quoted).map(|_| quoted.to_string())
}
