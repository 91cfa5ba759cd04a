//! Text of many scripts, as clients send it and get it back.

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{App, user};

const IDENTIFIERS: &str = "urn:muster:params:scim:schemas:extension:identifiers:2.0:User";

/// RFC 8265 §3.3; what it does not say is in reading A39.
#[test]
fn user_names_of_every_script_are_taken_shown_as_sent_and_unique() {
    let app = App::start();
    for (name, same, other) in [
        ("Éva", "e\u{301}VA", "eva"),
        ("Straße", "STRAßE", "strasse"),
        ("İpek", "i\u{307}pek", "ipek"),
        ("ΟΔΟΣ", "οδος", "οδός"),
        ("ｊｏｈｎ", "John", "johN1"),
        ("Ångström", "A\u{30a}NGSTRO\u{308}M", "Angstrom"),
        ("דנה", "דנה", "דנה1"),
        ("محمد علي", "محمد علي", "محمد"),
        ("דנה@Dogma.example", "דנה@dogma.EXAMPLE", "דנה@dogma.test"),
        ("中村", "中村", "中\u{6751}子"),
        ("नमस्ते", "नमस्ते", "नमस्त"),
    ] {
        let made = app.post("/Users", &user(name));
        assert_eq!((made.status, &made.json()["userName"]), (201, &json!(name)), "{made:?}");
        app.post("/Users", &user(same)).error(409, Some("uniqueness"));
        let made = app.post("/Users", &user(other));
        assert_eq!(made.status, 201, "{other}: {made:?}");
    }
}

#[test]
fn user_names_that_rfc_8265_forbids_are_refused_and_the_rest_of_a_user_may_be_anything() {
    let app = App::start();
    for name in ["😀", "a\u{200d}b", "Ⅷ", "ﬁ", "a\u{202e}b", "x♥", "\u{301}a\u{e000}", "אa"] {
        let detail = app.post("/Users", &user(name)).error(400, Some("invalidValue"));
        assert!(detail.contains("userName"), "{detail}");
    }
    let mut body = user("ann");
    body["displayName"] = json!("👩🏽\u{200d}💻 Ann \u{202e}nnA ﬁ\u{301}");
    body["name"] = json!({"givenName": "  אַנָּה ", "familyName": "𠮷野"});
    let made = app.post("/Users", &body).json();
    let got = app.get(&format!("/Users/{}", made["id"].as_str().unwrap())).json();
    for part in ["displayName", "name"] {
        assert_eq!(got[part], body[part]);
    }
}

#[test]
fn a_patch_finds_a_value_whichever_way_it_is_composed() {
    let app = App::start();
    let mut body = user("ann");
    body["emails"] = json!([{"value": "Éva@münchen.example", "type": "work"}, {"value": "😀@x.example"}]);
    let path = format!("/Users/{}", app.post("/Users", &body).json()["id"].as_str().unwrap());
    let patched = app.patch(&path, &json!([
        {"op": "replace", "path": "emails[value eq \"e\u{301}va@MÜNCHEN.example\"].display", "value": "É"},
        {"op": "remove", "path": "emails[value sw \"😀\"]"},
        {"op": "add", "path": "emails", "value": [{"value": "E\u{301}VA@münchen.example", "type": "work", "primary": true}]},
    ]));
    assert_eq!(patched.status, 200, "{patched:?}");
    let emails = patched.json()["emails"].clone();
    assert_eq!(emails.as_array().unwrap().len(), 1, "{emails}");
    assert_eq!((&emails[0]["display"], &emails[0]["primary"]), (&json!("É"), &json!(true)));
}

#[test]
fn an_address_is_one_whichever_way_its_domain_is_written_and_a_number_in_whichever_script() {
    let app = App::start();
    app.set_policies(TenantId::DEFAULT, &["identifier-uniqueness=all", "default-phone-region=CH"]);
    let token = app.new_token(TenantId::DEFAULT, Scope::Identity, "default");
    let mut body = user("ann");
    body["emails"] = json!([{"value": "Ä@München.example"}]);
    body["phoneNumbers"] = json!([{"value": "\u{202a}٠٧٩ ١٢٣ ٤٥ ٦٧\u{202c}"}]);
    let made = app.post("/Users", &body).json();
    assert_eq!(made["emails"][0]["value"], "Ä@München.example");
    assert_eq!(made[IDENTIFIERS]["emails"][0]["canonical"], "ä@münchen.example");
    assert_eq!(made[IDENTIFIERS]["phoneNumbers"][0]["canonical"], "+41791234567");
    for (attribute, value, status) in [
        ("emails", "a\u{308}@xn--mnchen-3ya.example", 409),
        ("emails", "ä@munchen.example", 201),
        ("phoneNumbers", "+41 79 123 45 67", 409),
        ("phoneNumbers", "+४१ ७९ १२३ ४५ ६८", 201),
        ("emails", "straße@x.example", 201),
        ("emails", "strasse@x.example", 201),
    ] {
        let mut body = user(&format!("u{}", value.len()));
        body["userName"] = json!(format!("user-{}", muster::id::ResourceId::generate()));
        body[attribute] = json!([{"value": value}]);
        assert_eq!(app.post("/Users", &body).status, status, "{value}");
    }
    let find = |query: &str| {
        let answer = app.request("GET", &format!("/identity/v1/users/by/{query}")).token(&token).send();
        answer.json().get("user_name").cloned().unwrap_or(Value::Null)
    };
    assert_eq!(find("email/%C3%84@XN--MNCHEN-3YA.example"), "ann");
    assert_eq!(find("phone/%d9%a0%d9%a7%d9%a9%d9%a1%d9%a2%d9%a3%d9%a4%d9%a5%d9%a6%d9%a7"), "ann");
}
