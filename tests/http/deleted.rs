//! Deleting where the tenant keeps what was deleted (RFC 7644 §3.6), and restoring it.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App, user};

const DELETED: &str = "/admin/v1/deleted";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A server whose first tenant keeps what was deleted, and a token that administers it.
fn keeping() -> (App, String) {
    let app = App::start();
    app.set_policies(TenantId::DEFAULT, &["soft-delete=30"]);
    let admin = app.new_token(TenantId::DEFAULT, Scope::Admin, "default");
    (app, admin)
}

fn admin(app: &App, token: &str, method: &str, path: &str) -> Answer {
    app.request(method, &format!("{DELETED}{path}")).token(token).send()
}

/// The names of what can be restored.
fn kept(app: &App, token: &str) -> Vec<Value> {
    let listed = admin(app, token, "GET", "");
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.json()["deleted"].as_array().unwrap().iter().map(|deleted| deleted["name"].clone()).collect()
}

fn total(app: &App, path: &str) -> Value {
    app.get(path).json()["totalResults"].clone()
}

#[test]
fn what_is_deleted_is_gone_for_good_unless_the_tenant_says_otherwise() {
    let app = App::start();
    let token = app.new_token(TenantId::DEFAULT, Scope::Admin, "default");
    let ann = app.new_user("ann");
    assert_eq!(app.delete(&format!("/Users/{ann}")).status, 204);
    assert_eq!(kept(&app, &token), Vec::<Value>::new());
    assert_eq!(admin(&app, &token, "POST", &format!("/{ann}/restore")).status, 404);
}

#[test]
fn what_can_be_restored_is_nowhere_to_be_seen_and_frees_its_values() {
    let (app, token) = keeping();
    let mut body = user("ann");
    body["emails"] = json!([{"value": "ann@example.com"}]);
    let ann = app.post("/Users", &body).json()["id"].as_str().unwrap().to_owned();
    let group = json!({"schemas": [GROUP], "displayName": "Staff", "members": [{"value": ann}]});
    let group = app.post("/Groups", &group).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/Users/{ann}");
    assert_eq!(app.delete(&path).status, 204);
    app.get(&path).error(404, None);
    app.put(&path, &body).error(404, None);
    app.patch(&path, &json!([{"op": "replace", "path": "title", "value": "T"}])).error(404, None);
    app.delete(&path).error(404, None);
    for query in
        ["/Users", "/Users?filter=userName%20eq%20%22ann%22", "/Users?filter=emails%20co%20%22ann%22"]
    {
        assert_eq!(total(&app, query), 0, "{query}");
    }
    let left = app.get(&format!("/Groups/{group}"));
    assert_eq!((&left.json()["members"], left.header("etag")), (&json!([]), Some("W/\"2\"")), "{left:?}");
    let again = app.post("/Users", &body);
    assert_eq!(again.status, 201, "{again:?}");

    let listed = admin(&app, &token, "GET", "").json();
    let shown = &listed["deleted"][0];
    assert_eq!((&shown["id"], &shown["type"], &shown["name"]), (&json!(ann), &json!("User"), &json!("ann")));
    assert_eq!(shown["by"], "test");
    assert!(shown["until"].as_str() > shown["at"].as_str(), "{listed}");
    assert!(!listed.to_string().contains("example.com"), "{listed}");

    let taken = admin(&app, &token, "POST", &format!("/{ann}/restore"));
    assert_eq!(taken.status, 409, "{taken:?}");
    assert!(taken.json()["detail"].as_str().unwrap().contains("userName"), "{taken:?}");
    assert_eq!(kept(&app, &token), ["ann"]);
}

#[test]
fn what_is_restored_is_what_it_was_in_the_groups_that_are_there() {
    let (app, token) = keeping();
    let identity = app.new_token(TenantId::DEFAULT, Scope::Identity, "default");
    let mut body = user("ann");
    body["password"] = json!("correct horse");
    body["title"] = json!("T");
    let made = app.post("/Users", &body).json();
    let ann = made["id"].as_str().unwrap().to_owned();
    let group = |name: &str| {
        let body = json!({"schemas": [GROUP], "displayName": name, "members": [{"value": ann}]});
        app.post("/Groups", &body).json()["id"].as_str().unwrap().to_owned()
    };
    let (staff, gone) = (group("Staff"), group("Gone"));
    let bag = format!("/identity/v1/users/{ann}/data/custom");
    let write = app.request("PATCH", &bag).token(&identity).header("Content-Type", "application/json");
    assert_eq!(write.body(r#"{"shoe": 42}"#).send().status, 200);
    let path = format!("/Users/{ann}");
    let before = app.get(&path).json();
    assert_eq!(app.delete(&path).status, 204);
    assert_eq!(app.delete(&format!("/Groups/{gone}")).status, 204);

    let restored = admin(&app, &token, "POST", &format!("/{ann}/restore"));
    assert_eq!(restored.status, 204, "{restored:?}");
    let after = app.get(&path).json();
    assert_eq!((&after["title"], &after["userName"]), (&before["title"], &before["userName"]));
    assert_eq!(after["meta"]["created"], before["meta"]["created"]);
    assert_ne!(after["meta"]["version"], before["meta"]["version"]);
    assert_eq!(
        after["groups"],
        json!([{"value": staff, "display": "Staff", "type": "direct",
        "$ref": format!("http://{}/scim/v2/Groups/{staff}", app.address)}])
    );
    assert_eq!(app.get(&format!("/Groups/{staff}")).header("etag"), Some("W/\"3\""));
    assert_eq!(total(&app, "/Users?filter=title%20eq%20%22T%22"), 1);
    assert_eq!(total(&app, "/Users"), 1);
    assert_eq!(app.request("GET", &bag).token(&identity).send().json(), json!({"shoe": 42}));
    let change = format!("/identity/v1/users/{ann}/password/change");
    let change = app.request("POST", &change).token(&identity).header("Content-Type", "application/json");
    let passwords = json!({"old_password": "correct horse", "new_password": "battery staple"});
    assert_eq!(change.body(passwords.to_string()).send().status, 200);
    assert_eq!(kept(&app, &token), ["Gone"]);

    assert_eq!(admin(&app, &token, "POST", &format!("/{gone}/restore")).status, 204);
    let members = app.get(&format!("/Groups/{gone}")).json()["members"].clone();
    assert_eq!(members, json!([]), "ann had left it when it went");
    assert_eq!(admin(&app, &token, "POST", &format!("/{gone}/restore")).status, 404);
}

#[test]
fn a_group_comes_back_with_those_of_its_members_who_are_there() {
    let (app, token) = keeping();
    let (ann, bob) = (app.new_user("ann"), app.new_user("bob"));
    let body =
        json!({"schemas": [GROUP], "displayName": "Staff", "members": [{"value": ann}, {"value": bob}]});
    let staff = app.post("/Groups", &body).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(app.delete(&format!("/Groups/{staff}")).status, 204);
    assert_eq!(app.get(&format!("/Users/{ann}")).json().get("groups"), None);
    assert_eq!(app.delete(&format!("/Users/{bob}")).status, 204);
    assert_eq!(admin(&app, &token, "POST", &format!("/{staff}/restore")).status, 204);
    let members = app.get(&format!("/Groups/{staff}")).json()["members"].clone();
    assert_eq!((members.as_array().map(Vec::len), &members[0]["value"]), (Some(1), &json!(ann)));
    assert_eq!(app.get(&format!("/Users/{ann}")).json()["groups"][0]["value"], json!(staff));
}

#[test]
fn whoever_deletes_it_it_is_kept_and_only_its_tenant_can_reach_it() {
    let (app, token) = keeping();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| app.new_user(name));
    let operations = json!([{"method": "DELETE", "path": format!("/Users/{ann}")}]);
    assert_eq!(app.post("/Bulk", &json!({"schemas": [BULK], "Operations": operations})).status, 200);
    let whole = json!({"allOrNothing": true});
    let operations = json!([{"method": "DELETE", "path": format!("/Users/{bob}")}]);
    let together = json!({"schemas": [BULK, "urn:muster:params:scim:api:messages:1.0:BulkRequest"],
        "urn:muster:params:scim:api:messages:1.0:BulkRequest": whole, "Operations": operations});
    assert_eq!(app.post("/Bulk", &together).status, 200);
    let identity = app.new_token(TenantId::DEFAULT, Scope::Identity, "default");
    let removed = app.request("DELETE", &format!("/identity/v1/users/{cid}")).token(&identity).send();
    assert_eq!(removed.status, 204, "{removed:?}");
    assert_eq!(kept(&app, &token), ["ann", "bob", "cid"]);

    let other = app.new_token(app.new_tenant("other"), Scope::Full, "default");
    assert_eq!(kept(&app, &other), Vec::<Value>::new());
    assert_eq!(admin(&app, &other, "POST", &format!("/{ann}/restore")).status, 404);
    assert_eq!(admin(&app, &other, "DELETE", &format!("/{ann}")).status, 404);
    assert_eq!(admin(&app, &token, "GET", "?after=x").status, 400);

    assert_eq!(admin(&app, &token, "DELETE", &format!("/{ann}")).status, 204);
    assert_eq!(admin(&app, &token, "DELETE", &format!("/{ann}")).status, 404);
    assert_eq!(admin(&app, &token, "POST", &format!("/{ann}/restore")).status, 404);
    assert_eq!(kept(&app, &token), ["bob", "cid"]);
}
