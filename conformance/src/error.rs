//! Why a flow file cannot be used.
//!
//! Invariant: the message names the file and, where there is one, the step, and says what to do.

use std::error::Error;
use std::fmt;
use std::io;

/// A flow file that cannot be read, or that is not a usable flow.
#[derive(Debug)]
pub struct FlowError {
    file: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Unreadable(io::Error),
    Malformed(serde_json::Error),
    Refused { step: Option<usize>, reason: String },
}

impl FlowError {
    pub(crate) fn unreadable(file: impl Into<String>, error: io::Error) -> Self {
        Self { file: file.into(), problem: Problem::Unreadable(error) }
    }

    pub(crate) fn malformed(file: impl Into<String>, error: serde_json::Error) -> Self {
        Self { file: file.into(), problem: Problem::Malformed(error) }
    }

    /// `step` counts from one; without it the whole file is meant.
    pub(crate) fn refused(file: impl Into<String>, step: Option<usize>, reason: String) -> Self {
        Self { file: file.into(), problem: Problem::Refused { step, reason } }
    }
}

impl fmt::Display for FlowError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match &self.problem {
            Problem::Unreadable(error) => {
                write!(out, "cannot read {file} ({error}); check the path and its permissions")
            }
            Problem::Malformed(error) => {
                write!(out, "{file} is not a flow ({error}); correct the file")
            }
            Problem::Refused { step: Some(step), reason } => {
                write!(out, "{file}, step {step}: {reason}")
            }
            Problem::Refused { step: None, reason } => write!(out, "{file}: {reason}"),
        }
    }
}

impl Error for FlowError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Unreadable(error) => Some(error),
            Problem::Malformed(error) => Some(error),
            Problem::Refused { .. } => None,
        }
    }
}
