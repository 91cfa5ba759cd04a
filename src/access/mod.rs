//! Tenants and client tokens: who may ask, on whose behalf, and how leniently they are served.
//!
//! Invariant: a token's text exists when it is made and in requests, nowhere else; what is stored is its
//! SHA-256. A caller is made from one row of the store and known for two seconds, so a revoked token stops at the
//! next request in this process and within that time everywhere; an expired one stops at once (RFC 7644 §2, §7.4).

mod bootstrap;
mod judgement;
mod known;
mod schemas;
mod tenants;
mod tokens;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::access::known::Known;
use crate::access::schemas::Registries;
use crate::context::{Caller, Scopes};
use crate::id::{ClientId, TenantId};
use crate::quirks::Profile;
use crate::scim::key::parse_instant;
use crate::scim::registry::Registry;
use crate::store::{Store, StoreError, TokenOwner};

pub use bootstrap::{BOOTSTRAP_NAME, Bootstrap};
pub use judgement::Unjudged;
pub use known::FRESH;
pub use schemas::{HOLD, Obstacle, Obstacles, Reindexing, SchemaEdit, TenantSchemas};
pub use tenants::{Overrides, Setting, Tenant};
pub use tokens::{Exchanged, NewClient, Scope, State, TokenSummary, TokenText};

/// The tenants and tokens of a store. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    store: Store,
    known: Arc<Known>,
    registry: Arc<Registry>,
    registries: Arc<Registries>,
    /// The profiles as they are, shared by every caller whose tenant changes nothing in them.
    profiles: Arc<[Arc<Profile>]>,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no token.
    Missing,
    /// Nobody was given this token.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the request has no bearer token",
            Self::Unknown => "the bearer token is unknown",
            Self::Expired => "the bearer token has expired",
            Self::Revoked => "the bearer token was revoked",
        })
    }
}

/// What can go wrong here.
#[derive(Debug)]
pub enum AccessError {
    /// The request is not let in.
    Refused(Refusal),
    /// The person at the keyboard asked for something that cannot be; the sentence says what to do instead.
    Invalid(String),
    /// Stored resources contradict a change of the schemas.
    InTheWay(Obstacles),
    /// Stored resources contradict a choice of the tenant; the sentence says what to do.
    Contradicted(String),
    /// The store failed.
    Store(StoreError),
}

impl AccessError {
    fn invalid(sentence: impl Into<String>) -> Self {
        Self::Invalid(sentence.into())
    }
}

impl From<StoreError> for AccessError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Invalid(sentence) | Self::Contradicted(sentence) => f.write_str(sentence),
            Self::InTheWay(obstacles) => obstacles.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AccessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::Refused(_) | Self::Invalid(_) | Self::InTheWay(_) | Self::Contradicted(_) => None,
        }
    }
}

impl Access {
    /// The tenants and tokens of `store`, which was opened with this registry.
    pub fn new(store: Store, registry: Arc<Registry>) -> Self {
        let profiles = Profile::all().map(|mut profile| {
            // The tenant alone decides about these; see `Access::agree`.
            (profile.policy.unique_group_names, profile.policy.unique_external_ids) = (false, false);
            Arc::new(profile)
        });
        let profiles = Arc::new(profiles);
        Self { store, known: Arc::default(), registry, registries: Arc::default(), profiles }
    }

    /// The schemas and resource types that a tenant has which adds none of its own.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Who presents `text`, the credentials of an `Authorization: Bearer` header, at the time `now`.
    ///
    /// # Errors
    /// [`AccessError::Refused`], or [`AccessError::Store`] if that could not be found out.
    pub async fn authenticate(
        &self,
        text: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Caller>, AccessError> {
        let refused = |refusal| Err(AccessError::Refused(refusal));
        let Some(text) = text else { return refused(Refusal::Missing) };
        let (tenant, hash) = (tokens::tenant_of(text), tokens::hash(text));
        let before = match self.known.get(&hash, now) {
            Ok(caller) => return Ok(caller),
            Err(before) => before,
        };
        // The index compares hashes byte by byte. How long that takes tells about the hash of a guess, from
        // which no better guess follows, so that the lookup itself is the comparison.
        let Some(owner) = self.store.find_token(tenant, &hash).await? else {
            return refused(Refusal::Unknown);
        };
        match State::of(&owner.token, now) {
            State::Revoked => refused(Refusal::Revoked),
            State::Expired => refused(Refusal::Expired),
            State::Live => {
                let ends = owner.token.expires.as_deref().and_then(parse_instant);
                let caller = self.caller(tenant, owner).await?;
                self.known.keep(before, hash, &caller, ends, now);
                Ok(caller)
            }
        }
    }

    /// The person at the keyboard, who may do anything in the tenant of that name and is served by the profile `default`.
    /// `name` says in the change log what that person uses.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if there is no such tenant, [`AccessError::Store`].
    pub async fn operator(&self, tenant: &str, name: &str) -> Result<Arc<Caller>, AccessError> {
        let Tenant { id, name: tenant_name, overrides, .. } = self.tenant(tenant).await?;
        let base = Profile::named("default").ok_or_else(|| tokens::unknown_profile("default"))?;
        Ok(Arc::new(Caller {
            tenant: id,
            tenant_name,
            client: ClientId(0),
            client_name: name.to_owned(),
            scopes: Scopes::ALL,
            subject: None,
            profile: Arc::new(overrides.apply(base)?),
            registry: self.schemas(id).await?.registry,
        }))
    }

    /// The server itself, in a tenant that a request names without a token, such as one that opens a link; none if there
    /// is no such tenant. `name` says in the change log what it is about.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn keeper(&self, tenant: TenantId, name: &str) -> Result<Option<Arc<Caller>>, AccessError> {
        match self.store.tenant_name(tenant).await? {
            Some(tenant) => self.operator(&tenant, name).await.map(Some),
            None => Ok(None),
        }
    }

    async fn caller(&self, tenant: TenantId, owner: TokenOwner) -> Result<Arc<Caller>, AccessError> {
        let TokenOwner { token, tenant_name, policies, schemas } = owner;
        Ok(Arc::new(Caller {
            tenant,
            tenant_name,
            client: token.id,
            scopes: tokens::permitted(&token.scopes)?,
            subject: token.subject,
            profile: self.profile(&token.profile, &policies)?,
            registry: self.registry_at(tenant, schemas).await?,
            client_name: token.name,
        }))
    }

    /// The profile of that name with the tenant's own choices in it.
    fn profile(&self, name: &str, policies: &str) -> Result<Arc<Profile>, AccessError> {
        let base = self
            .profiles
            .iter()
            .find(|profile| profile.name == name)
            .ok_or_else(|| tokens::unknown_profile(name))?;
        let overrides = Overrides::parse(policies)?;
        if overrides.is_empty() {
            return Ok(Arc::clone(base));
        }
        Ok(Arc::new(overrides.apply(Profile::clone(base))?))
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`AccessError::Store`] if it does not.
    pub async fn ping(&self) -> Result<(), AccessError> {
        Ok(self.store.ping().await?)
    }
}
