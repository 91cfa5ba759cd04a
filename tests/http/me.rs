//! `/Me`: the user that a token is about (RFC 7644 §3.11, reading A42).

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::json;

use crate::kit::{Answer, App, user};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn me(app: &App, token: &str, method: &str, body: Option<&serde_json::Value>) -> Answer {
    let request = app.request(method, "/scim/v2/Me").token(token);
    body.map_or_else(|| request.clone(), |body| request.clone().json(body)).send()
}

fn title(value: &str) -> serde_json::Value {
    json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": value}]})
}

#[test]
fn me_is_the_tokens_user_at_the_users_own_location() {
    let app = App::start();
    let (ann, bob) = (app.new_user("ann"), app.new_user("bob"));
    let token = app.token_about(TenantId::DEFAULT, Scope::Me, Some(&ann));
    let location = format!("http://{}/scim/v2/Users/{ann}", app.address);
    let own = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("location"), Some(location.as_str()), "{answer:?}");
        assert_eq!(answer.json()["meta"]["location"], json!(location));
        answer.json()
    };
    assert_eq!(own(&me(&app, &token, "GET", None)), app.get(&format!("/Users/{ann}")).json());
    assert_eq!(own(&me(&app, &token, "PATCH", Some(&title("T"))))["title"], "T");
    let tag = app.get(&format!("/Users/{ann}")).header("etag").unwrap().to_owned();
    let stale =
        app.request("PUT", "/scim/v2/Me").token(&token).header("If-Match", "W/\"1\"").json(&user("ann"));
    stale.send().error(412, None);
    let put = app.request("PUT", "/scim/v2/Me").token(&token).header("If-Match", &tag).json(&user("ann"));
    assert_eq!(own(&put.send()).get("title"), None);
    let projected = app.request("GET", "/scim/v2/Me?attributes=userName").token(&token).send();
    assert_eq!(projected.json().get("meta"), None);
    assert_eq!(app.get(&format!("/Users/{bob}")).json()["meta"]["version"], "W/\"1\"");
    let detail = me(&app, &token, "POST", Some(&user("cid"))).error(501, None);
    assert!(detail.contains("/Users"), "{detail}");
    assert_eq!(me(&app, &token, "DELETE", None).status, 204);
    app.get(&format!("/Users/{ann}")).error(404, None);
    me(&app, &token, "GET", None).error(404, None);
}

#[test]
fn who_acts_as_a_user_reaches_nobody_else() {
    let app = App::start();
    let (ann, bob) = (app.new_user("ann"), app.new_user("bob"));
    let token = app.token_about(TenantId::DEFAULT, Scope::Me, Some(&ann));
    for path in ["/Users", "/Groups", "/", &format!("/Users/{bob}"), &format!("/Users/{ann}")] {
        app.request("GET", &format!("/scim/v2{path}")).token(&token).send().error(403, None);
    }
    app.request("POST", "/scim/v2/Users").token(&token).json(&user("cid")).send().error(403, None);
    app.request("DELETE", &format!("/scim/v2/Users/{bob}")).token(&token).send().error(403, None);
    app.request("GET", "/scim/v2/Me/x").token(&token).send().error(404, None);
}

#[test]
fn a_scim_token_with_a_subject_may_do_there_what_it_may_do_elsewhere() {
    let app = App::start();
    let ann = app.new_user("ann");
    let reader = app.token_about(TenantId::DEFAULT, Scope::ScimRead, Some(&ann));
    assert_eq!(me(&app, &reader, "GET", None).json()["userName"], "ann");
    me(&app, &reader, "PATCH", Some(&title("T"))).error(403, None);
    let writer = app.token_about(TenantId::DEFAULT, Scope::Scim, Some(&ann));
    assert_eq!(me(&app, &writer, "PATCH", Some(&title("T"))).status, 200);
}

#[test]
fn a_token_about_nobody_has_no_me() {
    let app = App::start();
    for method in ["GET", "PUT", "PATCH", "DELETE", "POST"] {
        let detail = app.scim(method, "/Me").json(&title("T")).send().error(404, None);
        assert!(detail.contains("about no user"), "{detail}");
    }
}
