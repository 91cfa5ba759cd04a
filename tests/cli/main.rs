//! The program as people and supervisors use it: the real binary, its output, its exit codes.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

#[path = "../kit/mod.rs"]
mod kit;
mod program;

mod commands;
mod serve;
mod settings;
