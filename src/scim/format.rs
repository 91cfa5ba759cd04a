//! The forms of text values that the standards name (RFC 7643 §4.1, RFC 8265 §3.3).
//!
//! Invariant: only forms that RFC 7643 makes a MUST are refused always (user names); the others are refused only where
//! a profile asks for it, because identity providers send all kinds of text (D26, reading A37).

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::precis_core::{DerivedPropertyValue, FreeformClass, StringClass as _};

use crate::scim::error::ScimError;
use crate::scim::key::decode_base64;
use crate::scim::schema::{Attribute, Type};

/// Whether a character came after Unicode 6.3, with which the tables of the library for PRECIS end. It is as good as those
/// before.
pub fn is_newer(c: char) -> bool {
    FreeformClass::default().get_value_from_char(c) == DerivedPropertyValue::Unassigned
        && category(c) != GeneralCategory::Unassigned
}

/// The general category that Unicode gives a character.
pub fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// A part of a user name, with a letter that the library knows for those that it does not.
fn known(part: &str) -> String {
    let parts = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Mark)
        .union(GeneralCategoryGroup::DecimalNumber);
    part.chars().map(|c| if is_newer(c) && parts.contains(category(c)) { 'x' } else { c }).collect()
}

/// User names obey RFC 8265 UsernameCaseMapped, part by part between blanks and at signs: as in an address, what is
/// written from right to left may stand before a domain that is not.
///
/// # Errors
/// `invalidValue` for characters that a user name cannot have.
pub fn check_user_name(text: &str) -> Result<(), ScimError> {
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic());
    let is_good =
        |part: &str| part.is_empty() || is_plain(part) || UsernameCaseMapped::enforce(known(part)).is_ok();
    if text.split([' ', '@']).all(is_good) {
        return Ok(());
    }
    Err(ScimError::value("userName has a character that user names cannot have (RFC 8265 §3.3)"))
}

/// Checks the form that RFC 7643 gives an attribute, if it gives one.
///
/// # Errors
/// `invalidValue` that names the attribute and the form.
pub fn check(attribute: &Attribute, text: &str, wanted: bool) -> Result<(), ScimError> {
    if !wanted {
        return Ok(());
    }
    let (good, form) = match attribute.path.as_str() {
        "addresses.country" => (is_country(text), "an ISO 3166-1 alpha-2 code like \"US\""),
        "preferredLanguage" => (is_language_range(text), "languages like \"en-US, fr;q=0.5\""),
        "locale" => (is_language_tag(&text.replace('_', "-")), "a language tag like \"en-US\""),
        "timezone" => (is_timezone(text), "an IANA time zone like \"Europe/Paris\""),
        "x509Certificates.value" => (is_one_der_value(text), "one certificate in DER and base64"),
        _ if attribute.kind == Type::Reference => (is_uri_reference(text), "a URI"),
        _ => return Ok(()),
    };
    if good { Ok(()) } else { Err(ScimError::value(format!("{} must be {form}", attribute.path))) }
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// RFC 5646 by shape: subtags of one to eight letters and digits, the first of letters.
fn is_language_tag(text: &str) -> bool {
    let subtag =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text.split('-').all(subtag) && text.bytes().take_while(|&b| b != b'-').all(|b| b.is_ascii_alphabetic())
}

/// RFC 9110 §12.5.4: language ranges with weights, separated by commas.
fn is_language_range(text: &str) -> bool {
    text.split(',').all(|item| {
        let (range, weight) = item.split_once(';').map_or((item, None), |(range, q)| (range, Some(q)));
        let weighs = |q: &str| {
            q.trim()
                .strip_prefix("q=")
                .and_then(|q| q.parse::<f32>().ok())
                .is_some_and(|q| (0.0..=1.0).contains(&q))
        };
        (range.trim() == "*" || is_language_tag(range.trim())) && weight.is_none_or(weighs)
    })
}

/// The IANA names by shape: `Area/Place`, or one of the zones without an area.
fn is_timezone(text: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    match text.split_once('/') {
        Some((area, place)) => word(area) && place.split('/').all(word),
        None => matches!(
            text,
            "UTC" | "GMT" | "UCT" | "Zulu" | "EST" | "MST" | "HST" | "CET" | "MET" | "EET" | "WET"
        ),
    }
}

/// RFC 3986 by its characters.
fn is_uri_reference(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// One DER SEQUENCE that fills the octets (RFC 7643 §4.1.2: a single certificate, never a sequence of them).
fn is_one_der_value(text: &str) -> bool {
    let Some(octets) = decode_base64(text) else { return false };
    let [0x30, first, rest @ ..] = octets.as_slice() else { return false };
    match (usize::from(*first), rest) {
        (short @ ..=0x7f, _) => rest.len() == short,
        (0x81..=0x84, _) => {
            let (length, content) = rest.split_at_checked(usize::from(*first & 0x7f)).unwrap_or_default();
            content.len() == length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_take_letters_of_all_scripts_and_blanks_but_no_controls() {
        for good in [
            "bjensen",
            "a+b@example.com",
            "Zoë Müller",
            "иван",
            "ｊｏｈｎ",
            "\u{1e922}\u{1e923}",
            "\u{1c90}1",
        ] {
            assert!(check_user_name(good).is_ok(), "{good}");
        }
        for bad in ["a\u{7}b", "a\u{200b}b", "tab\there", "\u{1F680}", "\u{1f917}", "\u{378}"] {
            assert!(check_user_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn forms_take_what_the_standards_print_and_refuse_the_rest() {
        type Case = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 5] = [
            (is_country, &["US", "DE"], &["USA", "us", ""]),
            (is_language_range, &["en-US", "en-US, fr;q=0.5", "*"], &["en_US", "en;q=2", ""]),
            (is_language_tag, &["en", "zh-Hant-TW"], &["123", "en--US", ""]),
            (is_timezone, &["Europe/Paris", "America/Argentina/Salta", "UTC"], &["Paris", "europe/paris"]),
            (is_uri_reference, &["https://a.example/x", "Users/1"], &["not a uri ^", ""]),
        ];
        for (check, good, bad) in cases {
            assert!(good.iter().all(|text| check(text)), "{good:?}");
            assert!(!bad.iter().any(|text| check(text)), "{bad:?}");
        }
    }

    #[test]
    fn a_certificate_is_one_der_value() {
        assert!(is_one_der_value("MAMCAQE="));
        assert!(!is_one_der_value("MAMCAQEwAwIBAQ=="), "two in a row");
        assert!(!is_one_der_value("AAAA"));
    }
}
