//! What belongs to a resource and is no part of its document: bags of JSON, challenges, and the messages that go out.
//!
//! Invariant: an [`Aside`] is written in the batch of the change that it belongs to. A challenge is answered once: whoever
//! answers it, rightly or wrongly, moves on from the number of attempts that was read.

use chrono::{DateTime, Utc};

use crate::id::TenantId;
use crate::scim::key::Key;
use crate::scim::schema::ContactKind;
use crate::store::Store;
use crate::store::batch::{Batch, Step};
use crate::store::driver::{Row, Statement, Value};
use crate::store::error::StoreError;
use crate::store::layout::{contact_kind, contact_number};
use crate::store::record::Record;
use crate::store::rows::bounded;

/// A verification that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its id, which links carry.
    pub id: String,
    /// What is verified.
    pub kind: ContactKind,
    /// The canonical form of the value.
    pub canonical: String,
    /// The value as it was given.
    pub value: String,
    /// How it is answered, as text that the store does not read.
    pub method: String,
    /// The hash of the answer.
    pub hash: Vec<u8>,
    /// How often it was answered.
    pub attempts: i64,
    /// When it began: a [`Key`] of an instant.
    pub created: String,
    /// When it ends, likewise.
    pub expires: String,
    /// Whether the user gets the value only when it is verified.
    pub pending: bool,
    /// Whether the value becomes primary then, as text that the store does not read.
    pub promotes: String,
    /// Where a browser goes afterwards.
    pub redirect: Option<String>,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: String,
    /// When it may be tried again: a [`Key`] of an instant.
    pub due: String,
    /// When it is of no use any more, likewise.
    pub expires: String,
    /// How often it was tried.
    pub attempts: i64,
    /// What it is, as text that the store does not read.
    pub message: String,
}

/// Something that is written together with a change of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// A bag gets this content; none removes it.
    Bag(String, Option<String>),
    /// A challenge begins, in the place of those of the same method for the same value.
    Begin(Box<Challenge>),
    /// A challenge was answered rightly, at this number of attempts before; it is over.
    Answered(String, i64),
    /// A challenge was answered wrongly, at this number of attempts before.
    Missed(String, i64),
    /// A message goes out.
    Send(Outgoing),
    /// Something is done once more that may be done so often until then: the subject, the end, the limit.
    Spend(String, String, i64),
}

impl Aside {
    /// Whether it changes what the resource is, so that its version rises.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Bag(..))
    }

    /// The statements.
    pub(super) fn steps(&self, tenant: TenantId, pk: i64, batch: &mut Batch) {
        let of_resource = || -> Vec<Value> { vec![tenant.0.into(), pk.into()] };
        match self {
            Self::Bag(name, Some(document)) => {
                let sql = "INSERT INTO bag (tenant, resource, name, document) VALUES ($1, $2, $3, $4) \
                           ON CONFLICT (tenant, resource, name) DO UPDATE SET document = excluded.document";
                let mut params = of_resource();
                params.extend([name.as_str().into(), document.as_str().into()]);
                batch.push(Step::new(sql, params));
            }
            Self::Bag(name, None) => {
                let sql = "DELETE FROM bag WHERE tenant = $1 AND resource = $2 AND name = $3";
                let mut params = of_resource();
                params.push(name.as_str().into());
                batch.push(Step::new(sql, params));
            }
            Self::Begin(challenge) => begin(of_resource(), challenge, batch),
            Self::Answered(id, attempts) => {
                let sql =
                    "DELETE FROM challenge WHERE tenant = $1 AND resource = $2 AND id = $3 AND attempts = $4";
                let mut params = of_resource();
                params.extend([id.as_str().into(), (*attempts).into()]);
                batch.push(Step::new(sql, params).or_conflict());
            }
            Self::Missed(id, attempts) => {
                let sql = "UPDATE challenge SET attempts = attempts + 1 \
                           WHERE tenant = $1 AND resource = $2 AND id = $3 AND attempts = $4";
                let mut params = of_resource();
                params.extend([id.as_str().into(), (*attempts).into()]);
                batch.push(Step::new(sql, params).or_conflict());
            }
            Self::Send(message) => {
                let sql = "INSERT INTO outbox (tenant, id, due, expires, attempts, message) \
                           VALUES ($1, $2, $3, $4, 0, $5)";
                let Outgoing { id, due, expires, message, .. } = message;
                let params = [id, due, expires, message].map(|text| text.as_str().into());
                let params = std::iter::once(tenant.0.into()).chain(params).collect();
                batch.push(Step::new(sql, params));
            }
            Self::Spend(subject, until, limit) => {
                let sql = "INSERT INTO allowance (tenant, subject, until, used) VALUES ($1, $2, $3, 1) \
                           ON CONFLICT (tenant, subject, until) DO UPDATE SET used = allowance.used + 1 \
                           WHERE allowance.used < $4";
                let params =
                    vec![tenant.0.into(), subject.as_str().into(), until.as_str().into(), (*limit).into()];
                batch.push(Step::new(sql, params).or_exhausted());
            }
        }
    }
}

fn begin(of_resource: Vec<Value>, challenge: &Challenge, batch: &mut Batch) {
    let kind: Value = contact_number(challenge.kind).into();
    let canonical = bounded(&challenge.canonical).0;
    let sql = "DELETE FROM challenge WHERE tenant = $1 AND resource = $2 AND kind = $3 AND canonical = $4 \
               AND method = $5";
    let mut params = of_resource.clone();
    params.extend([kind.clone(), canonical.as_str().into(), challenge.method.as_str().into()]);
    batch.push(Step::new(sql, params));
    let sql = "INSERT INTO challenge (tenant, resource, id, kind, canonical, value, method, hash, attempts, created, \
               expires, pending, promotes, redirect) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13)";
    let mut params = of_resource;
    params.extend([
        challenge.id.as_str().into(),
        kind,
        canonical.into(),
        challenge.value.as_str().into(),
        challenge.method.as_str().into(),
        Value::Blob(challenge.hash.clone()),
        challenge.created.as_str().into(),
        challenge.expires.as_str().into(),
        challenge.pending.into(),
        challenge.promotes.as_str().into(),
        challenge.redirect.as_deref().into(),
    ]);
    batch.push(Step::new(sql, params));
}

/// What ends with a value that the user no longer has: the challenges that were about it.
pub(super) fn revoke(tenant: TenantId, pk: i64, kind: ContactKind, canonical: &str) -> Step {
    let sql = "DELETE FROM challenge WHERE tenant = $1 AND resource = $2 AND kind = $3 AND canonical = $4 \
               AND pending = 0";
    Step::new(sql, vec![tenant.0.into(), pk.into(), contact_number(kind).into(), canonical.into()])
}

impl Store {
    /// The bags of a resource, by their names.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn bags(
        &self,
        tenant: TenantId,
        pks: &[i64],
    ) -> Result<Vec<(i64, String, String)>, StoreError> {
        let sql =
            "SELECT b.resource, b.name, b.document FROM bag b WHERE b.tenant = $1 AND b.resource IN ({ids})";
        let rows = self.by_ids(sql, vec![tenant.0.into()], pks.iter().map(|&pk| Value::Int(pk))).await?;
        rows.into_iter().map(|mut row| Ok((row.int()?, row.text()?, row.text()?))).collect()
    }

    /// The challenges of a resource that have not ended before `now`, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn challenges(&self, tenant: TenantId, pk: i64) -> Result<Vec<Challenge>, StoreError> {
        let sql = "SELECT c.id, c.kind, c.canonical, c.value, c.method, c.hash, c.attempts, c.created, c.expires, \
                   c.pending, c.promotes, c.redirect FROM challenge c WHERE c.tenant = $1 AND c.resource = $2 \
                   ORDER BY c.created DESC, c.id DESC";
        let statement = Statement::new(sql, vec![tenant.0.into(), pk.into()]);
        self.driver().point(&statement).await?.iter_mut().map(read_challenge).collect()
    }

    /// Writes what belongs to a resource and changes nothing of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a challenge was answered meanwhile, [`StoreError::Exhausted`].
    pub async fn write_aside(&self, tenant: TenantId, pk: i64, asides: &[Aside]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        asides.iter().for_each(|aside| aside.steps(tenant, pk, &mut batch));
        self.driver().write(batch).await.map(drop)
    }

    /// The resources that have an address or number with this canonical value: first the one that claims it, then those
    /// that verified it, then the oldest; no more than a few.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn having(
        &self,
        tenant: TenantId,
        kind: ContactKind,
        canonical: &str,
    ) -> Result<Vec<Record>, StoreError> {
        let tested = self.driver().dialect().tested("r.tenant");
        let sql = format!(
            "SELECT {} FROM contact c JOIN resource r ON r.pk = c.resource AND {tested} = $1 \
             WHERE c.tenant = $1 AND c.kind = $2 AND c.canonical = $3 \
             ORDER BY c.claim DESC, c.verified_at NULLS LAST, c.resource LIMIT 100",
            Record::COLUMNS
        );
        let canonical = bounded(canonical).0;
        let statement =
            Statement::new(sql, vec![tenant.0.into(), contact_number(kind).into(), canonical.into()]);
        let mut records: Vec<Record> = Vec::new();
        for mut row in self.driver().brief(statement).await? {
            let record = Record::read(&mut row)?;
            if !records.iter().any(|other| other.pk == record.pk) {
                records.push(record);
            }
        }
        Ok(records)
    }

    /// The messages of all tenants that are due, the first of them first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn due(&self, now: DateTime<Utc>, limit: i64) -> Result<Vec<Outgoing>, StoreError> {
        let sql = "SELECT o.tenant, o.id, o.due, o.expires, o.attempts, o.message FROM outbox o \
                   WHERE o.due <= $1 ORDER BY o.due LIMIT $2";
        let rows = self.driver().scan(Statement::new(sql, vec![instant(now), limit.into()])).await?;
        rows.into_iter().map(|mut row| read_outgoing(&mut row)).collect()
    }

    /// Takes a message for as long as its next try is away; false if somebody else was faster.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn take(&self, message: &Outgoing, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let sql =
            "UPDATE outbox SET due = $4, attempts = attempts + 1 WHERE tenant = $1 AND id = $2 AND due = $3";
        let params = vec![
            message.tenant.0.into(),
            message.id.as_str().into(),
            message.due.as_str().into(),
            instant(until),
        ];
        match self.driver().write(Step::new(sql, params).or_conflict().into()).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets a message be tried again at this time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn postpone(&self, message: &Outgoing, until: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "UPDATE outbox SET due = $3 WHERE tenant = $1 AND id = $2";
        let params = vec![message.tenant.0.into(), message.id.as_str().into(), instant(until)];
        self.driver().write(Step::new(sql, params).into()).await.map(drop)
    }

    /// Removes a message that was delivered, or is given up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn settle(&self, message: &Outgoing) -> Result<(), StoreError> {
        let sql = "DELETE FROM outbox WHERE tenant = $1 AND id = $2";
        let step = Step::new(sql, vec![message.tenant.0.into(), message.id.as_str().into()]);
        self.driver().write(step.into()).await.map(drop)
    }

    /// Removes the challenges and allowances of a tenant that ended before `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn forget_ended(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for sql in [
            "DELETE FROM challenge WHERE tenant = $1 AND expires < $2",
            "DELETE FROM allowance WHERE tenant = $1 AND until < $2",
        ] {
            batch.push(Step::new(sql, vec![tenant.0.into(), instant(now)]));
        }
        self.driver().write(batch).await.map(drop)
    }
}

fn instant(at: DateTime<Utc>) -> Value {
    Key::of_instant(at).as_str().into()
}

fn read_challenge(row: &mut Row) -> Result<Challenge, StoreError> {
    let unknown = || StoreError::corrupt("a challenge is about neither an e-mail address nor a phone number");
    Ok(Challenge {
        id: row.text()?,
        kind: contact_kind(row.int()?).ok_or_else(unknown)?,
        canonical: row.text()?,
        value: row.text()?,
        method: row.text()?,
        hash: row.blob()?,
        attempts: row.int()?,
        created: row.text()?,
        expires: row.text()?,
        pending: row.int()? != 0,
        promotes: row.text()?,
        redirect: row.maybe_text()?,
    })
}

fn read_outgoing(row: &mut Row) -> Result<Outgoing, StoreError> {
    Ok(Outgoing {
        tenant: TenantId(row.int()?),
        id: row.text()?,
        due: row.text()?,
        expires: row.text()?,
        attempts: row.int()?,
        message: row.text()?,
    })
}
