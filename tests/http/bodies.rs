//! What a request's body may be.

use muster::access::Scope;
use muster::http::Settings;
use muster::id::TenantId;
use muster::scim::registry::Registry;
use serde_json::json;

use crate::kit::{App, Request, user};

fn post(app: &App) -> Request {
    app.scim("POST", "/Users")
}

#[test]
fn both_json_media_types_are_taken_with_any_parameters_and_so_is_none() {
    let app = App::start();
    let types = [
        Some("application/scim+json"),
        Some("application/json"),
        Some("application/scim+json; charset=utf-8"),
        Some("Application/JSON;charset=UTF-8"),
        Some("application/json; profile=x; y=z"),
        None,
    ];
    for (index, media_type) in types.into_iter().enumerate() {
        let request = post(&app).body(user(&format!("u{index}")).to_string());
        let request = match media_type {
            Some(media_type) => request.header("Content-Type", media_type),
            None => request,
        };
        let answer = request.send();
        assert_eq!(answer.status, 201, "{media_type:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    }
    for media_type in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json", "application/jsonx"]
    {
        let answer = post(&app).header("Content-Type", media_type).body(user("x").to_string()).send();
        assert!(answer.error(415, None).contains("application/scim+json"), "{media_type}");
    }
}

#[test]
fn the_media_type_of_no_body_does_not_matter() {
    let app = App::start();
    let id = app.new_user("ann");
    for (method, path, status) in [("GET", "/Users", 200), ("DELETE", format!("/Users/{id}").as_str(), 204)] {
        let answer = app.scim(method, path).header("Content-Type", "text/plain").send();
        assert_eq!(answer.status, status, "{answer:?}");
    }
    for request in [post(&app).header("Content-Type", "text/plain").body(""), post(&app)] {
        assert!(request.send().error(400, Some("invalidSyntax")).contains("empty"));
    }
}

#[test]
fn a_body_over_the_limit_is_refused_with_the_limit() {
    let settings = Settings { max_body: 2000, ..Settings::default() };
    let app = App::with(settings, Registry::built_in().unwrap());
    let mut fits = user("a").to_string();
    fits.push_str(&" ".repeat(2000 - fits.len()));
    assert_eq!(post(&app).body(fits.clone()).send().status, 201);
    let over = format!("{fits} ");
    assert!(post(&app).body(over.clone()).send().error(413, None).contains("2000 bytes"));
    let chunked = format!("{:x}\r\n{over}\r\n0\r\n\r\n", over.len());
    let answer = post(&app).header("Transfer-Encoding", "chunked").body(chunked).send();
    assert!(answer.error(413, None).contains("2000 bytes"));
    let long = post(&app).body("x".repeat(20_000_000)).send();
    assert!(long.error(413, None).contains("2000 bytes"));
    assert_eq!(app.get("/ServiceProviderConfig").json()["bulk"]["maxPayloadSize"], 2000);
}

#[test]
fn a_chunked_body_is_put_together() {
    let app = App::start();
    let body = user("chunky").to_string();
    let (first, second) = body.split_at(20);
    let chunked = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let answer = post(&app).header("Transfer-Encoding", "chunked").body(chunked).send();
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["userName"], "chunky");
}

#[test]
fn the_apis_beside_scim_take_chunks_too() {
    let app = App::start();
    let token = app.new_token(TenantId::DEFAULT, Scope::Full, "default");
    for (path, body) in [
        ("/identity/v1/users", json!({"user_name": "chunky"})),
        ("/api/users", json!({"username": "chunkier"})),
        ("/v1/mgmt/user/create", json!({"loginId": "chunkiest"})),
    ] {
        let body = body.to_string();
        let (first, second) = body.split_at(5);
        let chunked = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
        let bearer = if path.starts_with("/v1") { format!("default:{token}") } else { token.clone() };
        let request = app.request("POST", path).token(&bearer).header("X-API-KEY", &token);
        let request = request.header("Content-Type", "application/json");
        let answer = request.header("Transfer-Encoding", "chunked").body(chunked).send();
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
        assert!(answer.body.contains("chunk"), "{path}: {answer:?}");
    }
}

#[test]
fn what_needs_no_body_may_come_without_one_and_say_that_it_is_json() {
    let app = App::start();
    let token = app.new_token(TenantId::DEFAULT, Scope::Full, "default");
    let body = json!({"emails": [{"value": "a@example.com"}]});
    let made = app.request("POST", "/identity/v1/users").token(&token).json(&body).send().json();
    let contact = format!("/identity/v1/users/{}/contacts/a@example.com", made["id"].as_str().unwrap());
    for path in [format!("{contact}/primary"), format!("{contact}/verify"), format!("{contact}/unverify")] {
        let request = app.request("POST", &path).token(&token).header("Content-Type", "application/json");
        let answer = request.header("Content-Length", "0").send();
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let search = app.request("POST", "/v2/mgmt/user/search").token(&format!("default:{token}"));
    let answer = search.header("Content-Type", "application/json").header("Content-Length", "0").send();
    assert_eq!((answer.status, answer.json()["total"].as_u64()), (200, Some(1)), "{answer:?}");
}

#[test]
fn what_is_not_one_json_object_is_invalid_syntax_with_its_place() {
    let app = App::start();
    let cases: [(&[u8], &str); 8] = [
        (b"{", "line 1 column 1"),
        (b"[]", "not an array"),
        (b"\"x\"", "not a string"),
        (b"{\"userName\":\"a\",\n\"userName\":\"b\"}", "\"userName\" is there twice at line 2"),
        (b"{\"name\":{\"givenName\":\"a\",\"givenName\":\"a\"}}", "\"givenName\" is there twice"),
        (b"{\"userName\":\"\xff\"}", "not UTF-8 from byte 13"),
        (b"{\"userName\":\"a\"}}", "trailing characters"),
        (b"\x00", "line 1 column 1"),
    ];
    for (body, part) in cases {
        let detail = post(&app).body(body).send().error(400, Some("invalidSyntax"));
        assert!(detail.contains(part), "{part}: {detail}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    assert!(post(&app).body(deep).send().error(400, Some("invalidSyntax")).contains("64 levels"));
    let deeper = "{\"a\":".repeat(200_000);
    assert!(post(&app).body(deeper).send().error(400, Some("invalidSyntax")).contains("64 levels"));
}

#[test]
fn every_request_with_a_body_obeys_the_same_rules() {
    let app = App::start();
    let id = app.new_user("ann");
    let one = format!("/Users/{id}");
    for (method, path) in [
        ("POST", "/Users"),
        ("PUT", &one),
        ("PATCH", &one),
        ("POST", "/.search"),
        ("POST", "/Users/.search"),
        ("POST", "/Bulk"),
    ] {
        let request = app.scim(method, path);
        request.clone().body("[]").send().error(400, Some("invalidSyntax"));
        request.clone().send().error(400, Some("invalidSyntax"));
        request.clone().header("Content-Type", "text/csv").body("{}").send().error(415, None);
        request.body("x".repeat(5 << 20)).send().error(413, None);
    }
    let again =
        app.put(&one, &json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "bob"}));
    assert_eq!(again.status, 200, "{again:?}");
}
