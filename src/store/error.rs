//! Why the store could not do it.
//!
//! Invariant: nothing here holds a stored value. The causes are for the log; clients see which attribute clashed at most.

use std::error::Error;
use std::fmt;

/// What a call of the store can end in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Another resource already has this value of the attribute.
    Unique {
        /// The attribute's canonical path; of a tenant or token, the column.
        path: String,
    },
    /// The resource changed, or went away, after it was read.
    Conflict,
    /// Something was done as often as it may be in a span of time.
    Exhausted,
    /// The filters of the search have more parts than one statement takes.
    TooComplex {
        /// How many parts they may have together.
        limit: usize,
    },
    /// The database cannot answer now: busy, full, read-only, gone. It may work later.
    Unavailable(Cause),
    /// The database does not let the program in, or is not there on a server that is: a setting is wrong.
    Refused(Cause),
    /// The database does not hold what it should.
    Corrupt(Cause),
    /// The program is at fault.
    Internal(Cause),
}

impl StoreError {
    /// The database does not hold what it should; `detail` says what, without any stored value.
    pub fn corrupt(detail: impl Into<String>) -> Self {
        Self::Corrupt(Cause(detail.into()))
    }

    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::Refused(Cause(detail.into()))
    }

    /// The system gives no random numbers.
    pub fn no_randomness(detail: &str) -> Self {
        Self::unavailable(detail)
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::Internal(Cause(detail.into()))
    }

    /// Something that the database, or what it depends on, cannot do now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable(Cause(detail.into()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique { path } => write!(f, "the value of {path} is taken"),
            Self::Conflict => f.write_str("the resource changed meanwhile"),
            Self::Exhausted => f.write_str("that was done as often as it may be"),
            Self::TooComplex { limit } => write!(f, "a filter may have {limit} parts"),
            Self::Unavailable(_) => f.write_str("the database is not available"),
            Self::Refused(_) => f.write_str("the database refused the connection"),
            Self::Corrupt(_) => f.write_str("the database is damaged"),
            Self::Internal(_) => f.write_str("the database refused a statement"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable(cause)
            | Self::Refused(cause)
            | Self::Corrupt(cause)
            | Self::Internal(cause) => Some(cause),
            Self::Unique { .. } | Self::Conflict | Self::Exhausted | Self::TooComplex { .. } => None,
        }
    }
}

/// What the driver said, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Cause {}
