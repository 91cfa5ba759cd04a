//! JSON objects as resources and their parts are: a few members, mostly in the schema's order.
//!
//! Invariant: what is answered here is what the object's own methods answer. They hash each name, which costs more than to
//! compare it with a dozen others; so that is left to objects of many members.

use serde_json::{Map, Value};

/// As many members are few.
const FEW: usize = 32;

/// The member of that name.
pub(crate) fn get<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if object.len() > FEW {
        return object.get(name);
    }
    object.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// Whether two objects have the same members, in any order.
pub(crate) fn same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len() && pairs(a, b).all(|(_, a, b)| b.is_some_and(|b| same_value(a, b)))
}

/// The names of the members that only one of them has, or that have another value in each.
pub(crate) fn differing<'a>(a: &'a Map<String, Value>, b: &'a Map<String, Value>) -> Vec<&'a str> {
    let altered = pairs(a, b).filter(|(_, a, b)| b.is_none_or(|b| !same_value(a, b))).map(|(name, ..)| name);
    let added = pairs(b, a).filter(|(_, _, a)| a.is_none()).map(|(name, ..)| name);
    altered.chain(added).collect()
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => same(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (a, b) => a == b,
    }
}

/// The members of one object, each with its value in another. It is looked for where the last one was found first: most
/// objects have their members in the same order.
fn pairs<'a>(
    a: &'a Map<String, Value>,
    b: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a str, &'a Value, Option<&'a Value>)> {
    let mut next = b.iter();
    a.iter().map(move |(name, value)| {
        let beside = next.next().filter(|(other, _)| *other == name).map(|(_, value)| value);
        (name.as_str(), value, beside.or_else(|| get(b, name)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Objects of a few names, some of them with more members than are few.
    fn objects() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(null)), Just(json!(1)), Just(json!("a")), Just(json!([]))];
        leaf.prop_recursive(3, 60, 40, |inner| {
            let name = prop_oneof![4 => 0..4usize, 1 => 0..60usize].prop_map(|number| format!("n{number}"));
            let object = prop::collection::vec((name, inner.clone()), 0..40)
                .prop_map(|members| Value::Object(members.into_iter().collect()));
            prop_oneof![object, prop::collection::vec(inner, 0..3).prop_map(Value::Array)]
        })
        .prop_map(|value| json!({ "a": value.clone(), "n1": value }))
    }

    proptest! {
        #[test]
        fn objects_are_read_and_compared_as_their_own_methods_do(a in objects(), b in objects()) {
            for (a, b) in [(&a["a"], &b["a"]), (&a, &a), (&a, &b)] {
                prop_assert_eq!(same_value(a, b), a == b);
                let (Value::Object(a), Value::Object(b)) = (a, b) else { continue };
                let mut names: Vec<&str> = a.keys().chain(b.keys()).map(String::as_str).collect();
                names.push("unknown");
                for name in &names {
                    prop_assert_eq!(get(a, name), a.get(*name));
                }
                names.retain(|name| a.get(*name) != b.get(*name));
                let mut found = differing(a, b);
                names.sort_unstable();
                names.dedup();
                found.sort_unstable();
                prop_assert_eq!(found, names);
            }
        }
    }

    #[test]
    fn the_order_of_the_members_does_not_matter() {
        let (a, b) = (json!({"x": 1, "y": {"z": 2, "w": 3}}), json!({"y": {"w": 3, "z": 2}, "x": 1}));
        assert!(same_value(&a, &b));
        assert!(!same_value(&a, &json!({"x": 1, "v": {"z": 2, "w": 3}})));
    }
}
