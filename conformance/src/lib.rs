//! The examiner: judges a SCIM 2.0 server from outside.
//!
//! It carries out *scenarios*, which prove the requirements of the RFCs one by one ([`check`]), and it replays
//! *flows* - recorded conversations of real provisioning clients (Entra ID, Okta, Google, authentik and others)
//! - and reports every answer that such a client could not live with ([`replay`]).
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
//! # Adding a scenario
//!
//! Scenarios are in `scenarios/*.toml`, the requirements that they prove in `requirements.toml`. A scenario is a
//! name, the requirements it covers, and steps; what it needs of the server is mostly read from its steps:
//!
//! ```toml
//! [[scenario]]
//! name = "A list says how much there is"
//! covers = ["7644-3.4.2-03"]
//! steps = [
//!   { user = '{"title": "x"}', as = "u" },
//!   { GET = '/Users?filter=userName eq "{{u/userName}}"', status = 200, expect = ["/totalResults = 1"] },
//! ]
//! ```
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
mod check;
mod checkup;
mod client;
mod command;
mod compose;
mod entries;
mod error;
mod examine;
mod flow;
mod generate;
mod inspect;
mod judge;
mod needs;
mod placeholder;
mod render;
mod replay;
mod report;
mod requirement;
mod scenario;
mod server;
mod tidy;
mod unmet;
mod value;
mod verdict;
mod verify;
mod walk;

pub use catalogue::{bundled, from_path};
pub use checkup::{Scope, check};
pub use command::{Check, base_url};
pub use entries::Entries;
pub use error::FlowError;
pub use examine::{Finding, Outcome, ScenarioReport};
pub use flow::{Expect, Flow, Role, Step};
pub use render::Form;
pub use replay::{Subject, replay};
pub use report::{Exchange, FlowReport, RunReport, StepReport};
pub use requirement::{Level, Requirement, requirements};
pub use scenario::{Scenario, scenarios};
pub use tidy::tidy;
pub use unmet::Unmet;
pub use verdict::{Examination, Judgement, Verdict};
