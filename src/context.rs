//! Who asks, and when: the data that travels with every request below `http`.
//!
//! Invariant: it is data. The clock was read once, when the request came in.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::id::{ClientId, ResourceId, TenantId};
use crate::quirks::Profile;
use crate::scim::registry::Registry;

/// One thing that a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Read through SCIM.
    ReadScim,
    /// Write through SCIM.
    WriteScim,
    /// Read through the identity APIs.
    ReadIdentity,
    /// Write through the identity APIs.
    WriteIdentity,
    /// Say through SCIM that an address or number is verified.
    VerifyIdentifiers,
    /// Administer the tenant.
    Administer,
    /// Act as the user that the token is about.
    ActAsSubject,
}

/// What a client may do: a set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything.
    pub const ALL: Self = Self(u8::MAX);

    /// The set of these permissions.
    pub const fn of(permissions: &[Permission]) -> Self {
        let (mut bits, mut rest) = (0, permissions);
        while let [permission, more @ ..] = rest {
            bits |= 1 << (*permission as u8);
            rest = more;
        }
        Self(bits)
    }

    /// This set and that one.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the permission is in the set.
    pub const fn allow(self, permission: Permission) -> bool {
        self.0 & (1 << (permission as u8)) != 0
    }
}

/// The client behind a request, as its token says.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose directory it is.
    pub tenant: TenantId,
    /// The tenant's name, for the log.
    pub tenant_name: String,
    /// Which token it was.
    pub client: ClientId,
    /// The token's name, for the log and the change log.
    pub client_name: String,
    /// What the token allows.
    pub scopes: Scopes,
    /// The user that the token is about, where it is about one.
    pub subject: Option<ResourceId>,
    /// How lenient the server is to it.
    pub profile: Arc<Profile>,
    /// The schemas and resource types of the tenant.
    pub registry: Arc<Registry>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// When the request came in.
    pub now: DateTime<Utc>,
    /// The request id, for the log.
    pub request: String,
}
