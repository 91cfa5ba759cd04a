//! The one definition of comparison: every value that is compared becomes a [`Key`] (RFC 7643 §2.2, RFC 7644 §3.4.2.2).
//!
//! Invariant: two values of an attribute are equal, or one is less, exactly when their keys' bytes are. Filter
//! literals, index rows and values in memory all come through [`Key::of`], so no two readers can disagree.
//!
//! A key is text whose byte order is the order of the values:
//! - text: after NFC, folded unless case-exact; user names after the mappings of RFC 8265;
//! - numbers: the order-preserving bits of the `f64` in hexadecimal, then those of the `i64` for whole numbers,
//!   so that large integers stay exact;
//! - instants: `YYYY-MM-DDTHH:MM:SS[.fraction]` in UTC, without trailing zeros;
//! - octets: canonical base64; booleans: `false` and `true`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Datelike as _, Days, NaiveDateTime, SecondsFormat, Utc};
use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use serde_json::Value;

use crate::scim::schema::{Attribute, Comparison, Type};

/// A value in its comparable form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key of a value of this attribute; none when the value is not of the attribute's type.
    pub fn of(attribute: &Attribute, value: &Value) -> Option<Self> {
        let text = match (attribute.comparison, value) {
            (Comparison::Exact, Value::String(text)) => nfc(text).into_owned(),
            (Comparison::Folded, Value::String(text)) => fold(text),
            (Comparison::UserName, Value::String(text)) => fold_user_name(text),
            (Comparison::ResourceUri, Value::String(text)) => resource_uri(text).to_owned(),
            (Comparison::Boolean, Value::Bool(flag)) => flag.to_string(),
            (Comparison::Number, Value::Number(number)) => number_key(attribute.kind, number)?,
            (Comparison::Instant, Value::String(text)) => instant_key(parse_instant(text)?),
            (Comparison::Octets, Value::String(text)) => STANDARD.encode(decode_base64(text)?),
            _ => return None,
        };
        Some(Self(text))
    }

    /// The key of an instant, as `meta.created` and `meta.lastModified` are stored.
    pub fn of_instant(instant: DateTime<Utc>) -> Self {
        Self(instant_key(instant))
    }

    /// The key of text that is compared without regard to case.
    pub fn folded(text: &str) -> Self {
        Self(fold(text))
    }

    /// The key of a name to log in by.
    pub fn user_name(text: &str) -> Self {
        Self(fold_user_name(text))
    }

    /// The key of text that is compared in lower case, where ß is not ss and ſ is not s: whoever has one need not
    /// have the other.
    pub fn lowered(text: &str) -> Self {
        Self(nfc(&nfc(text).to_lowercase()).into_owned())
    }

    /// A key that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The comparable text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value counts as no value at all (reading A3).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least text that is greater than every text that begins with this one; none if there is none.
    pub fn after_prefix(&self) -> Option<String> {
        let mut chars: Vec<char> = self.0.chars().collect();
        while let Some(last) = chars.pop() {
            if let Some(next) = next_char(last) {
                chars.push(next);
                return Some(chars.into_iter().collect());
            }
        }
        None
    }
}

fn next_char(c: char) -> Option<char> {
    let next = u32::from(c) + 1;
    // The surrogates are no characters: their range is stepped over.
    char::from_u32(if next == 0xD800 { 0xE000 } else { next })
}

fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { ComposingNormalizer::new_nfc().normalize(text) }
}

/// Case-insensitive text: NFC, then full case folding, then NFC again, because folding can undo it.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed = nfc(text);
    let folded = CaseMapper::new().fold_string(&composed);
    nfc(&folded).into_owned()
}

/// RFC 8265 §3.3 UsernameCaseMapped: width mapping, lower case, NFC. For the characters that a user name may
/// have, NFKC does the width mapping and nothing else. Whether it may have them is checked when it is admitted.
/// Lower case has two sigmas, of which the last letter of a word is one: they are the same here, so that the
/// beginning of a name is the beginning of its key.
fn fold_user_name(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let nfkc = ComposingNormalizer::new_nfkc();
    let lower = nfkc.normalize(text).to_lowercase().replace('ς', "σ");
    nfkc.normalize(&lower).into_owned()
}

/// `Users/ID` of `https://host/base/v2/Users/ID`; text without a slash as it is.
fn resource_uri(uri: &str) -> &str {
    let before_type = uri.rmatch_indices('/').nth(1);
    before_type.and_then(|(at, _)| uri.get(at + 1..)).unwrap_or(uri)
}

fn number_key(kind: Type, number: &serde_json::Number) -> Option<String> {
    // Adding zero makes -0.0 and 0.0, which are the same number, the same bits.
    let float = number.as_f64()? + 0.0;
    let bits = float.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    match whole(number, float) {
        Some(whole) if kind == Type::Integer => {
            let shifted = whole.cast_unsigned() ^ 1 << 63;
            Some(format!("{ordered:016x}{shifted:016x}"))
        }
        _ => Some(format!("{ordered:016x}")),
    }
}

/// The whole number that it is, also where a filter writes it as `5.0` or `5e0`.
fn whole(number: &serde_json::Number, float: f64) -> Option<i64> {
    // Up to here every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let from_float = || (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64);
    number.as_i64().or_else(from_float)
}

fn instant_key(instant: DateTime<Utc>) -> String {
    let text = instant.to_rfc3339_opts(SecondsFormat::Nanos, true);
    let (seconds, fraction) = text.trim_end_matches('Z').split_once('.').unwrap_or((&text, ""));
    match fraction.trim_end_matches('0') {
        "" => seconds.to_owned(),
        fraction => format!("{seconds}.{fraction}"),
    }
}

/// Reads an `xsd:dateTime` (RFC 7643 §2.3.5): date and time; without a zone it is UTC (reading A31);
/// `t` and `z` may be lower-case. Years have four digits, so that keys keep their order.
///
/// XML Schema lets `24:00:00` end a day, and has no leap seconds: chrono knows the latter only.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let mut text = text.to_ascii_uppercase();
    let has_shape = text.len() >= SHAPE.len() && text.bytes().zip(SHAPE).all(fits);
    if !has_shape || text.get(17..19) == Some("60") {
        return None;
    }
    let ends_day = text.get(11..19) == Some("24:00:00");
    if ends_day {
        text = text.replacen("T24", "T00", 1);
    }
    let instant = DateTime::parse_from_rfc3339(&text)
        .map(|instant| instant.to_utc())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").map(|local| local.and_utc())
        })
        .ok()?;
    let instant = match ends_day {
        true if instant.timestamp_subsec_nanos() == 0 => instant.checked_add_days(Days::new(1))?,
        true => return None,
        false => instant,
    };
    (0..=9999).contains(&instant.year()).then_some(instant)
}

/// An `xsd:dateTime` up to its seconds, `0` standing for any digit: chrono would take fewer digits, too.
const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";

fn fits((byte, shape): (u8, &u8)) -> bool {
    if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape }
}

/// Base64 of RFC 4648 §4; padding may be omitted (RFC 7643 §2.3.6).
const LENIENT_PADDING: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The octets of a binary value.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    LENIENT_PADDING.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::{Placement, Schema};

    fn attribute(characteristics: Value) -> std::sync::Arc<Attribute> {
        let mut document = json!({"name": "a"});
        let object = document.as_object_mut().unwrap();
        object.extend(characteristics.as_object().unwrap().clone());
        let schema = json!({"id": "urn:x", "attributes": [document]});
        let schema = Schema::parse(&schema, Placement::Base).unwrap();
        std::sync::Arc::clone(&schema.attributes[0])
    }

    fn ordered(characteristics: Value, values: &[Value]) {
        let attribute = attribute(characteristics);
        let keys: Vec<Key> = values.iter().map(|value| Key::of(&attribute, value).unwrap()).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
    }

    #[test]
    fn numbers_order_by_size() {
        ordered(
            json!({"type": "decimal"}),
            &[json!(-2.5), json!(-1), json!(0), json!(0.5), json!(9), json!(10)],
        );
    }

    #[test]
    fn a_number_has_one_key_however_it_is_written() {
        for (kind, same) in [("integer", ["5", "5.0", "5e0"]), ("decimal", ["0", "0.0", "-0.0"])] {
            let attribute = attribute(json!({"type": kind}));
            let keys = same.map(|text| Key::of(&attribute, &serde_json::from_str(text).unwrap()).unwrap());
            assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        }
    }

    #[test]
    fn integers_beyond_the_precision_of_floats_differ() {
        let values = [json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_993_i64), json!(i64::MAX)];
        ordered(json!({"type": "integer"}), &values);
    }

    #[test]
    fn instants_order_by_time_whatever_their_zone_and_precision() {
        let values = [
            json!("2011-05-13T04:42:34+02:00"),
            json!("2011-05-13t02:42:34.1z"),
            json!("2011-05-13T02:42:34.12"),
            json!("2011-05-13T02:42:40Z"),
        ];
        ordered(json!({"type": "dateTime"}), &values);
    }

    #[test]
    fn a_date_alone_is_no_instant() {
        let bad =
            ["2011-05-13", "2011-05-13 04:42:34Z", "", "24:00", "2011-05-13T4:2:1", "+2011-5-13T04:42:34"];
        for text in bad {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn folded_text_compares_without_case_and_composition() {
        let attribute = attribute(json!({}));
        let key = |text: &str| Key::of(&attribute, &json!(text)).unwrap();
        assert_eq!(key("STRASSE"), key("straße"));
        assert_eq!(key("e\u{301}"), key("É"));
        assert_ne!(key("a"), key("b"));
    }

    #[test]
    fn case_exact_text_compares_letter_by_letter() {
        let attribute = attribute(json!({"caseExact": true}));
        let key = |text: &str| Key::of(&attribute, &json!(text)).unwrap();
        assert_ne!(key("A"), key("a"));
        assert_eq!(key("e\u{301}"), key("é"));
    }

    #[test]
    fn user_names_compare_as_rfc_8265_says() {
        assert_eq!(fold_user_name("ｊｏｈｎ"), "john");
        assert_eq!(fold_user_name("E\u{301}va"), "éva");
        assert_ne!(fold_user_name("ß"), fold_user_name("ss"));
        assert!(fold_user_name("ΟΔΟΣΑ").starts_with(&fold_user_name("ΟΔΟΣ")));
    }

    #[test]
    fn uris_of_resources_compare_without_base_and_version() {
        assert_eq!(resource_uri("https://a.example/scim/v2/Users/1"), "Users/1");
        assert_eq!(resource_uri("/Users/1"), "Users/1");
        assert_eq!(resource_uri("Users/1"), "Users/1");
        assert_eq!(resource_uri("1"), "1");
    }

    #[test]
    fn octets_compare_decoded() {
        let attribute = attribute(json!({"type": "binary"}));
        assert_eq!(Key::of(&attribute, &json!("YQ==")), Key::of(&attribute, &json!("YQ")));
        assert_eq!(Key::of(&attribute, &json!("%%%")), None);
    }

    #[test]
    fn the_text_after_a_prefix_bounds_it() {
        assert_eq!(Key::stored("ab").after_prefix().unwrap(), "ac");
        assert_eq!(Key::stored("a\u{10ffff}").after_prefix().unwrap(), "b");
        assert_eq!(Key::stored("\u{d7ff}").after_prefix().unwrap(), "\u{e000}");
        assert_eq!(Key::stored("\u{10ffff}").after_prefix(), None);
    }
}
