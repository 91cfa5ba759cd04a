//! The examiner on Muster itself: every profile, on every database, and the table of it in docs/conformance.md.
//!
//! `UPDATE_EXPECT=1 cargo test --test conformance` writes the table anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod faults;
mod table;

use muster::access::Scope as Right;
use muster::http::Settings;
use muster::id::TenantId;
use muster::quirks::Profile;
use muster::scim::registry::Registry;
use muster_conformance::{Examination, Scope, Subject, check, requirements, scenarios};
use muster_kit::app::{self as kit, App};
use muster_kit::cluster::Cluster;
use tempfile::TempDir;

/// What a profile is held to: everything that the server claims, or the RFCs and the profile's own rules.
fn held_to(profile: &str) -> &'static [&'static str] {
    match profile {
        "interop" => &["7643", "7644", "9865", "9967", "IOP"],
        "ipsie" => &["7643", "7644", "9865", "9967", "IOP", "IPSIE"],
        _ => &[],
    }
}

/// The core schemas, and an extension that has what they lack.
fn registry() -> Registry {
    let document = |name: &str, text| (name.to_owned(), serde_json::from_str(text).unwrap());
    let documents = [
        document("probe.json", include_str!("schemas/probe.json")),
        document("user.type.json", include_str!("schemas/user.type.json")),
    ];
    Registry::with(&documents).unwrap()
}

fn app(database: Option<String>) -> App {
    let folder = TempDir::new().unwrap();
    let url = database.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("muster.db").display()));
    App::on(&url, folder, Settings::default(), registry())
}

/// Examines a profile in a tenant, beside another tenant.
fn examine(app: &App, profile: &str, own: TenantId, only: &[&str]) -> Examination {
    let other = app.new_tenant(&format!("beside-{profile}"));
    let subject = Subject {
        base: format!("http://{}/scim/v2", app.address),
        token: app.new_token(own, Right::Scim, profile),
    };
    let scope = Scope {
        only: only.iter().map(|id| (*id).to_owned()).collect(),
        other_token: Some(app.new_token(other, Right::Scim, profile)),
        reader_token: Some(app.new_token(own, Right::ScimRead, profile)),
    };
    check(&subject, &scope, &scenarios().unwrap(), requirements().unwrap(), |_| {}).unwrap()
}

/// The results of each profile, on SQLite and on PostgreSQL, where that is installed.
fn results() -> Vec<(&'static str, Vec<Examination>)> {
    let mut apps = vec![app(None)];
    apps.extend(Cluster::shared().map(|cluster| app(Some(cluster.database()))));
    let all = |profile: &'static str| {
        let examined = |app: &App| {
            examine(app, profile, app.new_tenant(&format!("examined-{profile}")), held_to(profile))
        };
        (profile, apps.iter().map(examined).collect())
    };
    Profile::NAMES.into_iter().map(all).collect()
}

#[test]
fn muster_breaks_no_requirement_and_the_table_says_what_it_meets() {
    let results = results();
    for (profile, examinations) in &results {
        for examination in examinations {
            assert!(examination.passed(), "{profile}\n{}", examination.told(muster_conformance::Form::Table));
            assert_eq!(examination.left_behind, Vec::<String>::new(), "{profile}");
        }
    }
    table::compare(&results);
}

#[test]
fn nothing_of_an_examination_stays() {
    let app = app(None);
    let examination = examine(&app, "default", TenantId::DEFAULT, &["7644-3.3", "7644-3.5.2", "7643-4.2"]);
    assert_eq!(examination.left_behind, Vec::<String>::new());
    assert_eq!(app.get("/").json()["totalResults"], 0);
}
