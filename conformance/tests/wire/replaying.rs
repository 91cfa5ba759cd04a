//! What a replay does with good and bad answers.
//!
//! Invariant: an answer that is not as expected always shows in the report.

use crate::fake::{Fake, TOKEN, answer, empty, raw};
use muster_conformance::{RunReport, Unmet, tidy};
use serde_json::{Value, json};

fn create_then_read() -> Value {
    json!([
        {"method": "POST", "path": "/Users", "headers": {"Authorization": "Bearer {{token}}"},
         "body": {"userName": "ada@example.com"},
         "expect": {"status": [201], "body_present": ["/id"]}, "capture": {"user.id": "/id"}},
        {"method": "GET", "path": "/Users/{{user.id}}", "role": "check", "note": "read it again",
         "expect": {"status": [200], "body_contains": {"/id": "{{user.id}}", "/active": true}}}
    ])
}

#[test]
fn captured_values_reach_later_paths_and_expectations() {
    let fake = Fake::answering(vec![
        answer(201, &json!({"id": "a b/c"})),
        answer(200, &json!({"id": "a b/c", "active": true})),
    ]);
    let report = fake.replay(create_then_read());
    assert!(report.passed(), "{report}");
    assert_eq!(fake.lines()[1], "GET /scim/v2/Users/a%20b%2Fc HTTP/1.1");
}

#[test]
fn a_wrong_answer_is_shown_with_all_that_is_needed_to_understand_it() {
    let fake = Fake::answering(vec![
        answer(200, &json!({"id": "7", "echo": "back"})),
        answer(200, &json!({"id": "8", "active": "True"})),
    ]);
    let report = fake.replay(create_then_read());
    assert!(!report.passed());
    let text = report.to_string();
    for part in [
        "FAIL  test-01-talk",
        "0 of  2",
        "POST /scim/v2/Users HTTP/1.1",
        r#"{"userName":"ada@example.com"}"#,
        r#"{"id":"7","echo":"back"}"#,
        "expected  status 201, not 200",
        "step 2 (check)  read it again",
        "GET /scim/v2/Users/7 HTTP/1.1",
        r#"expected  /id to be "7", not "8""#,
        r#"expected  /active to be true, not "True""#,
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn the_token_is_never_reported() {
    let fake = Fake::answering(vec![answer(500, &json!({"detail": "broken"}))]);
    let report = fake.replay(create_then_read());
    let json = serde_json::to_string(&report).unwrap();
    assert!(!report.to_string().contains(TOKEN) && !json.contains(TOKEN));
    assert!(!format!("{:?}", fake.subject).contains(TOKEN));
}

#[test]
fn a_missing_value_that_is_needed_later_stops_the_flow() {
    for id in [json!(null), json!(7), json!("")] {
        let fake = Fake::answering(vec![answer(201, &json!({"id": id})), answer(200, &json!({}))]);
        let report = fake.replay(create_then_read());
        assert_eq!(report.steps.len(), 1);
        assert_eq!(report.stopped.as_deref(), Some("later steps need user.id"));
        assert!(matches!(report.steps[0].unmet.last(), Some(Unmet::Capture { .. })));
        assert!(!report.passed());
        assert_eq!(fake.lines().len(), 1);
    }
}

#[test]
fn a_missing_value_that_nobody_needs_fails_the_step_only() {
    let steps = json!([
        {"method": "GET", "path": "/Users", "expect": {"status": [200]}, "capture": {"unused": "/x"}},
        {"method": "GET", "path": "/Groups", "expect": {"status": [200]}}
    ]);
    let fake = Fake::answering(vec![answer(200, &json!({})), answer(200, &json!({}))]);
    let report = fake.replay(steps);
    assert_eq!((report.steps.len(), report.stopped.clone()), (2, None));
    assert!(!report.passed() && !report.steps[0].passed() && report.steps[1].passed());
}

#[test]
fn a_broken_answer_stops_the_flow() {
    for broken in [b"".to_vec(), b"hello\r\n\r\n".to_vec(), raw(200, &["Content-Encoding: gzip"], b"no")] {
        let fake = Fake::answering(vec![broken, answer(200, &json!({}))]);
        let report = fake.replay(create_then_read());
        assert!(!report.passed() && !report.answered() && report.stopped.is_some(), "{report}");
        assert!(matches!(report.steps[0].unmet.as_slice(), [Unmet::NoAnswer { .. }]), "{report}");
    }
}

#[test]
fn a_server_that_is_not_there_is_reported() {
    let mut fake = Fake::answering(vec![]);
    fake.subject.base = "http://127.0.0.1:9/scim/v2".to_owned();
    let report = fake.replay(create_then_read());
    assert!(!report.passed() && !report.answered(), "{report}");
}

#[test]
fn what_was_created_can_be_deleted_again() {
    let steps = json!([
        {"method": "POST", "path": "//Users?", "body": {}, "expect": {"status": [201]}},
        {"method": "POST", "path": "/Groups", "body": {}, "expect": {"status": [201]}},
        {"method": "POST", "path": "/Users", "body": {}, "expect": {"status": [409]}}
    ]);
    let fake = Fake::answering(vec![
        answer(201, &json!({"id": "u1"})),
        answer(201, &json!({"id": "g1"})),
        answer(409, &json!({"id": "u2"})),
        empty(500),
        empty(404),
    ]);
    let report = fake.replay(steps);
    let left = tidy(&fake.subject, &report);
    assert_eq!(
        fake.lines()[3..],
        ["DELETE /scim/v2/Groups/g1 HTTP/1.1", "DELETE /scim/v2/Users/u1 HTTP/1.1"]
    );
    assert!(fake.seen()[3].headers.contains(&format!("authorization: Bearer {TOKEN}")));
    assert!(matches!(left.as_slice(), [one] if one.contains("/Groups/g1 is left behind (status 500)")));
}

#[test]
fn the_json_form_tells_the_same() {
    let fake = Fake::answering(vec![answer(404, &json!({"detail": "no"}))]);
    let run = RunReport { flows: vec![fake.replay(create_then_read())] };
    let told = serde_json::to_value(&run).unwrap();
    assert_eq!((&told["passed"], &told["failed"]), (&json!(0), &json!(1)));
    let flow = &told["flows"][0];
    assert_eq!(flow["file"], "test-01-talk.json");
    assert_eq!(flow["passed"], false);
    let step = &flow["steps"][0];
    assert_eq!(step["exchange"]["status"], 404);
    assert_eq!(step["exchange"]["response_body"], json!({"detail": "no"}));
    assert_eq!(step["unmet"][0], json!({"kind": "status", "expected": [201], "got": 404}));
    assert!(run.to_string().ends_with("0 of 1 flows passed, 1 failed"));
}
