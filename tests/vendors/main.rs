//! What vendors' clients see: requests and answers as data, one file a subject, run against a real server on every
//! database.
//!
//! Invariant: every case has a tenant of its own, so cases cannot meet; an answer is compared as a whole.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use muster_kit::{app as kit, cluster};

mod races;
mod script;
mod shapes;
mod words;

use muster::http::Settings;
use muster::scim::registry::Registry;
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::kit::App;
use crate::script::run;

/// A server on SQLite, and one on PostgreSQL where that is installed.
fn everywhere() -> Vec<App> {
    let on = |cluster: &Cluster| {
        let registry = Registry::built_in().unwrap();
        App::on(&cluster.database(), TempDir::new().unwrap(), Settings::default(), registry)
    };
    std::iter::once(App::start()).chain(Cluster::shared().map(on)).collect()
}

#[test]
fn zitadel_answers_as_its_clients_expect() {
    for app in everywhere() {
        let mut shapes = shapes::Shapes::read("zitadel");
        run(&app, "zitadel", &mut |method, target, answer| shapes.check(method, target, answer));
        assert_eq!(shapes.never_answered(), [""; 0]);
    }
}

#[test]
fn transmit_answers_as_its_documents_say() {
    for app in everywhere() {
        let mut shapes = shapes::Shapes::read("transmit");
        run(&app, "transmit", &mut |method, target, answer| shapes.check(method, target, answer));
        assert_eq!(shapes.never_answered(), [""; 0]);
    }
}

#[test]
fn monocloud_answers_as_its_clients_expect() {
    let mut look = |_: &str, target: &str, answer: &kit::Answer| {
        let is_problem = answer.header("content-type") == Some("application/problem+json");
        match target.starts_with("/api/users") && answer.status >= 400 {
            true if !is_problem => Err("it is no problem document".to_owned()),
            true if answer.json()["status"] != answer.status => Err("it has another status".to_owned()),
            _ => Ok(()),
        }
    };
    everywhere().iter().for_each(|app| run(app, "monocloud", &mut look));
}

#[test]
fn descope_answers_as_its_document_says() {
    for app in everywhere() {
        let mut shapes = shapes::Shapes::read("descope");
        run(&app, "descope", &mut |method, target, answer| shapes.check(method, target, answer));
        assert_eq!(shapes.never_answered(), [""; 0]);
    }
}
