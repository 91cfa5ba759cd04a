//! What a request asks of a directory: find, list, create, replace, patch and delete resources (RFC 7644 §3.3–3.6).
//!
//! Invariant: every write is computed from a version that was read and takes effect only if that version is still
//! current; a lost race is read again and retried here, so that a client sees 412 only if it sent a precondition.

mod amend;
mod bulk;
mod check;
mod deleted;
mod edit;
mod entry;
mod export;
mod failure;
mod hash;
mod import;
mod members;
mod newcomer;
mod password;
mod pieces;
mod present;
mod queue;
mod render;
mod together;
mod walk;

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Map, Value};

pub use self::amend::{Amendment, Stored};
pub use self::bulk::Done;
pub use self::check::{Check, Findings};
use self::edit::{Edit, Revision};
pub use self::entry::{Entry, Listing};
pub use self::export::Export;
pub use self::failure::Failure;
pub use self::hash::check as check_hash;
pub use self::import::{Import, Line, NewMembers, Outcome, Screened};
pub use self::newcomer::Newcomer;
use self::password::Hasher;
pub use self::pieces::{Piece, Pieces, Reading};
use self::queue::Queue;
use crate::contact;
use crate::context::{Context, Permission};
use crate::id::ResourceId;
use crate::quirks::Policy;
use crate::scim::admit::Rules;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::filter::Filter;
use crate::scim::listing::ListQuery;
use crate::scim::projection::Projection;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::scim::urn;
use crate::scim::version::Condition;
pub use crate::store::Deleted;
use crate::store::{GroupRef, Mutation, Record, Scope, Search, Store, StoreError, Unique, What};

/// How often a write that lost a race is tried again before the client is asked to come back.
pub(crate) const ATTEMPTS: usize = 32;

/// A group with more members than this is not read back for the answer to a PATCH, which then is 204
/// (RFC 7644 §3.5.2), so that changing one member costs the same in a group of any size.
const MEMBERS_IN_PATCH_ANSWER: u32 = 100;

/// The directory of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    store: Store,
    queue: Arc<Queue>,
    hasher: Arc<Hasher>,
}

impl Directory {
    /// The directory in this store.
    pub fn new(store: Store) -> Self {
        Self { store, queue: Arc::new(Queue::new()), hasher: Arc::new(Hasher::new()) }
    }

    /// One resource.
    ///
    /// # Errors
    /// `NotFound` if the caller's tenant has no such resource of this type.
    pub async fn get(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        projection: &Projection,
    ) -> Result<Entry, Failure> {
        let found = self.store.get(cx.caller.tenant, kind, id, shows_groups(kind, projection)).await?;
        let (record, groups) = found.ok_or_else(|| not_found(kind, id))?;
        let mut entry = self.entry(cx, kind, record);
        entry.groups = groups;
        self.finish(cx, std::slice::from_mut(&mut entry), projection).await?;
        Ok(entry)
    }

    /// The resources of some types that match a query, a page of them.
    ///
    /// # Errors
    /// `invalidFilter` or `invalidValue` for a query that does not fit the types.
    pub async fn list(
        &self,
        cx: &Context,
        kinds: &[Arc<ResourceType>],
        query: &ListQuery,
        projection: &Projection,
    ) -> Result<Listing, Failure> {
        query.check_paging()?;
        let filters = bind_filters(kinds, query.filter.as_deref())?;
        let sorts = query.sort_paths(kinds.iter().map(|kind| &**kind))?;
        let scopes = kinds.iter().zip(filters).zip(sorts);
        let scopes = scopes.map(|((kind, filter), sort)| Scope { kind: Arc::clone(kind), filter, sort });
        let search = Search {
            scopes: scopes.collect(),
            descending: query.is_descending()?,
            offset: query.start() - 1,
            limit: query.limit(),
            group: None,
        };
        if let Some(cursor) = &query.cursor {
            return self.page_at(cx, (kinds, query, projection), search, cursor).await;
        }
        let shown: Vec<bool> = kinds.iter().map(|kind| shows_groups(kind, projection)).collect();
        let (page, groups) = match shown.contains(&true) {
            true => self.store.search_with_groups(cx.caller.tenant, &search).await,
            false => self.store.search(cx.caller.tenant, &search).await.map(|page| (page, Vec::new())),
        }
        .map_err(too_complex)?;
        let mut groups = groups.into_iter();
        let entries = page.records.into_iter().filter_map(|(scope, record)| {
            let mut entry = self.entry(cx, kinds.get(scope)?, record);
            entry.groups = groups.next().filter(|_| shown.get(scope) == Some(&true)).unwrap_or_default();
            Some(entry)
        });
        let mut entries: Vec<Entry> = entries.collect();
        self.finish(cx, &mut entries, projection).await?;
        Ok(Listing { total: page.total, start_index: Some(query.start()), next_cursor: None, entries })
    }

    /// Creates a resource from the body of a POST.
    ///
    /// # Errors
    /// As [`ResourceType::admit`]; `uniqueness` if a unique value is taken.
    pub async fn create(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        body: Map<String, Value>,
        projection: &Projection,
    ) -> Result<Entry, Failure> {
        let id = ResourceId::generate();
        let draft = Draft::of(cx, kind, &id, &body)?;
        // The body of a large group takes much memory, and what is kept of it little.
        drop(body);
        let (record, touched) = self.insert(cx, kind, id, draft).await?;
        let mut entry = self.entry(cx, kind, record);
        entry.touched = touched;
        self.finish(cx, std::slice::from_mut(&mut entry), projection).await?;
        Ok(entry)
    }

    /// Replaces a resource by the body of a PUT.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `uniqueness`, and those of [`ResourceType::admit`] and [`Resource::replaced`].
    pub async fn replace(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        condition: &Condition,
        body: Map<String, Value>,
        projection: &Projection,
    ) -> Result<Entry, Failure> {
        let edit = Edit::whole(cx, kind, &body)?;
        drop(body);
        let written = self.write(cx, kind, id, condition, &edit, shows_groups(kind, projection)).await?;
        self.answer(cx, kind, written, edit.touched(), projection, None).await
    }

    /// Applies the body of a PATCH to a resource.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `uniqueness`, and those of [`PatchRequest::parse`] and [`PatchRequest::apply`].
    ///
    /// [`PatchRequest::parse`]: crate::scim::patch::PatchRequest::parse
    /// [`PatchRequest::apply`]: crate::scim::patch::PatchRequest::apply
    pub async fn patch(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        condition: &Condition,
        body: Map<String, Value>,
        projection: &Projection,
    ) -> Result<Entry, Failure> {
        let edit = Edit::parts(cx, kind, &body)?;
        drop(body);
        let written = self.write(cx, kind, id, condition, &edit, shows_groups(kind, projection)).await?;
        let limit = (*projection == Projection::Default).then_some(MEMBERS_IN_PATCH_ANSWER);
        self.answer(cx, kind, written, edit.touched(), projection, limit).await
    }

    /// Deletes a resource, its memberships and its contacts.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`.
    pub async fn delete(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        condition: &Condition,
    ) -> Result<(), Failure> {
        let _turn = self.queue.enter(cx.caller.tenant, id).await;
        for _ in 0..ATTEMPTS {
            let record = self.current(cx, kind, id, condition).await?;
            let mutation = mutation(cx, kind, &record.id, What::Delete);
            match self.store.delete(&mutation, &record, true).await {
                Err(StoreError::Conflict) => {}
                other => return Ok(other?),
            }
        }
        Err(contended())
    }

    /// The course of POST, with the id that was made for the resource; answers the attributes that the client named, too.
    async fn insert(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: ResourceId,
        Draft { resource, members, touched }: Draft,
    ) -> Result<(Record, Vec<String>), Failure> {
        self.check_members(cx, &members).await?;
        let resource = self.hasher.protect(kind, resource, None).await?;
        let mutation = mutation(cx, kind, &id, What::Create);
        let record =
            self.store.create(&mutation, &resource, &members).await.map_err(|error| refusal(kind, error))?;
        Ok((record, touched))
    }

    /// The common course of PUT and PATCH: read, compute, write if anything changed, and again if the race was lost.
    /// Answers the record, and on request the groups that the resource is in, which are read with it.
    async fn write(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        condition: &Condition,
        edit: &Edit,
        with_groups: bool,
    ) -> Result<(Record, Vec<GroupRef>), Failure> {
        self.check_members(cx, edit.change.wanted()).await?;
        let _turn = self.queue.enter(cx.caller.tenant, id).await;
        for _ in 0..ATTEMPTS {
            let (record, groups) = self.current_with_groups(cx, kind, id, condition, with_groups).await?;
            let Some(Revision { old, new, members }) = self.revise(cx, kind, &record, edit).await? else {
                return Ok((record, groups));
            };
            let mutation = mutation(cx, kind, &record.id, edit.what);
            match self.store.update(&mutation, &record, &old, &new, &members).await {
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(refusal(kind, error)),
                Ok(record) => return Ok((record, groups)),
            }
        }
        Err(contended())
    }

    /// The record that a write starts from.
    async fn current(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        condition: &Condition,
    ) -> Result<Record, Failure> {
        Ok(self.current_with_groups(cx, kind, id, condition, false).await?.0)
    }

    /// The same, and on request the groups that the resource is in.
    async fn current_with_groups(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        id: &str,
        condition: &Condition,
        with_groups: bool,
    ) -> Result<(Record, Vec<GroupRef>), Failure> {
        let found = self.store.get(cx.caller.tenant, kind, id, with_groups).await?;
        let (record, groups) = found.ok_or_else(|| not_found(kind, id))?;
        if condition.allows_write(record.version) {
            return Ok((record, groups));
        }
        let detail = format!("the resource has version {}", crate::scim::version::etag(record.version));
        Err(ScimError::new(ErrorKind::PreconditionFailed, detail).into())
    }

    /// What PUT and PATCH answer with.
    async fn answer(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        (record, groups): (Record, Vec<GroupRef>),
        touched: Vec<String>,
        projection: &Projection,
        most_members: Option<u32>,
    ) -> Result<Entry, Failure> {
        let mut entry = self.entry(cx, kind, record);
        entry.groups = groups;
        entry.touched = touched;
        let entries = std::slice::from_mut(&mut entry);
        self.load_members(cx, entries, projection, most_members).await?;
        self.load_references(cx, entries, projection).await?;
        Ok(entry)
    }

    /// Refuses members that are no resources, where the policy says so (reading A28).
    async fn check_members(&self, cx: &Context, members: &[String]) -> Result<(), Failure> {
        if members.is_empty() || cx.caller.profile.policy.accept_unknown_members {
            return Ok(());
        }
        let ids: Vec<&str> = members.iter().map(String::as_str).collect();
        let known = self.store.lookup(cx.caller.tenant, &ids).await?;
        let known: HashSet<String> = known.into_iter().map(|found| found.id).collect();
        match members.iter().find(|id| !known.contains(*id)) {
            None => Ok(()),
            Some(id) => Err(ScimError::value(format!("members: there is no resource {id:?}")).into()),
        }
    }
}

/// Whether the representation has the groups that a resource of the type is in.
fn shows_groups(kind: &ResourceType, projection: &Projection) -> bool {
    kind.groups().is_some_and(|attribute| projection.shows(kind, attribute))
}

/// A resource that is about to be created.
struct Draft {
    resource: Resource,
    members: Vec<String>,
    /// The attributes that the client named.
    touched: Vec<String>,
}

impl Draft {
    fn of(
        cx: &Context,
        kind: &ResourceType,
        id: &ResourceId,
        body: &Map<String, Value>,
    ) -> Result<Self, ScimError> {
        let mut admitted = kind.admit(body, rules(cx))?;
        let touched = admitted.mentioned.clone();
        check_password(cx, kind, &touched)?;
        let members = admitted.members.take().unwrap_or_default();
        let resource = Resource::created(kind, admitted)?.with_id(kind, id.as_str());
        let resource = settled(cx, kind, id.as_str(), resource)?;
        Ok(Self { resource, members, touched })
    }
}

fn rules(cx: &Context) -> Rules {
    let policy = &cx.caller.profile.policy;
    Rules {
        check_formats: policy.check_formats,
        refuse_unknown: policy.refuse_unknown_attributes,
        needs_path: policy.patch_needs_path,
        replace_whole: policy.replace_whole_values,
        one_value: policy.one_value_a_path,
        may_verify: cx.caller.scopes.allow(Permission::VerifyIdentifiers),
    }
}

/// Refuses passwords and their hashes where the policy says so.
fn check_password(cx: &Context, kind: &ResourceType, mentioned: &[String]) -> Result<(), ScimError> {
    let policy = &cx.caller.profile.policy;
    if !urn::same(&kind.schema.id, urn::USER) {
        return Ok(());
    }
    let brings_hash = mentioned.iter().any(|name| name.starts_with(urn::CREDENTIALS));
    if policy.refuse_passwords && (brings_hash || mentioned.iter().any(|name| name == password::ATTRIBUTE)) {
        return Err(ScimError::syntax("password: passwords are not taken here"));
    }
    if brings_hash && !policy.accept_password_hashes {
        return Err(ScimError::value(
            "passwordHash: hashes of passwords are taken where the tenant sets accept-password-hashes",
        ));
    }
    Ok(())
}

/// What is written, by the caller and now. What is deleted is kept for as long as the tenant says.
fn mutation<'a>(
    cx: &'a Context,
    kind: &'a Arc<ResourceType>,
    id: &'a ResourceId,
    what: What,
) -> Mutation<'a> {
    let now = stored_precision(cx.now);
    let what = match (what, cx.caller.profile.retention.until(now)) {
        (What::Delete, Some(until)) => What::Retire(until),
        (what, _) => what,
    };
    Mutation {
        tenant: cx.caller.tenant,
        kind,
        id,
        now,
        who: &cx.caller.client_name,
        what,
        also_unique: also_unique(cx, kind),
    }
}

/// What policies make unique.
fn also_unique(cx: &Context, kind: &ResourceType) -> Unique<'static> {
    let profile = &cx.caller.profile;
    let Policy { unique_group_names, unique_external_ids, .. } = profile.policy;
    let paths: &[&str] =
        match (unique_group_names && urn::same(&kind.schema.id, urn::GROUP), unique_external_ids) {
            (true, true) => &["displayName", "externalId"],
            (true, false) => &["displayName"],
            (false, true) => &["externalId"],
            (false, false) => &[],
        };
    Unique { paths, claims: profile.contacts.claims }
}

/// The resource with what the server knows of its addresses and numbers.
fn settled(cx: &Context, kind: &ResourceType, id: &str, resource: Resource) -> Result<Resource, ScimError> {
    contact::settle(kind, id, resource, cx.caller.profile.contacts, stored_precision(cx.now))
}

/// Reading A31: instants are stored and shown in milliseconds.
fn stored_precision(now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(3)
}

fn bind_filters(kinds: &[Arc<ResourceType>], filter: Option<&str>) -> Result<Vec<Option<Filter>>, ScimError> {
    match (filter, kinds) {
        (None, _) => Ok(kinds.iter().map(|_| None).collect()),
        (Some(text), [kind]) => Ok(vec![Some(Filter::parse(text, kind)?)]),
        (Some(text), _) => {
            let filters = Filter::parse_for_all(text, kinds.iter().map(|kind| &**kind))?;
            Ok(filters.into_iter().map(Some).collect())
        }
    }
}

/// Puts a stored resource together again.
fn resource_of(record: &Record) -> Result<Resource, Failure> {
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text);
    let visible = object(&record.document).map_err(Failure::stored_document)?;
    let secret = record.secret.as_deref().map(object).transpose().map_err(Failure::stored_document)?;
    Ok(Resource::stored(visible, secret))
}

fn not_found(kind: &ResourceType, id: &str) -> Failure {
    ScimError::new(ErrorKind::NotFound, format!("there is no {} {id:?}", kind.name)).into()
}

pub(crate) fn contended() -> Failure {
    let detail = "the resource is being changed by others all the time; try again";
    ScimError::new(ErrorKind::Unavailable, detail).into()
}

/// A filter that needs more of the database than one statement may have.
fn too_complex(error: StoreError) -> Failure {
    match error {
        StoreError::TooComplex { limit } => {
            ScimError::filter(format!("the filter is too complex: it may come to {limit} parts")).into()
        }
        other => other.into(),
    }
}

/// Says which value is taken.
fn refusal(kind: &ResourceType, error: StoreError) -> Failure {
    match error {
        StoreError::Unique { path } => {
            let detail = format!("another {} has this {path}", kind.name);
            ScimError::new(ErrorKind::Uniqueness, detail).into()
        }
        other => other.into(),
    }
}
