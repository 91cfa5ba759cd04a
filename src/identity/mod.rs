//! Users as identity APIs see them: contacts, verification, names to log in by, passwords, and data beside SCIM's.
//!
//! Invariant: there is one user, whoever looks: what is done here is a change of the SCIM resource, guarded by its version
//! like any other, and rows beside it in the same batch.
//!
//! # For an adapter that speaks a vendor's dialect
//!
//! An adapter translates and decides nothing. It calls an [`Identity`]:
//!
//! - [`Identity::user`], [`Identity::resolve`], [`Identity::search`], [`Identity::count`] and [`Identity::groups`] read.
//!   A [`User`] answers what the vendors show: [`User::contacts`] with `primary` and `secondary`, [`User::state`],
//!   [`User::bag`], [`User::password`]. Filters are SCIM filters; translate the vendor's into one.
//! - [`Identity::create`] and [`Identity::change`] write. Both take a closure on a [`Draft`], in which one request's
//!   commands stand one after the other: all of them take effect together or none does. The closure may run more
//!   than once, so it must not do anything but work on the draft.
//!
//!   ```no_run
//!   # use muster::{context::Context, identity::{Error, Identity, State}};
//!   # async fn adapter(identity: &Identity, cx: &Context, id: &str) -> Result<(), Error> {
//!   let (user, ()) = identity
//!       .change(cx, id, |draft| {
//!           draft.set_user_name(Some("ann"))?;
//!           draft.set_state(State::Active);
//!           Ok(())
//!       })
//!       .await?;
//!   # assert_eq!(user.user_name(), Some("ann"));
//!   # Ok(())
//!   # }
//!   ```
//! - The commands on contacts are those of [`crate::contact::Contacts`]; they say [`Outcome::Unchanged`] where nothing
//!   changed. `Truth` says whether a value is verified, `Demotion` what becomes of the primary one before.
//! - [`Draft::start`] and [`Draft::resend`] begin a verification, [`Identity::complete`] and [`Identity::open_link`] end
//!   it. With `Delivery::Return` the code comes back in [`Started::secret`] and nothing is sent.
//!   [`Identity::is_verified_elsewhere`] tells whether another user verified a value already.
//! - [`Identity::claim`] is [`Identity::change`] for a user who gets an address or number by which another one may log in.
//! - [`Identity::delete`] and [`Identity::merge`] remove.
//!
//! Every way to fail is an [`Error`]; give each its status and body in the vendor's own way. Another tenant's user is
//! [`Error::NoUser`] like one that never was.

mod account;
mod draft;
mod error;
mod find;
mod link;
mod merge;
mod secret;
mod user;
mod verification;

use std::sync::Arc;

use serde_json::{Map, json};

pub use account::{Account, PasswordInfo, State};
pub use draft::Draft;
pub use error::Error;
pub use find::{By, Found, Query, whose_primary};
pub use link::Opened;
pub use merge::Claim;
pub use user::{Bag, Recovery, User};
pub use verification::{Answer, Complete, Delivery, Method, Start, Started};

pub use crate::contact::Outcome;

use crate::context::Context;
use crate::courier::Channels;
use crate::directory::{Amendment, Directory, Stored};
use crate::id::ResourceId;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::registry::ResourceType;
use crate::scim::urn;
use crate::scim::version::Condition;
use crate::store::Store;

/// The users of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    directory: Directory,
    store: Store,
    channels: Channels,
}

impl Identity {
    /// The users of a directory, which is in this store. Messages go out by these channels.
    pub fn new(directory: Directory, store: Store, channels: Channels) -> Self {
        Self { directory, store, channels }
    }

    /// The type that users are of in the caller's tenant.
    fn kind(cx: &Context) -> Result<&Arc<ResourceType>, Error> {
        let kinds = cx.caller.registry.types();
        let kind = kinds.iter().find(|kind| urn::same(&kind.schema.id, urn::USER));
        Ok(kind.ok_or_else(|| ScimError::new(ErrorKind::NotFound, "the tenant has no type of users"))?)
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub async fn user(&self, cx: &Context, id: &str) -> Result<User, Error> {
        let stored = self.directory.stored(cx, Self::kind(cx)?, id).await?;
        self.whole(cx, stored).await
    }

    /// The user that is stored there, with its bags.
    async fn whole(&self, cx: &Context, stored: Stored) -> Result<User, Error> {
        let bags = self.store.bags(cx.caller.tenant, &[stored.record.pk]).await?;
        User::of(cx, stored, bags.into_iter().map(|(_, name, text)| (name, text)))
    }

    /// Creates a user as the closure makes it. Without a user name it is known by its id.
    ///
    /// # Errors
    /// [`Error::Taken`], and those of the closure.
    pub async fn create<T>(
        &self,
        cx: &Context,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, Error>,
    ) -> Result<(User, T), Error> {
        let id = ResourceId::generate();
        let body = json!({"schemas": [urn::USER], "userName": id.as_str()});
        let blank =
            self.directory.blank(cx, Self::kind(cx)?, &id, body.as_object().unwrap_or(&Map::new()))?;
        let user = User::of(cx, blank, std::iter::empty())?;
        let mut draft = Draft::new(cx, Self::kind(cx)?, self.channels, user, Vec::new());
        let out = edit(&mut draft)?;
        let (resource, asides) = draft.finish();
        let amendment = Amendment { resource, asides };
        let stored = self.directory.enrol(cx, Self::kind(cx)?, &id, amendment).await?;
        Ok((self.whole(cx, stored).await?, out))
    }

    /// Changes a user as the closure says.
    ///
    /// # Errors
    /// [`Error::NoUser`], [`Error::Taken`], and those of the closure.
    pub async fn change<T>(
        &self,
        cx: &Context,
        id: &str,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, Error>,
    ) -> Result<(User, T), Error> {
        let amend = async |stored: &Stored| {
            let user = self.whole(cx, stored.clone()).await?;
            let challenges = self.store.challenges(cx.caller.tenant, stored.record.pk).await?;
            let mut draft = Draft::new(cx, Self::kind(cx)?, self.channels, user, challenges);
            let out = edit(&mut draft)?;
            let (resource, asides) = draft.finish();
            Ok::<_, Error>((Amendment { resource, asides }, out))
        };
        let amended = self.directory.amend(cx, Self::kind(cx)?, id, amend).await;
        let (stored, out) = amended.map_err(|error| verification::timed(error, cx.now))?;
        Ok((self.whole(cx, stored).await?, out))
    }

    /// Changes a password with the old one.
    ///
    /// # Errors
    /// [`Error::NoUser`], [`Error::NoPassword`], [`Error::WrongPassword`]; [`Error::Invalid`] for a new one that cannot be.
    pub async fn change_password(&self, cx: &Context, id: &str, old: &str, new: &str) -> Result<User, Error> {
        let amend = async |stored: &Stored| {
            let user = self.whole(cx, stored.clone()).await?;
            if !user.has_password() {
                return Err(Error::NoPassword);
            }
            if !self.directory.has_password(cx, stored, old).await? {
                return Err(Error::WrongPassword);
            }
            let mut draft = Draft::new(cx, Self::kind(cx)?, self.channels, user, Vec::new());
            draft.set_password(new, false)?;
            let (resource, asides) = draft.finish();
            Ok::<_, Error>((Amendment { resource, asides }, ()))
        };
        let (stored, ()) = self.directory.amend(cx, Self::kind(cx)?, id, amend).await?;
        self.whole(cx, stored).await
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub async fn delete(&self, cx: &Context, id: &str) -> Result<(), Error> {
        Ok(self.directory.delete(cx, Self::kind(cx)?, id, &Condition::default()).await?)
    }
}
