//! A write: statements that belong together, each with what must be true of it.
//!
//! Invariant: a batch happens as a whole or not at all, and it was computed before it began: nothing is decided
//! while a transaction is open. Compare-and-swap on `version` is the only guard against concurrent change.

use crate::store::driver::{DriverError, Sql, Statement, Value};
use crate::store::error::StoreError;

/// The steps of one write, in order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) steps: Vec<Step>,
}

impl Batch {
    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Whether it depends on how many rows its statements change.
    pub(super) fn is_guarded(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step.guard, Guard::Any))
    }
}

impl From<Statement> for Step {
    fn from(statement: Statement) -> Self {
        Self { statement, guard: Guard::Any, unique: None }
    }
}

impl From<Step> for Batch {
    fn from(step: Step) -> Self {
        Self { steps: vec![step] }
    }
}

/// One statement of a batch.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) statement: Statement,
    guard: Guard,
    unique: Option<String>,
}

/// How many rows a step must change.
#[derive(Clone, Copy, Debug)]
enum Guard {
    /// Any number.
    Any,
    /// One; none means that somebody else was first.
    OneOrConflict,
    /// One; none means that rows which belong together do not agree.
    OneOrCorrupt(&'static str),
    /// One; none means that something was done as often as it may be.
    OneOrExhausted,
}

impl Step {
    pub(super) fn new(sql: impl Into<Sql>, params: Vec<Value>) -> Self {
        Statement::new(sql, params).into()
    }

    /// Fails the batch with [`StoreError::Conflict`] unless the step changes one row.
    pub(super) fn or_conflict(mut self) -> Self {
        self.guard = Guard::OneOrConflict;
        self
    }

    /// Fails the batch with [`StoreError::Corrupt`] unless the step changes one row.
    pub(super) fn or_corrupt(mut self, detail: &'static str) -> Self {
        self.guard = Guard::OneOrCorrupt(detail);
        self
    }

    /// Fails the batch with [`StoreError::Exhausted`] unless the step changes one row.
    pub(super) fn or_exhausted(mut self) -> Self {
        self.guard = Guard::OneOrExhausted;
        self
    }

    /// Names the attribute that a violated unique index stands for in this step.
    pub(super) fn unique(mut self, path: &str) -> Self {
        self.unique = Some(path.to_owned());
        self
    }

    /// Writes which of several changes the step belongs to in front of that name.
    pub(super) fn tag(&mut self, change: usize) {
        if let Some(path) = &mut self.unique {
            path.insert_str(0, &format!("{change} "));
        }
    }

    /// Whether the step did what it must.
    pub(super) fn check(&self, changed: usize) -> Result<(), StoreError> {
        match self.guard {
            Guard::OneOrConflict if changed != 1 => Err(StoreError::Conflict),
            Guard::OneOrExhausted if changed != 1 => Err(StoreError::Exhausted),
            Guard::OneOrCorrupt(detail) if changed != 1 => Err(StoreError::corrupt(detail)),
            _ => Ok(()),
        }
    }

    /// What the failure of the step's statement means.
    pub(super) fn refusal(&self, error: DriverError) -> StoreError {
        match (&self.unique, error) {
            (Some(path), DriverError::Duplicate(_)) => StoreError::Unique { path: path.clone() },
            (_, error) => error.into(),
        }
    }
}
