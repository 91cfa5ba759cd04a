//! The native identity API as its clients see it.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App};

/// A server, and a token for its identity API.
struct World {
    app: App,
    token: String,
}

impl World {
    fn start() -> Self {
        let app = App::start();
        let token = app.new_token(TenantId::DEFAULT, Scope::Identity, "default");
        Self { app, token }
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = self.app.request(method, &format!("/identity/v1{path}")).token(&self.token);
        match body {
            Some(body) => request.header("Content-Type", "application/json").body(body.to_string()).send(),
            None => request.send(),
        }
    }

    #[track_caller]
    fn done(&self, status: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status, status, "{answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// The code of a refusal, which must be problem details of this status.
    #[track_caller]
    fn refused(&self, status: u16, method: &str, path: &str, body: Option<&Value>) -> String {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")));
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        problem.get("code").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn new_user(&self, body: &Value) -> String {
        self.done(201, "POST", "/users", Some(body))["id"].as_str().unwrap().to_owned()
    }
}

fn shown(contacts: &Value) -> Vec<(String, bool, bool)> {
    let all = contacts.as_array().unwrap().iter();
    let text = |contact: &Value| contact["value"].as_str().unwrap().to_owned();
    all.map(|contact| (text(contact), contact["primary"] == true, contact["verified"] == true)).collect()
}

#[test]
fn a_code_goes_out_comes_back_and_verifies_its_address() {
    let world = World::start();
    let id = world.new_user(&json!({"user_name": "anna", "emails": [{"value": "anna@example.com"}]}));
    let start = json!({"kind": "email", "value": "new@example.com", "make_primary": true});
    let begun = world.done(201, "POST", &format!("/users/{id}/verifications"), Some(&start));
    assert_eq!((&begun["sent"], begun.get("code")), (&json!(true), None));
    let message = world.app.wait_for_messages(1).remove(0);
    assert_eq!((&message["channel"], &message["to"]), (&json!("email"), &json!("new@example.com")));
    assert_eq!(message["purpose"], json!("verification-code"));
    let code = message["code"].as_str().unwrap();
    assert!(message["text"].as_str().unwrap().contains(code));
    let path = format!("/users/{id}/verifications/complete");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let body = |code: &str| json!({"kind": "email", "code": code});
    assert_eq!(world.refused(400, "POST", &path, Some(&body(wrong))), "code-invalid");
    let user = world.done(200, "POST", &path, Some(&body(code)));
    let wanted = [("new@example.com".to_owned(), true, true), ("anna@example.com".to_owned(), false, false)];
    assert_eq!(shown(&user["emails"]), wanted);
    assert_eq!(user["emails"][0]["verification_source"], json!("otp"));
    assert_eq!(world.refused(404, "POST", &path, Some(&body(code))), "verification-not-found");
    let scim = world.app.get(&format!("/Users/{id}")).json();
    assert_eq!(scim["emails"][1], json!({"value": "new@example.com", "primary": true}));
}

#[test]
fn a_link_is_opened_without_a_token_and_leads_on() {
    let world = World::start();
    world.app.set_policies(TenantId::DEFAULT, &["redirect-urls=https://app.example/done"]);
    let id = world.new_user(&json!({"emails": [{"value": "anna@example.com"}]}));
    let start = json!({"kind": "email", "method": "link", "delivery": "return", "redirect_uri": "https://app.example/done"});
    let begun = world.done(201, "POST", &format!("/users/{id}/verifications"), Some(&start));
    let link = begun["link"].as_str().unwrap();
    let target = link.strip_prefix(&format!("http://{}", world.app.address)).unwrap();
    let open = |target: &str| world.app.request("GET", target).anonymous().send();
    let opened = open(target);
    assert_eq!(
        (opened.status, opened.header("location")),
        (303, Some("https://app.example/done?result=true"))
    );
    assert_eq!(open(target).status, 410);
    for wrong in ["/identity/v1/links/x", "/identity/v1/links/x.1.y", "/identity/v1/links/x.99.y"] {
        assert_eq!(open(wrong).status, 410, "{wrong}");
    }
    let user = world.done(200, "GET", &format!("/users/{id}"), None);
    assert_eq!(user["emails"][0]["verification_source"], json!("link"));
    let evil = json!({"kind": "email", "method": "link", "redirect_uri": "https://evil.example"});
    assert_eq!(
        world.refused(400, "POST", &format!("/users/{id}/verifications"), Some(&evil)),
        "invalid-value"
    );
}

#[test]
fn contacts_are_named_by_id_or_value_and_one_is_primary() {
    let world = World::start();
    let id = world.new_user(
        &json!({"emails": [{"value": "a@example.com"}], "phones": [{"value": "+41 79 123 45 67"}]}),
    );
    let contacts = format!("/users/{id}/contacts");
    let user = world.done(
        201,
        "POST",
        &contacts,
        Some(&json!({"kind": "email", "value": "b@example.com", "type": "home"})),
    );
    let second = user["emails"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(shown(&user["phones"]), [("+41791234567".to_owned(), true, false)]);
    let again = json!({"kind": "email", "value": "B@Example.com"});
    assert_eq!(world.refused(409, "POST", &contacts, Some(&again)), "contact-present");
    let user = world.done(200, "POST", &format!("{contacts}/{second}/primary"), None);
    assert_eq!(user["emails"][0]["value"], json!("b@example.com"));
    let user = world.done(200, "POST", &format!("{contacts}/%2B41791234567/verify"), None);
    assert_eq!(
        (&user["phones"][0]["verified"], &user["phones"][0]["verification_source"]),
        (&json!(true), &json!("admin"))
    );
    let user = world.done(200, "POST", &format!("{contacts}/+41791234567/unverify"), None);
    assert_eq!(user["phones"][0]["verified"], json!(false));
    let one = world.done(200, "GET", &format!("{contacts}/b%40example.com"), None);
    assert_eq!((&one["id"], &one["primary"], &one["type"]), (&json!(second), &json!(true), &json!("home")));
    let user = world.done(200, "DELETE", &format!("{contacts}/{second}"), None);
    assert_eq!(shown(&user["emails"]), [("a@example.com".to_owned(), true, false)]);
    assert_eq!(world.refused(404, "DELETE", &format!("{contacts}/{second}"), None), "contact-not-found");
    let other = world.new_user(&json!({"emails": [{"value": "c@example.com"}]}));
    let foreign = world.done(200, "GET", &format!("/users/{other}"), None)["emails"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        world.refused(404, "POST", &format!("{contacts}/{foreign}/primary"), None),
        "contact-not-found"
    );
    for bad in [json!({"kind": "email", "value": "no"}), json!({"kind": "phone", "value": "x"})] {
        assert_eq!(world.refused(400, "POST", &contacts, Some(&bad)), "invalid-value");
    }
    for bad in [
        json!({"kind": "fax", "value": "x"}),
        json!({"value": "x"}),
        json!({"kind": "email", "value": "a@b.c", "verified": null}),
    ] {
        world.refused(400, "POST", &contacts, Some(&bad));
    }
}

#[test]
fn a_primary_value_is_set_and_a_verified_one_is_one_users() {
    let world = World::start();
    let id = world.new_user(&json!({"emails": [{"value": "a@example.com", "verified": true}]}));
    let path = format!("/users/{id}/primary/email");
    let user = world.done(200, "PUT", &path, Some(&json!({"value": "b@example.com"})));
    assert_eq!(shown(&user["emails"]), [("b@example.com".to_owned(), true, false)]);
    let kept = world.done(
        200,
        "PUT",
        &path,
        Some(&json!({"value": "a@example.com", "verified": true, "keep_old": true})),
    );
    assert_eq!(kept["emails"].as_array().unwrap().len(), 2);
    let other = world.new_user(&json!({}));
    let taken = json!({"value": "A@example.com", "verified": true});
    assert_eq!(world.refused(409, "PUT", &format!("/users/{other}/primary/email"), Some(&taken)), "taken");
    let start = json!({"kind": "email", "value": "a@example.com"});
    assert_eq!(world.refused(409, "POST", &format!("/users/{other}/verifications"), Some(&start)), "taken");
    world.done(200, "DELETE", &path, None);
    world.refused(400, "DELETE", &format!("/users/{id}/primary/fax"), None);
}

#[test]
fn users_are_found_counted_listed_and_changed() {
    let world = World::start();
    let body = json!({
        "user_name": "anna", "external_id": "E1", "login_ids": ["anna-2"], "display_name": "Anna B",
        "name": {"givenName": "Anna"}, "emails": [{"value": "anna@example.com"}], "phones": [{"value": "+41791234567"}]
    });
    let id = world.new_user(&body);
    world.new_user(&json!({"state": "pending"}));
    for by in [
        "email/Anna%40example.com?primary=true",
        "phone/%2B41791234567",
        "user-name/anna",
        "login-id/anna-2",
        "external-id/E1",
    ] {
        assert_eq!(world.done(200, "GET", &format!("/users/by/{by}"), None)["id"], json!(id), "{by}");
    }
    assert_eq!(world.refused(404, "GET", "/users/by/email/nobody%40example.com", None), "user-not-found");
    world.refused(400, "GET", "/users/by/shoe-size/42", None);
    let filter = "filter=userName%20eq%20%22anna%22";
    assert_eq!(world.done(200, "GET", &format!("/users/count?{filter}"), None), json!({"count": 1}));
    assert_eq!(world.done(200, "GET", "/users?limit=1", None)["total"], json!(2));
    world.refused(400, "GET", "/users?filter=x", None);
    world.refused(400, "GET", "/users?limit=many", None);
    let change =
        json!({"display_name": null, "user_name": "anna.b", "phone": "+41791234568", "state": "suspended"});
    let user = world.done(200, "PATCH", &format!("/users/{id}"), Some(&change));
    assert_eq!(
        (&user["user_name"], user.get("display_name"), &user["state"]),
        (&json!("anna.b"), None, &json!("suspended"))
    );
    assert_eq!(shown(&user["phones"]), [("+41791234568".to_owned(), true, false)]);
    assert_eq!(user["name"], json!({"givenName": "Anna"}));
    assert_eq!(world.refused(409, "POST", "/users", Some(&json!({"user_name": "ANNA.B"}))), "taken");
    world.refused(400, "POST", "/users", Some(&json!({"no_such_thing": 1})));
    world.done(204, "DELETE", &format!("/users/{id}"), None);
    assert_eq!(world.refused(404, "GET", &format!("/users/{id}"), None), "user-not-found");
}

#[test]
fn data_is_merged_at_its_top_and_stays_out_of_scim() {
    let world = World::start();
    let id = world.new_user(&json!({}));
    let path = format!("/users/{id}/data/custom");
    assert_eq!(world.done(200, "GET", &path, None), json!({}));
    world.done(200, "PATCH", &path, Some(&json!({"a": {"x": 1}, "b": 2})));
    let merged = world.done(200, "PATCH", &path, Some(&json!({"a": {"y": 2}, "b": null})));
    assert_eq!(merged, json!({"a": {"y": 2}}));
    assert_eq!(world.done(200, "PUT", &path, Some(&json!({"c": 3}))), json!({"c": 3}));
    assert_eq!(world.done(200, "GET", &format!("/users/{id}/data/app:shop"), None), json!({}));
    for bad in ["account", "app:", "app:a/b", "other"] {
        world.refused(400, "GET", &format!("/users/{id}/data/{}", bad.replace('/', "%2F")), None);
    }
    assert!(!world.app.get(&format!("/Users/{id}")).body.contains("\"c\""));
}

#[test]
fn passwords_are_made_set_changed_and_never_shown() {
    let world = World::start();
    let id = world.new_user(&json!({}));
    let path = format!("/users/{id}/password");
    let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
    assert_eq!(
        world.refused(409, "POST", &format!("{path}/change"), Some(&change("a", "b"))),
        "password-missing"
    );
    let user = world.done(200, "POST", &path, Some(&json!({"password": "first-secret", "temporary": true})));
    assert_eq!(user["password"]["temporary"], json!(true));
    assert_eq!(world.refused(409, "POST", &path, Some(&json!({"password": "x"}))), "password-present");
    let refused = world.refused(400, "POST", &format!("{path}/change"), Some(&change("wrong", "new-secret")));
    assert_eq!(refused, "wrong-password");
    let user =
        world.done(200, "POST", &format!("{path}/change"), Some(&change("first-secret", "new-secret")));
    assert_eq!(user["password"]["temporary"], json!(false));
    assert!(!user.to_string().contains("secret") && !user.to_string().contains("argon2"));
    world.done(200, "PUT", &path, Some(&json!({"password": "third-secret"})));
    assert!(world.done(200, "DELETE", &path, None).get("password").is_none());
    assert_eq!(world.refused(400, "PUT", &path, Some(&json!({"password": ""}))), "invalid-value");
}

#[test]
fn a_token_opens_what_its_scope_says_and_its_tenant_only() {
    let world = World::start();
    let id = world.new_user(&json!({}));
    let send = |token: &str, method: &str, path: &str| {
        world.app.request(method, &format!("/identity/v1{path}")).token(token).send()
    };
    let scim = world.app.new_token(TenantId::DEFAULT, Scope::Scim, "default");
    assert_eq!(send(&scim, "GET", &format!("/users/{id}")).status, 403);
    let reading = world.app.new_token(TenantId::DEFAULT, Scope::IdentityRead, "default");
    assert_eq!(send(&reading, "GET", &format!("/users/{id}")).status, 200);
    assert_eq!(send(&reading, "DELETE", &format!("/users/{id}")).status, 403);
    let acme = world.app.new_tenant("acme");
    let foreign = world.app.new_token(acme, Scope::Full, "default");
    for method in ["GET", "DELETE"] {
        assert_eq!(send(&foreign, method, &format!("/users/{id}")).status, 404);
    }
    assert_eq!(world.app.request("GET", "/identity/v1/users").anonymous().send().status, 401);
    assert_eq!(world.app.get(&format!("/Users/{id}")).status, 200);
}

#[test]
fn the_groups_of_a_user_are_shown() {
    let world = World::start();
    let id = world.new_user(&json!({}));
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Staff", "members": [{"value": id}]
    });
    let made = world.app.post("/Groups", &group).json();
    let groups = world.done(200, "GET", &format!("/users/{id}/groups"), None);
    assert_eq!(groups, json!({"groups": [{"id": made["id"], "display_name": "Staff"}]}));
}
