//! Changes of a tenant's schemas that are still to be judged by what was written before everybody had heard of them.
//!
//! Invariant: such a change is written down in the batch that makes it, and struck out in the one that undoes it or when
//! it stands, so none is forgotten however a process ends. Of two who judge one, the first to end counts.

use chrono::{DateTime, Utc};

use crate::id::TenantId;
use crate::scim::key::Key;
use crate::store::Store;
use crate::store::batch::Step;
use crate::store::driver::{Statement, Value};
use crate::store::error::StoreError;

/// A change that is still to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// The tenant.
    pub tenant: TenantId,
    /// The version of its schemas that the change made.
    pub version: i64,
    /// The tenant's documents after the change: a JSON array.
    pub documents: String,
    /// Those before it.
    pub replaced: String,
    /// Until when somebody has it in hand.
    after: String,
}

impl Unjudged {
    /// A change whose maker has it in hand until that time.
    pub fn new(
        tenant: TenantId,
        version: i64,
        documents: String,
        replaced: String,
        until: DateTime<Utc>,
    ) -> Self {
        Self { tenant, version, documents, replaced, after: key(until) }
    }

    /// What writes it down.
    pub(super) fn note(&self) -> Step {
        let sql = "INSERT INTO schema_change (tenant, version, documents, replaced, judge_after) \
                   VALUES ($1, $2, $3, $4, $5)";
        let Self { tenant, version, documents, replaced, after } = self;
        let texts = [documents, replaced, after].map(|text| Value::from(text.as_str()));
        let mut params = vec![tenant.0.into(), (*version).into()];
        params.extend(texts);
        Step::new(sql, params)
    }

    /// What strikes it out.
    pub(super) fn strike(&self) -> Step {
        let sql = "DELETE FROM schema_change WHERE tenant = $1 AND version = $2";
        Step::new(sql, vec![self.tenant.0.into(), self.version.into()])
    }
}

impl Store {
    /// The changes to be judged that nobody has in hand at the time `now`, the oldest of a tenant first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn unjudged(&self, now: DateTime<Utc>) -> Result<Vec<Unjudged>, StoreError> {
        let sql = "SELECT c.tenant, c.version, c.documents, c.replaced, c.judge_after FROM schema_change c \
                   WHERE c.judge_after <= $1 ORDER BY c.tenant, c.version";
        let rows = self.driver().scan(Statement::new(sql, vec![key(now).into()])).await?;
        let read = rows.into_iter().map(|mut row| {
            let (tenant, version) = (TenantId(row.int()?), row.int()?);
            let (documents, replaced, after) = (row.text()?, row.text()?, row.text()?);
            Ok(Unjudged { tenant, version, documents, replaced, after })
        });
        read.collect()
    }

    /// Takes one in hand, or keeps it there, until `until`; false if somebody else has it, or it is judged.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn hold_unjudged(
        &self,
        change: &mut Unjudged,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE schema_change SET judge_after = $4 \
                   WHERE tenant = $1 AND version = $2 AND judge_after = $3 RETURNING judge_after";
        let Unjudged { tenant, version, after, .. } = change;
        self.hold(sql, *tenant, *version, after, until).await
    }

    /// Whether it still is to be judged.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn is_unjudged(&self, change: &Unjudged) -> Result<bool, StoreError> {
        let sql = "SELECT c.version FROM schema_change c WHERE c.tenant = $1 AND c.version = $2";
        let statement = Statement::new(sql, vec![change.tenant.0.into(), change.version.into()]);
        Ok(!self.driver().point(&statement).await?.is_empty())
    }

    /// Notes that it stands.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn end_unjudged(&self, change: &Unjudged) -> Result<(), StoreError> {
        self.driver().write(change.strike().into()).await.map(drop)
    }
}

fn key(instant: DateTime<Utc>) -> String {
    Key::of_instant(instant).as_str().to_owned()
}
