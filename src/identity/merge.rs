//! Merging one user into another, who takes over its login ids.
//!
//! Invariant: it happens as a whole or not at all; the one who stays keeps every value of its own.

use crate::contact::admitted;
use crate::context::Context;
use crate::directory::Amendment;
use crate::identity::{Draft, Error, Identity, User};
use crate::scim::schema::ContactKind;

/// An address or number that a user gets, and who is in its way.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// What it is.
    pub kind: ContactKind,
    /// The address or number.
    pub value: &'a str,
    /// Whether it is verified, so that the user logs in by it.
    pub verified: bool,
    /// Whether another user who logs in by it may be merged away, if the tenant merges users at all.
    pub may_merge: bool,
}

impl Identity {
    /// Changes a user as the closure says, who gets an address or number. Another user who logs in by that, is merged into
    /// the first one or is a reason to refuse.
    ///
    /// # Errors
    /// [`Error::NotOne`]; [`Error::Taken`]; those of [`Identity::change`].
    pub async fn claim<T>(
        &self,
        cx: &Context,
        id: &str,
        claim: Claim<'_>,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, Error>,
    ) -> Result<(User, T), Error> {
        let Claim { kind, value, verified, may_merge } = claim;
        let policy = cx.caller.profile.contacts;
        admitted(kind, value, policy.region).ok_or(Error::NotOne(kind))?;
        match self.rival(cx, (kind, value), id, verified).await? {
            None => self.change(cx, id, edit).await,
            Some(other) if may_merge && policy.merges => self.merge(cx, id, other.id(), edit).await,
            Some(_) => Err(Error::Taken(kind.attribute().to_owned())),
        }
    }

    /// Changes a user as the closure says and deletes another one, whose login ids the user takes over. The change log
    /// says of the deletion into whom it went.
    ///
    /// # Errors
    /// [`Error::NoUser`] for either; [`Error::Invalid`] if both are one; those of [`Identity::change`].
    pub async fn merge<T>(
        &self,
        cx: &Context,
        id: &str,
        other: &str,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, Error>,
    ) -> Result<(User, T), Error> {
        if id == other {
            let reason = "a user cannot be merged into itself".into();
            return Err(Error::Invalid { field: "id".into(), reason });
        }
        for _ in 0..crate::directory::ATTEMPTS {
            let (user, absorbed) = (self.user(cx, id).await?, self.user(cx, other).await?);
            let (record, old) = (user.record().clone(), user.resource.clone());
            let challenges = self.store.challenges(cx.caller.tenant, record.pk).await?;
            let mut ids: Vec<String> = user.login_names().into_iter().map(str::to_owned).collect();
            ids.extend(absorbed.login_names().into_iter().map(str::to_owned));
            let mut draft = Draft::new(cx, Self::kind(cx)?, self.channels, user, challenges);
            if !ids.is_empty() {
                draft.set_login_ids(&ids)?;
            }
            let out = edit(&mut draft)?;
            let (resource, asides) = draft.finish();
            let amendment = Amendment { resource, asides };
            let merged = self
                .directory
                .absorb(cx, Self::kind(cx)?, (&record, &old), amendment, absorbed.record())
                .await;
            match merged {
                Ok(Some(stored)) => return Ok((self.whole(cx, stored).await?, out)),
                Ok(None) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(crate::directory::contended().into())
    }
}
