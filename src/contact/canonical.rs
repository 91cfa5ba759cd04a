//! When two spellings are the same address or the same number: the canonical form that is compared and indexed.
//!
//! Invariant: a text that is no number stays a text, so that what an identity provider pushes is never refused; only
//! [`admitted`], which commands use, says no.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use phonenumber::country;

use crate::scim::key::Key;
use crate::scim::schema::ContactKind;

/// The longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3 less the angle brackets).
const ADDRESS_LIMIT: usize = 254;
/// The longest text that is looked at as a phone number, in bytes.
const NUMBER_LIMIT: usize = 250;

/// A country or territory whose national phone numbers are understood, by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(country::Id);

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        text.to_ascii_uppercase().parse().map(Self).map_err(|_| UnknownRegion)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

/// A text that is the code of no country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRegion;

impl fmt::Display for UnknownRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not the two letters of a country, as in CH")
    }
}

/// What two spellings of one address or number have in common.
pub fn canonical(kind: ContactKind, text: &str, region: Option<Region>) -> String {
    match kind {
        ContactKind::Email => mailbox(text.trim()),
        ContactKind::Phone => number(text, region).unwrap_or_else(|| without_separators(text)),
    }
}

/// An address or number as it is stored, if the text is one.
pub fn admitted(kind: ContactKind, text: &str, region: Option<Region>) -> Option<String> {
    match kind {
        ContactKind::Email => address(text),
        ContactKind::Phone => number(text, region),
    }
}

/// The address in lower case, its domain as people read it (RFC 5890 calls that U-labels), whichever way it is written.
fn mailbox(text: &str) -> String {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Key::lowered(text).as_str().to_owned();
    };
    let (local, domain) = (Key::lowered(local), Key::lowered(domain));
    let is_plain = domain.as_str().is_ascii() && !domain.as_str().contains("xn--");
    let unicode = match is_plain {
        true => None,
        false => Some(idna::domain_to_unicode(domain.as_str())).filter(|(_, is_good)| is_good.is_ok()),
    };
    let domain = unicode.as_ref().map_or(domain.as_str(), |(domain, _)| domain);
    format!("{}@{domain}", local.as_str())
}

/// An e-mail address as it is stored, if it is one: something, an at sign, and a domain (RFC 5321 §4.1.2, and
/// RFC 6531 for other scripts). Display names and comments are none.
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"()<>[]:;,\\\"@".contains(c);
    let dots = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
    let local_is_good = is_quoted && !local.contains(char::is_control)
        || !local.is_empty() && local.chars().all(plain) && dots(local);
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || !c.is_ascii() && plain(c);
        !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let good = text.len() <= ADDRESS_LIMIT && local_is_good && domain.split('.').all(label);
    good.then(|| text.to_owned())
}

/// A phone number in E.164 if the text is one: international, national of the region, or a `tel:` URI (RFC 3966).
/// An extension stays behind the number.
pub fn number(text: &str, region: Option<Region>) -> Option<String> {
    let text = &typed(text);
    let text = text.trim();
    let head = text.get(..4).filter(|head| head.eq_ignore_ascii_case("tel:"));
    let text = head.and_then(|_| text.get(4..)).unwrap_or(text);
    let (number, extension) = extension(text)?;
    let plain = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-.()/".contains(c);
    if number.len() > NUMBER_LIMIT || !number.chars().all(plain) {
        return None;
    }
    let number: String = number.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let parsed = phonenumber::parse(region.map(|region| region.0), number).ok()?;
    let number = format!("+{}{}", parsed.code().value(), parsed.national());
    Some(extension.map_or(number.clone(), |extension| format!("{number};ext={extension}")))
}

/// The text as a keyboard for ASCII would have it: digits of other scripts, wide characters and dashes become their plain
/// ones, and marks of direction, which address books put around numbers, go.
fn typed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain = text.chars().filter_map(|c| match c {
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => None,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '－' => Some('-'),
        '＋' => Some('+'),
        '（' => Some('('),
        '）' => Some(')'),
        _ => Some(digit(c).unwrap_or(c)),
    });
    Cow::Owned(plain.collect())
}

/// The ASCII digit of a decimal digit of the scripts in which people type numbers.
fn digit(c: char) -> Option<char> {
    // Arabic and its eastern form, Devanagari, Bengali, Gurmukhi, Gujarati, Tamil, Telugu, Kannada, Malayalam, Thai, wide.
    let zeros = ['٠', '۰', '०', '০', '੦', '૦', '௦', '౦', '೦', '൦', '๐', '０'];
    let value = zeros.into_iter().filter_map(|zero| u32::from(c).checked_sub(u32::from(zero)));
    value.filter(|value| *value < 10).find_map(|value| char::from_digit(value, 10))
}

/// What stands before and behind the word for an extension; none where something else than digits is behind it.
fn extension(text: &str) -> Option<(&str, Option<&str>)> {
    let lower = text.to_ascii_lowercase();
    for word in [";ext=", "ext.", "ext", "x"] {
        let Some(at) = lower.find(word) else { continue };
        let (number, tail) = (text.get(..at)?, text.get(at + word.len()..)?.trim());
        let is_extension = (1..=11).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_digit());
        return is_extension.then_some((number, Some(tail)));
    }
    Some((text, None))
}

/// The text without `tel:` and the visual separators of RFC 3966, where digits are all that is left then.
fn without_separators(text: &str) -> String {
    let key = Key::folded(typed(text).trim());
    let key = key.as_str();
    let number = key.strip_prefix("tel:").unwrap_or(key);
    let number: String =
        number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')') && !c.is_whitespace()).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        number
    } else {
        key.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swiss() -> Option<Region> {
        Some("ch".parse().unwrap())
    }

    #[test]
    fn spellings_of_a_phone_number_meet() {
        let all =
            [" +41 79 123 45 67", "TEL:+41-79-123-45-67", "+41791234567", "079 123 45 67", "0041791234567"];
        for spelling in all {
            assert_eq!(canonical(ContactKind::Phone, spelling, swiss()), "+41791234567", "{spelling}");
        }
        for spelling in ["tel:+1-201-555-0123", "+1 (201) 555.0123", "+12015550123"] {
            assert_eq!(number(spelling, None).as_deref(), Some("+12015550123"), "{spelling}");
        }
    }

    #[test]
    fn an_extension_makes_another_number() {
        assert_eq!(number("tel:+1-201-555-0123;ext=7", None).as_deref(), Some("+12015550123;ext=7"));
        assert_eq!(number("+1 201 555 0123 ext. 7", None).as_deref(), Some("+12015550123;ext=7"));
    }

    #[test]
    fn what_is_no_number_stays_a_text() {
        for text in ["ext. 12", "tel:7042;phone-context=example.com", "", "tel:", "+", "call me"] {
            assert_eq!(number(text, None), None, "{text}");
            assert_eq!(canonical(ContactKind::Phone, text, None), text);
        }
        assert_eq!(canonical(ContactKind::Phone, "079 123-45.67", None), "0791234567");
        assert_eq!(number(&format!("+41{}", "7".repeat(300)), None), None);
    }

    #[test]
    fn addresses_meet_whatever_their_case_and_the_way_their_domain_is_written() {
        for (spellings, wanted) in [
            (&[" Anna@Example.COM ", "anna@example.com"][..], "anna@example.com"),
            (
                &["Ä@MÜNCHEN.example", "a\u{308}@mu\u{308}nchen.example", "ä@XN--mnchen-3ya.example"],
                "ä@münchen.example",
            ),
            (&["דנה@דוגמה.example", "דנה@xn--6dbbec0c.example"], "דנה@דוגמה.example"),
            (&["x@例え。テスト", "x@xn--r8jz45g.xn--zckzah"], "x@例え.テスト"),
            (&["x@straße.example", "x@xn--strae-oqa.example"], "x@straße.example"),
            (&["x@xn--a.example"], "x@xn--a.example"),
            (&["İpek@x.example"], "i\u{307}pek@x.example"),
            (&["no address", "NO ADDRESS"], "no address"),
        ] {
            for spelling in spellings {
                assert_eq!(canonical(ContactKind::Email, spelling, None), wanted, "{spelling}");
            }
        }
    }

    #[test]
    fn addresses_that_others_may_have_do_not_meet() {
        let canonical = |text| canonical(ContactKind::Email, text, None);
        for (one, other) in [
            ("straße@x.example", "strasse@x.example"),
            ("ſam@x.example", "sam@x.example"),
            ("ılk@x.example", "ilk@x.example"),
            ("ｓam@x.example", "sam@x.example"),
            ("x@straße.example", "x@strasse.example"),
            ("x😀@x.example", "x@x.example"),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one}");
        }
    }

    #[test]
    fn numbers_meet_whatever_the_script_and_what_address_books_put_around_them() {
        for spelling in [
            "\u{202a}+41 79 123 45 67\u{202c}",
            "＋４１ ７９ １２３ ４５ ６７",
            "+٤١ ٧٩ ١٢٣ ٤٥ ٦٧",
            "+۴۱ ۷۹ ۱۲۳ ۴۵ ۶۷",
            "+४१ ७९ १२३ ४५ ६७",
            "+41\u{a0}79\u{2011}123\u{2013}45\u{2212}67",
            "٠٧٩ ١٢٣ ٤٥ ٦٧",
        ] {
            assert_eq!(canonical(ContactKind::Phone, spelling, swiss()), "+41791234567", "{spelling}");
        }
        assert_eq!(canonical(ContactKind::Phone, "٠٧٩ ١٢٣", None), "079123");
    }

    #[test]
    fn an_address_has_a_local_part_and_a_domain() {
        for good in ["a@b", "anna.b+c@example.com", "\"a b\"@example.com", "ä@münchen.example", " a@b.c "] {
            assert_eq!(address(good).as_deref(), Some(good.trim()), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            "Anna <a@b>",
            "a@b..c",
            ".a@b",
            "a@-b",
            "a@b,c@d",
            &long,
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_region_is_two_letters() {
        assert_eq!("ch".parse::<Region>().unwrap().to_string(), "CH");
        for wrong in ["", "c", "XX", "CHE", "Schweiz"] {
            assert_eq!(wrong.parse::<Region>(), Err(UnknownRegion), "{wrong}");
        }
    }
}
