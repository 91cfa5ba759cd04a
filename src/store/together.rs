//! Several changes in one batch: all of them happen, or none.
//!
//! Invariant: each change is computed as if it were alone, and the batch is their statements in their order. What one
//! does to the version of a resource that a later one changes is reckoned with here.

use std::collections::HashMap;

use crate::scim::resource::Resource;
use crate::store::Store;
use crate::store::batch::Batch;
use crate::store::error::StoreError;
use crate::store::record::Record;
use crate::store::write::{MemberEdit, Mutation, Write, new_record};

/// A change to one resource. A resource must not be in two changes that are written together.
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// A new resource and its members.
    Create(Mutation<'a>, &'a Resource, &'a [String]),
    /// What [`Store::update`] takes.
    Update(Mutation<'a>, Record, Resource, Resource, MemberEdit),
    /// What [`Store::delete`] takes; the version must still be this record's.
    Delete(Mutation<'a>, Record),
}

impl Store {
    /// Makes all changes; answers their records, none for what is deleted.
    ///
    /// # Errors
    /// [`StoreError::Unique`] with the index of the change whose value is taken, [`StoreError::Conflict`] if a resource
    /// changed meanwhile. Nothing is written then.
    pub async fn write_together(
        &self,
        changes: &[Change<'_>],
    ) -> Result<Vec<Option<Record>>, (usize, StoreError)> {
        let mut batch = Batch::default();
        let mut records = Vec::with_capacity(changes.len());
        // Whoever is deleted leaves their groups, whose versions change.
        let mut bumps: HashMap<i64, i64> = HashMap::new();
        for (index, change) in changes.iter().enumerate() {
            let (mut part, record) = self.part(change, &mut bumps).await.map_err(|error| (index, error))?;
            part.steps.iter_mut().for_each(|step| step.tag(index));
            batch.steps.extend(part.steps);
            records.push(record);
        }
        match self.driver().write(batch).await {
            Ok(_) => Ok(records),
            Err(StoreError::Unique { path }) => {
                let (index, path) = path.split_once(' ').unwrap_or(("", &path));
                let error = StoreError::Unique { path: path.to_owned() };
                Err((index.parse().unwrap_or_default(), error))
            }
            Err(error) => Err((0, error)),
        }
    }

    /// The statements of one change, and the record that it leaves.
    async fn part(
        &self,
        change: &Change<'_>,
        bumps: &mut HashMap<i64, i64>,
    ) -> Result<(Batch, Option<Record>), StoreError> {
        let layout = self.layout();
        match change {
            Change::Create(mutation, resource, members) => {
                let record = new_record(mutation, self.next_pk().await?, 1, resource);
                let write = Write { layout, mutation, pk: record.pk };
                Ok((write.create(&record, resource, members)?, Some(record)))
            }
            Change::Update(mutation, before, old, new, members) => {
                let version = before.version + bumps.get(&before.pk).copied().unwrap_or_default() + 1;
                let mut record = new_record(mutation, before.pk, version, new);
                record.created.clone_from(&before.created);
                let write = Write { layout, mutation, pk: before.pk };
                Ok((write.update(&record, old, new, members)?, Some(record)))
            }
            Change::Delete(mutation, before) => {
                let groups = self.groups_with(mutation).await?;
                let version = before.version + bumps.get(&before.pk).copied().unwrap_or_default();
                let write = Write { layout, mutation, pk: before.pk };
                let batch = write.delete(version, true, &groups, self.driver().dialect())?;
                for group in groups {
                    *bumps.entry(group).or_default() += 1;
                }
                Ok((batch, None))
            }
        }
    }
}
