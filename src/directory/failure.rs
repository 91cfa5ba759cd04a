//! Why a request failed, below HTTP.
//!
//! Invariant: a [`ScimError`] is for the client to read; a [`StoreError`] is for the log only.

use std::fmt;

use crate::scim::error::ScimError;
use crate::store::StoreError;

/// A request that could not be done.
#[derive(Debug)]
pub enum Failure {
    /// The client is told why.
    Scim(ScimError),
    /// The store failed; the client is told only whether to come back.
    Store(StoreError),
    /// The password hasher failed, which no input can cause.
    Hashing(String),
}

impl Failure {
    /// Whether the same request may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unavailable(_)))
    }

    /// A stored document that is not the JSON object that was written.
    pub(super) fn stored_document(error: serde_json::Error) -> Self {
        Self::Store(StoreError::corrupt(format!("a stored document is not JSON: {error}")))
    }
}

impl From<ScimError> for Failure {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scim(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Hashing(error) => write!(f, "a password could not be hashed: {error}"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::Scim(_) | Self::Hashing(_) => None,
        }
    }
}
