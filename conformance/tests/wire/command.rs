//! The command line, as a user meets it.
//!
//! Invariant: the exit code tells what happened.

use crate::fake::{Fake, TOKEN, answer, empty};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

fn examiner(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-examiner"));
    command.env_remove("MUSTER_EXAMINER_TOKEN").args(arguments).output().unwrap()
}

fn flow_file(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("test-01-create.json");
    let flow = json!({"client": "Test IdP", "flow": "Create", "source": "invented", "steps": [
        {"method": "POST", "path": "/Users", "body": {}, "expect": {"status": [201]}}]});
    fs::write(&file, flow.to_string()).unwrap();
    file
}

fn flows_on(fake: &Fake, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = flow_file(&folder);
    let base = ["flows", file.to_str().unwrap(), "--base", &fake.subject.base, "--token", TOKEN];
    examiner(&[&base, more].concat())
}

fn flows(status: u16, more: &[&str]) -> Output {
    flows_on(&Fake::answering(vec![answer(status, &json!({}))]), more)
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_passing_run_exits_with_0() {
    let (code, out, _) = told(&flows(201, &[]));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("pass  test-01-create") && out.contains("1 of 1 flows passed"), "{out}");
}

#[test]
fn a_failing_run_exits_with_1_and_says_why() {
    let (code, out, _) = told(&flows(500, &[]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("FAIL  test-01-create") && out.contains("status 201, not 500"), "{out}");
}

#[test]
fn json_output_is_one_document() {
    let (code, out, _) = told(&flows(500, &["--format", "json"]));
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["failed"], 1);
}

#[test]
fn what_a_flow_created_is_deleted_unless_it_is_to_be_kept() {
    for (more, lines) in [(vec![], 2), (vec!["--keep"], 1)] {
        let fake = Fake::answering(vec![answer(201, &json!({"id": "7"})), empty(204)]);
        assert_eq!(flows_on(&fake, &more).status.code(), Some(0));
        assert_eq!(fake.lines().len(), lines);
    }
}

#[test]
fn what_cannot_be_carried_out_exits_with_2() {
    let base = ["--base", "http://127.0.0.1:9/scim/v2", "--token", "t"];
    let nobody = examiner(&[&["flows"], base.as_slice()].concat());
    assert_eq!(nobody.status.code(), Some(2));
    assert!(told(&nobody).2.contains("nothing came from"), "{:?}", told(&nobody));
    let absent = examiner(&[&["flows", "absent.json"], base.as_slice()].concat());
    assert_eq!(absent.status.code(), Some(2));
    assert!(told(&absent).2.contains("absent.json"));
    for usage in [vec!["flows"], vec!["flows", "--base", "scim.example.com", "--token", "t"]] {
        assert_eq!(examiner(&usage).status.code(), Some(2));
    }
}

#[test]
fn the_help_has_an_example() {
    for arguments in [vec!["--help"], vec!["flows", "--help"]] {
        let (code, out, _) = told(&examiner(&arguments));
        assert_eq!(code, Some(0));
        assert!(out.contains("muster-examiner flows --base https://"), "{out}");
    }
}
