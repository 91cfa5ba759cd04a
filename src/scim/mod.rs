//! SCIM as pure functions: RFC 7643, RFC 7644 and their errata, from values to values.
//!
//! Invariant: nothing here knows HTTP, SQL, the clock or randomness; time is a parameter where it matters.
//! The verbs are the house's: `parse` text → value, `bind` value and schema → value, `admit` JSON → [`Resource`](resource::Resource),
//! `apply` a PATCH, `project` a representation, [`facts`](fact::facts) what a filter may see.

pub mod admit;
pub mod bulk;
pub mod cursor;
pub mod error;
pub mod evolution;
pub mod fact;
pub mod filter;
pub mod format;
pub mod key;
pub mod listing;
pub(crate) mod object;
pub mod patch;
pub mod path;
pub mod projection;
pub mod registry;
pub mod replace;
pub mod resource;
pub mod schema;
pub mod uri;
pub mod urn;
pub mod version;
