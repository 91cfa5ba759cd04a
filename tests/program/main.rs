//! The program as its users meet it: a process, a database file, and HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

use muster_kit::cluster;

mod client;
mod faults;
mod flows;
mod groups;
mod postgres_faults;
mod races;
mod replicas;
mod server;
