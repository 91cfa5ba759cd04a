//! Several requests that happen together: all of them, or none.
//!
//! Invariant: they are computed from versions that were read and written in one batch that is guarded by them; a lost
//! race is read again and retried for all. No resource is named by two of them.

use std::collections::HashSet;
use std::sync::Arc;

use crate::context::Context;
use crate::directory::edit::{Edit, Revision};
use crate::directory::{ATTEMPTS, Directory, Draft, Failure, contended, mutation, refusal};
use crate::id::ResourceId;
use crate::scim::bulk::{Action, Verb};
use crate::scim::error::ScimError;
use crate::scim::registry::ResourceType;
use crate::scim::version::Condition;
use crate::store::{Change, Record, StoreError, What};

/// A request that was understood.
pub(super) struct Wish<'a> {
    kind: &'a Arc<ResourceType>,
    id: ResourceId,
    condition: Condition,
    wanted: Wanted,
}

enum Wanted {
    Create(Draft),
    Edit(Edit),
    Delete,
}

impl<'a> Wish<'a> {
    pub(super) fn of(cx: &Context, action: &'a Action, id: &str) -> Result<Self, ScimError> {
        let (kind, data) = (&action.kind, &action.data);
        let id = ResourceId::from_text(id);
        let wanted = match action.verb {
            Verb::Post => Wanted::Create(Draft::of(cx, kind, &id, data)?),
            Verb::Put => Wanted::Edit(Edit::whole(cx, kind, data)?),
            Verb::Patch => Wanted::Edit(Edit::parts(cx, kind, data)?),
            Verb::Delete => Wanted::Delete,
        };
        let condition = Condition::from_headers(action.version.as_deref(), None);
        Ok(Self { kind, id, condition, wanted })
    }

    /// The ids that are to become members.
    fn members(&self) -> &[String] {
        match &self.wanted {
            Wanted::Create(draft) => &draft.members,
            Wanted::Edit(edit) => edit.change.wanted(),
            Wanted::Delete => &[],
        }
    }
}

impl Directory {
    /// Grants all wishes; answers the records, none for what is deleted.
    ///
    /// # Errors
    /// Those of the single requests, with the index of the wish that fails.
    pub(super) async fn together(
        &self,
        cx: &Context,
        mut wishes: Vec<Wish<'_>>,
    ) -> Result<Vec<Option<Record>>, (usize, Failure)> {
        let created = wishes.iter().filter(|wish| matches!(wish.wanted, Wanted::Create(_)));
        let created: HashSet<String> = created.map(|wish| wish.id.to_string()).collect();
        for (index, wish) in wishes.iter_mut().enumerate() {
            let members: Vec<String> =
                wish.members().iter().filter(|id| !created.contains(*id)).cloned().collect();
            self.check_members(cx, &members).await.map_err(|failure| (index, failure))?;
            if let Wanted::Create(draft) = &mut wish.wanted {
                let resource = std::mem::take(&mut draft.resource);
                let protected = self.hasher.protect(wish.kind, resource, None).await;
                draft.resource = protected.map_err(|failure| (index, failure))?;
            }
        }
        for _ in 0..ATTEMPTS {
            let mut records = Vec::with_capacity(wishes.len());
            let mut changes = Vec::new();
            for (index, wish) in wishes.iter().enumerate() {
                let (record, change) = self.prepare(cx, wish).await.map_err(|failure| (index, failure))?;
                records.push(record);
                changes.extend(change.map(|change| (index, change)));
            }
            let (indexes, changes): (Vec<usize>, Vec<Change<'_>>) = changes.into_iter().unzip();
            match self.store.write_together(&changes).await {
                Ok(written) => {
                    for (index, record) in indexes.into_iter().zip(written) {
                        if let Some(place) = records.get_mut(index) {
                            *place = record;
                        }
                    }
                    return Ok(records);
                }
                Err((_, StoreError::Conflict)) => {}
                Err((change, error)) => {
                    let index = indexes.get(change).copied().unwrap_or_default();
                    let kind = wishes.get(index).map(|wish| wish.kind);
                    return Err((index, kind.map_or_else(contended, |kind| refusal(kind, error))));
                }
            }
        }
        Err((0, contended()))
    }

    /// The record that there is now, and what has to be written.
    async fn prepare<'a>(
        &self,
        cx: &'a Context,
        wish: &'a Wish<'_>,
    ) -> Result<(Option<Record>, Option<Change<'a>>), Failure> {
        let Wish { kind, id, condition, wanted } = wish;
        let draft = match wanted {
            Wanted::Create(draft) => draft,
            Wanted::Edit(edit) => {
                let record = self.current(cx, kind, id.as_str(), condition).await?;
                let Some(Revision { old, new, members }) = self.revise(cx, kind, &record, edit).await? else {
                    return Ok((Some(record), None));
                };
                let mutation = mutation(cx, kind, id, edit.what);
                return Ok((None, Some(Change::Update(mutation, record, old, new, members))));
            }
            Wanted::Delete => {
                let record = self.current(cx, kind, id.as_str(), condition).await?;
                return Ok((None, Some(Change::Delete(mutation(cx, kind, id, What::Delete), record))));
            }
        };
        let mutation = mutation(cx, kind, id, What::Create);
        Ok((None, Some(Change::Create(mutation, &draft.resource, &draft.members))))
    }
}
