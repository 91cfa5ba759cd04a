//! Muster: a SCIM 2.0 provisioning server.
//!
//! ARCHITECTURE.md has the map: which module may use which, and the life of one request. In short, [`scim`] is
//! the standard as pure functions, [`quirks`] turns what clients send into it, [`store`] keeps it, [`directory`]
//! does what a request asks, [`http`] speaks to clients, and [`cli`] is the program around all that.

pub mod access;
pub mod cli;
pub mod config;
pub mod contact;
pub mod context;
pub mod courier;
pub mod directory;
pub mod http;
pub mod id;
pub mod identity;
pub mod message;
pub mod quirks;
pub mod scim;
pub mod store;
