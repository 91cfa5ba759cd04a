//! Pages in browsers: none may use the API, but those of the origins that the operator names.

use muster::access::Scope;
use muster::http::{ROUTES, Settings};
use muster::id::TenantId;
use muster::scim::registry::Registry;

use crate::kit::App;

const ORIGIN: &str = "https://admin.example.com";

fn app(origins: &[&str]) -> App {
    let cors_origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    App::with(Settings { cors_origins, ..Settings::default() }, Registry::built_in().unwrap())
}

/// A header with its list in order, as the order says nothing.
fn list(value: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> =
        value.unwrap_or_default().split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    names.sort();
    names
}

#[test]
fn without_the_setting_no_answer_speaks_of_origins() {
    let app = app(&[]);
    for method in ["GET", "OPTIONS"] {
        let request = app.scim(method, "/Users").header("origin", ORIGIN);
        let answer = request.header("access-control-request-method", "PATCH").send();
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("vary"), None);
    }
}

#[test]
fn a_page_of_a_named_origin_may_ask_before_it_sends_and_without_a_token() {
    let app = app(&["https://other.example.com", ORIGIN]);
    for route in ROUTES.iter().filter(|route| !route.template.contains('{')) {
        let mount = if !route.open || route.template.starts_with("/S") { "/scim/v2" } else { "" };
        let request = app.request("OPTIONS", &format!("{mount}{}", route.template)).header("origin", ORIGIN);
        let request = request.header("access-control-request-method", "PATCH");
        let answer = request.header("access-control-request-headers", "authorization, content-type").send();
        assert_eq!(answer.status, 200, "{}", route.template);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        let methods = ["delete", "get", "head", "patch", "post", "put"];
        assert_eq!(list(answer.header("access-control-allow-methods")), methods);
        assert!(list(answer.header("access-control-allow-headers")).contains(&"authorization".to_owned()));
    }
}

#[test]
fn a_page_of_a_named_origin_may_read_answers_and_refusals() {
    let app = app(&[ORIGIN]);
    for (token, status) in [(app.token.as_str(), 200), ("wrong", 401)] {
        let answer = app.scim("GET", "/Users").token(token).header("origin", ORIGIN).send();
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, Some(ORIGIN)));
        assert!(list(answer.header("access-control-expose-headers")).contains(&"etag".to_owned()));
        assert!(list(answer.header("vary")).contains(&"origin".to_owned()));
    }
    let options = app.scim("OPTIONS", "/Users").header("origin", ORIGIN).send();
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, POST, OPTIONS")));
}

#[test]
fn a_page_may_send_and_read_the_headers_of_every_api() {
    let app = app(&[ORIGIN]);
    for (path, headers) in [
        ("/api/users", "x-api-key, content-type"),
        ("/management/v1/users/1/phone", "authorization, x-zitadel-orgid"),
        ("/zitadel.user.v2.UserService/SetPhone", "connect-protocol-version, connect-timeout-ms"),
        (
            "/v1/mgmt/user/create",
            "authorization, x-descope-project-id, x-descope-sdk-name, x-descope-sdk-version",
        ),
        ("/scim/v2/Users", "authorization, prefer, if-match, if-none-match, x-request-id"),
    ] {
        let request = app.request("OPTIONS", path).header("origin", ORIGIN);
        let request = request.header("access-control-request-method", "POST");
        let answer = request.header("access-control-request-headers", headers).send();
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let allowed = list(answer.header("access-control-allow-headers"));
        assert!(list(Some(headers)).iter().all(|header| allowed.contains(header)), "{path}: {allowed:?}");
    }
    let asked = app.request("OPTIONS", "/api/users").header("origin", ORIGIN);
    let asked = asked.header("access-control-request-method", "POST");
    assert_eq!(asked.header("access-control-request-headers", "x-unknown").send().status, 400);
    let key = app.new_token(TenantId::DEFAULT, Scope::IdentityRead, "default");
    let request = app.request("GET", "/api/users").anonymous().header("x-api-key", &key);
    let answer = request.header("origin", ORIGIN).send();
    assert!(answer.header("x-pagination").is_some(), "{answer:?}");
    let shown = list(answer.header("access-control-expose-headers"));
    for header in ["x-pagination", "etag", "location", "allow", "retry-after", "x-request-id"] {
        assert!(shown.contains(&header.to_owned()), "{header}: {shown:?}");
    }
}

#[test]
fn other_origins_are_told_nothing_and_other_clients_notice_nothing() {
    let app = app(&[ORIGIN]);
    for origin in ["https://admin.example.com.evil.example", "http://admin.example.com", "null"] {
        let read = app.scim("GET", "/Users").header("origin", origin).send();
        assert_eq!((read.status, read.header("access-control-allow-origin")), (200, None), "{origin}");
        let asked = app.scim("OPTIONS", "/Users").header("origin", origin);
        let asked = asked.header("access-control-request-method", "PATCH").send();
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (400, None), "{origin}");
    }
    assert_eq!(app.get("/Users").status, 200);
}
