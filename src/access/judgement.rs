//! The second look at a change of schemas: whether what was written before everybody had heard of it contradicts it.
//!
//! Invariant: who made the change judges it, or any server does after that one has died. A change that is undone takes
//! nothing along that others have changed since.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::access::schemas::{ATTEMPTS, Changed, GRACE, changes, contended, named};
use crate::access::{Access, AccessError, FRESH};
use crate::id::TenantId;
use crate::scim::evolution::Change;
use crate::scim::registry::DocumentKey;
use crate::store::{Sequel, StoreError};

pub use crate::store::Unjudged;

/// How late who made a change may judge it, before others take it for dead.
const LATE: TimeDelta = TimeDelta::seconds(10);

/// A change that was made at the time `now`, from documents to others.
pub(super) fn unjudged(
    tenant: TenantId,
    version: i64,
    documents: &[Value],
    replaced: &[Value],
    now: DateTime<Utc>,
) -> Unjudged {
    let text = |documents: &[Value]| documents.iter().cloned().collect::<Value>().to_string();
    Unjudged::new(tenant, version, text(documents), text(replaced), now + FRESH + GRACE + LATE)
}

/// From when on facts are to be written anew after changes at the time `now`; none if they need not be.
pub(super) fn reindex(changes: &[Changed], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let moves_facts = changes.iter().any(|(_, _, change)| change.as_ref().is_some_and(Change::changes_facts));
    moves_facts.then(|| now + FRESH + GRACE + GRACE)
}

impl Access {
    /// The changes to be judged whose makers have not done it in time, and which nobody else has in hand.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn unjudged(&self, now: DateTime<Utc>) -> Result<Vec<Unjudged>, AccessError> {
        Ok(self.store.unjudged(now).await?)
    }

    /// Takes one in hand until `until`; false if somebody else has it, or it is judged.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn hold_unjudged(
        &self,
        change: &mut Unjudged,
        until: DateTime<Utc>,
    ) -> Result<bool, AccessError> {
        Ok(self.store.hold_unjudged(change, until).await?)
    }

    /// Lets a change stand, or undoes it.
    ///
    /// # Errors
    /// [`AccessError::InTheWay`] if it is undone, [`AccessError::Store`].
    pub async fn judge(&self, change: &Unjudged, now: DateTime<Utc>) -> Result<(), AccessError> {
        let damaged = |error: &dyn std::fmt::Display| {
            let Unjudged { tenant, version, .. } = change;
            StoreError::corrupt(format!("change {version} of the schemas of tenant {}: {error}", tenant.0))
        };
        let read = |text: &str| serde_json::from_str::<Vec<Value>>(text).map_err(|error| damaged(&error));
        let (replaced, documents) = (read(&change.replaced)?, read(&change.documents)?);
        let registry =
            |documents: &[Value]| self.registry.extended(&named(documents)).map_err(|error| damaged(&error));
        let (old, new) = (registry(&replaced)?, registry(&documents)?);
        self.store.learn(&old).await?;
        self.store.learn(&new).await?;
        let changes = changes(&old, &new);
        match self.refuse_obstacles(change.tenant, &changes).await {
            Ok(()) => Ok(self.store.end_unjudged(change).await?),
            Err(AccessError::InTheWay(found)) => {
                let reindex = reindex(&changes, now);
                self.undo(change, &replaced, &documents, reindex).await?;
                Err(AccessError::InTheWay(found))
            }
            Err(error) => Err(error),
        }
    }

    /// Puts back what was there before, and leaves what others have changed since.
    async fn undo(
        &self,
        change: &Unjudged,
        replaced: &[Value],
        documents: &[Value],
        reindex: Option<DateTime<Utc>>,
    ) -> Result<(), AccessError> {
        for _ in 0..ATTEMPTS {
            let current = self.schemas(change.tenant).await?;
            let restored = without(&current.documents, replaced, documents);
            self.registry.for_tenant(&named(&restored)).map_err(|error| {
                AccessError::invalid(format!(
                    "stored resources contradict the change, but another rests on it already: {error}"
                ))
            })?;
            let sequel = Sequel { reindex, undone: Some(change), ..Sequel::default() };
            match self.set(change.tenant, current.version, &restored, sequel).await {
                Err(AccessError::Store(StoreError::Conflict)) if self.store.is_unjudged(change).await? => {}
                Err(AccessError::Store(StoreError::Conflict)) => return Ok(()),
                other => return other,
            }
        }
        Err(contended())
    }
}

/// The current documents with the replaced ones in the place of those that a change made of them.
fn without(current: &[Value], replaced: &[Value], documents: &[Value]) -> Vec<Value> {
    let same = |all: &[Value], one: &Value| {
        let key = DocumentKey::of(one);
        all.iter().find(|other| DocumentKey::of(other) == key).cloned()
    };
    let is_edited = |one: &Value| same(replaced, one) != same(documents, one);
    let in_place = |one: &Value| if is_edited(one) { same(replaced, one) } else { Some(one.clone()) };
    let removed = replaced.iter().filter(|one| is_edited(one) && same(current, one).is_none());
    current.iter().filter_map(in_place).chain(removed.cloned()).collect()
}
