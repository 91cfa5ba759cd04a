//! One recorded client conversation, as a flow file describes it.
//!
//! Invariant: a flow that was read can be replayed as written. Unknown keys, malformed pointers and
//! placeholders that nothing captures are errors, so a typo cannot turn a check into nothing.

use crate::entries::Entries;
use crate::error::FlowError;
use crate::inspect::inspect;
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A conversation of one client with a SCIM server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The file the flow was read from, without its folder.
    #[serde(skip)]
    pub file: String,
    /// The product that talks like this.
    pub client: String,
    /// What the conversation does.
    pub flow: String,
    /// Where the requests were seen.
    pub source: String,
    /// Numbers of the catalogued deviations the flow touches.
    #[serde(default)]
    pub deviations: Vec<String>,
    /// Anything else a reader should know.
    pub notes: Option<String>,
    /// The requests, in order.
    pub steps: Vec<Step>,
}

/// One request and what its answer must look like.
///
/// `{{name}}` in the path, the headers, the body or an expectation stands for a value that an earlier
/// step captured; `{{token}}` for the token of the examined server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The HTTP method, in capitals.
    pub method: String,
    /// Path and query after the base URL, percent-encoded; sent as it stands.
    pub path: String,
    /// The request headers; nothing but `Host` and `Content-Length` is added.
    #[serde(default)]
    pub headers: Entries<String>,
    /// The JSON body, if the request has one.
    pub body: Option<Value>,
    /// What the answer must look like.
    pub expect: Expect,
    /// Values to take from the answer: name to RFC 6901 pointer.
    #[serde(default)]
    pub capture: Entries<String>,
    /// Set when the step is the examiner's own and not the client's.
    pub role: Option<Role>,
    /// Why the step is there.
    pub note: Option<String>,
}

/// What an answer must look like. Pointers are RFC 6901.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The allowed status codes.
    pub status: Vec<u16>,
    /// Pointer to the exact value that must be there.
    #[serde(default)]
    pub body_contains: Entries<Value>,
    /// Pointers that must lead to a value other than `null`.
    #[serde(default)]
    pub body_present: Vec<String>,
    /// Pointers that must lead nowhere.
    #[serde(default)]
    pub body_absent: Vec<String>,
    /// Header name to the beginning of its value; letter case does not matter.
    #[serde(default)]
    pub headers: Entries<String>,
}

/// Whose step it is, when not the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Prepares the tenant before the client comes.
    Setup,
    /// Looks at the effect of what the client did.
    Check,
}

impl Flow {
    /// Reads one flow file.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key, or could not be replayed as written.
    pub fn from_file(path: &Path) -> Result<Self, FlowError> {
        let text = fs::read_to_string(path)
            .map_err(|error| FlowError::unreadable(path.display().to_string(), error))?;
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Self::parse(&name, &text)
    }

    /// Reads a flow from the text of a file called `file`.
    ///
    /// # Errors
    /// When the text has an unknown key or could not be replayed as written.
    pub fn parse(file: &str, text: &str) -> Result<Self, FlowError> {
        let mut flow: Self = serde_json::from_str(text).map_err(|error| FlowError::malformed(file, error))?;
        file.clone_into(&mut flow.file);
        inspect(&flow)?;
        Ok(flow)
    }
}
