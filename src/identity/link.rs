//! The link that verifies an address when it is opened.
//!
//! Invariant: whoever opens it has no token of a client; the link itself says which tenant and which user it is about, and
//! its random part alone proves that it is a link that was sent.

use crate::context::Context;
use crate::id::TenantId;
use crate::identity::verification::of_token;
use crate::identity::{Answer, Complete, Draft, Error, Identity};
use crate::scim::schema::ContactKind;

/// Where links lead, on this server.
const PATH: &str = "/identity/v1/links/";

/// What came of opening a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whether the address is verified now.
    pub verified: bool,
    /// Where the browser goes.
    pub redirect: Option<String>,
}

impl Draft<'_> {
    /// The path of a link with this token.
    pub(super) fn link_token(&self, token: &str) -> String {
        let user: String = self.user.id().bytes().map(escaped).collect();
        format!("{PATH}{token}.{}.{user}", self.cx.caller.tenant)
    }
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

impl Identity {
    /// The tenant that the end of a link names.
    pub fn tenant_of_link(link: &str) -> Option<TenantId> {
        link.split('.').nth(1)?.parse().ok().map(TenantId)
    }

    /// Opens a link, of which this is the end. The context is that of its tenant.
    ///
    /// # Errors
    /// [`Error::NoChallenge`] if it is none, or was opened before; [`Error::Failure`].
    pub async fn open_link(&self, cx: &Context, link: &str) -> Result<Opened, Error> {
        let mut parts = link.splitn(3, '.');
        let (Some(token), Some(_), Some(user)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::NoChallenge);
        };
        let stored = match self.directory.stored(cx, Self::kind(cx)?, user).await.map_err(Error::from) {
            Err(Error::NoUser) => return Err(Error::NoChallenge),
            other => other?,
        };
        let challenges = self.store.challenges(cx.caller.tenant, stored.record.pk).await?;
        let challenge = of_token(&challenges, token).ok_or(Error::NoChallenge)?;
        let redirect = challenge.redirect.clone();
        let (kind, value): (ContactKind, String) = (challenge.kind, challenge.value.clone());
        let answer = Answer::Token(token.to_owned());
        let complete = Complete { kind, value: Some(value), answer, primary: None };
        match self.complete(cx, user, &complete).await {
            Ok(_) => Ok(Opened { verified: true, redirect }),
            Err(Error::Failure(failure)) => Err(failure.into()),
            Err(_) => Ok(Opened { verified: false, redirect }),
        }
    }
}
