//! Schemas at run time: what a tenant adds for itself counts at once, for itself alone, and never against its own data.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use muster::access::{SchemaEdit, Scope};
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App, now, user, wait};

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const BADGE: &str = "urn:example:params:scim:schemas:Badge";
const DEVICE: &str = "urn:example:params:scim:schemas:Device";

/// A tenant with a token for its directory and one for its administration.
struct Tenant<'a> {
    app: &'a App,
    scim: String,
    admin: String,
}

impl<'a> Tenant<'a> {
    fn new(app: &'a App, name: &str) -> Self {
        Self::of(app, app.new_tenant(name))
    }

    fn of(app: &'a App, id: TenantId) -> Self {
        let token = |scope| app.new_token(id, scope, "strict");
        Self { app, scim: token(Scope::Scim), admin: token(Scope::Admin) }
    }

    fn admin(&self, method: &str, path: &str) -> Answer {
        self.app.request(method, &format!("/admin/v1{path}")).token(&self.admin).send()
    }

    fn set(&self, document: &Value) -> Answer {
        let path = match document["schemas"][0] == TYPE {
            true => format!("/admin/v1/resource-types/{}", document["name"].as_str().unwrap()),
            false => format!("/admin/v1/schemas/{}", document["id"].as_str().unwrap()),
        };
        self.app.request("PUT", &path).token(&self.admin).json(document).send()
    }

    fn scim(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.app.scim(method, path).token(&self.scim).json(body).send()
    }

    fn get(&self, path: &str) -> Answer {
        self.app.scim("GET", path).token(&self.scim).send()
    }

    fn create(&self, path: &str, body: &Value) -> String {
        let answer = self.scim("POST", path, body);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    fn found(&self, path: &str, filter: &str) -> Vec<String> {
        let answer = self.get(&format!("{path}?filter={}", filter.replace(' ', "%20").replace('"', "%22")));
        assert_eq!(answer.status, 200, "{answer:?}");
        let resources = answer.json()["Resources"].as_array().unwrap().clone();
        resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until facts are as the schemas have them.
    fn settle(&self) {
        let began = Instant::now();
        while self.admin("GET", "/schemas").json()["indexing"] == true {
            assert!(began.elapsed() < Duration::from_secs(60), "facts are not written anew");
            wait(async { tokio::time::sleep(Duration::from_millis(200)).await });
        }
    }
}

fn schema(id: &str, attributes: &Value) -> Value {
    json!({"schemas": [SCHEMA], "id": id, "name": "Mine", "attributes": attributes})
}

fn user_type(more: &Value) -> Value {
    let mut extensions = vec![
        json!({"schema": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "required": false}),
        json!({"schema": "urn:muster:params:scim:schemas:extension:identifiers:2.0:User", "required": false}),
    ];
    extensions.extend(more.as_array().unwrap().iter().cloned());
    json!({"schemas": [TYPE], "name": "User", "endpoint": "/Users", "schema": USER, "schemaExtensions": extensions})
}

fn device_type() -> Value {
    json!({"schemas": [TYPE], "name": "Device", "endpoint": "/Devices", "schema": DEVICE})
}

fn badge(number: &str) -> Value {
    json!({"number": number, "floors": [1, 2]})
}

/// A badge as an extension, and devices.
fn equip(tenant: &Tenant<'_>) {
    let attributes = json!([
        {"name": "number", "type": "string", "caseExact": true},
        {"name": "floors", "type": "integer", "multiValued": true},
        {"name": "note", "type": "string"},
    ]);
    assert_eq!(tenant.set(&schema(BADGE, &attributes)).status, 201);
    assert_eq!(tenant.set(&user_type(&json!([{"schema": BADGE, "required": false}]))).status, 201);
    let attributes = json!([{"name": "serial", "type": "string", "required": true, "uniqueness": "server"}]);
    assert_eq!(tenant.set(&schema(DEVICE, &attributes)).status, 201);
    assert_eq!(tenant.set(&device_type()).status, 201);
}

fn with_badge(name: &str, number: &str) -> Value {
    let mut body = user(name);
    body["schemas"] = json!([USER, BADGE]);
    body[BADGE] = badge(number);
    body
}

#[test]
fn what_a_tenant_adds_counts_at_once_and_for_it_alone() {
    let app = App::start();
    let (acme, other) = (Tenant::new(&app, "acme"), Tenant::new(&app, "other"));
    equip(&acme);
    for path in [format!("/Schemas/{BADGE}"), "/ResourceTypes/Device".to_owned()] {
        assert_eq!(acme.get(&path).status, 200, "{path}");
        other.get(&path).error(404, None);
        app.request("GET", &format!("/scim/v2{path}")).send().error(404, None);
    }
    assert!(acme.get("/Schemas").body.contains(DEVICE) && !other.get("/Schemas").body.contains(DEVICE));
    app.scim("GET", "/Schemas").token("wrong").send().error(401, None);
    assert_eq!(app.request("OPTIONS", "/scim/v2/Devices").token(&acme.scim).send().status, 204);

    let ann = acme.create("/Users", &with_badge("ann", "B-1"));
    assert_eq!(acme.found("/Users", &format!("{BADGE}:number eq \"B-1\"")), std::slice::from_ref(&ann));
    assert_eq!(acme.found("/Users", &format!("{BADGE}:floors ge 2")), std::slice::from_ref(&ann));
    let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": format!("{BADGE}:number"), "value": "B-2"}]});
    assert_eq!(acme.scim("PATCH", &format!("/Users/{ann}"), &patch).json()[BADGE]["number"], "B-2");
    assert_eq!(acme.found("/Users", "number eq \"B-2\""), [ann]);
    let device = acme.create("/Devices", &json!({"schemas": [DEVICE], "serial": "S1"}));
    acme.scim("POST", "/Devices", &json!({"schemas": [DEVICE], "serial": "s1"}))
        .error(409, Some("uniqueness"));
    assert!(acme.get("/").body.contains(&device), "the root has it too");

    other.scim("POST", "/Users", &with_badge("ann", "B-1")).error(400, Some("invalidSyntax"));
    other.scim("POST", "/Devices", &json!({"schemas": [DEVICE], "serial": "S1"})).error(404, None);
    other.get("/Users?filter=number%20pr").error(400, Some("invalidFilter"));
    assert_eq!(other.admin("GET", &format!("/schemas/{BADGE}")).status, 404);
    assert_eq!(other.admin("DELETE", &format!("/schemas/{BADGE}")).status, 404);
}

#[test]
fn a_type_of_one_name_may_differ_between_tenants() {
    let app = App::start();
    let (acme, other) = (Tenant::new(&app, "acme"), Tenant::new(&app, "other"));
    for (tenant, endpoint, kind) in [(&acme, "/Devices", "string"), (&other, "/Gadgets", "integer")] {
        assert_eq!(tenant.set(&schema(DEVICE, &json!([{"name": "serial", "type": kind}]))).status, 201);
        let mut document = device_type();
        document["endpoint"] = json!(endpoint);
        assert_eq!(tenant.set(&document).status, 201);
    }
    let there = acme.create("/Devices", &json!({"schemas": [DEVICE], "serial": "7"}));
    let here = other.create("/Gadgets", &json!({"schemas": [DEVICE], "serial": 7}));
    assert_eq!(acme.found("/Devices", "serial eq \"7\""), [there]);
    assert_eq!(other.found("/Gadgets", "serial eq 7"), std::slice::from_ref(&here));
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G",
        "members": [{"value": here}]});
    let group = other.create("/Groups", &group);
    let members = other.get(&format!("/Groups/{group}")).json()["members"].clone();
    assert!(members[0]["$ref"].as_str().unwrap().ends_with(&format!("/Gadgets/{here}")), "{members}");
    assert_eq!(
        other.found("/Groups", &format!("members.$ref eq \"https://x/Gadgets/{here}\"")),
        std::slice::from_ref(&group)
    );
    assert_eq!(other.found("/Groups", "members.type eq \"Device\""), [group]);
    acme.get("/Gadgets").error(404, None);
}

#[test]
fn a_change_that_stored_resources_contradict_is_refused_and_names_them() {
    let app = App::start();
    let acme = Tenant::new(&app, "acme");
    equip(&acme);
    let ann = acme.create("/Users", &with_badge("ann", "B-1"));
    let bob = acme.create("/Users", &with_badge("bob", "b-1"));
    acme.create("/Users", &user("eve"));
    let device = acme.create("/Devices", &json!({"schemas": [DEVICE], "serial": "S1"}));
    let number = |more: Value| {
        let mut attribute = json!({"name": "number", "type": "string", "caseExact": true});
        attribute.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        schema(
            BADGE,
            &json!([attribute, {"name": "floors", "type": "integer", "multiValued": true},
            {"name": "note", "type": "string"}]),
        )
    };
    let floors = json!({"name": "floors", "type": "integer", "multiValued": true});
    let note = |more: &str| {
        let mut attribute = json!({"name": "note", "type": "string"});
        attribute[more] = json!(true);
        schema(BADGE, &json!([{"name": "number", "type": "string", "caseExact": true}, floors, attribute]))
    };
    let path = |name: &str| format!("{BADGE}:{name}");
    let cases = [
        (
            acme.set(&schema(BADGE, &json!([floors, {"name": "note"}]))),
            path("number"),
            vec![&ann, &bob],
            "gone",
        ),
        (
            acme.set(&number(json!({"type": "integer", "caseExact": null}))),
            path("number"),
            vec![&ann, &bob],
            "a whole",
        ),
        (acme.set(&number(json!({"multiValued": true}))), path("number"), vec![&ann, &bob], "an array"),
        (acme.set(&number(json!({"returned": "never"}))), path("number"), vec![&ann, &bob], "kept apart"),
        (
            acme.set(&number(json!({"canonicalValues": ["B-1"], "canonicalValuesClosed": true}))),
            path("number"),
            vec![&bob],
            "B-1",
        ),
        (
            acme.set(&number(json!({"caseExact": false, "uniqueness": "server"}))),
            path("number"),
            vec![&bob],
            "has the same value",
        ),
        (acme.set(&note("required")), path("note"), vec![&ann, &bob], "required"),
        (acme.set(&user_type(&json!([]))), BADGE.to_owned(), vec![&ann, &bob], "extension"),
        (acme.admin("DELETE", "/resource-types/User"), BADGE.to_owned(), vec![&ann, &bob], "extension"),
        (acme.admin("DELETE", "/resource-types/Device"), "schemas".to_owned(), vec![&device], "gone"),
    ];
    for (answer, path, ids, why) in cases {
        assert_eq!(answer.status, 409, "{path} {why}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let obstacles = answer.json()["obstacles"].as_array().unwrap().clone();
        let named: Vec<&str> = obstacles.iter().map(|obstacle| obstacle["id"].as_str().unwrap()).collect();
        assert_eq!(named, ids, "{path} {why}: {answer:?}");
        assert!(obstacles.iter().all(|obstacle| obstacle["path"] == json!(path)), "{answer:?}");
        assert!(obstacles[0]["why"].as_str().unwrap().contains(why), "{why}: {answer:?}");
    }
    let required = acme.set(&user_type(&json!([{"schema": BADGE, "required": true}])));
    assert_eq!(required.json()["obstacles"].as_array().unwrap().len(), 1, "eve has no badge: {required:?}");
    assert_eq!(acme.found("/Users", "number eq \"B-1\""), [ann], "nothing has changed");
}

#[test]
fn what_nobody_uses_can_go_and_the_servers_own_comes_back() {
    let app = App::start();
    let acme = Tenant::new(&app, "acme");
    equip(&acme);
    let ann = acme.create("/Users", &with_badge("ann", "B-1"));
    let attributes = json!([{"name": "number", "type": "string", "caseExact": true},
        {"name": "floors", "type": "integer", "multiValued": true}]);
    assert_eq!(acme.set(&schema(BADGE, &attributes)).status, 200, "nobody has a note");
    acme.get("/Users?filter=note%20pr").error(400, Some("invalidFilter"));
    assert_eq!(acme.app.scim("DELETE", &format!("/Users/{ann}")).token(&acme.scim).send().status, 204);
    assert_eq!(acme.admin("DELETE", "/resource-types/User").status, 204);
    assert_eq!(acme.admin("DELETE", &format!("/schemas/{BADGE}")).status, 204);
    acme.get(&format!("/Schemas/{BADGE}")).error(404, None);
    let listed = acme.admin("GET", "/resource-types").json();
    let own: Vec<_> =
        listed["resourceTypes"].as_array().unwrap().iter().filter(|t| t["own"] == true).collect();
    assert_eq!((own.len(), &own[0]["name"]), (1, &json!("Device")), "{listed}");
    assert!(listed.to_string().contains("extension:enterprise:2.0:User"), "{listed}");
}

#[test]
fn facts_are_written_anew_when_values_compare_otherwise() {
    let app = App::start();
    let acme = Tenant::new(&app, "acme");
    equip(&acme);
    let ann = acme.create("/Users", &with_badge("ann", "B-1"));
    assert!(acme.found("/Users", "number eq \"b-1\"").is_empty());
    let attributes = json!([{"name": "number", "type": "string", "uniqueness": "server"},
        {"name": "floors", "type": "integer", "multiValued": true}, {"name": "note", "type": "string"}]);
    assert_eq!(acme.set(&schema(BADGE, &attributes)).status, 200);
    acme.settle();
    assert_eq!(acme.found("/Users", "number eq \"b-1\""), [ann]);
    acme.scim("POST", "/Users", &with_badge("bob", "b-1")).error(409, Some("uniqueness"));
}

#[test]
fn a_server_judges_a_change_whose_maker_has_died() {
    let app = App::start();
    let acme = Tenant::new(&app, "acme");
    equip(&acme);
    let without_number = [SchemaEdit::Put(schema(BADGE, &json!([{"name": "note", "type": "string"}])))];
    let id = wait(app.access.tenant("acme")).unwrap().id;
    let long_ago = now() - TimeDelta::seconds(20);
    wait(async {
        let change = app.access.change_schemas(id, &without_number, long_ago);
        tokio::time::timeout(Duration::from_millis(500), change).await.unwrap_err();
    });
    let began = Instant::now();
    while !wait(app.access.unjudged(now() + TimeDelta::days(1))).unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody judges it");
        wait(async { tokio::time::sleep(Duration::from_millis(200)).await });
    }
    assert!(!acme.get(&format!("/Schemas/{BADGE}")).body.contains("number"), "it stands");
}

#[test]
fn documents_that_make_no_whole_are_refused_and_say_where() {
    let app = App::start();
    let acme = Tenant::new(&app, "acme");
    let user_without = |name: &str| {
        let mut document = acme.admin("GET", &format!("/schemas/{USER}")).json();
        document["attributes"].as_array_mut().unwrap().retain(|attribute| attribute["name"] != json!(name));
        document
    };
    let mut own_config = schema("urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig", &json!([]));
    own_config["attributes"] = json!([{"name": "x"}]);
    let mut endpoint = device_type();
    endpoint["endpoint"] = json!("/Bulk");
    let mut long = device_type();
    long["name"] = json!("D".repeat(65));
    long["schema"] = json!(USER);
    let mut relied_on = user_type(&json!([]));
    relied_on["schemaExtensions"].as_array_mut().unwrap().truncate(1);
    let cases = [
        (schema(BADGE, &json!([{"name": "1st"}])), "1st"),
        (schema(BADGE, &json!([{"name": "a"}, {"name": "A"}])), "twice"),
        (user_without("userName"), "userName"),
        (user_without("emails"), "emails"),
        (own_config, "SCIM's own"),
        (device_type(), "there is no schema"),
        (endpoint, "Bulk"),
        (long, "64"),
        (user_type(&json!([{"schema": BADGE}])), BADGE),
        (relied_on, "identifiers"),
    ];
    for (document, part) in cases {
        let answer = acme.set(&document);
        assert_eq!(answer.status, 400, "{part}: {answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(part), "{part}: {answer:?}");
    }
    let mismatch = app.request("PUT", "/admin/v1/schemas/urn:other").token(&acme.admin);
    let mismatch = mismatch.json(&schema(BADGE, &json!([]))).send();
    assert_eq!(mismatch.status, 400, "{mismatch:?}");
    assert_eq!(acme.admin("DELETE", &format!("/schemas/{USER}")).status, 404, "it is the server's");
    assert_eq!(
        acme.admin("GET", "/schemas").json()["schemas"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["own"] == true)
            .count(),
        0
    );
}
