//! PATCH by parts is PUT of the whole: a body's attributes one by one, each in one of the ways that a PATCH has, make of
//! a resource what the body makes of it, or both are refused.

use std::sync::{Arc, LazyLock};

use muster::scim::admit::Rules;
use muster::scim::patch::PatchRequest;
use muster::scim::registry::ResourceType;
use muster::scim::resource::Resource;
use muster::scim::schema::{Attribute, Mutability};
use proptest::collection::vec;
use proptest::{prop_assert_eq, prop_assume, proptest};
use serde_json::{Map, Value, json};

use crate::bodies::{body, choose_primary, is_writable, value};
use crate::directory::{created, kind};
use crate::patches::patch_op;

static DEVICE: LazyLock<Arc<ResourceType>> = LazyLock::new(|| kind("Device"));
static USER: LazyLock<Arc<ResourceType>> = LazyLock::new(|| kind("User"));

/// What a PUT leaves as it is when the body has no value for it (readings A19 and A23).
fn stays(attribute: &Attribute, is_mentioned: bool) -> bool {
    attribute.mutability == Mutability::Immutable || attribute.is_protected() && !is_mentioned
}

/// The operations that say what a body says, in ways that `choices` picks.
struct Parts<'a> {
    /// What is admitted of the body.
    canonical: Map<String, Value>,
    choices: std::iter::Cycle<std::slice::Iter<'a, usize>>,
    /// Whether `replace` of a complex attribute clears what it does not name.
    replace_whole: bool,
    operations: Vec<Value>,
}

impl Parts<'_> {
    fn pick(&mut self, ways: usize) -> usize {
        self.choices.next().unwrap() % ways
    }

    fn push(&mut self, op: &str, path: &str, value: &Value) {
        let operation = match op {
            "remove" => json!({"op": op, "path": path}),
            _ => json!({"op": op, "path": path, "value": value}),
        };
        self.operations.push(operation);
    }

    fn resource(&mut self, kind: &ResourceType, body: &Map<String, Value>) {
        for attribute in kind.attributes.iter().filter(|attribute| is_writable(attribute)) {
            let has_value = self.canonical.contains_key(&attribute.name);
            self.attribute(attribute, body.get(&attribute.name), has_value);
        }
        for extension in &kind.extensions {
            let id = &*extension.schema.id;
            let canonical = self.canonical.get(id).cloned().unwrap_or_default();
            let can_be_empty = extension.schema.attributes.iter().all(|attribute| !attribute.required);
            match body.get(id) {
                Some(Value::Object(container)) if can_be_empty || canonical.is_object() => {
                    for attribute in
                        extension.schema.attributes.iter().filter(|attribute| is_writable(attribute))
                    {
                        let has_value = canonical.get(&attribute.name).is_some();
                        self.attribute(attribute, container.get(&attribute.name), has_value);
                    }
                }
                _ => self.push("remove", id, &Value::Null),
            }
        }
    }

    fn attribute(&mut self, attribute: &Attribute, given: Option<&Value>, has_value: bool) {
        let path = &attribute.path;
        match given {
            _ if !has_value && stays(attribute, given.is_some()) => {}
            Some(value) if has_value && attribute.multi_valued => self.values(attribute, value),
            Some(Value::Object(parts)) if has_value => self.complex(attribute, parts),
            Some(value) if self.pick(2) == 0 && !value.is_object() => self.push("replace", path, value),
            Some(value) if has_value => self.push("add", path, value),
            _ => self.push("remove", path, &Value::Null),
        }
    }

    fn values(&mut self, attribute: &Attribute, values: &Value) {
        let path = &attribute.path;
        let all = values.as_array().unwrap();
        // What is immutable is given at once or not at all.
        match self.pick(if attribute.mutability == Mutability::Immutable { 1 } else { 4 }) {
            0 => self.push("replace", path, values),
            1 => {
                self.push("remove", path, &Value::Null);
                all.iter().for_each(|value| self.push("add", path, value));
            }
            2 => {
                let (some, others) = all.split_at(all.len() / 2);
                self.push("replace", path, &json!(some));
                self.push("add", path, &json!(others));
            }
            _ => {
                self.push("remove", path, &Value::Null);
                let nested = match attribute.extension.as_deref() {
                    Some(id) => json!({id: {attribute.name.as_str(): values}}),
                    None => json!({attribute.name.as_str(): values}),
                };
                self.operations.push(json!({"op": "add", "value": nested}));
            }
        }
    }

    fn complex(&mut self, attribute: &Attribute, parts: &Map<String, Value>) {
        let is_none =
            |sub: &Attribute| parts.get(&sub.name).is_none_or(|value| *value == json!("") || value.is_null());
        let subs = attribute.sub_attributes.iter().filter(|sub| sub.mutability != Mutability::ReadOnly);
        let subs: Vec<_> = subs.filter(|sub| !(is_none(sub) && stays(sub, false))).collect();
        if self.replace_whole || self.pick(2) == 0 {
            // Who merges has to name what goes.
            let given = |sub: &Attribute| {
                parts.get(&sub.name).cloned().or((!self.replace_whole).then_some(Value::Null))
            };
            let value: Map<_, _> =
                subs.iter().filter_map(|sub| Some((sub.name.clone(), given(sub)?))).collect();
            return self.push("replace", &attribute.path, &json!(value));
        }
        for sub in subs {
            match parts.get(&sub.name) {
                Some(value) => self.push("replace", &sub.path, value),
                None => self.push("remove", &sub.path, &Value::Null),
            }
        }
    }
}

/// What a PUT of the body makes of the resource, and what a PATCH by its parts makes; none where it is refused.
fn both(
    kind: &ResourceType,
    before: &Resource,
    body: &Map<String, Value>,
    choices: &[usize],
    rules: Rules,
) -> ([Option<Resource>; 2], Vec<Value>) {
    let admitted = kind.admit(body, rules).unwrap();
    let canonical = admitted.resource.body().clone();
    let put = before.replaced(kind, &admitted);
    let choices = choices.iter().cycle();
    let mut parts = Parts { canonical, choices, replace_whole: rules.replace_whole, operations: Vec::new() };
    parts.resource(kind, body);
    let request = PatchRequest::parse(&patch_op(&parts.operations), kind, rules, false).unwrap();
    let patched = request.apply(before, kind, false).map(|after| after.unwrap_or_else(|| before.clone()));
    ([put.ok(), patched.ok()], parts.operations)
}

/// The parts of a device with these numbers, one of them the primary one or none.
fn numbered(mut parts: Vec<Value>, leader: usize) -> Value {
    for (index, part) in parts.iter_mut().enumerate() {
        part["number"] = json!(format!("n{index}"));
    }
    choose_primary(&mut parts, leader);
    Value::Array(parts)
}

/// The operations that make one value of `parts` what another one is, as a whole or sub-attribute by sub-attribute.
fn exchange(attribute: &Attribute, new: &Value, as_a_whole: bool) -> Vec<Value> {
    let path = format!("parts[number eq {}]", new["number"]);
    if as_a_whole {
        return vec![json!({"op": "replace", "path": path, "value": new})];
    }
    let subs = attribute.sub_attributes.iter().filter(|sub| !matches!(&*sub.name, "number" | "maker"));
    subs.map(|sub| match new.get(&sub.name) {
        Some(value) => json!({"op": "replace", "path": format!("{path}.{}", sub.name), "value": value}),
        None => json!({"op": "remove", "path": format!("{path}.{}", sub.name)}),
    })
    .collect()
}

proptest! {
    #[test]
    fn a_patch_of_every_attribute_of_a_device_is_a_put_of_the_whole(
        (old, new) in (body(&DEVICE), body(&DEVICE)),
        choices in vec(0..12usize, 1..12),
        replace_whole in proptest::bool::ANY,
    ) {
        let before = created(&DEVICE, old, Rules::default());
        prop_assume!(before.is_ok());
        let rules = Rules { replace_whole, ..Rules::default() };
        let ([put, patched], operations) = both(&DEVICE, &before.unwrap(), &new, &choices, rules);
        prop_assert_eq!(put, patched, "{}", json!(operations));
    }

    #[test]
    fn a_patch_of_every_attribute_of_a_user_is_a_put_of_the_whole(
        (old, new) in (body(&USER), body(&USER)),
        choices in vec(0..12usize, 1..12),
        replace_whole in proptest::bool::ANY,
    ) {
        let before = created(&USER, old, Rules::default());
        prop_assume!(before.is_ok());
        let rules = Rules { replace_whole, check_formats: true, ..Rules::default() };
        let ([put, patched], operations) = both(&USER, &before.unwrap(), &new, &choices, rules);
        prop_assert_eq!(put, patched, "{}", json!(operations));
    }

    #[test]
    fn a_patch_of_every_value_of_an_attribute_is_a_put_of_all_of_them(
        parts in vec((value(DEVICE.attribute("parts").unwrap()), value(DEVICE.attribute("parts").unwrap())), 1..4),
        leaders in (0..6usize, 0..6usize),
        choices in vec(proptest::bool::ANY, 4),
    ) {
        let attribute = DEVICE.attribute("parts").unwrap();
        let (old, mut new): (Vec<Value>, Vec<Value>) = parts.into_iter().unzip();
        // One by one, what is immutable is given as it is.
        for ((old, new), _) in old.iter().zip(&mut new).zip(&choices).filter(|(_, as_a_whole)| !**as_a_whole) {
            new["maker"] = old["maker"].clone();
        }
        let (old, new) = (numbered(old, leaders.0), numbered(new, leaders.1));
        let device = |parts: &Value| json!({"schemas": [*DEVICE.schema.id], "serial": "S", "parts": parts});
        let before = created(&DEVICE, device(&old).as_object().unwrap().clone(), Rules::default()).unwrap();
        let body = device(&new);
        let put = before.replaced(&DEVICE, &DEVICE.admit(body.as_object().unwrap(), Rules::default()).unwrap()).unwrap();
        let operations: Vec<_> = new.as_array().unwrap().iter().zip(choices)
            .flat_map(|(new, as_a_whole)| exchange(attribute, new, as_a_whole))
            .collect();
        let request = PatchRequest::parse(&patch_op(&operations), &DEVICE, Rules::default(), false).unwrap();
        let patched = request.apply(&before, &DEVICE, false).unwrap().unwrap_or(before);
        prop_assert_eq!(put, patched, "{}", json!(operations));
    }
}
