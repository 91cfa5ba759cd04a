//! The examiner on servers whose answers are prepared: what it sends, what it makes of answers, and what it says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod command;
mod examining;
mod fake;
mod on_the_wire;
mod replaying;
