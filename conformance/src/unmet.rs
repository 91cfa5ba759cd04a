//! One expectation that an answer did not meet.
//!
//! Invariant: the text says what was expected and what came instead.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// One expectation that an answer did not meet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Unmet {
    /// The status is none of the allowed ones.
    Status {
        /// The allowed ones.
        expected: Vec<u16>,
        /// The status of the answer.
        got: u16,
    },
    /// A header is missing or begins differently.
    Header {
        /// Its name.
        name: String,
        /// How its value must begin.
        expected: String,
        /// Its values in the answer.
        got: Vec<String>,
    },
    /// The body is needed but is no JSON.
    NotJson {
        /// What the parser says.
        reason: String,
    },
    /// The value at a pointer differs; no value is shown when there is none.
    Contains {
        /// Where to look.
        pointer: String,
        /// What must be there.
        expected: Value,
        /// What is there.
        got: Option<Value>,
    },
    /// Nothing, or `null`, is at a pointer.
    Present {
        /// Where to look.
        pointer: String,
    },
    /// Something, if only `null`, is at a pointer.
    Absent {
        /// Where to look.
        pointer: String,
        /// What is there.
        got: Value,
    },
    /// No non-empty string is at a pointer to capture.
    Capture {
        /// The name it was to get.
        name: String,
        /// Where to look.
        pointer: String,
        /// What is there.
        got: Option<Value>,
    },
    /// The request was to be refused, and was not, or otherwise.
    Refusal {
        /// The allowed refusals, and statuses.
        expected: Vec<String>,
        /// The status, and the scimType with it.
        got: (u16, Option<String>),
    },
    /// A check of a scenario does not hold.
    Check {
        /// The check.
        check: String,
        /// What is there.
        got: Value,
    },
    /// The step could not be sent, or got no answer.
    NoAnswer {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Unmet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { expected, got } => {
                let allowed: Vec<String> = expected.iter().map(u16::to_string).collect();
                write!(out, "status {}, not {got}", allowed.join(" or "))
            }
            Self::Header { name, expected, got } if got.is_empty() => {
                write!(out, "header {name} to begin with `{expected}`; there is none")
            }
            Self::Header { name, expected, got } => {
                write!(out, "header {name} to begin with `{expected}`, not `{}`", got.join("`, `"))
            }
            Self::NotJson { reason } => write!(out, "a JSON body ({reason})"),
            Self::Contains { pointer, expected, got } => {
                write!(out, "{pointer} to be {expected}{}", but(got.as_ref()))
            }
            Self::Present { pointer } => write!(out, "{pointer} to have a value"),
            Self::Absent { pointer, got } => write!(out, "nothing at {pointer}, not {got}"),
            Self::Capture { name, pointer, got } => {
                write!(out, "{pointer} to be a non-empty string, kept as {name}{}", but(got.as_ref()))
            }
            Self::Refusal { expected, got: (status, None) } => {
                write!(out, "status {}, not {status}", expected.join(" or "))
            }
            Self::Refusal { expected, got: (status, Some(kind)) } => {
                write!(out, "status {}, not {status} with scimType {kind}", expected.join(" or "))
            }
            Self::Check { check, got: Value::Null } => write!(out, "{check}; there is nothing"),
            Self::Check { check, got } => write!(out, "{check}, not {got}"),
            Self::NoAnswer { reason } => write!(out, "an answer; {reason}"),
        }
    }
}

fn but(got: Option<&Value>) -> String {
    got.map_or_else(|| "; there is nothing".to_owned(), |got| format!(", not {got}"))
}
