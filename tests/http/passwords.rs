//! Passwords never come back, and hashes of other systems are taken where the tenant wants it.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App, user};

const CREDENTIALS: &str = "urn:muster:params:scim:schemas:extension:credentials:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const CLEAR: &str = "correct-horse-battery";
const HASH: &str = "$2b$04$xYkmz81NisSrOrWuddhCiOXKjlbJmB1815mW7313iYrUGgoor39Ki";

fn with_hash(name: &str, hash: &str) -> Value {
    let mut body = user(name);
    body["schemas"].as_array_mut().unwrap().push(json!(CREDENTIALS));
    body[CREDENTIALS] = json!({"passwordHash": hash});
    body
}

/// Nothing in an answer tells of a password.
#[track_caller]
fn silent(answer: Answer) -> Answer {
    let text = format!("{answer:?}").to_ascii_lowercase();
    for secret in [CLEAR, HASH, "passwordhash\\\":", "$argon2", "xykmz81nis", "\\\"password\\\":"] {
        assert!(!text.contains(&secret.to_ascii_lowercase()), "{secret}: {answer:?}");
    }
    answer
}

#[test]
fn a_password_is_in_no_answer_whichever_way_it_is_asked_for() {
    let app = App::start();
    app.set_policies(TenantId::DEFAULT, &["accept-password-hashes=on"]);
    let mut body = user("ann");
    body["password"] = json!(CLEAR);
    let ann = silent(app.post("/Users?attributes=password,userName", &body)).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(silent(app.post("/Users", &with_hash("bob", HASH))).status, 201);
    let path = format!("/Users/{ann}");
    for target in [
        path.clone(),
        format!("{path}?attributes=password"),
        format!("{path}?attributes={CREDENTIALS}"),
        format!("{path}?attributes={CREDENTIALS}:passwordHash"),
        format!("{path}?excludedAttributes=userName"),
        "/Users?attributes=password".to_owned(),
        "/?attributes=password".to_owned(),
    ] {
        let answer = silent(app.get(&target));
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert!(!answer.body.contains(CREDENTIALS), "{answer:?}");
    }
    let quoted = |text: &str| text.replace(' ', "%20").replace('"', "%22");
    for name in ["password", &format!("{CREDENTIALS}:passwordHash"), "passwordHash"] {
        for test in [format!("{name} pr"), format!("{name} sw \"$\""), format!("not ({name} eq \"{CLEAR}\")")]
        {
            silent(app.get(&format!("/Users?filter={}", quoted(&test)))).error(400, Some("invalidFilter"));
        }
        let sorted = silent(app.get(&format!("/Users?sortBy={name}")));
        assert_eq!(sorted.status, 400, "{sorted:?}");
    }
}

#[test]
fn no_error_shows_a_password() {
    let app = App::start();
    app.set_policies(TenantId::DEFAULT, &["accept-password-hashes=on"]);
    let path = format!("/Users/{}", app.new_user("ann"));
    let control = format!("{CLEAR}\u{7}");
    for value in [json!(control), json!({"value": CLEAR}), json!([CLEAR, CLEAR]), json!(7)] {
        let mut body = user("bob");
        body["password"] = value.clone();
        assert_eq!(silent(app.post("/Users", &body)).status, 400, "{value}");
        let patch = json!([{"op": "replace", "path": "password", "value": value}]);
        assert_eq!(silent(app.patch(&path, &patch)).status, 400, "{value}");
        assert_eq!(
            silent(app.patch(&path, &json!([{"op": "add", "value": {"password": value}}]))).status,
            400
        );
    }
    // Beside something else that is wrong, alone and in bulk.
    let mut body = user("ann");
    body["password"] = json!(CLEAR);
    silent(app.post("/Users", &body)).error(409, Some("uniqueness"));
    let filter = format!("password eq \\\"{CLEAR}\\\"");
    silent(app.patch(&path, &json!([{"op": "remove", "path": format!("emails[{filter}]")}])));
    let operations = json!([
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": body},
        {"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "password", "value": control}]}},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": with_hash("cid", "$2b$04$short")},
    ]);
    let answer = silent(app.post("/Bulk", &json!({"schemas": [BULK], "Operations": operations})));
    let entries = answer.json()["Operations"].clone();
    let statuses: Vec<&Value> = entries.as_array().unwrap().iter().map(|entry| &entry["status"]).collect();
    assert_eq!(statuses, ["409", "400", "400"], "{answer:?}");
}

#[test]
fn a_hash_is_taken_where_the_tenant_wants_it_and_never_beside_a_password() {
    let app = App::start();
    let refused = silent(app.post("/Users", &with_hash("ann", HASH))).error(400, Some("invalidValue"));
    assert!(refused.contains("accept-password-hashes"), "{refused}");
    app.set_policies(TenantId::DEFAULT, &["accept-password-hashes=on"]);
    let made = silent(app.post("/Users", &with_hash("ann", HASH)));
    assert_eq!(made.json()["schemas"], user("")["schemas"], "{made:?}");
    let path = format!("/Users/{}", made.json()["id"].as_str().unwrap());
    let mut both = with_hash("bob", HASH);
    both["password"] = json!(CLEAR);
    assert!(
        silent(app.post("/Users", &both)).error(400, Some("invalidValue")).contains("exclude each other")
    );
    for bad in ["x", "$2b$31$xYkmz81NisSrOrWuddhCiOXKjlbJmB1815mW7313iYrUGgoor39Ki", "$1$a$b"] {
        let detail = silent(app.post("/Users", &with_hash("bob", bad))).error(400, Some("invalidValue"));
        assert!(detail.contains("passwordHash") && !detail.contains(bad), "{detail}");
    }
    let name = format!("{CREDENTIALS}:passwordHash");
    for patch in [
        json!([{"op": "replace", "path": name, "value": HASH}]),
        json!([{"op": "add", "path": name, "value": HASH}]),
        json!([{"op": "add", "value": {CREDENTIALS: {"passwordHash": HASH}}}]),
    ] {
        let before = app.get(&path).header("etag").unwrap().to_owned();
        let patched = silent(app.patch(&path, &patch));
        assert_eq!(
            (patched.status, patched.header("etag")),
            (200, Some(before.as_str())),
            "it is the same: {patched:?}"
        );
    }
    let put = silent(app.put(&path, &with_hash("ann", &HASH.replace("$2b$", "$2y$"))));
    assert_eq!((put.status, put.header("etag")), (200, Some("W/\"2\"")));
    assert_eq!(
        silent(app.put(&path, &user("ann"))).header("etag"),
        Some("W/\"2\""),
        "a PUT without one keeps it"
    );
    let ipsie = app.new_token(TenantId::DEFAULT, Scope::Scim, "ipsie");
    let refused = app.request("POST", "/scim/v2/Users").token(&ipsie).json(&with_hash("cid", HASH)).send();
    silent(refused).error(400, Some("invalidSyntax"));
    let discovery = format!("{:?}{:?}", app.get("/Schemas"), app.get("/ResourceTypes"));
    assert!(!discovery.contains("credentials"));
    app.get(&format!("/Schemas/{CREDENTIALS}")).error(404, None);
}

#[test]
fn a_password_whose_hash_was_imported_is_changed_with_the_old_one() {
    let app = App::start();
    app.set_policies(TenantId::DEFAULT, &["accept-password-hashes=on"]);
    let token = app.new_token(TenantId::DEFAULT, Scope::Identity, "default");
    let made = app.post("/Users", &with_hash("ann", HASH)).json();
    let path = format!("/identity/v1/users/{}", made["id"].as_str().unwrap());
    let change = |old: &str, new: &str| {
        let body = json!({"old_password": old, "new_password": new}).to_string();
        let request = app.request("POST", &format!("{path}/password/change")).token(&token);
        request.header("Content-Type", "application/json").body(body).send()
    };
    let shown = app.request("GET", &path).token(&token).send();
    assert_eq!(shown.json()["password"], json!({"temporary": false}));
    assert_eq!(change("wrong horse", CLEAR).json()["code"], "wrong-password");
    let changed = change("correct horse", CLEAR);
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(change("correct horse", CLEAR).json()["code"], "wrong-password");
    assert_eq!(change(CLEAR, "correct horse again").status, 200);
}

/// RFC 8265 §4: a password is the same however it is composed, and may have every character that can be seen.
#[test]
fn passwords_may_have_characters_of_every_age() {
    let app = App::start();
    let token = app.new_token(TenantId::DEFAULT, Scope::Identity, "default");
    let mut body = user("ann");
    body["password"] = json!("\u{202f}Zo\u{eb} 🥷 Ა");
    let made = app.post("/Users", &body);
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/identity/v1/users/{}/password/change", made.json()["id"].as_str().unwrap());
    let body = json!({"old_password": " Zoe\u{308} 🥷 Ა", "new_password": CLEAR}).to_string();
    let request = app.request("POST", &path).token(&token).header("Content-Type", "application/json");
    assert_eq!(request.body(body).send().status, 200);
    for wrong in ["a\u{7}b", "a\u{378}b", "🥷\u{e000}"] {
        let mut body = user("bob");
        body["password"] = json!(wrong);
        app.post("/Users", &body).error(400, Some("invalidValue"));
    }
}
