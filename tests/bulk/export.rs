//! `muster export`: what is in its lines.

use crate::people::{lines, populate};
use crate::program::Home;

#[test]
fn every_resource_is_a_line_and_memberships_follow() {
    let home = Home::new();
    populate(&home);
    let lines = lines(&home.run("export").done());
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap_or("membership")).collect();
    let users = ["User"; 5].into_iter();
    let rest = ["Group", "Group", "Group", "membership", "membership"];
    assert_eq!(kinds, users.chain(rest).collect::<Vec<_>>());
    let first = &lines[0]["resource"];
    assert_eq!(first["userName"], "user0@example.com");
    assert_eq!(first["title"], "Chief");
    assert_eq!(
        (first["meta"]["resourceType"].as_str(), first["meta"]["version"].as_str()),
        (Some("User"), Some("W/\"2\""))
    );
    assert!(first["meta"]["created"].as_str().unwrap() < first["meta"]["lastModified"].as_str().unwrap());
    assert!(first.get("password").is_none());
    assert!(lines[0]["secrets"]["password"].as_str().unwrap().starts_with("$argon2id$"));
    assert_eq!(lines[0].get("bags"), None);
    let bags = lines[1]["bags"].as_object().unwrap();
    assert_eq!(bags.keys().collect::<Vec<_>>(), ["account", "app:shop", "custom"]);
    assert_eq!(bags["custom"]["seats"][1]["n"], 2.5);
    assert_eq!(bags["account"]["password"]["temporary"], true);
    let inner = &lines[8]["membership"];
    assert_eq!(inner["group"], lines[5]["resource"]["id"]);
    assert_eq!(inner["members"].as_array().unwrap().len(), 2);
    assert_eq!(lines[9]["membership"]["members"].as_array().unwrap().len(), 6);
}

#[test]
fn a_tenant_exports_its_own_and_nothing_else() {
    let home = Home::new();
    populate(&home);
    home.run("tenant create acme").done();
    assert_eq!(home.run("export --tenant acme").done(), "");
    assert!(home.run("export --tenant nobody").refused().contains("muster tenant create nobody"));
}

#[test]
fn a_file_is_made_anew_for_its_owner_alone() {
    let home = Home::new();
    populate(&home);
    assert_eq!(home.run("export --output all.jsonl").done(), "");
    let path = home.path().join("all.jsonl");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), home.run("export").done());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(home.run("export --output all.jsonl").refused().contains("choose another name"));
}

#[test]
fn a_database_that_is_not_there_is_no_empty_one() {
    let home = Home::new();
    assert!(home.run("export").refused().contains("there is no database muster.db"));
    assert!(!home.path().join("muster.db").exists());
}
