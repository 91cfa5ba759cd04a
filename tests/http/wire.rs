//! URLs, headers and everything around a request.

use std::io::{Read, Write};
use std::net::TcpStream;

use muster::access::Scope;
use muster::http::Settings;
use muster::id::TenantId;
use muster::scim::registry::Registry;
use serde_json::json;

use crate::kit::{App, exchange, user};

#[test]
fn odd_urls_lead_where_they_should() {
    let app = App::start();
    let id = app.new_user("ann+tag@example.com");
    let lists = [
        "/scim/v2/Users",
        "/scim/v2/Users/",
        "/scim/v2//Users",
        "//scim//v2//Users//",
        "/scim/Users",
        "/scim/v2/Users?",
        "/scim/v2/Users?&&a=b&",
        "/scim/v2/Users/?filter=userName+eq+%22ann%2Btag%40example.com%22",
        "/scim/v2/Users?filter=userName%20eq%20%22ann%2Btag%40example.com%22&",
        "/scim/v2/Users?filter=userName%20eq%20%22ann+tag@example.com%22",
        "/scim/v2",
        "/scim/v2/",
        "/scim",
        "/scim/?",
    ];
    for target in lists {
        let answer = app.request("GET", target).token(&app.token).send();
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(answer.json()["totalResults"], 1, "{target}");
    }
    let none = "/scim/v2/Users?filter=userName+eq+%22ann+tag@example.com%22";
    assert_eq!(app.request("GET", none).token(&app.token).send().json()["totalResults"], 0);
    for target in
        [format!("/scim/v2/Users/{id}?"), format!("/scim/v2/Users/{id}/"), format!("/scim//Users/{id}?&")]
    {
        assert_eq!(app.request("GET", &target).token(&app.token).send().json()["id"], json!(id), "{target}");
    }
    let made = app.request("POST", "/scim/v2//Users").token(&app.token).json(&user("bob")).send();
    assert_eq!(made.status, 201);
}

#[test]
fn another_version_of_the_protocol_is_refused() {
    let app = App::start();
    for version in ["v1", "v3", "v10", "v2.0"] {
        let answer = app.request("GET", &format!("/scim/{version}/Users")).token(&app.token).send();
        assert!(answer.error(400, Some("invalidVers")).contains("v2"));
    }
}

#[test]
fn a_parameter_that_cannot_be_read_is_named() {
    let app = App::start();
    let cases = [
        ("filter=%ff", "invalidValue", "filter"),
        ("filter=%zz", "invalidValue", "filter"),
        ("startIndex=one", "invalidValue", "startIndex"),
        ("count=1.5", "invalidValue", "count"),
        ("attributes=a&excludedAttributes=b", "invalidValue", "xcludedAttributes"),
        ("filter=", "invalidFilter", "filter"),
    ];
    for (query, scim_type, part) in cases {
        let detail = app.get(&format!("/Users?{query}")).error(400, Some(scim_type));
        assert!(detail.contains(part), "{query}: {detail}");
    }
    for query in ["filter=%00", "sortBy=%00", "attributes=%00", "filter=userName+eq+%22%00%22", "count=%00"] {
        let status = app.get(&format!("/Users?{query}")).status;
        assert!([200, 400].contains(&status), "{query}: {status}");
    }
}

#[test]
fn urls_in_answers_have_the_base_that_the_request_came_by() {
    let app = App::start();
    let made = app
        .request("POST", "/scim/Users")
        .token(&app.token)
        .header("Host", "id.example.com")
        .json(&user("a"))
        .send();
    let location = made.header("location").unwrap();
    assert!(location.starts_with("http://id.example.com/scim/Users/"), "{location}");
    assert_eq!(made.json()["meta"]["location"], json!(location));
    let evil =
        [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Prefix", "/x")];
    let sent = evil
        .iter()
        .fold(app.scim("GET", "/Users"), |request, (name, value)| request.header(name, value))
        .send();
    assert!(!sent.body.contains("evil"), "{sent:?}");
    app.scim("GET", "/Users").header("Host", "a b<c>").send().error(400, Some("invalidValue"));
}

#[test]
fn a_public_url_and_a_trusted_proxy_set_the_base() {
    let settings = Settings { public_url: Some("https://example.com/muster".into()), ..Settings::default() };
    let app = App::with(settings, Registry::built_in().unwrap());
    let made = app.post("/Users", &user("a"));
    assert!(made.header("location").unwrap().starts_with("https://example.com/muster/scim/v2/Users/"));

    let settings = Settings { trust_forwarded: true, ..Settings::default() };
    let app = App::with(settings, Registry::built_in().unwrap());
    let request = app
        .scim("POST", "/Users")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "id.example.com");
    let made = request.header("X-Forwarded-Prefix", "/idm").json(&user("a")).send();
    assert!(
        made.header("location").unwrap().starts_with("https://id.example.com/idm/scim/v2/Users/"),
        "{made:?}"
    );
}

#[test]
fn every_answer_has_a_request_id_and_keeps_the_clients_own() {
    let app = App::start();
    let made = app.get("/Users").header("x-request-id").unwrap().to_owned();
    assert!(made.len() >= 16 && made != app.get("/Users").header("x-request-id").unwrap());
    let kept = app.scim("GET", "/none").header("X-Request-Id", "trace-1.2:3").send();
    assert_eq!(kept.header("x-request-id"), Some("trace-1.2:3"));
    for odd in ["", "a b", "<x>", &"a".repeat(129)] {
        let replaced = app.scim("GET", "/Users").header("X-Request-Id", odd).send();
        assert!(replaced.header("x-request-id").is_some_and(|id| id != odd && !id.is_empty()));
    }
}

#[test]
fn an_accept_header_matters_only_where_it_is_wanted_strict() {
    let app = App::start();
    let strict = app.new_token(TenantId::DEFAULT, Scope::Scim, "strict");
    for accept in ["text/html", "application/xml", "application/json;q=0"] {
        assert_eq!(app.scim("GET", "/Users").header("Accept", accept).send().status, 200);
        app.scim("GET", "/Users").token(&strict).header("Accept", accept).send().error(406, None);
    }
    for accept in
        ["*/*", "application/json", "application/scim+json, application/json", "text/html, */*;q=0.1"]
    {
        let answer = app.scim("GET", "/Users").token(&strict).header("Accept", accept).send();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/scim+json")),
            "{accept}"
        );
    }
    assert_eq!(app.scim("GET", "/Users").token(&strict).send().status, 200);
}

#[test]
fn health_and_readiness_are_plain() {
    let app = App::start();
    for (target, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n"), ("/healthz/", "ok\n")] {
        let answer = app.request("GET", target).send();
        assert_eq!((answer.status, answer.body.as_str()), (200, text));
    }
}

#[test]
fn a_head_request_gets_the_headers_of_a_get_and_no_body() {
    let app = App::start();
    let id = app.new_user("ann");
    for path in [format!("/Users/{id}"), "/Users".into(), "/Schemas".into(), "/Users/none".into()] {
        let get = app.get(&path);
        let head = app.scim("HEAD", &path).send();
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        for name in ["content-type", "content-length", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

#[test]
fn what_is_no_http_is_not_answered_with_500() {
    let app = App::start();
    for bytes in
        [&b"GARBAGE\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"]
    {
        assert!((400..500).contains(&exchange(app.address, bytes).status));
    }
    let old = exchange(app.address, b"GET /scim/v2/Schemas HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200, "a request without a host is answered: {old:?}");
    let absolute = "GET http://id.example.com/scim/v2/ServiceProviderConfig HTTP/1.1\r\nHost: x\r\n\
                    Connection: close\r\n\r\n";
    let answer = exchange(app.address, absolute.as_bytes());
    assert_eq!(answer.json()["meta"]["location"], "http://id.example.com/scim/v2/ServiceProviderConfig");
}

#[test]
fn one_connection_serves_many_requests() {
    let app = App::start();
    let mut stream = TcpStream::connect(app.address).unwrap();
    let one = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", app.address);
    stream.write_all(one.repeat(3).as_bytes()).unwrap();
    let mut received = String::new();
    while received.matches("ok\n").count() < 3 {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed after {received}");
        received.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
}
