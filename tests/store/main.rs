//! The contract of the store: what every engine must do. Each test runs once for every engine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

#[macro_use(store_test)]
extern crate muster_kit;
use muster_kit::{cluster, harness, people};

mod catalogue;
mod contacts;
mod deleted;
mod faults;
mod international;
mod laws;
mod members;
mod plans;
mod postgres_faults;
mod postgres_plans;
mod races;
mod schemas;
mod searches;
mod statements;
mod stretches;
mod tenants;
mod together;
