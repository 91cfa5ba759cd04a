//! A tenant's own policies and settings over the administration API.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App};

const SETTINGS: &str = "/admin/v1/settings";

struct Tenant<'a> {
    app: &'a App,
    admin: String,
    scim: String,
}

impl<'a> Tenant<'a> {
    fn of(app: &'a App, tenant: TenantId) -> Self {
        let token = |scope| app.new_token(tenant, scope, "default");
        Self { app, admin: token(Scope::Admin), scim: token(Scope::Scim) }
    }

    fn send(&self, method: &str, name: &str) -> Answer {
        self.app.request(method, &format!("{SETTINGS}{name}")).token(&self.admin).send()
    }

    fn set(&self, name: &str, value: &str) -> Answer {
        let request = self.app.request("PUT", &format!("{SETTINGS}/{name}")).token(&self.admin);
        request.json(&json!({"value": value})).send()
    }

    fn group(&self, name: &str) -> u16 {
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
        self.app.scim("POST", "/Groups").token(&self.scim).json(&group).send().status
    }

    fn listed(&self) -> Vec<Value> {
        let listed = self.send("GET", "");
        assert_eq!(listed.status, 200, "{listed:?}");
        listed.json()["settings"].as_array().unwrap().clone()
    }

    fn overridden(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let own = self.listed().into_iter().filter(|setting| setting["overridden"] == true);
        own.map(|setting| (text(&setting["name"]), text(&setting["value"]))).collect()
    }
}

#[test]
fn a_setting_says_what_it_does_and_what_is_so_in_each_profile() {
    let app = App::start();
    let tenant = Tenant::of(&app, TenantId::DEFAULT);
    let listed = tenant.listed();
    for setting in &listed {
        for member in ["name", "about", "values"] {
            assert!(setting[member].as_str().is_some_and(|text| !text.is_empty()), "{setting}");
        }
        let profiles: Vec<&String> = setting["defaults"].as_object().unwrap().keys().collect();
        assert_eq!(profiles, ["default", "interop", "ipsie", "strict"], "{setting}");
        assert_eq!((setting["overridden"].clone(), setting.get("value")), (json!(false), None));
    }
    let one = tenant.send("GET", "/check-formats").json();
    assert!(listed.contains(&one), "{one}");
    assert_eq!((&one["defaults"]["default"], &one["defaults"]["strict"]), (&json!("off"), &json!("on")));
    assert!(listed.iter().any(|setting| setting["name"] == "identifier-uniqueness"));
}

#[test]
fn a_tenant_decides_for_itself_and_leaves_it_to_the_profiles_again() {
    let app = App::start();
    let (acme, other) = (Tenant::of(&app, app.new_tenant("acme")), Tenant::of(&app, app.new_tenant("other")));
    let set = acme.set("unique-group-names", "on");
    assert_eq!(set.status, 200, "{set:?}");
    assert_eq!((&set.json()["value"], &set.json()["overridden"]), (&json!("on"), &json!(true)));
    assert_eq!((acme.group("Twins"), acme.group("Twins")), (201, 409), "it counts at once");
    assert_eq!((other.group("Twins"), other.group("Twins")), (201, 201), "for this tenant alone");
    assert_eq!(acme.set("default-phone-region", "CH").status, 200);
    assert_eq!(acme.set("sms-code.de", "Ihr Code: {code}").status, 200);
    let own =
        [("unique-group-names", "on"), ("default-phone-region", "CH"), ("sms-code.de", "Ihr Code: {code}")];
    assert_eq!(acme.overridden(), own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(other.overridden(), []);
    for (name, _) in own {
        assert_eq!(acme.send("DELETE", &format!("/{name}")).status, 204, "{name}");
        assert_eq!(acme.send("DELETE", &format!("/{name}")).status, 204, "{name} again");
    }
    assert_eq!(acme.overridden(), []);
    assert_eq!(acme.group("Twins"), 201);
}

#[test]
fn what_cannot_be_set_is_refused_and_changes_nothing() {
    let app = App::start();
    let tenant = Tenant::of(&app, TenantId::DEFAULT);
    for (name, value, status, part) in [
        ("unique-group-names", "yes", 400, "unique-group-names is on or off"),
        ("default-phone-region", "Switzerland", 400, "two letters"),
        ("email-code.de", "no placeholder", 400, "{code}"),
        ("no-such-setting", "on", 404, "no-such-setting"),
        ("CHANNEL-OCCASION.LANGUAGE", "Your code is {code}", 400, "email-code.de"),
    ] {
        let answer = tenant.set(name, value);
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.json()["detail"].as_str().unwrap().contains(part), "{name}: {answer:?}");
    }
    assert_eq!(tenant.send("GET", "/no-such-setting").status, 404);
    assert_eq!(tenant.send("DELETE", "/no-such-setting").status, 404);
    let boolean = app.request("PUT", &format!("{SETTINGS}/check-formats")).token(&tenant.admin);
    assert_eq!(boolean.json(&json!({"value": true})).send().status, 400);
    assert_eq!((tenant.group("Twins"), tenant.group("Twins")), (201, 201));
    let refused = tenant.set("unique-group-names", "on");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.json()["detail"].as_str().unwrap().contains("displayName"), "{refused:?}");
    assert_eq!(tenant.overridden(), []);
}

#[test]
fn of_settings_that_are_changed_at_once_none_is_lost() {
    let app = App::start();
    let tenant = Tenant::of(&app, TenantId::DEFAULT);
    let names = ["check-formats", "patch-no-content", "patch-needs-path", "refuse-unknown-attributes"];
    std::thread::scope(|scope| {
        for name in names {
            let tenant = &tenant;
            scope.spawn(move || assert_eq!(tenant.set(name, "on").status, 200));
        }
    });
    assert_eq!(tenant.overridden().len(), names.len());
}
