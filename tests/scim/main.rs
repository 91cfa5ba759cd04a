//! What SCIM says, tested on the pure functions: cases as text files, public vectors, and laws over random values.
//!
//! Invariant: `UPDATE_EXPECT=1` writes down what Muster does and never what it should do; that is for the reader to say.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly: that is its job"
)]

mod admission;
mod bodies;
mod bulk;
mod cases;
mod directory;
mod filters;
mod laws;
mod listing;
mod parts;
mod patches;
mod projections;
mod registry;
mod vectors;
