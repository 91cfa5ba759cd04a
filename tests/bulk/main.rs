//! The commands that move whole directories: export, import, backup, verify, reindex, explain.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use muster_kit::program;

mod people;

mod backup;
mod csv;
mod explain;
mod export;
mod import;
mod verify;
