//! The program as its users meet it: a process, a database file, and HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod flows;
mod races;
mod server;
