//! The seam between [`Store`](crate::store::Store) and a database engine: statements in, rows out.
//!
//! Invariant: above the seam is all of the SQL and no engine, below it one engine and no SQL of the directory.
//! Parameters are written `$1` … `$n` and no SQL has another `$`; [`Dialect`] has the few verbs that engines spell
//! differently.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::vec;

use crate::store::batch::Batch;
use crate::store::error::StoreError;
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;

/// A parameter or a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The text of a statement.
#[derive(Clone, Debug)]
pub(super) enum Sql {
    /// As it stands in the program.
    Fixed(&'static str),
    /// Made at run time.
    Made(Arc<str>),
}

impl Deref for Sql {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Fixed(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self::Made(text.into())
    }
}

/// One statement and the values of its parameters.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sql: Sql,
    pub(super) params: Vec<Value>,
}

impl Statement {
    pub(super) fn new(sql: impl Into<Sql>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params }
    }
}

/// One row of an answer, read from left to right.
#[derive(Debug)]
pub(super) struct Row {
    columns: vec::IntoIter<Value>,
}

impl Row {
    pub(super) fn new(columns: Vec<Value>) -> Self {
        Self { columns: columns.into_iter() }
    }

    /// The next column, which holds a number.
    pub(super) fn int(&mut self) -> Result<i64, StoreError> {
        self.maybe_int()?.ok_or_else(unexpected)
    }

    /// The next column, which holds text.
    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.maybe_text()?.ok_or_else(unexpected)
    }

    /// The next column, which holds octets.
    pub(super) fn blob(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.columns.next() {
            Some(Value::Blob(octets)) => Ok(octets),
            _ => Err(unexpected()),
        }
    }

    /// The last column, which holds text.
    pub(super) fn last_text(self) -> Result<String, StoreError> {
        match self.columns.last() {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(unexpected()),
        }
    }

    /// The next column, which holds a number or nothing.
    pub(super) fn maybe_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.columns.next() {
            Some(Value::Int(number)) => Ok(Some(number)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected()),
        }
    }

    /// The next column, which holds text or nothing.
    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.columns.next() {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> StoreError {
    StoreError::corrupt("a column does not hold what its table says")
}

/// What an engine says when it cannot.
#[derive(Clone, Debug)]
pub(super) enum DriverError {
    /// A unique index refused the row.
    Duplicate(String),
    /// Busy, full, read-only, gone.
    Unavailable(String),
    /// The file is no database, or a damaged one.
    Corrupt(String),
    /// Anything else.
    Other(String),
}

impl From<DriverError> for StoreError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Unavailable(detail) => Self::unavailable(detail),
            DriverError::Corrupt(detail) => Self::corrupt(detail),
            DriverError::Duplicate(detail) | DriverError::Other(detail) => Self::internal(detail),
        }
    }
}

/// One step in the history of the tables: its number and its SQL.
pub(super) struct Migration {
    pub(super) number: i64,
    pub(super) sql: &'static str,
}

impl Migration {
    /// The SQL, with an engine's texts in the place of the words in braces.
    pub(super) fn spelled(&self, words: &[(&str, &str)]) -> String {
        words.iter().fold(self.sql.to_owned(), |sql, (word, text)| sql.replace(word, text))
    }
}

/// A database engine.
pub(super) enum Driver {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Driver {
    /// Runs a statement that reads a few rows by their keys.
    pub(super) async fn point(&self, statement: &Statement) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.brief(statement).await,
            Self::Postgres(postgres) => postgres.read(statement).await,
        }
    }

    /// Runs a statement that probably reads a few rows, and may read many.
    pub(super) async fn brief(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.brief(&statement).await,
            Self::Postgres(postgres) => postgres.read(&statement).await,
        }
    }

    /// Runs a statement that may read many rows. It sees one moment of the database.
    pub(super) async fn scan(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.scan(statement).await,
            Self::Postgres(postgres) => postgres.read(&statement).await,
        }
    }

    /// Runs a batch; answers the rows that its statements return, when they are durable.
    pub(super) async fn write(&self, batch: Batch) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(batch).await,
            Self::Postgres(postgres) => postgres.write(batch).await,
        }
    }

    /// Copies one moment of the database into a new file.
    pub(super) async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.backup(to).await,
            Self::Postgres(_) => {
                Err(StoreError::unavailable("a PostgreSQL database is copied with its own tools: pg_dump"))
            }
        }
    }

    /// What this engine spells in its own way.
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// The verbs that engines spell differently.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// That `text` contains `part`, byte by byte.
    pub(super) fn contains(self, text: &str, part: &str) -> String {
        match self {
            Self::Sqlite => format!("instr({text}, {part}) > 0"),
            Self::Postgres => format!("strpos({text}, {part}) > 0"),
        }
    }

    /// That `text` ends with `part`, which has `length` characters.
    pub(super) fn ends_with(self, text: &str, part: &str, length: &str) -> String {
        match self {
            Self::Sqlite => format!("substr({text}, -{length}) = {part}"),
            Self::Postgres => format!("right({text}, {length}) = {part}"),
        }
    }

    /// A text that compares and sorts byte by byte whatever it is made of; columns do so anyway.
    pub(super) fn bytes(self, text: &str) -> String {
        match self {
            Self::Sqlite => text.to_owned(),
            Self::Postgres => format!("({text} COLLATE \"C\")"),
        }
    }

    /// A column that is only tested, so that no plan begins with it where something more selective is at hand.
    /// PostgreSQL knows that from its statistics, and its keys begin with the tenant.
    pub(super) fn tested(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("+{column}"),
            Self::Postgres => column.to_owned(),
        }
    }

    /// A column by which an index is narrowed last, so that no plan begins with it and walks all that have its value.
    /// SQLite is told how common values are; PostgreSQL believes before its first statistics that all are rare.
    pub(super) fn last(self, column: &str) -> String {
        match self {
            Self::Sqlite => column.to_owned(),
            Self::Postgres => format!("({column} + 0)"),
        }
    }

    /// A SELECT of one column whose rows are few among those that they lead to, which no planner can see.
    /// SQLite takes that for granted; PostgreSQL expects ten rows of an array that it does not know.
    pub(super) fn few(self, select: &str) -> String {
        match self {
            Self::Sqlite => select.to_owned(),
            Self::Postgres => format!("SELECT unnest(ARRAY({select})) AS pk"),
        }
    }

    /// The rows of a FROM as one value, a JSON array of arrays of these columns.
    pub(super) fn rows(self, columns: &str, from: &str) -> String {
        match self {
            Self::Sqlite => format!("(SELECT json_group_array(json_array({columns})) FROM {from})"),
            Self::Postgres => {
                format!("(SELECT CAST(json_agg(json_build_array({columns})) AS TEXT) FROM {from})")
            }
        }
    }

    /// A text that is used again and again, as the engine takes it.
    pub(super) fn spelled(self, sql: &str) -> Sql {
        match self {
            // SQLite takes `$2` for a name, and `?2` for the second parameter.
            Self::Sqlite => sql.replace('$', "?").into(),
            Self::Postgres => sql.to_owned().into(),
        }
    }

    /// The end of a SELECT inside EXISTS that is to stay where it stands. SQLite leaves all of them there.
    pub(super) fn not_joined(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " OFFSET 0",
        }
    }

    /// The statement that shows how another one is run, a step a row, in the last column.
    pub(super) fn explain(self, sql: &str) -> String {
        match self {
            Self::Sqlite => format!("EXPLAIN QUERY PLAN {sql}"),
            Self::Postgres => format!("EXPLAIN (COSTS OFF) {sql}"),
        }
    }
}
