//! Bulk as a client sees it (RFC 7644 §3.7).

use muster::access::Scope;
use muster::http::Settings;
use muster::id::TenantId;
use muster::scim::registry::Registry;
use serde_json::{Value, json};

use crate::kit::{Answer, App, user};

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const OPTIONS: &str = "urn:muster:params:scim:api:messages:1.0:BulkRequest";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn request(operations: &Value) -> Value {
    json!({"schemas": [REQUEST], "Operations": operations})
}

/// The entries of the answer.
#[track_caller]
fn entries(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["schemas"], json!([RESPONSE]));
    assert_eq!(body.as_object().unwrap().len(), 2, "nothing else: {body}");
    body["Operations"].as_array().unwrap().clone()
}

#[track_caller]
fn bulk(app: &App, operations: &Value) -> Vec<Value> {
    entries(&app.post("/Bulk", &request(operations)))
}

fn statuses(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["status"].as_str().unwrap()).collect()
}

/// The id at the end of an entry's location.
fn id(entry: &Value) -> &str {
    entry["location"].as_str().unwrap().rsplit('/').next().unwrap()
}

fn create(bulk_id: &str, user_name: &str) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": user(user_name)})
}

fn group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    let data = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": bulk_id, "members": members,
    });
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data})
}

fn patch(path: &str, operations: &Value) -> Value {
    json!({"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": operations}})
}

/// The ids of a group's members.
fn members(app: &App, id: &str) -> Vec<String> {
    let group = app.get(&format!("/Groups/{id}")).json();
    let values = group["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> =
        values.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// 7644-3.7-08, -15, 7644-3.7.3-01 to -03.
#[test]
fn each_operation_is_answered_as_the_single_request_in_the_order_of_the_request() {
    let app = App::start();
    let (put, gone) = (app.new_user("put"), app.new_user("gone"));
    let mut replaced = user("put");
    replaced["title"] = json!("T");
    let done = bulk(
        &app,
        &json!([
            create("a", "ann"),
            {"method": "PUT", "path": format!("/Users/{put}"), "version": "W/\"1\"", "data": replaced},
            patch(&format!("/Users/{put}"), &json!([{"op": "add", "path": "nickName", "value": "N"}])),
            {"method": "DELETE", "path": format!("/Users/{gone}")},
        ]),
    );
    let base = format!("http://{}/scim/v2/Users", app.address);
    let ann = id(&done[0]);
    assert_eq!(
        done,
        [
            json!({"location": format!("{base}/{ann}"), "method": "POST", "bulkId": "a", "version": "W/\"1\"", "status": "201"}),
            json!({"location": format!("{base}/{put}"), "method": "PUT", "version": "W/\"2\"", "status": "200"}),
            json!({"location": format!("{base}/{put}"), "method": "PATCH", "version": "W/\"3\"", "status": "200"}),
            json!({"location": format!("{base}/{gone}"), "method": "DELETE", "status": "204"}),
        ]
    );
    assert_eq!(app.get(&format!("/Users/{ann}")).json()["userName"], "ann");
    let put = app.get(&format!("/Users/{put}")).json();
    assert_eq!((&put["title"], &put["nickName"]), (&json!("T"), &json!("N")));
    app.get(&format!("/Users/{gone}")).error(404, None);
}

/// 7644-3.7-07, -09 to -12.
#[test]
fn what_fails_is_answered_with_a_scim_error_and_does_not_stop_the_others() {
    let app = App::start();
    let ann = app.new_user("ann");
    let done = bulk(
        &app,
        &json!([
            create("a", "ANN"),
            {"method": "PUT", "path": "/Users/ghost", "data": user("x")},
            {"method": "PUT", "path": format!("/Users/{ann}"), "version": "W/\"9\"", "data": user("x")},
            {"method": "GET", "path": format!("/Users/{ann}")},
            {"method": "POST", "path": "/Users", "data": user("y")},
            {"method": "POST", "path": "/Users", "bulkId": "z", "data": {"schemas": []}},
            create("b", "bob"),
        ]),
    );
    assert_eq!(statuses(&done), ["409", "404", "412", "400", "400", "400", "201"]);
    for entry in &done[..6] {
        let error = &entry["response"];
        assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!((&error["status"], error["detail"].is_string()), (&entry["status"], true), "{entry}");
        assert_eq!(entry.get("version"), None);
        assert_eq!(entry.get("location").is_some(), entry["method"] != "POST", "{entry}");
    }
    assert_eq!(done[0]["response"]["scimType"], "uniqueness");
    assert!(done[1]["location"].as_str().unwrap().ends_with("/scim/v2/Users/ghost"));
    assert_eq!(done[6].get("response"), None);
    assert_eq!(app.get("/Users").json()["totalResults"], 2);
}

/// 7644-3.7-13, -14.
#[test]
fn after_so_many_errors_nothing_more_is_begun_and_nothing_is_undone() {
    let app = App::start();
    app.new_user("taken");
    let operations = json!([
        create("a", "ann"),
        create("b", "taken"),
        create("c", "cid"),
        create("d", "taken"),
        create("e", "eve")
    ]);
    let stopped = |limit: u64| {
        let mut request = request(&operations);
        request["failOnErrors"] = json!(limit);
        let answer = app.post("/Bulk", &request);
        entries(&answer)
    };
    assert_eq!(statuses(&stopped(1)), ["201", "409"]);
    assert_eq!(app.get("/Users").json()["totalResults"], 2);
    assert_eq!(statuses(&stopped(2)), ["409", "409"], "ann is there already");
    assert_eq!(statuses(&stopped(5)), ["409", "409", "201", "409", "201"]);
}

/// 7644-3.7.1-01, 7644-3.7.2-01 to -04, reading A33.
#[test]
fn resources_refer_to_each_other_forwards_backwards_and_in_circles() {
    for profile in ["default", "strict"] {
        let app = App::start();
        let token = app.new_token(TenantId::DEFAULT, Scope::Scim, profile);
        let mut boss = create("boss", "boss");
        let mut ann = create("ann", "ann");
        boss["data"]["schemas"] = json!([boss["data"]["schemas"][0], ENTERPRISE]);
        ann["data"]["schemas"] = boss["data"]["schemas"].clone();
        boss["data"][ENTERPRISE] = json!({"manager": {"value": "bulkId:ann"}});
        ann["data"][ENTERPRISE] = json!({"manager": {"value": "bulkId:boss"}});
        let operations = json!([
            patch(
                "/Groups/bulkId:one",
                &json!([{"op": "add", "path": "members", "value": [{"value": "bulkId:bob"}]}])
            ),
            group("one", &["bulkId:two", "bulkId:ann"]),
            group("two", &["bulkId:one", "bulkId:two"]),
            boss,
            ann,
            create("bob", "bob"),
            patch(
                "/Groups/bulkId:two",
                &json!([{"op": "remove", "path": "members[value eq \"bulkId:two\"]"}])
            ),
        ]);
        let answer = app.scim("POST", "/Bulk").token(&token).json(&request(&operations)).send();
        let done = entries(&answer);
        assert_eq!(statuses(&done), ["200", "201", "201", "201", "201", "201", "200"], "{profile}: {done:?}");
        let ids: Vec<&str> = done.iter().map(id).collect();
        let [_, one, two, boss, ann, bob, _] = ids[..] else { panic!("{ids:?}") };
        let mut expected = [two, ann, bob];
        expected.sort_unstable();
        assert_eq!(members(&app, one), expected);
        assert_eq!(members(&app, two), [one]);
        let manager =
            |id: &str| app.get(&format!("/Users/{id}")).json()[ENTERPRISE]["manager"]["value"].clone();
        assert_eq!((manager(boss), manager(ann)), (json!(ann), json!(boss)));
        assert_eq!((&done[1]["version"], &done[0]["version"]), (&json!("W/\"1\""), &json!("W/\"2\"")));
    }
}

/// 7644-3.7.2-03.
#[test]
fn what_refers_to_something_that_failed_fails_with_it_and_leaves_nothing() {
    let app = App::start();
    app.new_user("taken");
    let done = bulk(
        &app,
        &json!([
            create("u", "taken"),
            group("a", &["bulkId:u"]),
            group("b", &["bulkId:a"]),
            group("c", &["bulkId:nobody"]),
            {"method": "DELETE", "path": "/Users/bulkId:u"},
            group("d", &["bulkId:e"]),
            {"method": "POST", "path": "/Groups", "bulkId": "e", "data": {"schemas": [], "members": [{"value": "bulkId:d"}]}},
        ]),
    );
    assert_eq!(statuses(&done), ["409", "409", "409", "409", "409", "409", "400"], "{done:?}");
    assert!(done[1]["response"]["detail"].as_str().unwrap().contains("Operations[0]"));
    assert!(done[5]["response"]["detail"].as_str().unwrap().contains("Operations[6]"));
    assert!(done.iter().all(|entry| entry.get("location").is_none()), "{done:?}");
    assert_eq!(app.get("/Groups").json()["totalResults"], 0);
}

#[test]
fn the_outcome_is_that_of_the_clients_order() {
    let app = App::start();
    let old = app.new_user("x");
    let done = bulk(
        &app,
        &json!([
            {"method": "DELETE", "path": format!("/Users/{old}")},
            create("a", "x"),
            create("b", "x"),
            patch("/Users/bulkId:a", &json!([{"op": "replace", "path": "userName", "value": "y"}])),
            create("c", "X"),
            create("d", "y"),
        ]),
    );
    assert_eq!(statuses(&done), ["204", "201", "409", "200", "201", "409"], "{done:?}");
}

#[test]
fn many_operations_share_commits_and_end_in_the_same_directory() {
    let app = App::start();
    let mut operations: Vec<Value> =
        (0..500).map(|n| create(&format!("u{n}"), &format!("user{n}"))).collect();
    let ids: Vec<String> = (0..500).map(|n| format!("bulkId:u{n}")).collect();
    operations.push(group("all", &ids.iter().map(String::as_str).collect::<Vec<_>>()));
    let done = bulk(&app, &json!(operations));
    assert!(statuses(&done).iter().all(|status| *status == "201"));
    assert_eq!(members(&app, id(&done[500])).len(), 500);
    assert_eq!(app.get("/Users?count=0").json()["totalResults"], 500);
    let deletes: Vec<Value> =
        done.iter().map(|entry| json!({"method": "DELETE", "path": entry["location"].as_str().unwrap().split("/v2").nth(1)})).collect();
    assert!(statuses(&bulk(&app, &json!(deletes))).iter().all(|status| *status == "204"));
    assert_eq!(app.get("/").json()["totalResults"], 0);
}

/// 7644-3.7.4-02, -03.
#[test]
fn over_a_limit_nothing_is_done_and_the_limit_is_named() {
    let app = App::with(Settings { max_body: 200_000, ..Settings::default() }, Registry::built_in().unwrap());
    let operations: Vec<Value> =
        (0..1001).map(|n| json!({"method": "DELETE", "path": format!("/Users/{n}")})).collect();
    let detail = app.post("/Bulk", &request(&json!(operations))).error(413, None);
    assert!(detail.contains("maxOperations (1000)"), "{detail}");
    assert_eq!(bulk(&app, &json!(operations[1..])).len(), 1000);
    let mut large = request(&json!([create("a", "ann")]));
    large["padding"] = json!("x".repeat(200_000));
    let detail = app.post("/Bulk", &large).error(413, None);
    assert!(detail.contains("maxPayloadSize (200000 bytes)"), "{detail}");
    assert_eq!(app.get("/Users").json()["totalResults"], 0);
}

#[test]
fn a_message_that_is_none_is_refused_as_a_whole() {
    let app = App::start();
    app.post("/Bulk", &json!({"Operations": [create("a", "ann")]})).error(400, Some("invalidSyntax"));
    app.post("/Bulk", &request(&json!([]))).error(400, Some("invalidSyntax"));
    app.post("/Bulk", &request(&json!(["x"]))).error(400, Some("invalidSyntax"));
    let mut zero = request(&json!([create("a", "ann")]));
    zero["failOnErrors"] = json!(0);
    app.post("/Bulk", &zero).error(400, Some("invalidValue"));
    assert_eq!(app.get("/Users").json()["totalResults"], 0);
}

#[test]
fn quirks_are_rewritten_inside_an_operation_as_outside() {
    let app = App::start();
    let ann = app.new_user("ann");
    let operations = json!([
        group("g", &[&ann]),
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "bob", "active": "False"}},
        patch("/Groups/bulkId:g", &json!([{"op": "Remove", "path": "members", "value": [{"value": ann}]}])),
        patch("/Groups/bulkId:g", &json!([{"op": "Add", "path": "members", "value": {"value": "bulkId:b"}}])),
    ]);
    let done = bulk(&app, &operations);
    assert_eq!(statuses(&done), ["201", "201", "200", "200"], "{done:?}");
    assert_eq!(members(&app, id(&done[0])), [id(&done[1])]);
    assert_eq!(app.get(&format!("/Users/{}", id(&done[1]))).json()["active"], false);
    let strict = app.new_token(TenantId::DEFAULT, Scope::Scim, "strict");
    let answer = app.scim("POST", "/Bulk").token(&strict).json(&request(&json!([
        {"method": "POST", "path": "/Users", "bulkId": "c", "data": {"userName": "cid"}},
    ])));
    assert_eq!(statuses(&entries(&answer.send())), ["400"]);
}

#[test]
fn a_foreign_tenants_resources_are_not_there() {
    let app = App::start();
    let ann = app.new_user("ann");
    let other = app.new_token(app.new_tenant("acme"), Scope::Scim, "default");
    let operations = json!([
        {"method": "PUT", "path": format!("/Users/{ann}"), "data": user("eve")},
        patch(&format!("/Users/{ann}"), &json!([{"op": "add", "path": "title", "value": "x"}])),
        {"method": "DELETE", "path": format!("/Users/{ann}")},
        create("a", "ann"),
    ]);
    let answer = app.scim("POST", "/Bulk").token(&other).json(&request(&operations)).send();
    assert_eq!(statuses(&entries(&answer)), ["404", "404", "404", "201"]);
    assert_eq!(app.get(&format!("/Users/{ann}")).json()["userName"], "ann");
}

#[test]
fn all_or_nothing_does_all_in_one_go() {
    let app = App::start();
    let (ann, old) = (app.new_user("ann"), app.new_user("old"));
    let staff = id(&bulk(&app, &json!([group("staff", &[&old])]))[0]).to_owned();
    let mut wanted = request(&json!([
        {"method": "DELETE", "path": format!("/Users/{old}")},
        patch(&format!("/Groups/{staff}"), &json!([{"op": "add", "path": "members", "value": [{"value": "bulkId:new"}]}])),
        create("new", "old"),
        group("friends", &["bulkId:new", "bulkId:friends"]),
        {"method": "PUT", "path": format!("/Users/{ann}"), "version": "W/\"1\"", "data": user("anna")},
    ]));
    wanted[OPTIONS] = json!({"allOrNothing": true});
    let done = entries(&app.post("/Bulk", &wanted));
    assert_eq!(statuses(&done), ["204", "200", "201", "201", "200"], "{done:?}");
    assert_eq!(members(&app, &staff), [id(&done[2])]);
    assert_eq!(done[1]["version"], app.get(&format!("/Groups/{staff}")).json()["meta"]["version"]);
    assert_eq!(app.get(&format!("/Users/{ann}")).json()["userName"], "anna");
}

#[test]
fn all_or_nothing_does_nothing_if_one_operation_is_refused_and_names_it() {
    let app = App::start();
    let (ann, bob) = (app.new_user("ann"), app.new_user("bob"));
    let whole = |operations: Value| {
        let mut wanted = request(&operations);
        wanted[OPTIONS] = json!({"allOrNothing": true});
        app.post("/Bulk", &wanted)
    };
    let first = [create("a", "new"), json!({"method": "DELETE", "path": format!("/Users/{bob}")})];
    let cases = [
        (create("b", "ann"), 409, Some("uniqueness"), "another User has this userName"),
        (create("b", "NEW"), 409, Some("uniqueness"), "another User has this userName"),
        (json!({"method": "PUT", "path": "/Users/ghost", "data": user("x")}), 404, None, "ghost"),
        (
            json!({"method": "PUT", "path": format!("/Users/{ann}"), "version": "W/\"7\"", "data": user("x")}),
            412,
            None,
            "version",
        ),
        (
            json!({"method": "POST", "path": "/Users", "bulkId": "b", "data": {"schemas": []}}),
            400,
            Some("invalidValue"),
            "userName",
        ),
        (json!({"method": "GET", "path": "/Users/1"}), 400, Some("invalidValue"), "method"),
        (
            patch("/Users/bulkId:a", &json!([{"op": "add", "path": "title", "value": "x"}])),
            400,
            Some("invalidValue"),
            "one operation a resource",
        ),
        (group("g", &[&bob]), 400, Some("invalidValue"), "deletes"),
        (group("g", &["bulkId:nobody"]), 409, None, "bulkId"),
    ];
    for (last, status, scim_type, part) in cases {
        let detail = whole(json!([first[0], first[1], last])).error(status, scim_type);
        assert!(detail.starts_with("Operations[2]: ") && detail.ends_with("; nothing was done"), "{detail}");
        assert!(detail.contains(part), "{detail}");
        assert_eq!(app.get("/").json()["totalResults"], 2, "{detail}");
        assert_eq!(app.get(&format!("/Users/{bob}")).status, 200);
    }
}
