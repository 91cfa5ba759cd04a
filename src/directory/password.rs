//! Passwords become hashes before anything stores them (RFC 7643 §4.1.1, erratum 8450).
//!
//! Invariant: no resource reaches the store with a password in clear. Argon2id with the library's recommended
//! cost, on a blocking thread and no more at once than there are cores, because each takes 19 MiB.

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use precis_profiles::OpaqueString;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::directory::Failure;
use crate::scim::error::ScimError;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::urn;

pub(super) const ATTRIBUTE: &str = "password";

/// Hashes passwords, a bounded number at once.
pub(super) struct Hasher {
    permits: Semaphore,
}

impl Hasher {
    pub(super) fn new() -> Self {
        Self { permits: Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)) }
    }

    /// Hashes the password of a User, if it has one that the old version did not have.
    ///
    /// # Errors
    /// `invalidValue` for a password with characters that RFC 8265 §4.2 refuses.
    pub(super) async fn protect(
        &self,
        kind: &ResourceType,
        new: Resource,
        old: Option<&Resource>,
    ) -> Result<Resource, Failure> {
        let given = new.body().get(ATTRIBUTE);
        let is_known = old.is_some_and(|old| old.body().get(ATTRIBUTE) == given);
        let is_user = urn::same(&kind.schema.id, urn::USER);
        let Some(Value::String(clear)) = given.filter(|_| !is_known && is_user) else {
            return Ok(new);
        };
        let prepared = OpaqueString::enforce(clear.as_str()).map_err(|_| {
            ScimError::value("password has characters that passwords cannot have (RFC 8265 §4.2)")
        })?;
        let hash = self.hash(prepared.into_owned()).await?;
        Ok(new.with_value(kind, ATTRIBUTE, Value::String(hash)))
    }

    /// Whether it is the password that a resource has.
    pub(super) async fn verify(&self, resource: &Resource, clear: &str) -> Result<bool, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Hashing(error.to_string());
        let hash = resource.body().get(ATTRIBUTE).and_then(Value::as_str).map(str::to_owned);
        let (Some(hash), Ok(prepared)) = (hash, OpaqueString::enforce(clear)) else { return Ok(false) };
        let prepared = prepared.into_owned();
        let _permit = self.permits.acquire().await.map_err(|error| failed(&error))?;
        let verifying = tokio::task::spawn_blocking(move || {
            Argon2::default().verify_password(prepared.as_bytes(), hash.as_str()).is_ok()
        });
        verifying.await.map_err(|error| failed(&error))
    }

    async fn hash(&self, clear: String) -> Result<String, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Hashing(error.to_string());
        let _permit = self.permits.acquire().await.map_err(|error| failed(&error))?;
        let hashing = tokio::task::spawn_blocking(move || {
            Argon2::default().hash_password(clear.as_bytes()).map(|hash| hash.to_string())
        });
        hashing.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}
