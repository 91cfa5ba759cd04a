//! The modules of Muster that are pure: they are compiled here by themselves, because a second build of all of it, with
//! its server and its databases, would take longer than the fuzzing.

#[path = "../../src/contact/mod.rs"]
pub mod contact;
#[path = "../../src/http/json.rs"]
mod json;
#[path = "../../src/message.rs"]
pub mod message;
#[path = "../../src/quirks/mod.rs"]
pub mod quirks;
#[path = "../../src/scim/mod.rs"]
pub mod scim;

use serde_json::{Map, Value};

/// The object that the body of a request is read as.
///
/// # Errors
/// `invalidSyntax`.
pub fn json_object(bytes: &[u8]) -> Result<Map<String, Value>, scim::error::ScimError> {
    json::object(bytes)
}
