//! Entity tags and preconditions (RFC 7644 §3.14, RFC 9110 §13).
//!
//! Invariant: a resource's tag is weak, because views with other attributes share it, and tags are compared by
//! their opaque part alone (reading A13).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The entity tag of a version.
pub fn etag(version: i64) -> String {
    ["W/\"", &version.to_string(), "\""].concat()
}

/// The opaque part of the tag of what has no version: the same for the same content.
pub fn fingerprint(content: &str) -> String {
    let hash = Sha256::digest(content);
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or(&hash))
}

/// What a request demands of the version that it meets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    OneOf(Vec<String>),
}

impl Condition {
    /// Reads the two headers.
    pub fn from_headers(if_match: Option<&str>, if_none_match: Option<&str>) -> Self {
        Self { if_match: if_match.map(Tags::parse), if_none_match: if_none_match.map(Tags::parse) }
    }

    /// Whether a write may proceed on a resource of this version; if not, the answer is 412.
    pub fn allows_write(&self, version: i64) -> bool {
        let tag = version.to_string();
        self.if_match.as_ref().is_none_or(|tags| tags.has(&tag)) && !self.knows(&tag)
    }

    /// Whether a read may be answered with 304.
    pub fn is_not_modified(&self, version: i64) -> bool {
        self.knows(&version.to_string())
    }

    /// Whether the client has what this tag, without quotes, stands for.
    pub fn knows(&self, tag: &str) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.has(tag))
    }
}

impl Tags {
    /// A list of tags, quoted or (some clients) not; `*` is any.
    fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        let opaque = |tag: &str| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()
        };
        Self::OneOf(header.split(',').map(opaque).collect())
    }

    fn has(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|other| other == tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_compare_by_their_opaque_part() {
        for header in ["W/\"3\"", "\"3\"", "3", "\"1\", W/\"3\"", "*"] {
            assert!(Condition::from_headers(Some(header), None).allows_write(3), "{header}");
            assert!(Condition::from_headers(None, Some(header)).is_not_modified(3), "{header}");
            assert!(!Condition::from_headers(None, Some(header)).allows_write(3), "{header}");
        }
        for header in ["W/\"4\"", "\"33\"", "", "garbage"] {
            assert!(!Condition::from_headers(Some(header), None).allows_write(3), "{header}");
            assert!(!Condition::from_headers(None, Some(header)).is_not_modified(3), "{header}");
        }
    }

    #[test]
    fn no_header_demands_nothing() {
        assert!(Condition::default().allows_write(1));
        assert!(!Condition::default().is_not_modified(1));
    }
}
