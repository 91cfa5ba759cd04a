//! A write: statements that belong together, each with what must be true of it.
//!
//! Invariant: a batch happens as a whole or not at all, and it was computed before it began: nothing is decided
//! while a transaction is open. Compare-and-swap on `version` is the only guard against concurrent change.

use crate::store::driver::{DriverError, Sql, Statement, Value};
use crate::store::error::StoreError;

/// How many rows one statement inserts where there are many.
const ROWS: usize = 16;

/// The steps of one write, in order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) steps: Vec<Step>,
}

impl Batch {
    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Adds steps that insert a row each. Where many follow each other and none of them has to say which value is taken,
    /// they become one step.
    pub(super) fn insert(&mut self, rows: impl IntoIterator<Item = Step>) {
        let mut alike: Vec<Step> = Vec::with_capacity(ROWS);
        let mut text: Option<(Sql, Sql)> = None;
        for row in rows {
            let is_other = |first: &Step| *first.statement.sql != *row.statement.sql || row.unique.is_some();
            if alike.first().is_some_and(is_other) {
                self.steps.append(&mut alike);
            }
            if row.unique.is_some() {
                self.steps.push(row);
                continue;
            }
            alike.push(row);
            if let (ROWS, Some(first)) = (alike.len(), alike.first()) {
                let one = &first.statement;
                let many = match &text {
                    Some((known, many)) if **known == *one.sql => many.clone(),
                    _ => text.insert((one.sql.clone(), of_rows(one, ROWS))).1.clone(),
                };
                let params = alike.drain(..).flat_map(|row| row.statement.params).collect();
                self.steps.push(Step::new(many, params));
            }
        }
        self.steps.append(&mut alike);
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

/// The text of a statement that inserts a row, for more rows.
fn of_rows(one: &Statement, rows: usize) -> Sql {
    let head = one.sql.split("VALUES").next().unwrap_or_default();
    let row = |row: usize| {
        let places = (1..=one.params.len()).map(|place| format!("${}", row * one.params.len() + place));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    format!("{head}VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(", ")).into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_alike_are_inserted_together_and_in_their_order() {
        let row = |key: usize| {
            let params = vec![i64::try_from(key).unwrap().into(), "x".into()];
            Step::new("INSERT INTO t (a, b) VALUES ($1, $2)", params)
        };
        let many = ROWS + 2;
        let mut batch = Batch::default();
        batch.insert((0..many).map(row).chain([row(many).unique("a")]).chain([row(many + 1)]));
        let rows: Vec<usize> = batch.steps.iter().map(|step| step.statement.params.len() / 2).collect();
        assert_eq!(rows, [ROWS, 1, 1, 1, 1]);
        let first = &batch.steps.first().unwrap().statement;
        assert!(first.sql.starts_with("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), "), "{}", &*first.sql);
        let params = batch.steps.iter().flat_map(|step| step.statement.params.iter().step_by(2));
        assert!(
            params.eq(&(0..many + 2).map(|key| Value::Int(i64::try_from(key).unwrap())).collect::<Vec<_>>())
        );
    }
}
