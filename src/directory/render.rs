//! How what is added to a stored document is written: `meta`, `groups`, `members` (RFC 7643 §3.1, §4.1.2, §4.2).
//!
//! Invariant: every addition has one shape, which is JSON text, made where it is written to.

use crate::scim::version::etag;
use crate::store::{GroupRef, Member, Record};

/// Writes a resource's `meta`.
pub(super) fn meta(out: &mut Vec<u8>, record: &Record, resource_type: &str, base: &str, endpoint: &str) {
    let (created, modified) = (instant(&record.created), instant(&record.modified));
    let members: [(&str, &[&str]); 5] = [
        ("{\"resourceType\":", &[resource_type]),
        (",\"created\":", &created),
        (",\"lastModified\":", &modified),
        (",\"location\":", &location(base, endpoint, record.id.as_str())),
        (",\"version\":", &[&etag(record.version)]),
    ];
    for (name, value) in members {
        out.extend_from_slice(name.as_bytes());
        string(out, value);
    }
    out.push(b'}');
}

/// One value of `groups` or `members`: the other end of a membership.
pub(super) struct Link<'a> {
    id: &'a str,
    /// Where resources of its type are.
    place: Option<(&'a str, &'a str)>,
    display: Option<&'a str>,
    kind: Option<&'a str>,
}

impl<'a> Link<'a> {
    /// A group, seen from a member.
    pub(super) fn to_group(group: &'a GroupRef, base: &'a str, endpoint: &'a str) -> Self {
        Self {
            id: &group.id,
            place: Some((base, endpoint)),
            display: group.display.as_deref(),
            kind: Some(if group.is_direct { "direct" } else { "indirect" }),
        }
    }

    /// A member, with the name and the endpoint of its type. One that is no resource of the tenant has neither a URI
    /// nor a type.
    pub(super) fn to_member(member: &'a Member, base: &'a str, kind: Option<(&'a str, &'a str)>) -> Self {
        Self {
            id: &member.id,
            place: kind.map(|(_, endpoint)| (base, endpoint)),
            display: member.display.as_deref(),
            kind: kind.map(|(name, _)| name),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"value\":");
        string(out, &[self.id]);
        if let Some((base, endpoint)) = self.place {
            out.extend_from_slice(b",\"$ref\":");
            string(out, &location(base, endpoint, self.id));
        }
        for (name, value) in [(",\"display\":", self.display), (",\"type\":", self.kind)] {
            if let Some(value) = value {
                out.extend_from_slice(name.as_bytes());
                string(out, &[value]);
            }
        }
        out.push(b'}');
    }
}

/// Writes a list of links.
pub(super) fn links<'a>(out: &mut Vec<u8>, links: impl Iterator<Item = Link<'a>>) {
    out.push(b'[');
    for (index, link) in links.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        link.write(out);
    }
    out.push(b']');
}

/// The parts of the URI of a resource under a base without a slash at its end.
pub(super) fn location<'a>(base: &'a str, endpoint: &'a str, id: &'a str) -> [&'a str; 5] {
    [base, "/", endpoint, "/", id]
}

/// The parts of a stored instant as it is shown: milliseconds and `Z` (reading A31).
pub(super) fn instant(stored: &str) -> [&str; 5] {
    let (seconds, fraction) = stored.split_once('.').unwrap_or((stored, ""));
    [seconds, ".", fraction, "000".get(fraction.len()..).unwrap_or_default(), "Z"]
}

/// Writes one JSON string from its parts. Most need no escapes, which is found out many octets at a time.
fn string(out: &mut Vec<u8>, parts: &[&str]) {
    out.push(b'"');
    let start = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    let is_plain = |plain, &byte: &u8| plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\');
    if !out.get(start..).unwrap_or_default().iter().fold(true, is_plain) {
        out.truncate(start);
        let quoted = serde_json::Value::from(parts.concat()).to_string();
        out.extend_from_slice(quoted.as_bytes().get(1..quoted.len() - 1).unwrap_or_default());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_milliseconds() {
        for (stored, shown) in [
            ("2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.6", "2026-01-02T03:04:05.600Z"),
            ("2026-01-02T03:04:05.678", "2026-01-02T03:04:05.678Z"),
        ] {
            assert_eq!(instant(stored).concat(), shown);
        }
    }

    #[test]
    fn what_is_written_is_json_whatever_is_in_it() {
        for odd in ["", "plain", "a \"b\" \\", "\u{0}\n\u{1f}\u{7f}", "Zoë 😀 \u{2028}"] {
            let mut out = Vec::new();
            let group = GroupRef { id: "g".to_owned(), display: Some(odd.to_owned()), is_direct: true };
            links(
                &mut out,
                [Link::to_group(&group, "b", "Groups"), Link::to_group(&group, "b", "Groups")].into_iter(),
            );
            let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let link =
                serde_json::json!({"value": "g", "$ref": "b/Groups/g", "display": odd, "type": "direct"});
            assert_eq!(read, serde_json::json!([link, link]));
        }
    }
}
