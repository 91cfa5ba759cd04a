//! The HTTP side as clients see it: a real server, real sockets, a real database.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

#[path = "../scim/bodies.rs"]
mod bodies_of_types;
use muster_kit::app as kit;

mod access;
mod admin;
mod bodies;
mod bulk;
mod cors;
mod cursors;
mod deleted;
mod discovery;
mod every;
mod identifiers;
mod identity;
mod international;
mod laws;
mod me;
mod passwords;
mod profiles;
mod resources;
mod schemas;
mod settings;
mod wire;
