//! Values on their way to PostgreSQL and back, and what its errors mean.
//!
//! Invariant: a value goes out in the type that the statement wants and nothing is rounded or cut; what the server
//! says of a failure goes into the log without the values that it names.

use bytes::BytesMut;
use std::error::Error as StdError;
use std::fmt;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::store::driver::{DriverError, Row, Value};

type Fault = Box<dyn StdError + Sync + Send>;

/// A parameter. Its `Debug` shows nothing, because tokio-postgres logs parameters.
pub(super) struct Param<'a>(pub(super) &'a Value);

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match (self.0, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::INT8) => number.to_sql(ty, out),
            (Value::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out),
            (Value::Text(text), &Type::TEXT) => text.to_sql(ty, out),
            (Value::Blob(octets), &Type::BYTEA) => octets.to_sql(ty, out),
            _ => Err(format!("the statement wants {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column, whatever it holds.
struct Column(Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self(match *ty {
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::TEXT => Value::Text(String::from_sql(ty, raw)?),
            Type::BYTEA => Value::Blob(raw.to_vec()),
            _ => return Err(format!("a column of type {ty}").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A row of an answer.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, Error> {
    let columns = (0..row.len()).map(|index| row.try_get::<_, Column>(index).map(|column| column.0));
    Ok(Row::new(columns.collect::<Result<_, _>>()?))
}

/// Whether PostgreSQL can hold the value: its text has no U+0000.
pub(super) fn is_storable(value: &Value) -> bool {
    !matches!(value, Value::Text(text) if text.contains('\0'))
}

/// Whether the same transaction may succeed when it is run again: it met another one, and one of them had to go.
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(error.code(), Some(&(SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED)))
}

/// What went wrong, for the log.
pub(super) fn detail(error: &Error) -> String {
    let Some(cause) = error.as_db_error() else {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        return format!("{error}{source}");
    };
    let code = cause.code().code();
    // Messages about data repeat it.
    if class(cause.code()) == "22" { code.to_owned() } else { format!("{code}: {}", cause.message()) }
}

/// Whether the server is there and does not let the program in: a wrong user, password or database.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.code().is_some_and(|state| ["28", "3D"].contains(&class(state)))
}

fn class(state: &SqlState) -> &str {
    state.code().split_at_checked(2).map_or("", |(class, _)| class)
}

/// What an error means.
pub(super) fn driver_error(error: &Error) -> DriverError {
    let detail = detail(error);
    let Some(state) = error.code() else {
        let is_network =
            error.is_closed() || error.source().is_some_and(<dyn StdError>::is::<std::io::Error>);
        return if is_network { DriverError::Unavailable(detail) } else { DriverError::Other(detail) };
    };
    match class(state) {
        _ if *state == SqlState::UNIQUE_VIOLATION => DriverError::Duplicate(detail),
        _ if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(state) => {
            DriverError::Corrupt(detail)
        }
        _ if [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION].contains(state) => {
            DriverError::Unavailable(detail)
        }
        // Connection, authorization, no such database, transaction given up, resources, shutdown or an operator's
        // limit, files.
        "08" | "28" | "3D" | "40" | "53" | "57" | "58" => DriverError::Unavailable(detail),
        _ => DriverError::Other(detail),
    }
}
