//! How what is added to a stored document is written: `meta`, `groups`, `members` (RFC 7643 §3.1, §4.1.2, §4.2).
//!
//! Invariant: the texts are made where they are written to; nothing here is put together first and copied then.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::scim::version::etag;
use crate::store::{GroupRef, Member, Record};

/// A resource's `meta`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta<'a> {
    resource_type: &'a str,
    created: Timestamp<'a>,
    last_modified: Timestamp<'a>,
    location: Location<'a>,
    version: String,
}

impl<'a> Meta<'a> {
    pub(super) fn of(record: &'a Record, resource_type: &'a str, location: Location<'a>) -> Self {
        Self {
            resource_type,
            created: Timestamp(&record.created),
            last_modified: Timestamp(&record.modified),
            location,
            version: etag(record.version),
        }
    }
}

/// One value of `groups` or `members`: the other end of a membership.
#[derive(Serialize)]
pub(super) struct Link<'a> {
    value: &'a str,
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    location: Option<Location<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
}

impl<'a> Link<'a> {
    /// A group, seen from a member.
    pub(super) fn to_group(group: &'a GroupRef, base: &'a str, endpoint: &'a str) -> Self {
        let location = Location { base, endpoint, id: &group.id };
        Self {
            value: &group.id,
            location: Some(location),
            display: group.display.as_deref(),
            kind: Some(if group.is_direct { "direct" } else { "indirect" }),
        }
    }

    /// A member, with the name and the endpoint of its type. One that is no resource of the tenant has neither a URI
    /// nor a type.
    pub(super) fn to_member(member: &'a Member, base: &'a str, kind: Option<(&'a str, &'a str)>) -> Self {
        Self {
            value: &member.id,
            location: kind.map(|(_, endpoint)| Location { base, endpoint, id: &member.id }),
            display: member.display.as_deref(),
            kind: kind.map(|(name, _)| name),
        }
    }
}

/// A list that is written as it is made.
pub(super) struct Each<F>(pub(super) F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// The URI of a resource under a base without a slash at its end.
#[derive(Clone, Copy)]
pub(super) struct Location<'a> {
    pub(super) base: &'a str,
    pub(super) endpoint: &'a str,
    pub(super) id: &'a str,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.base, "/", self.endpoint, "/", self.id] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl Serialize for Location<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A stored instant as it is shown: milliseconds and `Z` (reading A31).
pub(super) struct Timestamp<'a>(pub(super) &'a str);

impl fmt::Display for Timestamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction) = self.0.split_once('.').unwrap_or((self.0, ""));
        for part in [seconds, ".", fraction, "000".get(fraction.len()..).unwrap_or_default(), "Z"] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl Serialize for Timestamp<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An object that members are added to.
pub(super) trait Members {
    /// Adds a member that the object does not have.
    fn add(&mut self, name: &str, value: &impl Serialize);
}

/// JSON text whose closing brace is yet to come, with a member in it.
impl Members for Vec<u8> {
    fn add(&mut self, name: &str, value: &impl Serialize) {
        self.extend_from_slice(b",\"");
        self.extend_from_slice(name.as_bytes());
        self.extend_from_slice(b"\":");
        // Memory takes all that is written to it, and what is written here can be written.
        serde_json::to_writer(self, value).ok();
    }
}

impl Members for Map<String, Value> {
    fn add(&mut self, name: &str, value: &impl Serialize) {
        self.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
    }
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
            assert_eq!(Timestamp(stored).to_string(), shown);
        }
    }
}
