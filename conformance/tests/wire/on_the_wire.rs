//! What leaves the examiner and how answers come in, seen from a socket.
//!
//! Invariant: a request is byte for byte what the flow says.

use crate::fake::{Fake, answer, empty, raw};
use flate2::{Compression, write::GzEncoder};
use muster_conformance::bundled;
use serde_json::{Value, json};
use std::io::Write;

fn sent_lines(paths: &[String]) -> Vec<String> {
    let steps: Vec<Value> = paths
        .iter()
        .map(|path| json!({"method": "GET", "path": path, "expect": {"status": [200]}}))
        .collect();
    let fake = Fake::answering(vec![answer(200, &json!({})); paths.len()]);
    let report = fake.replay(steps.into());
    assert!(report.passed(), "{report}");
    fake.lines()
}

fn expected_lines(paths: &[String]) -> Vec<String> {
    paths.iter().map(|path| format!("GET /scim/v2{path} HTTP/1.1")).collect()
}

#[test]
fn odd_request_targets_are_sent_untouched() {
    let paths = [
        "//Users",
        "/Users/",
        "/Users/?filter=userName+eq+%22a%22",
        "/Users?filter=userName+eq+%22a%22&",
        "/Users?",
        "/Users?&&a=b&",
        "/Users/42?",
        "/Users/./../Groups//..",
        "/%55sers/%7e%2f%2E",
        "/Users?filter=a%20eq%20%22b%2Bc+d%40e%22",
        "/Users?a=b?c=d",
        "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
        "/Users?attributes=userName,emails[type]",
        "/users;v=1/('x')!*$@=",
    ]
    .map(str::to_owned);
    assert_eq!(sent_lines(&paths), expected_lines(&paths));
}

#[test]
fn every_path_of_the_bundled_flows_is_sent_untouched() {
    let steps = bundled().unwrap().into_iter().flat_map(|flow| flow.steps);
    let paths: Vec<String> = steps.map(|step| step.path.replace("{{", "").replace("}}", "")).collect();
    assert!(paths.len() > 200);
    assert_eq!(sent_lines(&paths), expected_lines(&paths));
}

#[test]
fn a_final_slash_of_the_base_url_is_not_doubled() {
    let mut fake = Fake::answering(vec![answer(200, &json!({}))]);
    fake.subject.base.push('/');
    fake.replay(json!([{"method": "GET", "path": "/Users", "expect": {"status": [200]}}]));
    assert_eq!(fake.lines(), ["GET /scim/v2/Users HTTP/1.1"]);
}

#[test]
fn a_base_url_without_a_path_works() {
    let mut fake = Fake::answering(vec![answer(200, &json!({}))]);
    fake.subject.base = fake.subject.base.replace("/scim/v2", "");
    fake.replay(json!([{"method": "GET", "path": "/Users?", "expect": {"status": [200]}}]));
    assert_eq!(fake.lines(), ["GET /Users? HTTP/1.1"]);
}

#[test]
fn a_target_that_would_be_altered_is_not_sent() {
    let mut fake = Fake::answering(vec![answer(200, &json!({}))]);
    fake.subject.base.push_str("#part");
    let report = fake.replay(json!([{"method": "GET", "path": "/Users", "expect": {"status": [200]}}]));
    assert!(report.to_string().contains("would be altered"), "{report}");
    assert!(fake.seen().is_empty());
}

#[test]
fn no_header_is_invented() {
    let fake = Fake::answering(vec![answer(200, &json!({}))]);
    fake.replay(json!([{"method": "GET", "path": "/Users", "expect": {"status": [200]}}]));
    let names: Vec<String> = fake.seen()[0]
        .headers
        .iter()
        .map(|header| header.split_once(':').unwrap().0.to_lowercase())
        .collect();
    assert_eq!(names, ["host"]);
}

#[test]
fn headers_and_body_go_out_as_written() {
    let fake = Fake::answering(vec![answer(201, &json!({"id": "1"}))]);
    fake.replay(json!([{"method": "POST", "path": "/Users",
        "headers": {"Authorization": "Bearer {{token}}", "Accept": "a/b",
            "Content-Type": "application/scim+json; charset=utf-8", "User-Agent": "Test 1.0"},
        "body": {"zeta": "ü", "alpha": null, "me": ["{{token}}"]},
        "expect": {"status": [201]}}]));
    let seen = fake.seen().remove(0);
    for header in [
        "authorization: Bearer s3cret-t0ken",
        "accept: a/b",
        "content-type: application/scim+json; charset=utf-8",
        "user-agent: Test 1.0",
    ] {
        assert!(seen.headers.iter().any(|sent| sent == header), "{header} in {:?}", seen.headers);
    }
    assert_eq!(seen.body, r#"{"zeta":"ü","alpha":null,"me":["s3cret-t0ken"]}"#);
}

#[test]
fn each_method_reaches_the_server() {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let steps: Vec<Value> = methods
        .iter()
        .map(|method| json!({"method": method, "path": "/Users", "expect": {"status": [200]}}))
        .collect();
    let fake = Fake::answering(vec![empty(200); methods.len()]);
    let report = fake.replay(steps.into());
    assert!(report.passed(), "{report}");
    assert_eq!(fake.lines(), methods.map(|method| format!("{method} /scim/v2/Users HTTP/1.1")));
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let moved = raw(302, &["Location: /scim/v2/Elsewhere"], b"{\"gone\":true}");
    let fake = Fake::answering(vec![moved, answer(200, &json!({}))]);
    let report = fake.replay(json!([{"method": "GET", "path": "/Users",
        "expect": {"status": [302], "headers": {"location": "/scim"}, "body_contains": {"/gone": true}}}]));
    assert!(report.passed(), "{report}");
    assert_eq!(fake.lines().len(), 1);
}

#[test]
fn errors_of_the_server_are_answers() {
    for status in [400, 401, 404, 409, 429, 500, 503] {
        let body = json!({"status": status.to_string()});
        let fake = Fake::answering(vec![answer(status, &body)]);
        let report = fake.replay(json!([{"method": "GET", "path": "/Users",
            "expect": {"status": [status], "body_contains": {"/status": status.to_string()}}}]));
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn a_gzip_answer_is_decoded() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"totalResults":3}"#).unwrap();
    let packed = encoder.finish().unwrap();
    let fake = Fake::answering(vec![raw(200, &["Content-Encoding: gzip"], &packed)]);
    let report = fake.replay(json!([{"method": "GET", "path": "/Users",
        "headers": {"Accept-Encoding": "gzip"},
        "expect": {"status": [200], "body_contains": {"/totalResults": 3}}}]));
    assert!(report.passed(), "{report}");
    assert!(fake.seen()[0].headers.iter().any(|header| header == "accept-encoding: gzip"));
}
