//! Changes of a resource that come from elsewhere than SCIM, by the same way as a PATCH.
//!
//! Invariant: what is written was computed from the version that is still current, and what stands beside the resource is
//! in the same batch. A change that touches only what stands beside raises no version, unless that is part of
//! what the resource is.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::context::Context;
use crate::directory::password::{ATTRIBUTE, Verdict};
use crate::directory::{ATTEMPTS, Directory, Failure, bind_filters, contended, mutation, resource_of, rules};
use crate::directory::{settled, too_complex};
use crate::id::ResourceId;
use crate::scim::listing::ListQuery;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::version::Condition;
use crate::store::{Aside, MemberEdit, Record, Scope, Search, StoreError, What};

/// A resource as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its row.
    pub record: Record,
    /// The document, secrets included.
    pub resource: Resource,
}

impl Stored {
    /// Puts together what a row holds.
    ///
    /// # Errors
    /// [`Failure::Store`] if it does not hold a document.
    pub fn of(record: Record) -> Result<Self, Failure> {
        Ok(Self { resource: resource_of(&record)?, record })
    }
}

/// What becomes of a resource.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// The document; a password in it that is new is in clear.
    pub resource: Resource,
    /// What is written beside it.
    pub asides: Vec<Aside>,
}

impl Directory {
    /// One resource as it is stored.
    ///
    /// # Errors
    /// `NotFound` if the caller's tenant has no such resource of this type.
    pub async fn stored(&self, cx: &Context, kind: &Arc<ResourceType>, id: &str) -> Result<Stored, Failure> {
        Stored::of(self.current(cx, kind, id, &Condition::default()).await?)
    }

    /// Whether it is the password of a resource. A hash that another system made, or that has become weak, gives way to
    /// one of Argon2id when its password is right; that is no change of the resource.
    ///
    /// # Errors
    /// [`Failure::Hashing`], [`Failure::Store`].
    pub async fn has_password(&self, cx: &Context, stored: &Stored, clear: &str) -> Result<bool, Failure> {
        match self.hasher.verify(&stored.resource, clear).await? {
            Verdict::No => Ok(false),
            Verdict::Yes => Ok(true),
            Verdict::YesBut(hash) => {
                let secret = stored.record.secret.as_deref().unwrap_or("{}");
                let mut secret: Map<String, Value> =
                    serde_json::from_str(secret).map_err(Failure::stored_document)?;
                secret.insert(ATTRIBUTE.to_owned(), Value::String(hash));
                let secret = Value::Object(secret).to_string();
                self.store.set_secret(cx.caller.tenant, &stored.record, &secret).await?;
                Ok(true)
            }
        }
    }

    /// A page of the resources that match a query, and how many there are; offset and limit stand for its own.
    ///
    /// # Errors
    /// `invalidFilter` or `invalidPath` for a query that does not fit the type.
    pub async fn stored_page(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        query: &ListQuery,
        (offset, limit): (u64, u64),
    ) -> Result<(u64, Vec<Stored>), Failure> {
        let kinds = std::slice::from_ref(kind);
        let filter = bind_filters(kinds, query.filter.as_deref())?.pop().flatten();
        let sort = query.sort_paths(kinds.iter().map(|kind| &**kind))?.pop().flatten();
        let scopes = vec![Scope { kind: Arc::clone(kind), filter, sort }];
        let search = Search { scopes, descending: query.is_descending()?, offset, limit, group: None };
        let page = self.store.search(cx.caller.tenant, &search).await.map_err(too_complex)?;
        let found = page.records.into_iter().map(|(_, record)| Stored::of(record));
        Ok((page.total, found.collect::<Result<_, _>>()?))
    }

    /// A resource that does not exist yet, with what a body must have.
    ///
    /// # Errors
    /// As [`ResourceType::admit`].
    pub fn blank(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &ResourceId,
        body: &Map<String, Value>,
    ) -> Result<Stored, Failure> {
        let resource = Resource::created(kind, kind.admit(body, rules(cx))?)?.with_id(kind, id.as_str());
        let record = Record {
            pk: 0,
            id: id.clone(),
            version: 0,
            created: String::new(),
            modified: String::new(),
            document: String::new(),
            secret: None,
        };
        Ok(Stored { record, resource })
    }

    /// Creates a resource.
    ///
    /// # Errors
    /// [`StoreError::Unique`] with the attribute that is taken.
    pub async fn enrol(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &ResourceId,
        amendment: Amendment,
    ) -> Result<Stored, Failure> {
        let resource = settled(cx, kind, id.as_str(), amendment.resource)?;
        kind.check_required(resource.body())?;
        let resource = self.hasher.protect(kind, resource, None).await?;
        let mutation = mutation(cx, kind, id, What::Create);
        Stored::of(self.store.create_with(&mutation, &resource, &[], &amendment.asides).await?)
    }

    /// Changes a resource as `edit` says of what is stored; it is asked again if somebody else was faster.
    ///
    /// # Errors
    /// `NotFound`, [`StoreError::Unique`], [`StoreError::Exhausted`], and those of `edit`.
    pub async fn amend<T, E: From<Failure>>(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        edit: impl AsyncFn(&Stored) -> Result<(Amendment, T), E>,
    ) -> Result<(Stored, T), E> {
        let _turn = self.queue.enter(cx.caller.tenant, id).await;
        for _ in 0..ATTEMPTS {
            let stored = self.stored(cx, kind, id).await?;
            let (amendment, out) = edit(&stored).await?;
            if let Some(stored) = self.write_amended(cx, kind, stored, amendment).await? {
                return Ok((stored, out));
            }
        }
        Err(contended().into())
    }

    /// Writes an amendment; none if somebody else was faster.
    async fn write_amended(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        stored: Stored,
        Amendment { resource, asides }: Amendment,
    ) -> Result<Option<Stored>, Failure> {
        let Stored { record, resource: old } = &stored;
        if resource == *old && !asides.iter().any(Aside::is_change) {
            if asides.is_empty() {
                return Ok(Some(stored));
            }
            let written = self.store.write_aside(cx.caller.tenant, record.pk, &asides).await;
            return unless_lost(written.map(|()| stored));
        }
        let new = settled(cx, kind, record.id.as_str(), resource)?;
        kind.check_required(new.body())?;
        let new = self.hasher.protect(kind, new, Some(old)).await?;
        let mutation = mutation(cx, kind, &record.id, What::Patch);
        let edit = MemberEdit::default();
        let written = self.store.update_with(&mutation, record, old, &new, &edit, &asides).await;
        unless_lost(written)?.map(Stored::of).transpose()
    }

    /// Changes a resource and deletes another one of its type; none if somebody else changed either meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unique`].
    pub async fn absorb(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        (record, old): (&Record, &Resource),
        Amendment { resource, asides }: Amendment,
        absorbed: &Record,
    ) -> Result<Option<Stored>, Failure> {
        let new = settled(cx, kind, record.id.as_str(), resource)?;
        let new = self.hasher.protect(kind, new, Some(old)).await?;
        let into = mutation(cx, kind, &record.id, What::Patch);
        let who = format!("{}, merging into {}", cx.caller.client_name, record.id);
        let mut gone = mutation(cx, kind, &absorbed.id, What::Delete);
        gone.who = &who;
        // It lives on in the other one, and must not come back beside it.
        gone.what = What::Delete;
        let written = self.store.merge(&into, record, (old, &new), &asides, &gone, absorbed).await;
        unless_lost(written)?.map(Stored::of).transpose()
    }
}

fn unless_lost<T>(written: Result<T, StoreError>) -> Result<Option<T>, Failure> {
    match written {
        Err(StoreError::Conflict) => Ok(None),
        other => Ok(Some(other?)),
    }
}
