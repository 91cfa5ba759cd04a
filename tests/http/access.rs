//! Who may do what: every route, with every kind of token.

use chrono::TimeDelta;
use muster::access::Scope;
use muster::http::{ROUTES, Route};
use muster::id::TenantId;
use serde_json::json;

use crate::kit::{Answer, App, Request, now, user};

/// A route with its captures filled in, under its base.
fn target(route: &Route, id: &str) -> String {
    let path = route
        .template
        .replace("{type}", "Users")
        .replace("{id}", id)
        .replace("{name}", "User")
        .replace("{urn}", "urn:ietf:params:scim:schemas:core:2.0:User");
    match path.as_str() {
        "/healthz" | "/readyz" | "/openapi.json" | "/docs" => path,
        _ => format!("/scim/v2{path}"),
    }
}

/// Every route with each of its methods but OPTIONS.
fn requests(app: &App, id: &str) -> Vec<(Route, &'static str, Request)> {
    let each = |route: &Route| {
        let route = *route;
        let methods = route.allow.split(", ").filter(|method| *method != "OPTIONS");
        methods.map(|method| (route, method, app.request(method, &target(&route, id)))).collect::<Vec<_>>()
    };
    ROUTES.iter().flat_map(each).collect()
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

#[test]
fn without_a_token_only_discovery_and_health_are_answered() {
    let app = App::start();
    for (route, method, request) in requests(&app, "1") {
        let answer = request.send();
        if route.open {
            assert_eq!(answer.status, 200, "{method} {}", route.template);
            continue;
        }
        assert_eq!(answer.status, 401, "{method} {}", route.template);
        assert_eq!(challenge(&answer), "Bearer realm=\"muster\"");
        if method != "HEAD" {
            answer.error(401, None);
        }
    }
}

#[test]
fn a_token_that_does_not_count_is_refused_everywhere_and_says_why() {
    let app = App::start();
    let expired = app.token_made_at(now() - TimeDelta::hours(2), TenantId::DEFAULT, Scope::Full, "default");
    let revoked = app.new_token(TenantId::DEFAULT, Scope::Full, "default");
    app.revoke_newest_token(TenantId::DEFAULT);
    let cases = [
        ("wrong-token", "the token is unknown"),
        ("muster_99_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "the token is unknown"),
        (expired.as_str(), "the token has expired"),
        (revoked.as_str(), "the token was revoked"),
    ];
    for (token, why) in cases {
        for (route, method, request) in requests(&app, "1").into_iter().filter(|(route, ..)| !route.open) {
            let answer = request.token(token).send();
            assert_eq!(answer.status, 401, "{method} {}", route.template);
            let expected =
                format!("Bearer realm=\"muster\", error=\"invalid_token\", error_description=\"{why}\"");
            assert_eq!(challenge(&answer), expected);
        }
    }
    assert_eq!(app.get("/Users").status, 200, "the token beside them still counts");
}

#[test]
fn what_changes_through_the_same_process_counts_with_the_next_request() {
    let app = App::start();
    let tenant = app.new_tenant("acme");
    let token = app.new_token(tenant, Scope::Scim, "default");
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Twins"});
    let post = || app.request("POST", "/scim/v2/Groups").token(&token).json(&group).send().status;
    assert_eq!(post(), 201);
    app.set_policies(tenant, &["unique-group-names=on"]);
    assert_eq!(post(), 409, "the policy counts");
    app.revoke_newest_token(tenant);
    assert_eq!(post(), 401, "the token does not");
}

#[test]
fn a_token_of_another_tenant_sees_another_directory() {
    let app = App::start();
    let id = app.new_user("ann");
    let other = app.new_token(app.new_tenant("acme"), Scope::Full, "default");
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let body = match method {
            "PATCH" => json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": "title", "value": "x"}],
            }),
            _ => user("ann"),
        };
        let there = app.scim(method, &format!("/Users/{id}")).token(&other).json(&body).send();
        let nowhere = app.scim(method, "/Users/nobody").token(&other).json(&body).send();
        let detail = there.error(404, None);
        assert_eq!(detail.replace(&id, "nobody"), nowhere.error(404, None), "{method}");
    }
    for path in ["/Users", "/", "/Groups"] {
        let listed = app.scim("GET", path).token(&other).send().json();
        assert_eq!(listed["totalResults"], 0, "{path}: {listed}");
    }
    let found =
        app.post("/.search", &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}));
    assert_eq!(found.json()["totalResults"], 1);
    let same_name = app.scim("POST", "/Users").token(&other).json(&user("ann")).send();
    assert_eq!(same_name.status, 201, "names are unique within a tenant: {same_name:?}");
    assert_eq!(app.get(&format!("/Users/{id}")).status, 200);
}

#[test]
fn a_token_that_may_only_read_writes_nothing() {
    let app = App::start();
    let id = app.new_user("ann");
    let reader = app.new_token(TenantId::DEFAULT, Scope::ScimRead, "default");
    for (route, method, request) in requests(&app, &id).into_iter().filter(|(route, ..)| !route.open) {
        let writes = match route.template {
            "/Me" => continue,
            "/Bulk" => true,
            "/{type}" => method == "POST",
            "/{type}/{id}" => !["GET", "HEAD"].contains(&method),
            _ => false,
        };
        let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]});
        let request = if method == "POST" { request.json(&search) } else { request };
        let answer = request.token(&reader).send();
        if writes {
            assert!(answer.error(403, None).contains("scope scim,"), "{method} {}", route.template);
        } else {
            assert_eq!(answer.status, 200, "{method} {}", route.template);
        }
    }
    assert_eq!(app.get("/Users").json()["totalResults"], 1);
}

#[test]
fn a_token_of_another_api_opens_nothing_of_scim() {
    let app = App::start();
    let id = app.new_user("ann");
    for scope in [Scope::Identity, Scope::IdentifiersVerify, Scope::Admin] {
        let token = app.new_token(TenantId::DEFAULT, scope, "default");
        for (route, method, request) in requests(&app, &id).into_iter().filter(|(route, ..)| !route.open) {
            let answer = request.token(&token).send();
            assert_eq!(answer.status, 403, "{method} {}", route.template);
        }
    }
}

#[test]
fn what_is_not_there_is_said_to_those_who_may_know() {
    let app = App::start();
    for path in
        ["/NoSuchThing", "/users", "/Users/1/2", "/Users/1/.search", "/%55sers", "/Users/%00", "/Users/%ff"]
    {
        app.request("GET", &format!("/scim/v2{path}")).send().error(401, None);
        app.get(path).error(404, None);
    }
    for target in ["/", "/scimx/v2/Users", "/v2/Users", "/Users", "/healthz/x"] {
        app.request("GET", target).send().error(404, None);
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let app = App::start();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"];
    for route in ROUTES {
        let target = target(&route, "1");
        for method in methods.into_iter().filter(|method| !route.allow.split(", ").any(|a| a == *method)) {
            let answer = app.request(method, &target).token(&app.token).send();
            answer.error(405, None);
            assert_eq!(answer.header("allow"), Some(route.allow), "{method} {target}");
        }
        let options = app.request("OPTIONS", &target).send();
        assert_eq!((options.status, options.header("allow")), (204, Some(route.allow)), "{target}");
    }
    app.request("POST", "/scim/v2/Schemas").send().error(405, None);
}
