//! Who asks, and when: the data that travels with every request below `http`.
//!
//! Invariant: it is data. The clock was read once, when the request came in.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::id::{ClientId, TenantId};
use crate::quirks::Profile;

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes {
    /// Read through SCIM.
    pub read: bool,
    /// Write through SCIM.
    pub write: bool,
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
    /// How lenient the server is to it.
    pub profile: Arc<Profile>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who asks.
    pub caller: Caller,
    /// When the request came in.
    pub now: DateTime<Utc>,
    /// The request id, for the log.
    pub request: String,
}
