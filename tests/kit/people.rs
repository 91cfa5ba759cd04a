//! Random resources, made from the schemas: the same seed gives the same ones.

use std::sync::Arc;

use chrono::DateTime;
use muster::contact;
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::resource::Resource;
use muster::scim::schema::{Attribute, Kept, Returned, Type, Uniqueness};
use muster::scim::urn;
use serde_json::{Map, Value, json};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % end as u64).unwrap()
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The built-in schemas, a type with the data types that they lack, and e-mail addresses with one more part.
pub fn registry() -> Registry {
    let built_in = Registry::built_in().unwrap();
    let mut user = Value::Object(built_in.schema(urn::USER).unwrap().to_json());
    let attributes = user["attributes"].as_array_mut().unwrap();
    let emails = attributes.iter_mut().find(|attribute| attribute["name"] == "emails").unwrap();
    emails["subAttributes"].as_array_mut().unwrap().push(json!({"name": "note"}));
    let device = json!({
        "schemas": [urn::SCHEMA], "id": "urn:example:Device", "name": "Device",
        "attributes": [
            {"name": "serial", "caseExact": true, "uniqueness": "server"},
            {"name": "label"},
            {"name": "ports", "type": "integer", "multiValued": true},
            {"name": "weight", "type": "decimal"},
            {"name": "bought", "type": "dateTime"},
            {"name": "print", "type": "binary"},
            {"name": "tags", "multiValued": true},
            {"name": "owner", "type": "reference", "referenceTypes": ["User"]},
            {"name": "parts", "type": "complex", "multiValued": true, "subAttributes": [
                {"name": "value"}, {"name": "colours", "multiValued": true}, {"name": "count", "type": "integer"}]}
        ]
    });
    let kind = json!({
        "schemas": [urn::RESOURCE_TYPE], "name": "Device", "endpoint": "/Devices", "schema": "urn:example:Device"
    });
    let more = [("user.json", user), ("device.json", device), ("device.type.json", kind)];
    Registry::with(&more.map(|(name, document)| (name.to_owned(), document))).unwrap()
}

pub const TEXTS: [&str; 24] = [
    "",
    "a",
    "b",
    "ab",
    "abc",
    "A",
    "aB",
    "ba",
    "work",
    "home",
    "Work",
    "Åsa",
    "A\u{30a}sa",
    "STRASSE",
    "straße",
    "e\u{301}",
    "日本語",
    "🙂🙂",
    "  two  ",
    "100%_\\",
    "it's \"x\"",
    "jane@example.com",
    "Jane@Example.com",
    "\u{fffd}z",
];

const PHONES: [&str; 6] = [
    "tel:+1-201-555-0123",
    "+1 (201) 555.0123",
    "+12015550123",
    "555-0100",
    "ext 12",
    "tel:7042;phone-context=x",
];

/// Where values may be longer than an index takes.
const LONG: [&str; 5] = ["nickName", "emails.value", "phoneNumbers.value", "tags", "roles.value"];

pub fn text(random: &mut Random, path: &str) -> String {
    if LONG.contains(&path) && random.percent(15) {
        let unit = *random.pick(&["x", "é", "€", "🙂", "\u{1}"]);
        let lead = "a".repeat(random.below(3));
        let tail = *random.pick(&["", "y", "\u{1}", "z"]);
        return format!("{lead}{}{tail}", unit.repeat((245 + random.below(80)) / unit.len()));
    }
    if path == "phoneNumbers.value" && random.percent(80) {
        return (*random.pick(&PHONES)).to_owned();
    }
    (*random.pick(&TEXTS)).to_owned()
}

fn simple(random: &mut Random, attribute: &Attribute, index: usize) -> Value {
    match attribute.kind {
        Type::Boolean => json!(random.percent(50)),
        Type::Integer => json!(*random.pick(&[-3, 0, 1, 7, 22, 443, i64::MAX])),
        Type::Decimal => json!(*random.pick(&[-2.5, 0.0, 1.0, 1.5, 1e9])),
        Type::DateTime => json!(*random.pick(&[
            "2020-01-01T00:00:00Z",
            "2021-05-05T10:00:00.5+02:00",
            "2022-02-02T02:02:02"
        ])),
        Type::Binary => json!(*random.pick(&["AAAA", "AQI=", "/+8="])),
        Type::Reference => json!(format!("https://x.example/v2/Users/{}", random.below(5))),
        Type::String | Type::Complex if attribute.uniqueness == Uniqueness::None => {
            json!(text(random, &attribute.path))
        }
        Type::String | Type::Complex => json!(format!("{}-{index}", text(random, &attribute.path))),
    }
}

fn one(random: &mut Random, attribute: &Attribute, index: usize) -> Value {
    if attribute.kind != Type::Complex {
        return simple(random, attribute, index);
    }
    let mut parts = Map::new();
    while parts.is_empty() {
        for sub in &attribute.sub_attributes {
            if random.percent(55) {
                parts.insert(sub.name.clone(), value(random, sub, index));
            }
        }
    }
    Value::Object(parts)
}

fn value(random: &mut Random, attribute: &Attribute, index: usize) -> Value {
    if attribute.multi_valued {
        let length = 1 + random.below(3);
        return (0..length).map(|_| one(random, attribute, index)).collect();
    }
    one(random, attribute, index)
}

/// The document of a random resource; `index` keeps unique values apart.
pub fn document(random: &mut Random, kind: &ResourceType, index: usize) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("schemas".into(), json!([&*kind.schema.id]));
    let is_kept = |a: &&Arc<Attribute>| {
        !matches!(a.kept, Kept::Header | Kept::Members | Kept::Groups)
            && a.returned != Returned::Never
            && a.name != "schemas"
    };
    for attribute in kind.attributes.iter().filter(is_kept) {
        if attribute.uniqueness != Uniqueness::None || random.percent(45) {
            body.insert(attribute.name.clone(), value(random, attribute, index));
        }
    }
    for extension in kind.extensions.iter().filter(|extension| &*extension.schema.id != urn::IDENTIFIERS) {
        let mut container = Map::new();
        for attribute in extension.schema.attributes.iter().filter(|a| a.returned != Returned::Never) {
            if random.percent(40) {
                container.insert(attribute.name.clone(), value(random, attribute, index));
            }
        }
        if !container.is_empty() {
            body.insert(extension.schema.id.to_string(), Value::Object(container));
        }
    }
    known(random, kind, body)
}

/// The document with what the server knows of its addresses and numbers, some of which are verified.
fn known(random: &mut Random, kind: &ResourceType, body: Map<String, Value>) -> Map<String, Value> {
    if kind.extension(urn::IDENTIFIERS).is_none() {
        return body;
    }
    let now = DateTime::UNIX_EPOCH;
    let settle = |resource, policy| contact::settle(kind, "u", resource, policy, now).unwrap();
    let mut body = settle(Resource::stored(body, None), contact::Policy::default()).into_body();
    for name in ["emails", "phoneNumbers"] {
        let entries = body.get_mut(urn::IDENTIFIERS).and_then(|container| container.get_mut(name));
        for entry in entries.and_then(Value::as_array_mut).into_iter().flatten() {
            if random.percent(40) {
                entry["verified"] = json!(true);
                entry["verificationSource"] = json!(*random.pick(&["otp", "admin", "Other"]));
                entry["verifiedAt"] =
                    json!(*random.pick(&["2020-01-01T00:00:00Z", "2021-05-05T10:00:00.5Z"]));
            }
        }
    }
    settle(Resource::stored(body, None), contact::Policy::default()).into_body()
}
