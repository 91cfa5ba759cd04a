//! Checking a tenant: whether facts, contacts, memberships and counters agree with the documents, and mending them.
//!
//! Invariant: it works a page at a time beside a running server, and what it mends is what it has just found.

use std::sync::Arc;

use crate::context::Context;
use crate::directory::{Directory, Failure, also_unique};
use crate::scim::registry::ResourceType;
use crate::store::{Orphans, StoreError};

/// How many resources are looked at a time.
const PAGE: u32 = 500;

/// A walk over everything that a tenant has.
pub struct Check {
    directory: Directory,
    cx: Context,
    mends: bool,
    at: At,
}

/// How far the walk has come.
enum At {
    /// The index of the resource type, and the last `pk`.
    Resources(usize, i64),
    /// The index of the kind of rows, and the last `pk`.
    Orphans(usize, i64),
    /// The index of the resource type.
    Counters(usize),
    End,
}

/// What one step of the walk found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// How many resources were looked at.
    pub looked_at: u64,
    /// What is wrong: a line each, which names the resource.
    pub wrong: Vec<String>,
    /// How many of them are still wrong.
    pub left: u64,
}

impl Findings {
    /// Adds a finding; with what its mending came to, if that was tried.
    fn add(&mut self, line: String, mended: Option<Result<(), StoreError>>) -> Result<(), StoreError> {
        let why = match mended {
            Some(Ok(())) => None,
            None => Some(String::new()),
            Some(Err(error @ StoreError::Unavailable(_))) => return Err(error),
            Some(Err(error)) => Some(format!("; it cannot be mended: {error}")),
        };
        self.left += u64::from(why.is_some());
        self.wrong.push(line + &why.unwrap_or_default());
        Ok(())
    }
}

impl Directory {
    /// Begins to check the caller's tenant; with `mends` what is found is put right.
    pub fn check(&self, cx: Context, mends: bool) -> Check {
        Check { directory: self.clone(), cx, mends, at: At::Resources(0, 0) }
    }
}

impl Check {
    /// The next findings; none at the end.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn next(&mut self) -> Result<Option<Findings>, Failure> {
        let findings = match self.at {
            At::Resources(index, after) => self.resources(index, after).await?,
            At::Orphans(index, after) => self.orphans(index, after).await?,
            At::Counters(index) => self.counters(index).await?,
            At::End => return Ok(None),
        };
        Ok(Some(findings))
    }

    fn kind(&self, index: usize) -> Option<Arc<ResourceType>> {
        self.cx.caller.registry.types().get(index).cloned()
    }

    async fn resources(&mut self, index: usize, after: i64) -> Result<Findings, Failure> {
        let mut findings = Findings::default();
        let Some(kind) = self.kind(index) else {
            self.at = At::Orphans(0, 0);
            return Ok(findings);
        };
        let (store, tenant) = (&self.directory.store, self.cx.caller.tenant);
        let unique = also_unique(&self.cx, &kind);
        let checked = store.check(tenant, &kind, after, PAGE, unique).await?;
        findings.looked_at = checked.looked_at;
        for wrong in checked.wrong {
            let mended = match self.mends {
                true => Some(store.mend(tenant, &kind, wrong.pk, unique).await),
                false => None,
            };
            findings.add(format!("{} {}: {}", kind.name, wrong.id, wrong.what.join(", ")), mended)?;
        }
        self.at = checked.last.map_or(At::Resources(index + 1, 0), |last| At::Resources(index, last));
        Ok(findings)
    }

    async fn orphans(&mut self, index: usize, after: i64) -> Result<Findings, Failure> {
        let mut findings = Findings::default();
        let Some(&rows) = Orphans::ALL.get(index) else {
            self.at = At::Counters(0);
            return Ok(findings);
        };
        let (store, tenant) = (&self.directory.store, self.cx.caller.tenant);
        let (last, pks) = store.orphans(tenant, rows, after, PAGE).await?;
        for pk in pks {
            let mended = match self.mends {
                true => Some(store.delete_orphans(tenant, rows, pk).await),
                false => None,
            };
            findings.add(
                format!("row {pk}: there are {} of a resource that does not exist", rows.name()),
                mended,
            )?;
        }
        self.at = last.map_or(At::Orphans(index + 1, 0), |last| At::Orphans(index, last));
        Ok(findings)
    }

    async fn counters(&mut self, index: usize) -> Result<Findings, Failure> {
        let mut findings = Findings::default();
        let Some(kind) = self.kind(index) else {
            self.at = At::End;
            return Ok(findings);
        };
        let (store, tenant) = (&self.directory.store, self.cx.caller.tenant);
        let (there, counted) = store.counted(tenant, &kind).await?;
        if there != counted {
            let mended = match self.mends {
                true => Some(store.recount(tenant, &kind).await),
                false => None,
            };
            let line = format!("{}: there are {there}, and the counters say {counted}", kind.endpoint);
            findings.add(line, mended)?;
        }
        self.at = At::Counters(index + 1);
        Ok(findings)
    }
}
