//! The administration API: a tenant's own tokens.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App};

const TOKENS: &str = "/admin/v1/tokens";

/// Checks that it is a problem (RFC 9457) of this status and returns its detail.
#[track_caller]
fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let body = answer.json();
    assert_eq!(body["status"], json!(status));
    body["detail"].as_str().unwrap().to_owned()
}

fn names(app: &App, token: &str) -> Vec<Value> {
    let listed = app.request("GET", TOKENS).token(token).send();
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.json()["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect()
}

#[test]
fn a_token_is_made_listed_and_revoked_within_its_tenant() {
    let app = App::start();
    let admin = app.new_token(app.new_tenant("acme"), Scope::Admin, "default");
    let body = json!({"name": "okta", "scopes": ["scim", "identity:read"], "lifetime_seconds": 60});
    let made = app.request("POST", TOKENS).token(&admin).json(&body).send();
    assert_eq!(made.status, 201, "{made:?}");
    let text = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(app.scim("GET", "/Users").token(&text).send().status, 200);
    assert_eq!(names(&app, &admin), ["test", "okta"]);
    let other = app.new_token(TenantId::DEFAULT, Scope::Full, "default");
    assert!(!names(&app, &other).contains(&json!("okta")), "another tenant's tokens");
    problem(&app.request("DELETE", &format!("{TOKENS}/9")).token(&other).send(), 404);

    let revoked = app.request("DELETE", &format!("{TOKENS}/2")).token(&admin).send();
    assert_eq!(revoked.status, 204, "{revoked:?}");
    app.scim("GET", "/Users").token(&text).send().error(401, None);
    problem(&app.request("DELETE", &format!("{TOKENS}/2")).token(&admin).send(), 404);
}

#[test]
fn what_cannot_be_is_refused_and_says_where() {
    let app = App::start();
    let admin = app.new_token(TenantId::DEFAULT, Scope::Admin, "default");
    for (body, part) in [
        (json!({"scopes": ["scim"]}), "missing field `name`"),
        (json!({"name": "x", "scopes": "scim"}), "scopes: invalid type"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": ["root"]}), "no scope \"root\""),
        (json!({"name": "x", "scopes": ["me"]}), "subject"),
        (json!({"name": "x", "scopes": ["scim"], "profile": "lax"}), "no profile \"lax\""),
        (json!({"name": "x", "scopes": ["scim"], "lifetime": 1}), "unknown field `lifetime`"),
    ] {
        let detail = problem(&app.request("POST", TOKENS).token(&admin).json(&body).send(), 400);
        assert!(detail.contains(part), "{body}: {detail}");
    }
    problem(&app.request("DELETE", &format!("{TOKENS}/x")).token(&admin).send(), 404);
    problem(&app.request("GET", "/admin/v1/nothing").token(&admin).send(), 404);
    let wrong = app.request("PUT", TOKENS).token(&admin).send();
    problem(&wrong, 405);
    assert_eq!(wrong.header("allow"), Some("GET, POST, OPTIONS"));
}
