//! Searches in this API's words → filters in SCIM's.
//!
//! Invariant: names of fields are replaced and everything else stays, so the grammar and its errors are SCIM's. What Muster
//! keeps outside of the SCIM document cannot be searched, and is refused by its name.

use chrono::{DateTime, SecondsFormat};

use crate::contact;
use crate::http::api::Call;
use crate::http::transmit::refusal::Refusal;
use crate::identity::{Query, whose_primary};
use crate::scim::filter::quoted;
use crate::scim::schema::ContactKind;

/// How many users a page has, and the most that it may have.
const PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 5_000;

/// What the parameters of a list ask for.
pub(super) fn query(call: &Call) -> Result<Query, Refusal> {
    let number = |name: &str| {
        let given = call.parameter(name)?;
        let read = given.map(|text| text.parse::<u64>()).transpose();
        read.map_err(|_| Refusal::bad(format!("{name} must be a number that is not negative")))
    };
    let offset = number("page_offset")?.unwrap_or(0);
    let limit = number("page_limit")?.unwrap_or(PAGE);
    if limit > LARGEST_PAGE {
        return Err(Refusal::bad(format!("page_limit must not be greater than {LARGEST_PAGE}")));
    }
    let search = call.parameter("search")?.map(|text| filter(call, &text)).transpose()?;
    let prefix = call.parameter("search_prefix")?.map(|text| {
        let text = quoted(&text);
        format!(
            "({} or {})",
            whose_primary(ContactKind::Email, &format!("sw {text}")),
            whose_primary(ContactKind::Phone, &format!("sw {text}"))
        )
    });
    let filter = match (search, prefix) {
        (Some(search), Some(prefix)) => Some(format!("({search}) and {prefix}")),
        (search, prefix) => search.or(prefix),
    };
    let sort = sorted_by(call.parameter("sort_field")?.as_deref().unwrap_or("created_at"))?;
    let descending = is_descending(call.parameter("sort_order")?.as_deref())?;
    Ok(Query { filter, sort: Some(sort.to_owned()), descending, offset, limit })
}

/// The path of the attribute to sort by.
pub(super) fn sorted_by(field: &str) -> Result<&'static str, Refusal> {
    match field {
        "email" => Ok("emails.value"),
        "phone_number" => Ok("phoneNumbers.value"),
        // Muster is not told of logins, so nobody has one.
        "created_at" | "last_auth" => Ok("meta.created"),
        _ => Err(Refusal::bad("sort_field must be one of email, created_at, phone_number, last_auth")),
    }
}

/// Whether the greatest come first.
pub(super) fn is_descending(order: Option<&str>) -> Result<bool, Refusal> {
    match order {
        None | Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(_) => Err(Refusal::bad("sort_order must be one of asc, desc")),
    }
}

/// An expression in this API's words as a SCIM filter.
pub(super) fn filter(call: &Call, text: &str) -> Result<String, Refusal> {
    let region = call.context.caller.profile.contacts.region;
    let mut tokens = tokens(text).into_iter();
    let mut out: Vec<String> = Vec::new();
    while let Some(token) = tokens.next() {
        if matches!(&*token.to_ascii_lowercase(), "(" | ")" | "and" | "or" | "not") {
            out.push(token);
            continue;
        }
        let missing = || Refusal::bad(format!("search: something is missing behind {token}"));
        let operator = tokens.next().ok_or_else(missing)?;
        let value = match operator.eq_ignore_ascii_case("pr") {
            true => String::new(),
            false => tokens.next().ok_or_else(missing)?,
        };
        out.push(condition(&token, &operator, &value, region)?);
    }
    Ok(out.join(" "))
}

/// One comparison.
fn condition(
    field: &str,
    operator: &str,
    value: &str,
    region: Option<contact::Region>,
) -> Result<String, Refusal> {
    let plain = |path: &str| format!("{path} {operator} {value}");
    let secondary = |attribute: &str| match value {
        "" => format!("{attribute}[not (primary eq true)]"),
        value => format!("{attribute}[not (primary eq true) and value {operator} {value}]"),
    };
    Ok(match &*field.to_ascii_lowercase() {
        "external_user_id" => plain("externalId"),
        "username" => plain("userName"),
        "user_id" => plain("id"),
        "email" => whose_primary(ContactKind::Email, &format!("{operator} {value}")),
        "phone_number" => {
            let value = number(value, region);
            whose_primary(ContactKind::Phone, &format!("{operator} {value}"))
        }
        "secondary_emails" => secondary("emails"),
        "secondary_phone_numbers" => secondary("phoneNumbers"),
        "created_at" => format!("meta.created {operator} {}", instant(value)),
        "updated_at" => format!("meta.lastModified {operator} {}", instant(value)),
        "name.first_name" => plain("name.givenName"),
        "name.middle_name" => plain("name.middleName"),
        "name.last_name" => plain("name.familyName"),
        "language" => plain("preferredLanguage"),
        "status" => status(operator, value)?,
        _ => return Err(Refusal::bad(format!("search: {field} cannot be searched"))),
    })
}

/// Whether the account may be used; who was never there may.
fn status(operator: &str, value: &str) -> Result<String, Refusal> {
    let is_disabled = match value {
        "\"Disabled\"" => true,
        "\"Active\"" => false,
        _ => return Err(Refusal::bad("search: status can be compared with \"Active\" and \"Disabled\"")),
    };
    let is_equal = match &*operator.to_ascii_lowercase() {
        "eq" => true,
        "ne" => false,
        _ => return Err(Refusal::bad("search: status can be compared by eq and ne")),
    };
    Ok(if is_disabled == is_equal { "active eq false" } else { "not (active eq false)" }.to_owned())
}

/// A number in its canonical form, where it is one.
fn number(value: &str, region: Option<contact::Region>) -> String {
    let text = serde_json::from_str::<String>(value);
    let number = text.ok().and_then(|text| contact::number(&text, region));
    number.map_or_else(|| value.to_owned(), |number| quoted(&number))
}

/// An instant, of which this API also writes the milliseconds since 1970.
fn instant(value: &str) -> String {
    let millis = value.trim_matches('"').parse().ok().and_then(DateTime::from_timestamp_millis);
    millis.map_or_else(|| value.to_owned(), |at| quoted(&at.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

/// Brackets, texts in quotation marks, and words.
fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut token = String::from(letter);
        match letter {
            letter if letter.is_whitespace() => continue,
            '(' | ')' => {}
            '"' => {
                let mut is_escaped = false;
                for letter in letters.by_ref() {
                    token.push(letter);
                    if letter == '"' && !is_escaped {
                        break;
                    }
                    is_escaped = letter == '\\' && !is_escaped;
                }
            }
            _ => {
                let ends = |letter: &char| letter.is_whitespace() || matches!(letter, '(' | ')' | '"');
                while let Some(letter) = letters.next_if(|letter| !ends(letter)) {
                    token.push(letter);
                }
            }
        }
        out.push(token);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(field: &str, operator: &str, value: &str) -> String {
        condition(field, operator, value, Some("CH".parse().unwrap())).unwrap()
    }

    #[test]
    fn an_expression_needs_no_blanks() {
        let tokens = tokens(r#"(a eq "x (\"y\")")and(b sw "z")or not(c pr)"#);
        let expected = [
            "(",
            "a",
            "eq",
            r#""x (\"y\")""#,
            ")",
            "and",
            "(",
            "b",
            "sw",
            "\"z\"",
            ")",
            "or",
            "not",
            "(",
            "c",
            "pr",
            ")",
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn a_field_becomes_an_attribute() {
        assert_eq!(translated("external_user_id", "eq", "\"7\""), "externalId eq \"7\"");
        assert_eq!(translated("name.last_name", "pr", ""), "name.familyName pr ");
        assert!(translated("phone_number", "eq", "\"079 123 45 67\"").contains("value eq \"+41791234567\""));
        assert_eq!(
            translated("created_at", "ge", "1700000000000"),
            "meta.created ge \"2023-11-14T22:13:20.000Z\""
        );
        assert_eq!(translated("status", "ne", "\"Disabled\""), "not (active eq false)");
        assert!(condition("custom_app_data.x", "eq", "1", None).is_err());
    }
}
