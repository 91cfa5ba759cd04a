//! The identifiers that the layers pass to one another.
//!
//! Invariant: an identifier is made in one place and never parsed apart again.

use std::fmt;

/// A tenant: one customer's directory. Every stored row begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(pub i64);

impl TenantId {
    /// The tenant `default`, which every database has.
    pub const DEFAULT: Self = Self(1);
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A client of a tenant: the one row of `token` that a request was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(pub i64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A resource's SCIM `id`: opaque, case-exact, never reused, never containing `bulkId` (RFC 7643 §3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(String);

impl ResourceId {
    /// Takes an id as a client or a stored row spells it.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A new id. Version 7 of UUID is ordered by time, so that index pages fill from one end.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().hyphenated().to_string())
    }

    /// The text that clients see.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
