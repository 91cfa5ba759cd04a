//! Import: many resources at once, each by the rules of a POST.
//!
//! Invariant: a row that cannot be stored is refused alone; one that is there already, with the same content, is left
//! as it is. What is refused is known before anything of the batch is written, but for values that somebody
//! takes in between.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::context::Context;
use crate::directory::newcomer::Newcomer;
use crate::directory::{Directory, Failure, resource_of};
use crate::scim::error::ScimError;
use crate::store::{Bulk, Clash, Joining, Mark, Seen, StoreError};

/// An import that is going on.
pub struct Import {
    directory: Directory,
    cx: Context,
    seen: Seen,
    /// The groups that this import created: their members are part of that.
    created: HashSet<String>,
    is_dry: bool,
}

/// Members for a group that is there.
#[derive(Clone, Debug)]
pub struct NewMembers {
    /// The group's id.
    pub group: String,
    /// The members' ids.
    pub members: Vec<String>,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored; in a dry run it could be.
    Imported,
    /// It was there already.
    Unchanged,
    /// It cannot be stored; the sentence says why.
    Refused(String),
}

/// A row, by its line.
pub type Line<T> = (u64, T);

/// What a batch comes to: what to write, and the outcomes that are certain before.
pub struct Screened<T> {
    /// The rows that can be stored.
    pub fit: Vec<Line<T>>,
    /// What becomes of the others.
    pub outcomes: Vec<Line<Outcome>>,
}

impl Directory {
    /// Begins an import, or one that writes nothing.
    pub fn import(&self, cx: Context, is_dry: bool) -> Import {
        Import { directory: self.clone(), cx, seen: Seen::default(), created: HashSet::new(), is_dry }
    }

    /// The line up to which an import of that source came that did not end.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn import_mark(&self, cx: &Context, source: &str) -> Result<Option<u64>, Failure> {
        let line = self.store.import_mark(cx.caller.tenant, source).await?;
        Ok(line.map(|line| u64::try_from(line).unwrap_or_default()))
    }

    /// Forgets how far an import of that source came.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn end_import(&self, cx: &Context, source: &str) -> Result<(), Failure> {
        Ok(self.store.end_import(cx.caller.tenant, source).await?)
    }
}

impl Import {
    /// Finds out which resources can be stored.
    ///
    /// # Errors
    /// [`Failure::Store`], [`Failure::Hashing`].
    pub async fn screen(&mut self, rows: Vec<Line<Newcomer>>) -> Result<Screened<Newcomer>, Failure> {
        if !self.is_dry {
            self.seen.clear();
        }
        let arrivals: Vec<_> = rows.iter().map(|(_, row)| &row.arrival).collect();
        let tenant = self.cx.caller.tenant;
        let clashes = self.directory.store.clashes(tenant, &arrivals, &mut self.seen).await?;
        let mut screened = Screened { fit: Vec::with_capacity(rows.len()), outcomes: Vec::new() };
        for ((line, mut row), clash) in rows.into_iter().zip(clashes) {
            match self.verdict(&mut row, clash.as_ref()).await? {
                Some(outcome) => screened.outcomes.push((line, outcome)),
                None => screened.fit.push((line, row)),
            }
        }
        Ok(screened)
    }

    /// What becomes of a row that is not stored; none if it can be.
    async fn verdict(&self, row: &mut Newcomer, clash: Option<&Clash>) -> Result<Option<Outcome>, Failure> {
        if let Some(clash) = clash {
            let outcome = clash_outcome(row, clash)?;
            let is_same = outcome != Outcome::Unchanged || self.has_bags(row, clash).await?;
            return Ok(Some(if is_same { outcome } else { Outcome::Refused(another(row, clash)) }));
        }
        if self.is_dry {
            // Members may come with the import itself, and hashing takes long.
            return Ok(None);
        }
        let fit = async {
            self.directory.check_members(&self.cx, row.members()).await?;
            self.directory.protect(&self.cx, row).await
        };
        match fit.await {
            Ok(()) => Ok(None),
            Err(Failure::Scim(error)) => Ok(Some(Outcome::Refused(error.detail))),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the resource that is there has the bags that the row brings; one that brings none says nothing of them.
    async fn has_bags(&self, row: &Newcomer, clash: &Clash) -> Result<bool, Failure> {
        let brought = row.bags();
        let Some((_, holder)) = clash.holder.as_ref().filter(|_| !brought.is_empty()) else {
            return Ok(true);
        };
        let there = self.directory.store.bags(self.cx.caller.tenant, &[holder.pk]).await?;
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        let is_brought = |(_, name, content): &(i64, String, String)| {
            brought.get(name.as_str()).is_some_and(|brought| json(brought) == json(content))
        };
        Ok(there.len() == brought.len() && there.iter().all(is_brought))
    }

    /// Stores resources, and with them how far the import came: where given, the source and the last line of the batch.
    /// Answers what became of each.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn store(
        &mut self,
        rows: &[Line<Newcomer>],
        position: Option<(&str, u64)>,
    ) -> Result<Vec<Line<Outcome>>, Failure> {
        let write = async |piece: &[Line<Newcomer>], mark: Option<Mark<'_>>| {
            let arrivals: Vec<_> = piece.iter().map(|(_, row)| &row.arrival).collect();
            self.directory.store.create_all(&self.bulk(mark), &arrivals).await
        };
        let refusal = |row: &Newcomer, error: &StoreError| match error {
            StoreError::Unique { path } => Some(taken(row, path)),
            _ => None,
        };
        let outcomes = match self.is_dry {
            true => rows.iter().map(|(line, _)| (*line, Outcome::Imported)).collect(),
            false => in_pieces(rows, position, write, refusal).await?,
        };
        let stored = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Imported);
        let lines: HashSet<u64> = stored.map(|(line, _)| *line).collect();
        let groups = rows.iter().filter(|(line, row)| row.kind.members().is_some() && lines.contains(line));
        self.created.extend(groups.map(|(_, row)| row.id.as_str().to_owned()));
        Ok(outcomes)
    }

    /// Finds out which memberships can be stored, and which are there.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn screen_members(&self, rows: Vec<Line<NewMembers>>) -> Result<Screened<Joining>, Failure> {
        let mut screened = Screened { fit: Vec::with_capacity(rows.len()), outcomes: Vec::new() };
        for (line, row) in rows {
            if self.is_dry && self.created.contains(&row.group) {
                screened.outcomes.push((line, Outcome::Imported));
                continue;
            }
            match self.joining(row).await {
                Ok(Some(_)) if self.is_dry => screened.outcomes.push((line, Outcome::Imported)),
                Ok(Some(joining)) => screened.fit.push((line, joining)),
                Ok(None) => screened.outcomes.push((line, Outcome::Unchanged)),
                Err(Failure::Scim(error)) => screened.outcomes.push((line, Outcome::Refused(error.detail))),
                Err(failure) => return Err(failure),
            }
        }
        Ok(screened)
    }

    /// What a row adds to a group; none if all of it is there.
    async fn joining(
        &self,
        NewMembers { group, mut members }: NewMembers,
    ) -> Result<Option<Joining>, Failure> {
        let store = &self.directory.store;
        let (tenant, registry) = (self.cx.caller.tenant, &self.cx.caller.registry);
        let is_creation = self.created.contains(&group);
        let found = store.lookup(tenant, &[&group]).await?;
        let kind = found.first().and_then(|found| registry.type_named(&found.kind));
        let kind = kind.filter(|kind| kind.members().is_some());
        let record = match kind {
            Some(kind) => store.get(tenant, kind, &group, false).await?.map(|(record, _)| record),
            None => None,
        };
        let Some((kind, record)) = kind.zip(record) else {
            return Err(ScimError::value(format!("there is no group {group:?}")).into());
        };
        if !self.is_dry {
            self.directory.check_members(&self.cx, &members).await?;
        }
        let ids: Vec<&str> = members.iter().map(String::as_str).collect();
        let there: HashSet<String> =
            store.members_among(tenant, record.pk, &ids).await?.into_iter().collect();
        members.retain(|id| !there.contains(id));
        let joining = Joining { kind: Arc::clone(kind), group: record.pk, members, is_creation };
        Ok((!joining.members.is_empty()).then_some(joining))
    }

    /// Stores memberships, as [`Import::store`] does resources.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn store_members(
        &self,
        rows: &[Line<Joining>],
        position: Option<(&str, u64)>,
    ) -> Result<Vec<Line<Outcome>>, Failure> {
        let write = async |piece: &[Line<Joining>], mark: Option<Mark<'_>>| {
            let joinings: Vec<_> = piece.iter().map(|(_, joining)| joining).collect();
            self.directory.store.join_all(&self.bulk(mark), &joinings).await
        };
        let refusal = |_: &Joining, error: &StoreError| match error {
            StoreError::Conflict => Some("the group was deleted meanwhile".to_owned()),
            _ => None,
        };
        in_pieces(rows, position, write, refusal).await
    }

    fn bulk<'a>(&'a self, mark: Option<Mark<'a>>) -> Bulk<'a> {
        let caller = &self.cx.caller;
        Bulk { tenant: caller.tenant, now: self.cx.now, who: &caller.client_name, mark }
    }
}

/// Writes a batch. If a row is the reason that it fails, the batch is halved until that row is alone and refused, with
/// what `refusal` says of it; every piece carries the mark of its own last line.
async fn in_pieces<T>(
    rows: &[Line<T>],
    position: Option<(&str, u64)>,
    write: impl AsyncFn(&[Line<T>], Option<Mark<'_>>) -> Result<(), StoreError>,
    refusal: impl Fn(&T, &StoreError) -> Option<String>,
) -> Result<Vec<Line<Outcome>>, Failure> {
    let mut outcomes = Vec::with_capacity(rows.len());
    let mut pieces = vec![rows];
    while let Some(piece) = pieces.pop() {
        let Some((last, row)) = piece.last() else { continue };
        let is_end = pieces.is_empty();
        let mark = position.map(|(source, end)| mark(source, if is_end { end } else { *last }));
        match write(piece, mark).await {
            Ok(()) => outcomes.extend(piece.iter().map(|(line, _)| (*line, Outcome::Imported))),
            Err(error) => match refusal(row, &error) {
                Some(sentence) if piece.len() == 1 => outcomes.push((*last, Outcome::Refused(sentence))),
                Some(_) => {
                    let (front, back) = piece.split_at(piece.len() / 2);
                    pieces.extend([back, front]);
                }
                None => return Err(error.into()),
            },
        }
    }
    Ok(outcomes)
}

fn mark(source: &str, line: u64) -> Mark<'_> {
    Mark { source, line: i64::try_from(line).unwrap_or(i64::MAX) }
}

/// A row whose id or unique value is taken: it is there already, or another has what it wants.
fn clash_outcome(row: &Newcomer, clash: &Clash) -> Result<Outcome, Failure> {
    let refused = Ok(Outcome::Refused(taken(row, &clash.path)));
    let Some((kind, holder)) = &clash.holder else { return refused };
    if *kind != row.kind.name || row.brings_id && row.id != holder.id {
        return refused;
    }
    let mut same = row.resource.clone().with_id(&row.kind, holder.id.as_str()).into_body();
    let mut there = resource_of(holder)?.into_body();
    if row.is_clear {
        // Whether a password is the one behind a hash is not worth finding out a million times.
        same.shift_remove("password");
        there.shift_remove("password");
    }
    if same == there {
        return Ok(Outcome::Unchanged);
    }
    Ok(Outcome::Refused(another(row, clash)))
}

/// Who is in the way of a row.
fn another(row: &Newcomer, clash: &Clash) -> String {
    match row.brings_id {
        true => format!("there is another {} with this id", row.kind.name),
        false => taken(row, &clash.path),
    }
}

fn taken(row: &Newcomer, path: &str) -> String {
    format!("another {} has this {path}", row.kind.name)
}
