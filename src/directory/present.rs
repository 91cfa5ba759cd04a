//! Reading what a representation shows beside the resource's own row: groups, members, references.
//!
//! Invariant: one statement for all entries of a page, and none for what the projection hides.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::context::Context;
use crate::directory::entry::{Entry, Members};
use crate::directory::pieces::MEMBERS_AT_ONCE;
use crate::directory::{Directory, Failure, shows_groups};
use crate::scim::projection::Projection;
use crate::scim::registry::ResourceType;
use crate::store::Record;

impl Directory {
    pub(super) fn entry(&self, cx: &Context, kind: &Arc<ResourceType>, record: Record) -> Entry {
        Entry::new(Arc::clone(&cx.caller.registry), Arc::clone(kind), record)
    }

    /// The groups of the entries that show them, in one statement.
    pub(super) async fn load_groups(
        &self,
        cx: &Context,
        entries: &mut [Entry],
        projection: &Projection,
    ) -> Result<(), Failure> {
        let shows = |entry: &&Entry| shows_groups(&entry.kind, projection);
        let ids: Vec<&str> = entries.iter().filter(shows).map(|e| e.record.id.as_str()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut groups = grouped(self.store.groups_of(cx.caller.tenant, &ids).await?);
        for entry in entries {
            entry.groups = groups.remove(entry.record.id.as_str()).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads what entries show beside their own rows and their groups.
    pub(super) async fn finish(
        &self,
        cx: &Context,
        entries: &mut [Entry],
        projection: &Projection,
    ) -> Result<(), Failure> {
        self.load_members(cx, entries, projection, None).await?;
        self.load_references(cx, entries, projection).await
    }

    /// The members of the entries that show them, in one statement; not those of a group with more than `most`, and none
    /// if there are many in all: then they are read while they are sent.
    pub(super) async fn load_members(
        &self,
        cx: &Context,
        entries: &mut [Entry],
        projection: &Projection,
        most: Option<u32>,
    ) -> Result<(), Failure> {
        let tenant = cx.caller.tenant;
        let shows = |entry: &Entry| entry.kind.members().is_some_and(|a| projection.shows(&entry.kind, a));
        let mut groups = Vec::new();
        for entry in entries.iter_mut().filter(|entry| shows(entry)) {
            entry.members = match most {
                Some(most) if self.store.has_more_members(tenant, entry.record.pk, most).await? => {
                    Members::TooMany
                }
                _ => Members::Loaded(Vec::new()),
            };
            if let Members::Loaded(_) = entry.members {
                groups.push(entry.record.pk);
            }
        }
        if groups.is_empty() {
            return Ok(());
        }
        let mut found = self.store.members(tenant, &groups, MEMBERS_AT_ONCE).await?.map(grouped);
        for entry in entries.iter_mut().filter(|entry| matches!(entry.members, Members::Loaded(_))) {
            entry.members = match &mut found {
                Some(found) => Members::Loaded(found.remove(&entry.record.pk).unwrap_or_default()),
                None => self.walk(tenant),
            };
        }
        Ok(())
    }

    /// Takes apart the documents that cannot be copied, and looks up what they refer to, in one statement.
    pub(super) async fn load_references(
        &self,
        cx: &Context,
        entries: &mut [Entry],
        projection: &Projection,
    ) -> Result<(), Failure> {
        entries.iter_mut().try_for_each(|entry| entry.open(projection))?;
        let ids: Vec<String> = entries.iter().flat_map(Entry::referenced).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = self.store.lookup(cx.caller.tenant, &ids).await?;
        let found = found.into_iter().map(|found| (found.id.clone(), found)).collect();
        entries.iter_mut().for_each(|entry| entry.refer(&found));
        Ok(())
    }
}

/// Pairs as lists by their first part.
fn grouped<K: Hash + Eq, V>(pairs: Vec<(K, V)>) -> HashMap<K, Vec<V>> {
    let mut out: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in pairs {
        out.entry(key).or_default().push(value);
    }
    out
}
