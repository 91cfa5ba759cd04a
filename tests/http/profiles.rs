//! What the profiles and policies of a tenant change for those whom they serve.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::json;

use crate::kit::{App, user};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

#[test]
fn interop_refuses_what_its_profile_does_not_define() {
    let app = App::start();
    let path = format!("/scim/v2/Users/{}", app.new_user("ann"));
    let token = app.new_token(TenantId::DEFAULT, Scope::Scim, "interop");
    let mut body = user("bob");
    body["colour"] = json!("red");
    let refused = app.request("POST", "/scim/v2/Users").token(&token).json(&body).send();
    assert!(refused.error(400, Some("invalidSyntax")).contains("colour"));
    let patch = |operation: serde_json::Value| {
        let message = json!({"schemas": [PATCH], "Operations": [operation]});
        app.request("PATCH", &path).token(&token).json(&message).send()
    };
    let refused = patch(json!({"op": "replace", "value": {"title": "T"}}));
    assert!(refused.error(400, Some("invalidSyntax")).contains("Operations[0]: path"));
    let name = |value: serde_json::Value| json!({"op": "replace", "path": "name", "value": value});
    assert_eq!(patch(name(json!({"givenName": "A", "familyName": "B"}))).status, 200);
    assert_eq!(patch(name(json!({"givenName": "C"}))).json()["name"], json!({"givenName": "C"}));
}

#[test]
fn ipsie_takes_no_passwords_in_any_way() {
    let app = App::start();
    let path = format!("/scim/v2/Users/{}", app.new_user("ann"));
    let token = app.new_token(TenantId::DEFAULT, Scope::Scim, "ipsie");
    let mut body = user("ann");
    body["password"] = json!("correct horse");
    let patch =
        json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "password", "value": "x"}]});
    for (method, path, body) in
        [("POST", "/scim/v2/Users", &body), ("PUT", path.as_str(), &body), ("PATCH", path.as_str(), &patch)]
    {
        let detail =
            app.request(method, path).token(&token).json(body).send().error(400, Some("invalidSyntax"));
        assert!(detail.contains("password") && !detail.contains("horse"), "{detail}");
    }
}

#[test]
fn external_ids_are_unique_in_a_type_where_the_tenant_wants_it() {
    let app = App::start();
    let with = |name: &str, id: &str| {
        let mut body = user(name);
        body["externalId"] = json!(id);
        app.post("/Users", &body)
    };
    assert_eq!((with("ann", "1").status, with("bob", "1").status, with("cid", "2").status), (201, 201, 201));
    let refused = crate::kit::wait(
        app.access.change_overrides(TenantId::DEFAULT, |own| own.set("unique-external-ids=on")),
    );
    assert!(refused.unwrap_err().to_string().contains("externalId"));
    let bob = app.get("/Users?filter=userName%20eq%20%22bob%22").json();
    assert_eq!(app.delete(&format!("/Users/{}", bob["Resources"][0]["id"].as_str().unwrap())).status, 204);
    app.set_policies(TenantId::DEFAULT, &["unique-external-ids=on"]);
    with("dan", "2").error(409, Some("uniqueness"));
    assert_eq!(with("dan", "02").status, 201);
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G", "externalId": "2"});
    assert_eq!(app.post("/Groups", &group).status, 201);
    app.post("/Groups", &group).error(409, Some("uniqueness"));
}

/// IPSIE-AL2-07, reading A12.
#[test]
fn the_first_token_of_ipsie_makes_names_of_groups_unique_for_the_tenant_unless_it_has_decided() {
    let app = App::start();
    let tenants = ["new", "decided", "full"].map(|name| app.new_tenant(name));
    let scim = tenants.map(|tenant| app.new_token(tenant, Scope::Scim, "default"));
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Staff"});
    let make = |token: &str| app.request("POST", "/scim/v2/Groups").token(token).json(&group).send();
    app.set_policies(tenants[1], &["unique-group-names=off"]);
    let ipsie = [tenants[0], tenants[1]].map(|tenant| app.new_token(tenant, Scope::Scim, "ipsie"));
    assert_eq!(make(&ipsie[0]).status, 201);
    make(&ipsie[0]).error(409, Some("uniqueness"));
    make(&scim[0]).error(409, Some("uniqueness"));
    assert_eq!([&ipsie[1], &scim[1], &ipsie[1]].map(|token| make(token).status), [201; 3]);
    assert_eq!([&scim[2], &scim[2]].map(|token| make(token).status), [201; 2]);
    let admin = app.new_token(tenants[2], Scope::Admin, "default");
    let wanted = json!({"name": "idp", "scopes": ["scim"], "profile": "ipsie"});
    let refused = app.request("POST", "/admin/v1/tokens").token(&admin).json(&wanted).send();
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(
        refused.body.contains("unique-group-names=on") && refused.body.contains("displayName"),
        "{refused:?}"
    );
}
