//! Finding users: by one of their names, by a filter, and the groups that they are in.
//!
//! Invariant: an identifier finds a user of the caller's tenant or none. Of several users with one address the one that
//! claims it is meant, else one that verified it, else the oldest.

use std::sync::Arc;

use crate::contact::Contact;
use crate::context::Context;
use crate::directory::Stored;
use crate::identity::{Error, Identity, User};
use crate::scim::filter::quoted;
use crate::scim::listing::ListQuery;
use crate::scim::registry::ResourceType;
use crate::scim::schema::ContactKind;
use crate::scim::urn;

/// What a user is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The id.
    Id(String),
    /// An address or number; with `true` only if it is the user's primary one.
    Contact(ContactKind, String, bool),
    /// A login id, the user name, or else a verified address or number.
    LoginId(String),
    /// The user name.
    UserName(String),
    /// The id in another system.
    ExternalId(String),
}

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// A filter in SCIM's language; none for all users.
    pub filter: Option<String>,
    /// The path of an attribute to sort by.
    pub sort: Option<String>,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// How many matches to leave out.
    pub offset: u64,
    /// How many to return.
    pub limit: u64,
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// How many match.
    pub total: u64,
    /// The page that was asked for.
    pub users: Vec<User>,
}

impl Identity {
    /// The user with this identifier.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub async fn resolve(&self, cx: &Context, by: &By) -> Result<User, Error> {
        match by {
            By::Id(id) => self.user(cx, id).await,
            By::Contact(kind, value, primary_only) => {
                self.by_contact(cx, *kind, value, *primary_only, false).await
            }
            By::UserName(name) => self.only(cx, format!("userName eq {}", quoted(name))).await,
            By::ExternalId(id) => self.only(cx, format!("externalId eq {}", quoted(id))).await,
            By::LoginId(id) => {
                let filter =
                    format!("{}:loginIds eq {id} or userName eq {id}", urn::IDENTIFIERS, id = quoted(id));
                match self.only(cx, filter).await {
                    Err(Error::NoUser) => {}
                    other => return other,
                }
                for kind in ContactKind::ALL {
                    match self.by_contact(cx, kind, id, false, true).await {
                        Err(Error::NoUser) => {}
                        other => return other,
                    }
                }
                Err(Error::NoUser)
            }
        }
    }

    async fn by_contact(
        &self,
        cx: &Context,
        kind: ContactKind,
        value: &str,
        primary_only: bool,
        verified_only: bool,
    ) -> Result<User, Error> {
        let canonical = crate::contact::canonical(kind, value, cx.caller.profile.contacts.region);
        for stored in self.having(cx, kind, &canonical).await? {
            let user = self.whole(cx, stored).await?;
            let is_it = |contact: &Contact| {
                contact.canonical == canonical && (!verified_only || contact.verified.is_some())
            };
            let found = match primary_only {
                true => user.contacts.primary(kind).is_some_and(is_it),
                false => user.contacts.of_kind(kind).any(is_it),
            };
            if found {
                return Ok(user);
            }
        }
        Err(Error::NoUser)
    }

    /// The users that have this canonical value, as they are stored.
    pub(super) async fn having(
        &self,
        cx: &Context,
        kind: ContactKind,
        canonical: &str,
    ) -> Result<Vec<Stored>, Error> {
        let records = self.store.having(cx.caller.tenant, kind, canonical).await?;
        records.into_iter().map(|record| Ok(Stored::of(record)?)).collect()
    }

    /// The first user that a filter finds.
    async fn only(&self, cx: &Context, filter: String) -> Result<User, Error> {
        let query = Query { filter: Some(filter), limit: 1, ..Query::default() };
        self.search(cx, &query).await?.users.into_iter().next().ok_or(Error::NoUser)
    }

    /// Another user who logs in by this address or number: by a name that it is, or because it was verified, which is
    /// asked if `verified`.
    pub(super) async fn rival(
        &self,
        cx: &Context,
        (kind, value): (ContactKind, &str),
        user: &str,
        verified: bool,
    ) -> Result<Option<User>, Error> {
        let canonical = crate::contact::canonical(kind, value, cx.caller.profile.contacts.region);
        let mut names = vec![quoted(value.trim()), quoted(&canonical)];
        names.dedup();
        let names =
            names.iter().map(|name| format!("{}:loginIds eq {name} or userName eq {name}", urn::IDENTIFIERS));
        let found = self.other(cx, names.collect::<Vec<_>>().join(" or "), user).await?;
        if found.is_some() || !verified {
            return Ok(found);
        }
        for stored in self.having(cx, kind, &canonical).await? {
            let other = self.whole(cx, stored).await?;
            let is_it = |contact: &Contact| contact.canonical == canonical && contact.verified.is_some();
            if other.id() != user && other.contacts.of_kind(kind).any(is_it) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// The first user but this one that a filter finds.
    async fn other(&self, cx: &Context, filter: String, user: &str) -> Result<Option<User>, Error> {
        let query = Query { filter: Some(filter), limit: 2, ..Query::default() };
        Ok(self.search(cx, &query).await?.users.into_iter().find(|other| other.id() != user))
    }

    /// The users that match a query, a page of them.
    ///
    /// # Errors
    /// [`Error::Failure`] with what SCIM says of a filter or path that it cannot read.
    pub async fn search(&self, cx: &Context, query: &Query) -> Result<Found, Error> {
        let list = ListQuery {
            filter: query.filter.clone(),
            sort_by: query.sort.clone(),
            sort_order: query.descending.then(|| "descending".to_owned()),
            ..ListQuery::default()
        };
        let page = (query.offset, query.limit);
        let (total, found) = self.directory.stored_page(cx, Self::kind(cx)?, &list, page).await?;
        let pks: Vec<i64> = found.iter().map(|stored| stored.record.pk).collect();
        let mut bags = self.store.bags(cx.caller.tenant, &pks).await?;
        let users = found.into_iter().map(|stored| {
            let pk = stored.record.pk;
            let own = bags.extract_if(.., |(of, ..)| *of == pk).map(|(_, name, text)| (name, text));
            User::of(cx, stored, own.collect::<Vec<_>>().into_iter())
        });
        Ok(Found { total, users: users.collect::<Result<_, _>>()? })
    }

    /// How many users match a filter in SCIM's language.
    ///
    /// # Errors
    /// As [`Identity::search`].
    pub async fn count(&self, cx: &Context, filter: Option<String>) -> Result<u64, Error> {
        let query = Query { filter, ..Query::default() };
        Ok(self.search(cx, &query).await?.total)
    }

    /// The groups that a user is a direct member of, as they are stored.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub async fn groups(&self, cx: &Context, id: &str) -> Result<Vec<Stored>, Error> {
        let stored = self.directory.stored(cx, Self::kind(cx)?, id).await?;
        let kinds = cx.caller.registry.types();
        let kind: Option<&Arc<ResourceType>> = kinds.iter().find(|kind| kind.members().is_some());
        let Some(kind) = kind else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for (_, group) in self.store.groups_of(cx.caller.tenant, &[stored.record.id.as_str()]).await? {
            match self.directory.stored(cx, kind, &group.id).await.map_err(Error::from) {
                // It went away meanwhile.
                Err(Error::NoUser) => {}
                group => out.push(group?),
            }
        }
        Ok(out)
    }
}

/// The filter for users whose primary address or number fulfils a condition, as in `eq "a"`: the one that is marked, or any
/// where none is.
pub fn whose_primary(kind: ContactKind, condition: &str) -> String {
    let attribute = kind.attribute();
    format!(
        "({attribute}[primary eq true and value {condition}] or \
         {attribute}.value {condition} and not ({attribute}[primary eq true]))"
    )
}
