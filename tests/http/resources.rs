//! What each kind of request on resources is answered with.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{App, user};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

#[test]
fn a_resource_is_made_with_a_location_a_tag_and_a_body() {
    let app = App::start();
    let made = app.post("/Users", &user("ann"));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("content-type"), Some("application/scim+json"));
    let body = made.json();
    assert_eq!(made.header("location"), body["meta"]["location"].as_str());
    assert_eq!(made.header("etag"), body["meta"]["version"].as_str());
    let id = body["id"].as_str().unwrap();
    let got = app.get(&format!("/Users/{id}"));
    assert_eq!((got.status, got.header("etag"), got.json()), (200, made.header("etag"), body));
    assert_eq!(got.header("location"), None);
}

/// 7643-3.1-17; RFC 9110 §15.4.5 wants it in a 304, too.
#[test]
fn every_representation_names_its_location() {
    let app = App::start();
    let made = app.post("/Users", &user("ann"));
    let body = made.json();
    let location = body["meta"]["location"].as_str();
    let path = format!("/Users/{}", body["id"].as_str().unwrap());
    let cached = app.scim("GET", &path).header("If-None-Match", made.header("etag").unwrap()).send();
    assert_eq!(cached.status, 304);
    let projected = app.get(&format!("{path}?attributes=userName"));
    let put = app.put(&path, &user("ann"));
    let patch = app.patch(&path, &json!([{"op": "replace", "path": "title", "value": "y"}]));
    for answer in [made, app.get(&path), cached, projected, put, patch] {
        assert_eq!(answer.header("content-location"), location, "{answer:?}");
    }
    assert_eq!(app.get("/Users").header("content-location"), None);
}

#[test]
fn writes_are_answered_with_the_new_tag() {
    let app = App::start();
    let path = format!("/Users/{}", app.new_user("ann"));
    let first = app.get(&path).header("etag").unwrap().to_owned();
    let put = app.put(&path, &json!({"schemas": user("")["schemas"], "userName": "ann", "title": "x"}));
    assert_eq!((put.status, put.header("etag")), (200, put.json()["meta"]["version"].as_str()));
    assert_ne!(put.header("etag"), Some(first.as_str()));
    let patch = app.patch(&path, &json!([{"op": "replace", "path": "title", "value": "y"}]));
    assert_eq!((patch.status, patch.json()["title"].as_str()), (200, Some("y")));
    assert_ne!(patch.header("etag"), put.header("etag"));
    let deleted = app.delete(&path);
    assert_eq!((deleted.status, deleted.body.as_str(), deleted.header("etag")), (204, "", None));
    for method in ["GET", "DELETE"] {
        app.scim(method, &path).send().error(404, None);
    }
}

#[test]
fn a_tag_saves_a_transfer_and_stops_a_lost_update() {
    let app = App::start();
    let path = format!("/Users/{}", app.new_user("ann"));
    let tag = app.get(&path).header("etag").unwrap().to_owned();
    for header in [tag.as_str(), "*", &format!("\"none\", {tag}")] {
        let cached = app.scim("GET", &path).header("If-None-Match", header).send();
        assert_eq!(
            (cached.status, cached.body.as_str(), cached.header("etag")),
            (304, "", Some(tag.as_str()))
        );
    }
    let two_lines =
        app.scim("GET", &path).header("If-None-Match", "\"none\"").header("If-None-Match", &tag).send();
    assert_eq!(two_lines.status, 304);
    assert_eq!(app.scim("GET", &path).header("If-None-Match", "W/\"none\"").send().status, 200);
    app.scim("GET", &path).header("If-Match", "W/\"none\"").send().error(412, None);
    for method in ["PUT", "PATCH", "DELETE"] {
        let body = match method {
            "PATCH" => json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": "title", "value": method}],
            }),
            _ => user("ann"),
        };
        let request = app.scim(method, &path).json(&body);
        request.clone().header("If-Match", "W/\"none\"").send().error(412, None);
        let tag = app.get(&path).header("etag").unwrap().to_owned();
        assert!(request.header("If-Match", &tag).send().status < 300, "{method}");
    }
    app.scim("GET", &path).header("If-None-Match", "*").send().error(404, None);
}

#[test]
fn a_patch_is_answered_without_a_body_where_tenant_or_client_want_it_so() {
    let app = App::start();
    let path = format!("/Users/{}", app.new_user("ann"));
    let operations = json!([{"op": "replace", "path": "title", "value": "x"}]);
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
    let request = app.scim("PATCH", &path).json(&json!({"schemas": schemas, "Operations": operations}));
    assert_eq!(request.clone().header("Prefer", "respond-async, return=minimal").send().status, 204);
    assert_eq!(request.clone().header("Prefer", "return=representation").send().status, 200);
    app.set_policies(TenantId::DEFAULT, &["patch-no-content=on"]);
    let whole = request.header("Prefer", "return=representation").send();
    assert_eq!((whole.status, whole.header("preference-applied")), (200, Some("return=representation")));
    let brief = app.patch(&path, &operations);
    assert_eq!((brief.status, brief.body.as_str()), (204, ""));
    assert_eq!(brief.header("etag"), app.get(&path).header("etag"));
    let asked = app.patch(&format!("{path}?attributes=title"), &operations);
    assert_eq!((asked.status, &asked.json()["title"]), (200, &json!("x")));
    assert_eq!(asked.json().get("userName"), None);
}

/// RFC 7240 §4.2.
#[test]
fn a_client_that_needs_no_representation_gets_a_tag_and_is_told_so() {
    let app = App::start();
    let minimal = |method: &str, path: &str, body: &Value| {
        app.scim(method, path).json(body).header("Prefer", "return=minimal").send()
    };
    let made = minimal("POST", "/Users", &user("ann"));
    assert_eq!((made.status, made.body.as_str(), made.header("content-type")), (201, "", None), "{made:?}");
    let location = made.header("location").unwrap();
    let path = format!("/Users/{}", location.rsplit('/').next().unwrap());
    let mut body = user("ann");
    body["title"] = json!("T");
    let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "U"}]});
    let (put, patched) = (minimal("PUT", &path, &body), minimal("PATCH", &path, &patch));
    for (answer, version) in [(&made, 1), (&put, 2), (&patched, 3)] {
        assert_eq!(answer.header("etag"), Some(format!("W/\"{version}\"").as_str()), "{answer:?}");
        assert_eq!(answer.header("preference-applied"), Some("return=minimal"), "{answer:?}");
        assert_eq!(answer.body, "");
    }
    assert_eq!((put.status, patched.status), (204, 204));
    let asked = minimal("PUT", &format!("{path}?attributes=title"), &body);
    assert_eq!((asked.status, asked.header("preference-applied")), (200, None), "attributes say more");
    assert_eq!(asked.json()["title"], "T");
    minimal("POST", "/Users", &user("ann")).error(409, Some("uniqueness"));
    let got = app.scim("GET", &path).header("Prefer", "return=minimal").send();
    assert_eq!((got.status, got.header("preference-applied")), (200, None));
    let whole = app.scim("PUT", &path).json(&body).header("Prefer", "return=representation").send();
    assert_eq!((whole.status, whole.header("preference-applied")), (200, Some("return=representation")));
}

#[test]
fn a_page_is_not_sent_to_a_client_that_has_it() {
    let app = App::start();
    let ann = app.new_user("ann");
    let again = |path: &str, tag: &str| app.scim("GET", path).header("If-None-Match", tag).send();
    for path in ["/Users", "/Users?filter=userName+eq+%22ann%22", "/?count=1", "/Users?count=0", "/Groups"] {
        let page = app.get(path);
        let tag = page.header("etag").unwrap();
        let known = again(path, tag);
        assert_eq!((known.status, known.body.as_str(), known.header("etag")), (304, "", Some(tag)), "{path}");
        assert_eq!(again(path, "W/\"x\"").json(), page.json());
    }
    let all = app.get("/Users").header("etag").unwrap().to_owned();
    let other = app.get("/Users?startIndex=2").header("etag").unwrap().to_owned();
    let title = json!([{"op": "replace", "path": "title", "value": "T"}]);
    assert_eq!(app.patch(&format!("/Users/{ann}"), &title).status, 200);
    let changed = again("/Users", &all);
    assert_eq!((changed.status, changed.json()["Resources"][0]["title"].as_str()), (200, Some("T")));
    assert_eq!(again("/Users?startIndex=2", &other).status, 304, "it was not on that page");
    app.new_user("bob");
    assert_eq!(again("/Users?startIndex=2", &other).status, 200);
    let body = json!({"schemas": [SEARCH]});
    let found = app.scim("POST", "/Users/.search").json(&body).header("If-None-Match", "*").send();
    assert_eq!((found.status, found.header("etag")), (200, None));
    app.scim("GET", "/Users?filter=x").header("If-None-Match", "*").send().error(400, Some("invalidFilter"));
}

#[test]
fn a_list_is_a_list_response_and_so_is_a_search() {
    let app = App::start();
    for name in ["ann", "bob", "cid"] {
        app.new_user(name);
    }
    let page = app.get("/Users?count=2&sortBy=userName&startIndex=2").json();
    assert_eq!(page["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    let numbers = [&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]];
    assert_eq!(numbers, [&json!(3), &json!(2), &json!(2)]);
    let names: Vec<&Value> =
        page["Resources"].as_array().unwrap().iter().map(|user| &user["userName"]).collect();
    assert_eq!(names, [&json!("bob"), &json!("cid")]);
    for path in ["/.search", "/Users/.search"] {
        let body = json!({"schemas": [SEARCH], "count": 2, "sortBy": "userName", "startIndex": 2});
        let found = app.post(path, &body);
        assert_eq!((found.status, found.json()), (200, page.clone()), "{path}");
    }
    let none = app.get("/Groups").json();
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(0), &json!([])));
    let bare = json!({"count": 2, "sortBy": "userName", "startIndex": 2});
    assert_eq!(app.post("/Users/.search", &bare).json(), page, "missing-schemas");
    let strict = app.new_token(TenantId::DEFAULT, Scope::Scim, "strict");
    let refused = app.request("POST", "/scim/v2/.search").token(&strict).json(&bare).send();
    refused.error(400, Some("invalidSyntax"));
}

#[test]
fn a_filter_on_one_resource_lists_it_or_nothing() {
    let app = App::start();
    app.new_user("bob");
    let path = format!("/Users/{}", app.new_user("ann"));
    let total = |filter: &str| app.get(&format!("{path}?filter={filter}")).json()["totalResults"].clone();
    assert_eq!(total("userName+eq+%22ann%22"), 1);
    assert_eq!(total("userName+eq+%22bob%22"), 0);
    assert_eq!(total("userName+eq+%22bob%22+or+userName+eq+%22ann%22"), 1);
    let escape = "userName+eq+%22bob%22)+or+(userName+eq+%22bob%22";
    app.get(&format!("{path}?filter={escape}")).error(400, Some("invalidFilter"));
}

#[test]
fn a_manager_is_shown_with_its_uri_and_its_current_name_and_a_stranger_as_it_was_sent() {
    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let app = App::start();
    let boss = app.new_user("boss@example.com");
    let with_manager = |name: &str, manager: &str| {
        let mut body = user(name);
        body[ENTERPRISE] = json!({"manager": {"value": manager, "displayName": "ignored"}});
        let made = app.post("/Users", &body);
        assert_eq!(made.status, 201, "{made:?}");
        made.json()
    };
    let ann = with_manager("ann", &boss);
    let location = app.get(&format!("/Users/{boss}")).json()["meta"]["location"].clone();
    let manager = &ann[ENTERPRISE]["manager"];
    assert_eq!(*manager, json!({"value": boss, "$ref": location, "displayName": "boss@example.com"}));
    app.patch(
        &format!("/Users/{boss}"),
        &json!([{"op": "replace", "path": "displayName", "value": "The Boss"}]),
    );
    let listed = app.get("/Users?filter=userName+eq+%22ann%22").json();
    assert_eq!(listed["Resources"][0][ENTERPRISE]["manager"]["displayName"], "The Boss");
    let stranger = with_manager("bob", "NOTAUSERID");
    assert_eq!(stranger[ENTERPRISE]["manager"], json!({"value": "NOTAUSERID"}));
}

/// 7643-4.1.2: `groups` of a user, with what the user is in through other groups (A43).
#[test]
fn a_user_shows_the_groups_around_its_groups() {
    let app = App::start();
    let group = |name: &str, members: &[&str]| {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
        let made = app.post("/Groups", &json!({"schemas": schemas, "displayName": name, "members": members}));
        made.json()["id"].as_str().unwrap().to_owned()
    };
    let (ann, bob) = (app.new_user("ann"), app.new_user("bob"));
    let team = group("Team", &[&ann]);
    let staff = group("Staff", &[&team, &bob]);
    let circle = json!([{"op": "add", "path": "members", "value": [{"value": staff}]}]);
    assert_eq!(app.patch(&format!("/Groups/{team}"), &circle).status, 200);
    let read = app.get(&format!("/Users/{ann}"));
    let location =
        read.json()["meta"]["location"].as_str().unwrap().replace(&format!("Users/{ann}"), "Groups");
    let shown = |id: &str, name: &str, how: &str| json!({"value": id, "$ref": format!("{location}/{id}"), "display": name, "type": how});
    let of_ann = json!([shown(&team, "Team", "direct"), shown(&staff, "Staff", "indirect")]);
    let of_bob = json!([shown(&team, "Team", "indirect"), shown(&staff, "Staff", "direct")]);
    assert_eq!(read.json()["groups"], of_ann);
    let page = app.get("/Users?sortBy=userName").json();
    assert_eq!(page["Resources"][0]["groups"], of_ann);
    assert_eq!(page["Resources"][1]["groups"], of_bob);
    for (filter, names) in [
        (format!("groups.value eq \"{staff}\""), json!(["ann", "bob"])),
        (format!("groups[value eq \"{staff}\" and type eq \"direct\"]"), json!(["bob"])),
        ("groups[display eq \"team\" and type eq \"INDIRECT\"]".to_owned(), json!(["bob"])),
        (format!("not (groups[type eq \"direct\" and value eq \"{team}\"])"), json!(["bob"])),
        (format!("groups.value eq \"{ann}\""), json!([])),
    ] {
        let search = json!({"schemas": [SEARCH], "filter": filter, "sortBy": "userName"});
        let found = app.post("/Users/.search", &search).json();
        let found: Vec<&Value> =
            found["Resources"].as_array().unwrap().iter().map(|user| &user["userName"]).collect();
        assert_eq!(json!(found), names, "{filter}");
    }
}
