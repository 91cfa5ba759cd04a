//! Passwords become hashes before anything stores them (RFC 7643 §4.1.1, erratum 8450).
//!
//! Invariant: no resource reaches the store with a password in clear. Argon2id with the library's recommended
//! cost, on a blocking thread and no more at once than there are cores, because each takes 19 MiB. What
//! other systems made may take more, and counts for as many as it has the memory of.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher as _};
use icu_normalizer::ComposingNormalizer;
use icu_properties::props::GeneralCategory;
use precis_profiles::OpaqueString;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::directory::{Failure, hash};
use crate::scim::error::ScimError;
use crate::scim::format::{category, is_newer};
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::urn;

pub(super) const ATTRIBUTE: &str = "password";

/// What comes of checking a password.
pub(super) enum Verdict {
    /// It is another one.
    No,
    /// It is the one.
    Yes,
    /// It is the one, and this hash should take the place of the one that is stored.
    YesBut(String),
}

/// The password as it is hashed (RFC 8265 §4.2). The tables of the library end with Unicode 6.3; characters that came
/// later, among them many emoji, are as good as those before.
fn prepared(clear: &str) -> Option<String> {
    if let Ok(prepared) = OpaqueString::enforce(clear) {
        return Some(prepared.into_owned());
    }
    let known: String = clear.chars().map(|c| if is_newer(c) { 'x' } else { c }).collect();
    OpaqueString::enforce(known).ok()?;
    let is_space = |c: char| category(c) == GeneralCategory::SpaceSeparator;
    let spaced: String = clear.chars().map(|c| if is_space(c) { ' ' } else { c }).collect();
    Some(ComposingNormalizer::new_nfc().normalize(&spaced).into_owned())
}

/// The password in clear, if the resource has one that the old version did not have.
fn clear<'a>(kind: &ResourceType, new: &'a Resource, old: Option<&Resource>) -> Option<&'a str> {
    let given = new.body().get(ATTRIBUTE);
    let is_known = old.is_some_and(|old| old.body().get(ATTRIBUTE) == given);
    given.filter(|_| !is_known && urn::same(&kind.schema.id, urn::USER))?.as_str()
}

/// Makes the hash that came with a resource in the extension for it the resource's password, and says whether one came.
///
/// # Errors
/// `invalidValue` for a hash that is none or comes together with a password.
pub(super) fn adopt(
    kind: &ResourceType,
    new: Resource,
    old: Option<&Resource>,
) -> Result<(Resource, bool), ScimError> {
    let Some(Value::Object(given)) = new.body().get(urn::CREDENTIALS) else { return Ok((new, false)) };
    let hash = given.get("passwordHash").and_then(Value::as_str).unwrap_or_default().to_owned();
    hash::check(&hash).map_err(|error| error.at("passwordHash"))?;
    if clear(kind, &new, old).is_some() {
        return Err(ScimError::value("password and passwordHash exclude each other; send one of them"));
    }
    let new = new.with_value(kind, urn::CREDENTIALS, Value::Null);
    Ok((new.with_value(kind, ATTRIBUTE, Value::String(hash)), true))
}

/// Hashes passwords, a bounded number at once.
pub(super) struct Hasher {
    permits: Arc<Semaphore>,
    cores: u32,
}

impl Hasher {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(1024);
        Self { permits: Arc::new(Semaphore::new(cores)), cores: u32::try_from(cores).unwrap_or(1) }
    }

    /// Hashes the password of a User, if it has one that the old version did not have.
    ///
    /// # Errors
    /// `invalidValue` for a password with characters that RFC 8265 §4.2 refuses, and as [`adopt`].
    pub(super) async fn protect(
        &self,
        kind: &ResourceType,
        new: Resource,
        old: Option<&Resource>,
    ) -> Result<Resource, Failure> {
        let (new, adopted) = adopt(kind, new, old)?;
        let Some(clear) = clear(kind, &new, old).filter(|_| !adopted) else { return Ok(new) };
        let prepared = prepared(clear).ok_or_else(|| {
            ScimError::value("password has characters that passwords cannot have (RFC 8265 §4.2)")
        })?;
        let hash = self.hash(prepared).await?;
        Ok(new.with_value(kind, ATTRIBUTE, Value::String(hash)))
    }

    /// Whether it is the password that a resource has. Where it is, and the hash is not one that Muster would make, a
    /// new hash comes with the answer. Where there is none, that takes as long as to find out.
    pub(super) async fn verify(&self, resource: &Resource, clear: &str) -> Result<Verdict, Failure> {
        let prepared = prepared(clear).unwrap_or_else(|| clear.to_owned());
        let Some(hash) = resource.body().get(ATTRIBUTE).and_then(Value::as_str).map(str::to_owned) else {
            self.hash(prepared).await?;
            return Ok(Verdict::No);
        };
        let is_current = hash::is_current(&hash);
        // Other systems hashed what was typed, as it was.
        let mut candidates = vec![prepared.clone()];
        candidates.extend((!is_current && clear != prepared).then(|| clear.to_owned()));
        let memory = hash::memory(&hash);
        let matches = self.work(memory, move || {
            candidates.iter().any(|candidate| hash::matches(&hash, candidate.as_bytes()))
        });
        let matches = matches.await?;
        Ok(match (matches, is_current) {
            (false, _) => Verdict::No,
            (true, true) => Verdict::Yes,
            (true, false) => Verdict::YesBut(self.hash(prepared).await?),
        })
    }

    async fn hash(&self, clear: String) -> Result<String, Failure> {
        let hash = self.work(argon2::Params::DEFAULT_M_COST.into(), move || {
            Argon2::default().hash_password(clear.as_bytes()).map(|hash| hash.to_string())
        });
        hash.await?.map_err(|error| Failure::Hashing(error.to_string()))
    }

    /// Computes what takes long and so many KiB, when its turn comes.
    async fn work<T: Send + 'static>(
        &self,
        memory: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Hashing(error.to_string());
        let shares = memory.div_ceil(argon2::Params::DEFAULT_M_COST.into()).clamp(1, self.cores.into());
        let shares = u32::try_from(shares).unwrap_or(1);
        let permits = Arc::clone(&self.permits).acquire_many_owned(shares);
        let permits = permits.await.map_err(|error| failed(&error))?;
        // The work goes on when the client has gone, and so do its permits.
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permits);
            done
        });
        working.await.map_err(|error| failed(&error))
    }
}
