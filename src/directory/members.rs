//! Membership edits: what the `members` operations of a request come to, without loading the group.
//!
//! Invariant: the work is proportional to the request, not to the group, unless the request is about all members.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::directory::{Failure, too_complex};
use crate::id::TenantId;
use crate::scim::fact::element_facts;
use crate::scim::filter::{Filter, Op};
use crate::scim::patch::apply::is_membership;
use crate::scim::patch::{Action, Given, PatchRequest};
use crate::scim::path::Target;
use crate::scim::registry::ResourceType;
use crate::store::{MemberEdit, Record, Store};

/// What a request does to the members of a group, in order.
pub(super) struct MembershipChange {
    steps: Vec<Step>,
    wanted: Vec<String>,
}

enum Step {
    Add(Vec<String>),
    Replace(Vec<String>),
    RemoveIds(Vec<String>),
    RemoveMatching(Filter),
}

impl MembershipChange {
    /// Nothing.
    pub(super) fn none() -> Self {
        Self { steps: Vec::new(), wanted: Vec::new() }
    }

    /// These members and no others.
    pub(super) fn replace(members: Vec<String>) -> Self {
        Self { wanted: members.clone(), steps: vec![Step::Replace(members)] }
    }

    /// The `members` operations of a PATCH.
    pub(super) fn of(request: &PatchRequest) -> Self {
        let mut change = Self::none();
        for operation in request.operations.iter().filter(|operation| is_membership(operation)) {
            let step = match (&operation.action, &operation.target) {
                (Action::Add(Given::Members(ids)), _) => Step::Add(ids.clone()),
                (Action::Replace(Given::Members(ids)), _) => Step::Replace(ids.clone()),
                (_, Target::Values { filter, .. }) => match named_ids(filter) {
                    Some(ids) => Step::RemoveIds(ids),
                    None => Step::RemoveMatching(filter.clone()),
                },
                _ => Step::Replace(Vec::new()),
            };
            if let Step::Add(ids) | Step::Replace(ids) = &step {
                change.wanted.extend(ids.iter().cloned());
            }
            change.steps.push(step);
        }
        change
    }

    /// The ids that are to become members.
    pub(super) fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// What has to be written, given who is a member now.
    pub(super) async fn resolve(
        &self,
        store: &Store,
        tenant: TenantId,
        kind: &ResourceType,
        group: &Record,
    ) -> Result<MemberEdit, Failure> {
        let mut net = Net::default();
        for step in &self.steps {
            match step {
                Step::Add(ids) => net.add(ids),
                Step::Replace(ids) => net.replace(ids),
                Step::RemoveIds(ids) => net.remove(ids),
                Step::RemoveMatching(filter) => {
                    let stored = if net.all_gone {
                        Vec::new()
                    } else {
                        store.members_matching(tenant, kind, group.pk, filter).await.map_err(too_complex)?
                    };
                    let fresh = matching_among(store, tenant, kind, &net.added, filter).await?;
                    net.remove(&stored);
                    net.remove(&fresh);
                }
            }
        }
        net.against(store, tenant, group).await
    }
}

/// The net effect of the steps so far.
#[derive(Default)]
struct Net {
    /// Everybody who was a member is gone, unless added again.
    all_gone: bool,
    added: Vec<String>,
    removed: HashSet<String>,
}

impl Net {
    fn add(&mut self, ids: &[String]) {
        let known: HashSet<&str> = self.added.iter().map(String::as_str).collect();
        let fresh: Vec<String> = ids.iter().filter(|id| !known.contains(id.as_str())).cloned().collect();
        for id in &fresh {
            self.removed.remove(id);
        }
        self.added.extend(fresh);
    }

    fn replace(&mut self, ids: &[String]) {
        *self = Self { all_gone: true, ..Self::default() };
        self.add(ids);
    }

    fn remove(&mut self, ids: &[String]) {
        let gone: HashSet<&str> = ids.iter().map(String::as_str).collect();
        self.added.retain(|id| !gone.contains(id.as_str()));
        self.removed.extend(ids.iter().cloned());
    }

    /// Leaves out what is so already, so that a request that changes nothing writes nothing.
    async fn against(self, store: &Store, tenant: TenantId, group: &Record) -> Result<MemberEdit, Failure> {
        if self.all_gone && self.added.is_empty() {
            let clear = store.has_members(tenant, group.pk).await?;
            return Ok(MemberEdit { clear, ..MemberEdit::default() });
        }
        let current: HashSet<String> = if self.all_gone {
            store.member_ids(tenant, group.pk).await?.into_iter().collect()
        } else {
            let touched: Vec<&str> = self.added.iter().chain(&self.removed).map(String::as_str).collect();
            store.members_among(tenant, group.pk, &touched).await?.into_iter().collect()
        };
        let wanted: HashSet<&String> = self.added.iter().collect();
        let stays = |id: &&String| wanted.contains(id) || !(self.all_gone || self.removed.contains(*id));
        let remove = current.iter().filter(|id| !stays(id)).cloned().collect();
        let add = self.added.iter().filter(|id| !current.contains(*id)).cloned().collect();
        Ok(MemberEdit { clear: false, add, remove })
    }
}

/// The ids in `value eq "a" or value eq "b"`; none for any other filter.
fn named_ids(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Test { path, op: Op::Eq, key } if path.leaf().name == "value" => {
            Some(vec![key.as_str().to_owned()])
        }
        Filter::Or(parts) => {
            let ids: Option<Vec<Vec<String>>> = parts.iter().map(named_ids).collect();
            ids.map(|ids| ids.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// Which of the ids that this request adds a filter selects.
async fn matching_among(
    store: &Store,
    tenant: TenantId,
    kind: &ResourceType,
    ids: &[String],
    filter: &Filter,
) -> Result<Vec<String>, Failure> {
    let Some(attribute) = kind.members().filter(|_| !ids.is_empty()) else {
        return Ok(Vec::new());
    };
    let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
    let found = store.lookup(tenant, &texts).await?;
    let kinds: HashMap<String, String> = found.into_iter().map(|found| (found.id, found.kind)).collect();
    let is_selected = |id: &&String| {
        let element = json!({"value": id, "type": kinds.get(*id)});
        filter.matches(&element_facts(attribute, &element))
    };
    Ok(ids.iter().filter(is_selected).cloned().collect())
}
