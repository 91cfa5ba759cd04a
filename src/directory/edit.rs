//! What a PUT or a PATCH asks of a resource, and what that comes to for one version of it.
//!
//! Invariant: the request was understood before the resource is read, so that computing it again for another version
//! is cheap and cannot fail for another reason.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::contact;
use crate::context::Context;
use crate::directory::members::MembershipChange;
use crate::directory::{Directory, Failure, check_password, resource_of, rules, settled};
use crate::scim::admit::Admitted;
use crate::scim::error::ScimError;
use crate::scim::patch::PatchRequest;
use crate::scim::registry::ResourceType;
use crate::scim::resource::Resource;
use crate::store::{MemberEdit, Record, What};

/// A request to change a resource.
pub(super) struct Edit {
    pub(super) what: What,
    pub(super) change: MembershipChange,
    wanted: Wanted,
}

enum Wanted {
    /// The whole resource.
    Whole(Admitted),
    /// Parts of it.
    Parts(PatchRequest),
}

/// What there is to write.
pub(super) struct Revision {
    pub(super) old: Resource,
    pub(super) new: Resource,
    pub(super) members: MemberEdit,
}

impl Edit {
    /// The body of a PUT.
    pub(super) fn whole(
        cx: &Context,
        kind: &ResourceType,
        body: &Map<String, Value>,
    ) -> Result<Self, ScimError> {
        let mut admitted = kind.admit(body, rules(cx))?;
        let change = match (admitted.members.take(), kind.members()) {
            (Some(members), _) => MembershipChange::replace(members),
            (None, Some(_)) if !cx.caller.profile.policy.put_keeps_absent_members => {
                MembershipChange::replace(Vec::new())
            }
            (None, _) => MembershipChange::none(),
        };
        check_password(cx, kind, &admitted.mentioned)?;
        Ok(Self { what: What::Replace, change, wanted: Wanted::Whole(admitted) })
    }

    /// The body of a PATCH.
    pub(super) fn parts(
        cx: &Context,
        kind: &ResourceType,
        body: &Map<String, Value>,
    ) -> Result<Self, ScimError> {
        let ignores = cx.caller.profile.policy.patch_ignores_read_only;
        let request = PatchRequest::parse(body, kind, rules(cx), ignores)?;
        check_password(cx, kind, &request.mentioned())?;
        let change = MembershipChange::of(&request);
        Ok(Self { what: What::Patch, change, wanted: Wanted::Parts(request) })
    }

    /// The attributes that the client named.
    pub(super) fn touched(self) -> Vec<String> {
        match self.wanted {
            Wanted::Whole(admitted) => admitted.mentioned,
            Wanted::Parts(request) => request.mentioned(),
        }
    }

    /// The new resource made from the old one; none where it stays as it is.
    fn make(&self, cx: &Context, kind: &ResourceType, old: &Resource) -> Result<Option<Resource>, ScimError> {
        match &self.wanted {
            Wanted::Whole(admitted) => old.replaced(kind, admitted).map(Some),
            Wanted::Parts(request) => {
                request.apply(old, kind, cx.caller.profile.policy.replace_adds_missing_value)
            }
        }
    }
}

impl Directory {
    /// What the edit comes to for this version; none if nothing would change.
    pub(super) async fn revise(
        &self,
        cx: &Context,
        kind: &Arc<ResourceType>,
        record: &Record,
        edit: &Edit,
    ) -> Result<Option<Revision>, Failure> {
        let old = resource_of(record)?;
        let new = match edit.make(cx, kind, &old)? {
            Some(new) if new != old => {
                let new = match contact::differ(&old, &new) {
                    true => settled(cx, kind, record.id.as_str(), new)?,
                    false => new,
                };
                self.hasher.protect(kind, new, Some(&old)).await?
            }
            _ => old.clone(),
        };
        let members = edit.change.resolve(&self.store, cx.caller.tenant, kind, record).await?;
        if new == old && members.is_empty() {
            return Ok(None);
        }
        Ok(Some(Revision { old, new, members }))
    }
}
