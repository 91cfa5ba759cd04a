//! Client tokens: their text, their scope, and making, listing and revoking them.
//!
//! Invariant: `muster_<tenant>_<43 characters>` carries 256 random bits and the tenant's number, so that a
//! lookup begins with the tenant like every other; any other text belongs to the tenant `default`.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::access::{Access, AccessError, Overrides, Refusal};
use crate::context::{Permission, Scopes};
use crate::id::{ClientId, ResourceId, TenantId};
use crate::quirks::{Policy, Profile};
use crate::scim::key::parse_instant;
use crate::store::{self, NewToken, TokenOwner};

/// What every token that Muster makes begins with, so that scanners and people recognise one.
const PREFIX: &str = "muster_";
/// The length of 32 bytes in base64url without padding.
const SECRET_LENGTH: usize = 43;

/// The text of a token: the only copy there is. It shows itself to nobody who does not ask for it.
pub struct TokenText(String);

impl TokenText {
    /// The text that goes into the client's configuration.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn generate(tenant: TenantId) -> Result<Self, AccessError> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| AccessError::invalid(format!("the system gives no random bytes: {error}")))?;
        Ok(Self(format!("{PREFIX}{tenant}_{}", URL_SAFE_NO_PAD.encode(secret))))
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

/// What is stored of a token.
pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Under which tenant a token is looked up.
pub(super) fn tenant_of(text: &str) -> TenantId {
    let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
    parts
        .filter(|(number, secret)| {
            secret.len() == SECRET_LENGTH && number.bytes().all(|b| b.is_ascii_digit())
        })
        .and_then(|(number, _)| number.parse().ok())
        .map_or(TenantId::DEFAULT, TenantId)
}

/// A part of what a token allows, as people spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Reading and writing through SCIM.
    Scim,
    /// Reading through SCIM.
    ScimRead,
    /// Reading and writing through the identity APIs.
    Identity,
    /// Reading through the identity APIs.
    IdentityRead,
    /// Saying through SCIM that an address or number is verified.
    IdentifiersVerify,
    /// Administering the tenant.
    Admin,
    /// Acting as the token's subject.
    Me,
    /// Everything there is.
    Full,
}

impl Scope {
    /// The names of the scopes.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("scim", Self::Scim),
        ("scim:read", Self::ScimRead),
        ("identity", Self::Identity),
        ("identity:read", Self::IdentityRead),
        ("identifiers:verify", Self::IdentifiersVerify),
        ("admin", Self::Admin),
        ("me", Self::Me),
        ("full", Self::Full),
    ];

    /// The scope's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, scope)| *scope == self).map_or("", |(name, _)| name)
    }

    /// What requests may do under it.
    pub const fn scopes(self) -> Scopes {
        match self {
            Self::Scim => Scopes::of(&[Permission::ReadScim, Permission::WriteScim]),
            Self::ScimRead => Scopes::of(&[Permission::ReadScim]),
            Self::Identity => Scopes::of(&[Permission::ReadIdentity, Permission::WriteIdentity]),
            Self::IdentityRead => Scopes::of(&[Permission::ReadIdentity]),
            Self::IdentifiersVerify => Scopes::of(&[Permission::VerifyIdentifiers]),
            Self::Admin => Scopes::of(&[Permission::Administer]),
            Self::Me => Scopes::of(&[Permission::ActAsSubject]),
            Self::Full => Scopes::ALL,
        }
    }

    /// The smallest scope that has this permission: the one to ask for.
    pub fn with(permission: Permission) -> Self {
        match permission {
            Permission::ReadScim => Self::ScimRead,
            Permission::WriteScim => Self::Scim,
            Permission::ReadIdentity => Self::IdentityRead,
            Permission::WriteIdentity => Self::Identity,
            Permission::VerifyIdentifiers => Self::IdentifiersVerify,
            Permission::Administer => Self::Admin,
            Permission::ActAsSubject => Self::Me,
        }
    }
}

impl FromStr for Scope {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, scope)| *scope).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            AccessError::invalid(format!("there is no scope {text:?}; the scopes are {}", names.join(", ")))
        })
    }
}

/// The scopes of a token as one text, which [`permitted`] reads.
fn spelled(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(",")
}

/// What the stored scopes of a token allow together.
pub(super) fn permitted(text: &str) -> Result<Scopes, AccessError> {
    text.split(',').try_fold(Scopes::default(), |all, name| Ok(all.and(name.parse::<Scope>()?.scopes())))
}

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// Whose directory it opens.
    pub tenant: TenantId,
    /// What people call the client; need not be unique.
    pub name: String,
    /// One of [`Profile::NAMES`].
    pub profile: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The user that it is about.
    pub subject: Option<ResourceId>,
    /// For how long it counts; none for ever.
    pub lifetime: Option<TimeDelta>,
}

/// Whether a token counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Live,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl State {
    /// The state of a token at the time `now`. One whose end cannot be read has ended.
    pub(super) fn of(token: &store::Token, now: DateTime<Utc>) -> Self {
        match (&token.revoked, &token.expires) {
            (Some(_), _) => Self::Revoked,
            (None, Some(end)) if parse_instant(end).is_none_or(|end| end <= now) => Self::Expired,
            _ => Self::Live,
        }
    }

    /// A word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// What a list of tokens shows.
#[derive(Clone, Debug)]
pub struct TokenSummary {
    /// The number that revokes it, within its tenant.
    pub id: ClientId,
    /// What people call the client.
    pub name: String,
    /// Its profile.
    pub profile: String,
    /// The names of its scopes, between commas.
    pub scopes: String,
    /// The user that it is about.
    pub subject: Option<ResourceId>,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// When it stops counting, if ever.
    pub expires: Option<DateTime<Utc>>,
    /// Whether it counts.
    pub state: State,
}

pub(super) fn unknown_profile(name: &str) -> AccessError {
    AccessError::invalid(format!(
        "there is no profile {name:?}; the profiles are {}",
        Profile::NAMES.join(", ")
    ))
}

/// A token that was given for another.
#[derive(Debug)]
pub struct Exchanged {
    /// Its text.
    pub text: TokenText,
    /// For how long it counts.
    pub lifetime: TimeDelta,
    /// The names of its scopes, between commas.
    pub scopes: String,
}

/// How long a token counts that was given for another.
const EXCHANGED_LIFETIME: TimeDelta = TimeDelta::hours(1);

impl Access {
    /// Gives a token for an hour for another one, whose client must have this name. It allows the same, and ends when the
    /// other is revoked or ends.
    ///
    /// # Errors
    /// [`AccessError::Refused`], [`AccessError::Store`].
    pub async fn exchange_token(
        &self,
        client: &str,
        secret: &str,
        now: DateTime<Utc>,
    ) -> Result<Exchanged, AccessError> {
        let tenant = tenant_of(secret);
        let unknown = AccessError::Refused(Refusal::Unknown);
        let Some(TokenOwner { token, .. }) = self.store.find_token(tenant, &hash(secret)).await? else {
            return Err(unknown);
        };
        match State::of(&token, now) {
            State::Live if token.name == client && token.parent.is_none() => {}
            State::Live => return Err(unknown),
            State::Expired => return Err(AccessError::Refused(Refusal::Expired)),
            State::Revoked => return Err(AccessError::Refused(Refusal::Revoked)),
        }
        let left = token.expires.as_deref().and_then(parse_instant).map(|end| end - now);
        let lifetime = left.map_or(EXCHANGED_LIFETIME, |left| left.min(EXCHANGED_LIFETIME));
        let text = TokenText::generate(tenant)?;
        let given = NewToken {
            hash: &hash(text.reveal()),
            name: &token.name,
            profile: &token.profile,
            scopes: &token.scopes,
            subject: token.subject.as_ref(),
            parent: Some(token.id),
            expires: Some(now + lifetime),
        };
        self.store.insert_token(tenant, &given, now).await?;
        Ok(Exchanged { text, lifetime, scopes: token.scopes })
    }

    /// Makes a token and returns its text, which is nowhere else.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] for a profile or a lifetime that cannot be, [`AccessError::Store`].
    pub async fn create_token(
        &self,
        client: &NewClient,
        now: DateTime<Utc>,
    ) -> Result<TokenText, AccessError> {
        let text = TokenText::generate(client.tenant)?;
        self.insert_token(client, text.reveal(), now).await?;
        Ok(text)
    }

    pub(super) async fn insert_token(
        &self,
        client: &NewClient,
        text: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AccessError> {
        let profile = Profile::named(&client.profile).ok_or_else(|| unknown_profile(&client.profile))?;
        self.check_subject(client).await?;
        let too_long =
            || AccessError::invalid("the token would outlive the calendar; give it a shorter life");
        let expires = match client.lifetime {
            None => None,
            Some(lifetime) => Some(now.checked_add_signed(lifetime).ok_or_else(too_long)?),
        };
        self.agree(client.tenant, &profile).await?;
        let token = NewToken {
            hash: &hash(text),
            name: &client.name,
            profile: &client.profile,
            scopes: &spelled(&client.scopes),
            subject: client.subject.as_ref(),
            parent: None,
            expires,
        };
        self.store.insert_token(client.tenant, &token, now).await?;
        Ok(())
    }

    /// What a profile wants of all clients of a tenant is set for the tenant with the profile's first token, unless the
    /// tenant has decided otherwise.
    async fn agree(&self, tenant: TenantId, profile: &Profile) -> Result<(), AccessError> {
        let wanted = Policy::SWITCHES.iter().filter(|switch| Policy::SHARED.contains(&switch.name));
        let wanted: Vec<&str> =
            wanted.filter(|switch| switch.is_on(&profile.policy)).map(|switch| switch.name).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let before = self.overrides(tenant).await?;
        if wanted.iter().all(|name| before.get(name).is_some()) {
            return Ok(());
        }
        let decide = |overrides: &mut Overrides| {
            for name in &wanted {
                if overrides.get(name).is_none() {
                    overrides.set(&format!("{name}=on"))?;
                }
            }
            Ok(())
        };
        self.change_overrides(tenant, decide).await.map(drop).map_err(|error| match error {
            AccessError::Contradicted(sentence) => AccessError::invalid(format!(
                "the profile {} wants {}=on, but {sentence}, or set it off for the tenant",
                profile.name,
                wanted.join("=on and ")
            )),
            error => error,
        })
    }

    /// The subject must be there, and a token that acts as its subject must have one.
    async fn check_subject(&self, client: &NewClient) -> Result<(), AccessError> {
        let acts = client.scopes.contains(&Scope::Me);
        let Some(subject) = &client.subject else {
            return match acts {
                true => {
                    Err(AccessError::invalid("a token with the scope me needs a subject: the id of a user"))
                }
                false => Ok(()),
            };
        };
        match self.store.lookup(client.tenant, &[subject.as_str()]).await?.as_slice() {
            [] => Err(AccessError::invalid(format!("the tenant has no user with the id {subject}"))),
            _ => Ok(()),
        }
    }

    /// The tokens of a tenant, in the order in which they were made.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn tokens(
        &self,
        tenant: TenantId,
        now: DateTime<Utc>,
    ) -> Result<Vec<TokenSummary>, AccessError> {
        let summary = |token: store::Token| TokenSummary {
            state: State::of(&token, now),
            id: token.id,
            name: token.name,
            profile: token.profile,
            scopes: token.scopes,
            subject: token.subject,
            created: parse_instant(&token.created),
            expires: token.expires.as_deref().and_then(parse_instant),
        };
        Ok(self.store.list_tokens(tenant).await?.into_iter().map(summary).collect())
    }

    /// Takes a token back. The next request with it is refused; on other replicas, one within [`FRESH`](super::FRESH).
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if the tenant has no such token or it was revoked before,
    /// [`AccessError::Store`].
    pub async fn revoke_token(
        &self,
        tenant: TenantId,
        id: ClientId,
        now: DateTime<Utc>,
    ) -> Result<(), AccessError> {
        if self.store.revoke_token(tenant, id, now).await? {
            self.known.forget();
            return Ok(());
        }
        Err(AccessError::invalid(format!(
            "the tenant has no token {id} that could be revoked; see `muster token list` for its tokens"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_token_carries_its_tenant_and_43_characters() {
        let text = TokenText::generate(TenantId(7)).unwrap();
        let secret = text.reveal().strip_prefix("muster_7_").unwrap();
        assert_eq!(secret.len(), SECRET_LENGTH);
        assert_eq!(tenant_of(text.reveal()), TenantId(7));
        assert_ne!(text.reveal(), TokenText::generate(TenantId(7)).unwrap().reveal());
        assert_eq!(format!("{text:?}"), "TokenText(…)");
    }

    #[test]
    fn any_other_text_belongs_to_the_default_tenant() {
        let secret = "A".repeat(SECRET_LENGTH);
        let others = [
            "correct horse battery staple".to_owned(),
            "muster_7_short".to_owned(),
            format!("muster__{secret}"),
            format!("muster_-7_{secret}"),
            format!("muster_+7_{secret}"),
            format!("muster_99999999999999999999_{secret}"),
            format!("Muster_7_{secret}"),
        ];
        for text in others {
            assert_eq!(tenant_of(&text), TenantId::DEFAULT, "{text}");
        }
    }

    #[test]
    fn a_scope_has_one_name_and_allows_what_it_says() {
        for (name, scope) in Scope::NAMES {
            assert_eq!(scope.name(), name);
            assert_eq!(name.parse::<Scope>().unwrap(), scope);
            assert_eq!(scope.scopes().allow(Permission::WriteScim), ["scim", "full"].contains(&name));
            assert_eq!(scope.scopes().allow(Permission::WriteIdentity), ["identity", "full"].contains(&name));
            assert_eq!(scope.scopes().allow(Permission::Administer), ["admin", "full"].contains(&name));
        }
        let error = "scim:write".parse::<Scope>().unwrap_err().to_string();
        assert!(error.contains("scim:read"), "{error}");
    }

    #[test]
    fn scopes_add_up() {
        let text = spelled(&[Scope::ScimRead, Scope::Identity]);
        assert_eq!(text, "scim:read,identity");
        let scopes = permitted(&text).unwrap();
        assert!(scopes.allow(Permission::ReadScim) && scopes.allow(Permission::WriteIdentity));
        assert!(!scopes.allow(Permission::WriteScim) && !scopes.allow(Permission::ActAsSubject));
        assert!(permitted("").is_err() && permitted("scim,").is_err());
    }
}
