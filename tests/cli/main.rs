//! The program as people and supervisors use it: the real binary, its output, its exit codes.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use muster_kit::program;

mod commands;
mod serve;
mod settings;
