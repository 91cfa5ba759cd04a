//! What SCIM shows of addresses and numbers, and what becomes of it when they change.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App, user};

const URN: &str = "urn:muster:params:scim:schemas:extension:identifiers:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn with(name: &str, emails: &Value) -> Value {
    let mut body = user(name);
    body["emails"] = emails.clone();
    body
}

/// A user with two addresses, of which the second is verified.
fn jane(app: &App) -> (String, Value) {
    let emails =
        json!([{"value": "jane@example.com", "primary": true}, {"value": "j@home.example", "type": "home"}]);
    let made = app.post("/Users", &with("jane", &emails)).json();
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    let patched = verify(app, &path, "j@home.example", &json!(true));
    assert_eq!(patched.status, 200, "{patched:?}");
    (path, patched.json())
}

fn verify(app: &App, path: &str, value: &str, verified: &Value) -> Answer {
    let token = app.new_token(TenantId::DEFAULT, Scope::Full, "default");
    let target = format!("{URN}:emails[value eq \"{value}\"].verified");
    let operations = json!([{"op": "replace", "path": target, "value": verified}]);
    app.scim("PATCH", path).token(&token).json(&json!({"schemas": [PATCH], "Operations": operations})).send()
}

fn entry<'a>(user: &'a Value, value: &str) -> &'a Value {
    user[URN]["emails"].as_array().unwrap().iter().find(|entry| entry["value"] == value).unwrap()
}

fn total(app: &App, filter: &str) -> u64 {
    let filter = filter.replace(' ', "%20").replace('"', "%22");
    app.get(&format!("/Users?filter={filter}")).json()["totalResults"].as_u64().unwrap()
}

#[test]
fn what_is_pushed_is_unverified_and_says_so() {
    let app = App::start();
    let made = app.post("/Users", &with("jane", &json!([{"value": "Jane@Example.com"}]))).json();
    assert!(made["schemas"].as_array().unwrap().contains(&json!(URN)));
    let entry = entry(&made, "Jane@Example.com");
    assert_eq!((&entry["verified"], &entry["canonical"]), (&json!(false), &json!("jane@example.com")));
    assert_eq!(entry["created"], made["meta"]["created"]);
    assert!(entry.get("verifiedAt").is_none());
    assert!(app.post("/Users", &user("bare")).json().get(URN).is_none());
}

#[test]
fn a_client_with_the_scope_verifies_and_the_others_are_told_that_they_cannot() {
    let app = App::start();
    let (path, jane) = jane(&app);
    let known = entry(&jane, "j@home.example");
    assert_eq!((&known["verified"], &known["verificationSource"]), (&json!(true), &json!("scim")));
    assert_eq!(known["verifiedAt"], jane["meta"]["lastModified"]);
    let target = format!("{URN}:emails[value eq \"jane@example.com\"].verified");
    let refused = app.patch(&path, &json!([{"op": "replace", "path": target, "value": true}]));
    assert!(refused.error(400, Some("mutability")).contains("emails.verified is read-only"));
    let value = json!({"verified": true});
    let whole = json!([{"op": "replace", "path": format!("{URN}:emails[value eq \"jane@example.com\"]"), "value": value}]);
    app.patch(&path, &whole).error(400, Some("mutability"));
    let back = verify(&app, &path, "j@home.example", &json!(false)).json();
    assert_eq!(entry(&back, "j@home.example")["verified"], json!(false));
    assert!(entry(&back, "j@home.example").get("verifiedAt").is_none());
    verify(&app, &path, "nobody@example.com", &json!(true)).error(400, Some("noTarget"));
    verify(&app, &path, "j@home.example", &json!("maybe")).error(400, Some("invalidValue"));
}

#[test]
fn a_put_keeps_what_is_known_of_the_values_that_it_keeps() {
    let app = App::start();
    let (path, jane) = jane(&app);
    let known = entry(&jane, "j@home.example").clone();
    let mut body =
        with("jane", &json!([{"value": "new@example.com"}, {"value": "J@HOME.example", "primary": true}]));
    // What a client says of it does not count.
    body[URN] = json!({"emails": [{"value": "new@example.com", "verified": true}]});
    let put = app.put(&path, &body).json();
    let mut spelled = known.clone();
    spelled["value"] = json!("J@HOME.example");
    assert_eq!(entry(&put, "J@HOME.example"), &spelled);
    assert_eq!(entry(&put, "new@example.com")["verified"], json!(false));
    let dropped = app.put(&path, &with("jane", &json!([{"value": "new@example.com"}]))).json();
    assert_eq!(dropped[URN]["emails"].as_array().unwrap().len(), 1);
    let again = app.put(&path, &with("jane", &json!([{"value": "j@home.example"}]))).json();
    let again = entry(&again, "j@home.example");
    assert_eq!((&again["verified"], &again["id"]), (&json!(false), &known["id"]));
    assert!(app.put(&path, &user("jane")).json().get(URN).is_none());
}

#[test]
fn a_value_that_changes_loses_its_verification() {
    let app = App::start();
    let (path, _) = jane(&app);
    let change =
        json!([{"op": "replace", "path": "emails[type eq \"home\"].value", "value": "other@home.example"}]);
    let changed = app.patch(&path, &change).json();
    assert_eq!(entry(&changed, "other@home.example")["verified"], json!(false));
    let primary = json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]);
    let promoted = app.patch(&path, &primary).json();
    assert_eq!(promoted["emails"][0]["primary"], json!(false));
    assert_eq!(total(&app, "emails[primary eq true and value eq \"other@home.example\"]"), 1);
}

#[test]
fn the_verified_state_is_filtered_like_everything_else() {
    let app = App::start();
    jane(&app);
    app.post("/Users", &with("john", &json!([{"value": "john@example.com"}])));
    app.new_user("bare");
    let cases = [
        (format!("{URN}:emails[verified eq true and value eq \"j@home.example\"]"), 1),
        (format!("{URN}:emails[verified eq true and value eq \"jane@example.com\"]"), 0),
        (format!("{URN}:emails.verified eq true"), 1),
        (format!("{URN}:emails.verified eq false"), 2),
        (format!("{URN}:emails.verificationSource eq \"scim\""), 1),
        (format!("{URN}:emails.verifiedAt gt \"2020-01-01T00:00:00Z\""), 1),
        (format!("{URN}:emails.canonical sw \"john@\""), 1),
        (format!("not ({URN}:emails pr)"), 1),
    ];
    for (filter, count) in cases {
        assert_eq!(total(&app, &filter), count, "{filter}");
    }
}

#[test]
fn a_verified_address_is_one_users_and_a_tenant_may_say_otherwise() {
    let app = App::start();
    let (_, jane) = jane(&app);
    let emails = json!([{"value": "J@home.example"}]);
    let john = app.post("/Users", &with("john", &emails)).json();
    let path = format!("/Users/{}", john["id"].as_str().unwrap());
    let detail = verify(&app, &path, "j@home.example", &json!(true)).error(409, Some("uniqueness"));
    assert!(detail.contains("emails"), "{detail}");
    app.set_policies(TenantId::DEFAULT, &["identifier-uniqueness=primary-or-verified"]);
    let primary = json!([{"value": "jane@example.com", "primary": true}]);
    app.post("/Users", &with("june", &primary)).error(409, Some("uniqueness"));
    app.set_policies(TenantId::DEFAULT, &["identifier-uniqueness=none"]);
    assert_eq!(verify(&app, &path, "j@home.example", &json!(true)).status, 200);
    assert_eq!(app.get(&format!("/Users/{}", jane["id"].as_str().unwrap())).json(), jane);
}

#[test]
fn a_number_is_canonical_where_it_can_be_read_and_stays_as_it_is_where_not() {
    let app = App::start();
    let mut body = user("jane");
    body["phoneNumbers"] =
        json!([{"value": "079 123 45 67"}, {"value": "tel:+41-44-668-18-00"}, {"value": "ext. 12"}]);
    let numbers = |made: &Value| {
        let all = made[URN]["phoneNumbers"].as_array().unwrap().iter();
        all.map(|entry| entry["canonical"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let made = app.post("/Users", &body).json();
    assert_eq!(numbers(&made), ["0791234567", "+41446681800", "ext. 12"]);
    assert_eq!(made["phoneNumbers"][1]["value"], json!("tel:+41-44-668-18-00"));
    app.set_policies(TenantId::DEFAULT, &["default-phone-region=CH"]);
    body["userName"] = json!("john");
    assert_eq!(numbers(&app.post("/Users", &body).json())[0], "+41791234567");
}
