//! What a client wants back from a write (RFC 7240 §4.2).
//!
//! Invariant: a preference that is unknown, or cannot be honoured, changes nothing; one that was honoured is named in
//! `Preference-Applied`.

use actix_web::http::header::HeaderName;

pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Whether the answer to a write shall show the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    Minimal,
    Representation,
}

impl Return {
    /// Reads the header. The first that it says about this counts.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let preferences = elements(header, ',').into_iter();
        let mut values = preferences.filter_map(|preference| {
            let (name, value) = elements(preference, ';').first()?.split_once('=')?;
            name.trim().eq_ignore_ascii_case("return").then_some(value.trim().trim_matches('"'))
        });
        match values.next()?.to_ascii_lowercase().as_str() {
            "minimal" => Some(Self::Minimal),
            "representation" => Some(Self::Representation),
            _ => None,
        }
    }

    /// The value of `Preference-Applied`.
    pub(super) fn applied(self) -> &'static str {
        match self {
            Self::Minimal => "return=minimal",
            Self::Representation => "return=representation",
        }
    }
}

/// The elements of a list that stand between separators outside quotes.
fn elements(list: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    list.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_about_the_body_counts() {
        use Return::{Minimal, Representation};
        for (header, wanted) in [
            ("return=minimal", Some(Minimal)),
            ("Return = \"minimal\"", Some(Minimal)),
            ("respond-async, wait=10, return=representation; x=y", Some(Representation)),
            ("return=representation, return=minimal", Some(Representation)),
            ("x=\"a,return=minimal\"", None),
            ("handling; return=minimal", None),
            ("return=nothing", None),
            ("return", None),
            ("", None),
        ] {
            assert_eq!(Return::parse(header), wanted, "{header}");
        }
    }
}
