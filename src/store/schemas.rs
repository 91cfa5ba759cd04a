//! A tenant's own schemas and resource types, and whose facts must be written anew after a change of them.
//!
//! Invariant: the documents and their version change together, and only from the version that was read. What is to be
//! written anew or judged is written down with the change, so that no restart forgets it; one process at a time works
//! at it.

use chrono::{DateTime, Utc};

use crate::id::TenantId;
use crate::scim::key::Key;
use crate::store::Store;
use crate::store::batch::{Batch, Step};
use crate::store::driver::{Statement, Value};
use crate::store::error::StoreError;
use crate::store::judgement::Unjudged;

/// The documents of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantDocuments {
    /// Which change made them; 0 where there never was one.
    pub version: i64,
    /// Whether facts are still being written anew.
    pub is_indexing: bool,
    /// JSON texts, in the order in which they are served.
    pub documents: Vec<String>,
}

/// A tenant whose facts must be written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reindexing {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The change that made it necessary.
    pub version: i64,
    /// Until when somebody has it in hand.
    after: String,
}

/// What follows from a change of documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequel<'a> {
    /// From when on facts are to be written anew.
    pub reindex: Option<DateTime<Utc>>,
    /// The change, if it is still to be judged.
    pub judge: Option<&'a Unjudged>,
    /// The change that this one undoes.
    pub undone: Option<&'a Unjudged>,
}

impl Store {
    /// The tenant's own documents, as of one moment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn tenant_documents(&self, tenant: TenantId) -> Result<TenantDocuments, StoreError> {
        let sql = "SELECT t.schemas, t.reindex, d.document FROM tenant t \
                   LEFT JOIN schema_document d ON d.tenant = t.tenant WHERE t.tenant = $1 ORDER BY d.ordinal";
        let mut found = TenantDocuments::default();
        for mut row in self.driver().point(&Statement::new(sql, vec![tenant.0.into()])).await? {
            found.version = row.int()?;
            found.is_indexing = row.int()? > 0;
            found.documents.extend(row.maybe_text()?);
        }
        Ok(found)
    }

    /// Puts documents in the place of those that were read at `version`, and notes what follows from that.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else changed them meanwhile, or has judged the change that this one undoes.
    pub async fn set_tenant_documents(
        &self,
        tenant: TenantId,
        version: i64,
        documents: &[String],
        sequel: Sequel<'_>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE tenant SET schemas = schemas + 1 WHERE tenant = $1 AND schemas = $2";
        let mut batch = Batch::from(Step::new(sql, vec![tenant.0.into(), version.into()]).or_conflict());
        let sql = "DELETE FROM schema_document WHERE tenant = $1";
        batch.push(Step::new(sql, vec![tenant.0.into()]));
        for (ordinal, document) in (0i64..).zip(documents) {
            let sql = "INSERT INTO schema_document (tenant, ordinal, document) VALUES ($1, $2, $3)";
            batch.push(Step::new(sql, vec![tenant.0.into(), ordinal.into(), document.as_str().into()]));
        }
        batch.steps.extend(sequel.judge.map(Unjudged::note));
        batch.steps.extend(sequel.undone.map(|change| change.strike().or_conflict()));
        if let Some(after) = sequel.reindex {
            let sql = "UPDATE tenant SET reindex = schemas, reindex_after = $2 WHERE tenant = $1";
            batch.push(Step::new(sql, vec![tenant.0.into(), instant(after)]));
        }
        self.driver().write(batch).await.map(drop)
    }

    /// The tenants whose facts must be written anew, and which nobody has in hand at the time `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn reindexings(&self, now: DateTime<Utc>) -> Result<Vec<Reindexing>, StoreError> {
        let sql = "SELECT t.tenant, t.name, t.reindex, t.reindex_after FROM tenant t \
                   WHERE t.reindex > 0 AND t.reindex_after <= $1 ORDER BY t.tenant";
        let rows = self.driver().scan(Statement::new(sql, vec![instant(now)])).await?;
        let read = rows.into_iter().map(|mut row| {
            let (tenant, name) = (TenantId(row.int()?), row.text()?);
            Ok(Reindexing { tenant, name, version: row.int()?, after: row.text()? })
        });
        read.collect()
    }

    /// Takes it in hand, or keeps it there, until `until`; false if somebody else has it, or it is done.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn hold_reindexing(
        &self,
        reindexing: &mut Reindexing,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE tenant SET reindex_after = $4 \
                   WHERE tenant = $1 AND reindex = $2 AND reindex_after = $3 RETURNING reindex_after";
        let Reindexing { tenant, version, after, .. } = reindexing;
        self.hold(sql, *tenant, *version, after, until).await
    }

    /// Moves the time before which nobody else takes a piece of work, if it is still the one that was read. The statement
    /// has the tenant, the version that the work is about, the old time and the new one, and answers that.
    pub(super) async fn hold(
        &self,
        sql: &'static str,
        tenant: TenantId,
        version: i64,
        after: &mut String,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let params = vec![tenant.0.into(), version.into(), after.as_str().into(), instant(until)];
        let held = self.driver().write(Step::new(sql, params).into()).await?.into_iter().next();
        let Some(mut row) = held else { return Ok(false) };
        *after = row.text()?;
        Ok(true)
    }

    /// Notes that it is done, unless another change has come meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn end_reindexing(&self, reindexing: &Reindexing) -> Result<(), StoreError> {
        let sql = "UPDATE tenant SET reindex = 0 WHERE tenant = $1 AND reindex = $2 AND reindex_after = $3";
        let Reindexing { tenant, version, after, .. } = reindexing;
        let params = vec![tenant.0.into(), (*version).into(), after.as_str().into()];
        self.driver().write(Step::new(sql, params).into()).await.map(drop)
    }
}

fn instant(instant: DateTime<Utc>) -> Value {
    Key::of_instant(instant).as_str().into()
}
