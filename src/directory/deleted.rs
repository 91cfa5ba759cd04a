//! What was deleted and can be restored, for whoever administers a tenant (RFC 7644 §3.6).
//!
//! Invariant: a resource is restored by the rules of today: its values must be free, and its type must be there.

use std::sync::Arc;

use crate::context::Context;
use crate::directory::{Directory, Failure, mutation, refusal, resource_of};
use crate::scim::error::{ErrorKind, ScimError};
use crate::store::{Deleted, StoreError, What};

impl Directory {
    /// The first of the tenant's deleted resources behind the one with this `pk`.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn deleted(&self, cx: &Context, after: i64, limit: u32) -> Result<Vec<Deleted>, Failure> {
        Ok(self.store.list_deleted(cx.caller.tenant, after, limit).await?)
    }

    /// Puts a deleted resource back, and into its groups as far as they are there.
    ///
    /// # Errors
    /// `NotFound` if nothing that was deleted has the id, `uniqueness` if another resource has a value of its by now.
    pub async fn restore(&self, cx: &Context, id: &str) -> Result<(), Failure> {
        let found = self.find_deleted(cx, id).await?;
        let types = cx.caller.registry.types();
        let Some(kind) = types.iter().find(|kind| found.kind.as_ref() == Some(&kind.name)) else {
            let name = found.kind.unwrap_or_default();
            return Err(ScimError::value(format!("there is no resource type {name:?} any more")).into());
        };
        let kind = Arc::clone(kind);
        let resource = resource_of(&found.record)?;
        let _turn = self.queue.enter(cx.caller.tenant, id).await;
        let mutation = mutation(cx, &kind, &found.record.id, What::Restore);
        match self.store.restore(&mutation, &found.record, &resource).await {
            Err(StoreError::Conflict) => Err(nothing_deleted(id)),
            other => other.map(drop).map_err(|error| refusal(&kind, error)),
        }
    }

    /// Removes a deleted resource for good.
    ///
    /// # Errors
    /// `NotFound` if nothing that was deleted has the id.
    pub async fn purge(&self, cx: &Context, id: &str) -> Result<(), Failure> {
        let found = self.find_deleted(cx, id).await?;
        match self.store.purge(cx.caller.tenant, found.record.pk).await? {
            true => Ok(()),
            false => Err(nothing_deleted(id)),
        }
    }

    async fn find_deleted(&self, cx: &Context, id: &str) -> Result<Deleted, Failure> {
        let found = self.store.find_deleted(cx.caller.tenant, id).await?;
        found.ok_or_else(|| nothing_deleted(id))
    }
}

fn nothing_deleted(id: &str) -> Failure {
    let detail = format!("nothing that was deleted and can be restored has the id {id:?}");
    ScimError::new(ErrorKind::NotFound, detail).into()
}
