//! The first token: the one that an installation is opened with.
//!
//! Invariant: there is at most one live token named `bootstrap` in the tenant `default`, and an empty
//! database never stays without one.

use chrono::{DateTime, TimeDelta, Utc};

use crate::access::tokens::{self, NewClient, Scope, State, TokenText};
use crate::access::{Access, AccessError};
use crate::id::TenantId;
use crate::store::{StoreError, Token};

/// The name of the first token.
pub const BOOTSTRAP_NAME: &str = "bootstrap";
/// The shortest text that can be set as a token, in bytes.
const SHORTEST: usize = 16;
/// How long a token that Muster makes by itself counts.
const LIFETIME: TimeDelta = TimeDelta::days(365);

/// What became of the first token.
#[derive(Debug)]
pub enum Bootstrap {
    /// Nothing was to do.
    Unchanged,
    /// The text that the operator set counts now.
    Set,
    /// The database was empty and nobody had set a text, so this one was made.
    Made(TokenText),
}

impl Access {
    /// Makes sure that the installation can be opened: with `text` where the operator set one
    /// (an earlier text stops counting), else with a new token if the database is empty.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] for a text that is too weak or belongs to another tenant,
    /// [`AccessError::Store`].
    pub async fn bootstrap(&self, text: Option<&str>, now: DateTime<Utc>) -> Result<Bootstrap, AccessError> {
        match text {
            Some(text) => {
                check(text)?;
                self.set_bootstrap(text, now).await
            }
            None if self.store.count_tokens().await? == 0 => {
                Ok(Bootstrap::Made(self.create_token(&first(Some(LIFETIME)), now).await?))
            }
            None => Ok(Bootstrap::Unchanged),
        }
    }

    /// Replicas that start together do this at the same time with the same text: one of them stores it, and none takes
    /// away what another has just stored.
    async fn set_bootstrap(&self, text: &str, now: DateTime<Utc>) -> Result<Bootstrap, AccessError> {
        let outcome = match self.bootstrap_token(text).await? {
            Some(token) if State::of(&token, now) != State::Live => {
                return Err(AccessError::invalid(
                    "MUSTER_BOOTSTRAP_TOKEN is a token that was revoked or has expired; choose another text",
                ));
            }
            Some(_) => Bootstrap::Unchanged,
            None => match self.insert_token(&first(None), text, now).await {
                Err(AccessError::Store(StoreError::Unique { .. })) => Bootstrap::Unchanged,
                stored => stored.map(|()| Bootstrap::Set)?,
            },
        };
        let own = self.bootstrap_token(text).await?.map(|token| token.id);
        for token in self.store.list_tokens(TenantId::DEFAULT).await? {
            if token.name == BOOTSTRAP_NAME && token.revoked.is_none() && Some(token.id) != own {
                self.store.revoke_token(TenantId::DEFAULT, token.id, now).await?;
            }
        }
        self.known.forget();
        Ok(outcome)
    }

    async fn bootstrap_token(&self, text: &str) -> Result<Option<Token>, AccessError> {
        let found = self.store.find_token(TenantId::DEFAULT, &tokens::hash(text)).await?;
        Ok(found.map(|owner| owner.token))
    }
}

fn first(lifetime: Option<TimeDelta>) -> NewClient {
    NewClient {
        tenant: TenantId::DEFAULT,
        name: BOOTSTRAP_NAME.to_owned(),
        profile: "default".to_owned(),
        scopes: vec![Scope::Full],
        subject: None,
        lifetime,
    }
}

fn check(text: &str) -> Result<(), AccessError> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() < SHORTEST || !visible {
        return Err(AccessError::invalid(format!(
            "MUSTER_BOOTSTRAP_TOKEN must have at least {SHORTEST} printable ASCII characters and no blanks; \
             `openssl rand -hex 32` makes a good one"
        )));
    }
    if tokens::tenant_of(text) != TenantId::DEFAULT {
        return Err(AccessError::invalid(
            "MUSTER_BOOTSTRAP_TOKEN looks like a token of another tenant; \
             choose a text that does not begin with muster_",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_text_is_refused_with_a_way_out() {
        for weak in ["", "short", "exactly15charac", "sixteen with blank", "ümlaut-ümlaut-ümlaut"] {
            let error = check(weak).unwrap_err().to_string();
            assert!(error.contains("openssl rand"), "{weak}: {error}");
        }
        check("exactly16charact").unwrap();
    }

    #[test]
    fn a_text_of_another_tenant_is_refused() {
        let secret = "A".repeat(43);
        assert!(check(&format!("muster_2_{secret}")).is_err());
        check(&format!("muster_1_{secret}")).unwrap();
    }
}
