//! What vendors' clients see: requests and answers as data, one file a subject, run against a real server.
//!
//! Invariant: every case has a tenant of its own, so cases cannot meet; an answer is compared as a whole.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

#[path = "../kit/mod.rs"]
mod kit;

mod script;
mod shapes;

use crate::script::run;

#[test]
fn zitadel_answers_as_its_clients_expect() {
    run("zitadel", &mut |_, _, _| Ok(()));
}

#[test]
fn transmit_answers_as_its_documents_say() {
    let mut shapes = shapes::Shapes::read("transmit");
    run("transmit", &mut |method, target, answer| shapes.check(method, target, answer));
    // Muster knows no devices, so nobody has a key.
    assert_eq!(shapes.never_answered(), ["GET /cis/v1/users/me/device-keys"]);
}
