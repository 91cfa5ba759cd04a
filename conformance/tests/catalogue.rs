//! The flow files that come with the examiner.
//!
//! Invariant: every file in `flows/` is usable and is carried inside.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use muster_conformance::{Flow, bundled, from_path};
use std::fs;
use std::path::Path;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/flows"))
}

fn names(flows: &[Flow]) -> Vec<&str> {
    flows.iter().map(|flow| flow.file.as_str()).collect()
}

#[test]
fn all_flow_files_parse_and_are_carried_inside() {
    let read = from_path(folder()).unwrap();
    let carried = bundled().unwrap();
    assert_eq!(names(&read), names(&carried));
    assert_eq!(carried.len(), fs::read_dir(folder()).unwrap().count());
    assert!(carried.len() >= 50);
}

#[test]
fn a_single_file_is_read_with_all_its_checks() {
    let flow = Flow::from_file(&folder().join("okta-08-import-paging.json")).unwrap();
    assert_eq!((flow.client.as_str(), flow.steps.len()), ("Okta", 8));
    let last = flow.steps.last().unwrap();
    assert_eq!(last.path, "/Groups?startIndex=1&count=100");
    assert_eq!(last.expect.status, [200]);
    assert_eq!(last.expect.body_contains.iter().count(), 2);
}

#[test]
fn unusable_files_are_errors_that_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Flow::from_file(&folder.path().join("absent.json")).unwrap_err().to_string();
    assert!(nowhere.contains("absent.json") && nowhere.contains("check the path"), "{nowhere}");
    let bare = from_path(folder.path()).unwrap_err().to_string();
    assert!(bare.contains("no *.json"), "{bare}");
    fs::write(folder.path().join("typo.json"), r#"{"client": "c", "stepz": []}"#).unwrap();
    let typo = from_path(folder.path()).unwrap_err().to_string();
    assert!(typo.contains("typo.json") && typo.contains("`stepz`"), "{typo}");
}
