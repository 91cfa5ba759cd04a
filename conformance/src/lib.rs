//! The examiner: judges a SCIM 2.0 server from outside.
//!
//! It replays *flows* - recorded conversations of real provisioning clients (Entra ID, Okta, Google,
//! authentik and others) - against a running server and reports every answer that such a client could
//! not live with.
//!
//! **Invariant: the examiner knows only a base URL and a token.** It shares no code with any server,
//! opens no database and reads no server configuration, so what it finds is what a client would find,
//! and it can examine any SCIM server.
//!
//! # Using it from tests
//!
//! ```no_run
//! use muster_conformance::{Flow, Subject, replay};
//! use std::path::Path;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let subject = Subject {
//!     base: "http://127.0.0.1:8080/scim/v2".into(),
//!     token: "a-token-of-an-empty-tenant".into(),
//! };
//! let flow = Flow::from_file(Path::new("flows/okta-02-user-create.json"))?;
//! let report = replay(&subject, &flow);
//! assert!(report.passed(), "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! Some flows count every user or group, so replay each one against an empty tenant, or call [`tidy()`]
//! after each.
//!
//! # Adding a flow
//!
//! Put a file `<client>-<number>-<what-it-does>.json` into `flows/`; nothing else has to change. The
//! keys are those of [`Flow`], [`Step`] and [`Expect`]:
//!
//! ```json
//! { "client": "Some IdP", "flow": "Create a user", "source": "where the requests were seen",
//!   "deviations": ["D14"], "notes": "optional",
//!   "steps": [
//!     { "method": "POST", "path": "/Users",
//!       "headers": { "Authorization": "Bearer {{token}}", "Content-Type": "application/scim+json" },
//!       "body": { "userName": "ada@example.com" },
//!       "expect": { "status": [201], "body_contains": { "/userName": "ada@example.com" },
//!                   "body_present": ["/id"], "body_absent": ["/password"],
//!                   "headers": { "Content-Type": "application/scim+json" } },
//!       "capture": { "user.id": "/id" },
//!       "role": "setup", "note": "optional" } ] }
//! ```
//!
//! A misspelt key, a malformed pointer and a placeholder that nothing captures are refused when the
//! file is read, so a typo cannot hide a check. Only invented names (`example.com`) belong in a flow.

mod catalogue;
mod client;
mod entries;
mod error;
mod flow;
mod inspect;
mod placeholder;
mod replay;
mod report;
mod tidy;
mod unmet;
mod verify;

pub use catalogue::{bundled, from_path};
pub use entries::Entries;
pub use error::FlowError;
pub use flow::{Expect, Flow, Role, Step};
pub use replay::{Subject, replay};
pub use report::{Exchange, FlowReport, RunReport, StepReport};
pub use tidy::tidy;
pub use unmet::Unmet;
