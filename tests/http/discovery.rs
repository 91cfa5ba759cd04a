//! What the server says about itself.

use muster::access::Scope;
use muster::id::TenantId;
use muster::scim::registry::Registry;
use serde_json::{Map, Value, json};

use crate::kit::App;

fn open(app: &App, path: &str) -> Value {
    let answer = app.request("GET", &format!("/scim/v2{path}")).send();
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    answer.json()
}

/// Every member of `document` is declared in `attributes`, at any depth.
fn check_declared(document: &Map<String, Value>, attributes: &[Value], place: &str) {
    for (name, value) in document {
        // The schema of schemas is the one that describes itself: there, sub-attributes have sub-attributes.
        if name == "subAttributes" && place == "Schema.attributes.subAttributes" {
            continue;
        }
        let declared = attributes.iter().find(|attribute| attribute["name"] == json!(name));
        let attribute =
            declared.unwrap_or_else(|| panic!("{place} shows {name}, which its schema does not declare"));
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        assert_eq!(value.is_array(), attribute["multiValued"] == true, "{place}.{name}");
        let subs = attribute["subAttributes"].as_array().cloned().unwrap_or_default();
        for object in values.iter().filter_map(Value::as_object) {
            check_declared(object, &subs, &format!("{place}.{name}"));
        }
    }
}

#[test]
fn a_discovery_document_shows_only_what_its_schema_declares_and_says_where_it_is() {
    let app = App::start();
    let mut documents = vec![open(&app, "/ServiceProviderConfig")];
    for path in ["/ResourceTypes", "/Schemas"] {
        documents.extend(open(&app, path)["Resources"].as_array().unwrap().clone());
    }
    assert_eq!(documents.len(), 1 + 2 + 7);
    for document in documents {
        let urn = document["schemas"][0].as_str().unwrap();
        let kind = urn.rsplit(':').next().unwrap();
        assert_eq!(document["meta"]["resourceType"], json!(kind));
        let location = document["meta"]["location"].as_str().unwrap();
        let path = location.strip_prefix(&format!("http://{}/scim/v2", app.address)).unwrap();
        assert_eq!(open(&app, path), document);
        let mut own = document.as_object().unwrap().clone();
        for common in ["schemas", "id", "meta"] {
            own.remove(common);
        }
        let schema = open(&app, &format!("/Schemas/{urn}"));
        check_declared(&own, schema["attributes"].as_array().unwrap(), kind);
    }
}

#[test]
fn the_configuration_says_what_is_true() {
    let config = open(&App::start(), "/ServiceProviderConfig");
    let expected = json!({
        "patch": true, "bulk": true, "filter": true, "changePassword": true, "sort": true, "etag": true,
    });
    for (feature, supported) in expected.as_object().unwrap() {
        assert_eq!(&config[feature]["supported"], supported, "{feature}");
    }
    assert_eq!(config["filter"]["maxResults"], 1000);
    assert_eq!(config["bulk"]["maxPayloadSize"], 4 * 1024 * 1024);
    assert_eq!(config["bulk"]["maxOperations"], 1000);
    let pagination = json!({
        "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
        "maxPageSize": 1000, "cursorTimeout": 3600,
    });
    assert_eq!(config["pagination"], pagination);
    let schemes = config["authenticationSchemes"].as_array().unwrap();
    assert_eq!((schemes.len(), &schemes[0]["type"]), (1, &json!("oauthbearertoken")));
    assert_eq!(config.get("id"), None);
}

#[test]
fn lists_are_whole_whatever_else_is_asked() {
    let app = App::start();
    for path in ["/ResourceTypes", "/Schemas"] {
        let all = open(&app, path);
        assert_eq!(all["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
        let count = all["Resources"].as_array().unwrap().len();
        assert_eq!(
            (&all["totalResults"], &all["itemsPerPage"], &all["startIndex"]),
            (&json!(count), &json!(count), &json!(1))
        );
        for query in
            ["?count=1&startIndex=2", "?sortBy=%zz", "?attributes=id&excludedAttributes=id", "/?x", "?"]
        {
            assert_eq!(open(&app, &format!("{path}{query}")), all, "{query}");
        }
    }
}

#[test]
fn a_filter_on_discovery_is_forbidden() {
    let app = App::start();
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/ResourceTypes/User"] {
        for query in ["?filter=id+pr", "?a=b&filter=", "?filter"] {
            app.request("GET", &format!("/scim/v2{path}{query}")).send().error(403, None);
        }
    }
}

#[test]
fn a_name_is_found_by_its_own_rules() {
    let app = App::start();
    let user = "urn:ietf:params:scim:schemas:core:2.0:User";
    for spelling in [user, &user.to_uppercase(), &user.replace(':', "%3A"), &format!("{user}/")] {
        assert_eq!(open(&app, &format!("/Schemas/{spelling}"))["id"], json!(user));
    }
    let kind = open(&app, "/ResourceTypes/User");
    assert_eq!((&kind["id"], &kind["endpoint"]), (&json!("User"), &json!("/Users")));
    for path in ["/ResourceTypes/user", "/ResourceTypes/Device", "/Schemas/urn:x", "/ResourceTypes/User/x"] {
        assert!([401, 404].contains(&app.request("GET", &format!("/scim/v2{path}")).send().status), "{path}");
    }
    app.request("GET", "/scim/v2/Schemas/urn:ietf:params:scim:api:messages:2.0:ListResponse")
        .send()
        .error(404, None);
}

#[test]
fn a_resource_type_of_ones_own_is_served_like_the_others() {
    let urn = "urn:example:params:scim:schemas:Device";
    let documents = [
        (
            "device.json".to_owned(),
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": urn, "name": "Device",
                "attributes": [{"name": "serial", "required": true}],
            }),
        ),
        (
            "device.type.json".to_owned(),
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "name": "Device", "endpoint": "/Devices", "schema": urn,
            }),
        ),
    ];
    let app = App::with(muster::http::Settings::default(), Registry::with(&documents).unwrap());
    assert_eq!(open(&app, "/ResourceTypes/Device")["endpoint"], "/Devices");
    let made = app.post("/Devices", &json!({"schemas": [urn], "serial": "7"}));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(app.get("/Devices").json()["totalResults"], 1);
    assert_eq!(app.get("/").json()["totalResults"], 1);
}

/// The profiles that are stricter than the RFCs say so to those that they serve (IOP-01, IPSIE-AL2-03).
#[test]
fn the_configuration_and_the_schemas_are_those_of_the_tokens_profile() {
    let app = App::start();
    let mut found = Vec::new();
    for profile in ["default", "strict", "interop", "ipsie"] {
        let token = app.new_token(TenantId::DEFAULT, Scope::Scim, profile);
        let read = |path: &str| {
            let answer = app.request("GET", &format!("/scim/v2{path}")).token(&token).send();
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        };
        let config = read("/ServiceProviderConfig");
        let one = read("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User");
        let all = read("/Schemas")["Resources"].as_array().unwrap().clone();
        assert!(all.contains(&one));
        let shows = one["attributes"].as_array().unwrap().iter().any(|a| a["name"] == "password");
        found.push((
            config["interopProfileConformant"].clone(),
            config["changePassword"]["supported"].clone(),
            shows,
        ));
    }
    let (none, yes, no) = (Value::Null, json!(true), json!(false));
    let usual = (none, yes.clone(), true);
    assert_eq!(found, [usual.clone(), usual, (yes.clone(), yes.clone(), true), (yes, no, false)]);
    let unknown = app.request("GET", "/scim/v2/ServiceProviderConfig").token("muster_1_x").send();
    unknown.error(401, None);
}

#[test]
fn a_document_is_not_sent_to_a_client_that_has_it() {
    let app = App::start();
    let read = |path: &str, tag: &str| {
        app.request("GET", &format!("/scim/v2{path}")).header("If-None-Match", tag).send()
    };
    let mut tags = Vec::new();
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas"] {
        let whole = read(path, "\"none\"");
        let tag = whole.header("etag").unwrap().to_owned();
        let known = read(path, &tag);
        assert_eq!(
            (known.status, known.body.as_str(), known.header("etag")),
            (304, "", Some(&*tag)),
            "{path}"
        );
        tags.push(tag);
    }
    let ipsie = app.new_token(TenantId::DEFAULT, Scope::Scim, "ipsie");
    let other = app.request("GET", "/scim/v2/Schemas").token(&ipsie).header("If-None-Match", &tags[3]).send();
    assert_eq!(other.status, 200, "its profile sees other schemas");
    tags.dedup();
    assert_eq!(tags.len(), 4);
    read("/Schemas/urn:x", "*").error(404, None);
}
