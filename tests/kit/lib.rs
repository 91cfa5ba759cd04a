//! What the tests have in common: a server and a client, the program, databases, and random resources.
//!
//! Invariant: it knows Muster by what that exports, and whatever it makes goes away with the test.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]
#![allow(missing_docs, reason = "it is for the tests beside it only, and its names say what they are")]

pub mod app;
pub mod cluster;
pub mod harness;
pub mod people;
pub mod program;
