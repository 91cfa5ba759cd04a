//! Bodies as clients send them, made from a resource type: every attribute that clients may write, with values, with
//! what counts as none, and left out.

use std::sync::Arc;

use muster::scim::registry::ResourceType;
use muster::scim::schema::{Attribute, Comparison, Kept, Mutability, Type, Uniqueness};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy};
use serde_json::{Map, Value, json};

/// Text that differs in case, composition and width.
const TEXTS: [&str; 11] =
    ["a", "A", "ab", "é", "e\u{301}", "ß", "SS", "a b", "\"\\", "x@y.example", "שלום 🙂"];

/// The body of a resource.
pub(crate) fn body(kind: &ResourceType) -> BoxedStrategy<Map<String, Value>> {
    let extensions: Vec<_> = kind
        .extensions
        .iter()
        .filter(|extension| extension.schema.attributes.iter().any(is_writable))
        .map(|extension| {
            let container = object(&extension.schema.attributes);
            let given = prop_oneof![5 => container.prop_map(Value::Object), 1 => Just(Value::Null)];
            (Just(extension.schema.id.to_string()), given)
        })
        .collect();
    let schemas = json!([&*kind.schema.id]);
    (object(&kind.attributes), extensions)
        .prop_map(move |(mut body, extensions)| {
            body.insert("schemas".to_owned(), schemas.clone());
            body.extend(extensions);
            body
        })
        .boxed()
}

/// Whether a client may write it into the document.
pub(crate) fn is_writable(attribute: &Arc<Attribute>) -> bool {
    attribute.mutability != Mutability::ReadOnly
        && attribute.kept != Kept::Members
        && attribute.name != "schemas"
}

fn object(attributes: &[Arc<Attribute>]) -> BoxedStrategy<Map<String, Value>> {
    let members: Vec<_> = attributes
        .iter()
        .filter(|attribute| is_writable(attribute))
        .map(|attribute| {
            let chance = if attribute.required { 0.97 } else { 0.6 };
            (Just(attribute.name.clone()), weighted(chance, given(attribute)))
        })
        .collect();
    members
        .prop_map(|members| members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
        .boxed()
}

/// A value, all of the values, or none.
fn given(attribute: &Arc<Attribute>) -> BoxedStrategy<Value> {
    let nothing = match attribute.kind {
        _ if attribute.required => return values(attribute),
        _ if attribute.multi_valued => select(vec![json!(null), json!([])]),
        Type::Complex => select(vec![json!(null), json!({})]),
        Type::String | Type::Binary => select(vec![json!(null), json!("")]),
        _ => select(vec![json!(null)]),
    };
    prop_oneof![9 => values(attribute), 1 => nothing].boxed()
}

fn values(attribute: &Arc<Attribute>) -> BoxedStrategy<Value> {
    if !attribute.multi_valued {
        return value(attribute);
    }
    let has_primary = attribute.sub("primary").is_some();
    (vec(value(attribute), 0..4), 0..6usize)
        .prop_map(move |(mut values, leader)| {
            if has_primary {
                choose_primary(&mut values, leader);
            }
            Value::Array(values)
        })
        .boxed()
}

/// Makes the value at that index the primary one, and no other.
pub(crate) fn choose_primary(values: &mut [Value], leader: usize) {
    for (index, parts) in values.iter_mut().enumerate() {
        if index == leader {
            parts["primary"] = json!(true);
        } else if parts["primary"] == json!(true) {
            parts["primary"] = json!(false);
        }
    }
}

/// One value.
pub(crate) fn value(attribute: &Arc<Attribute>) -> BoxedStrategy<Value> {
    let texts: &[&str] = match attribute.path.as_str() {
        "addresses.country" => &["CH", "TR"],
        "locale" | "preferredLanguage" => &["de-CH", "tr"],
        "timezone" => &["Europe/Zurich", "UTC"],
        _ if attribute.comparison == Comparison::UserName => &["ann", "Ann", "ann@x.example", "zoë"],
        _ if attribute.uniqueness != Uniqueness::None => &["S1"],
        _ => &TEXTS,
    };
    let known = attribute.canonical_values.iter().map(|value| json!(value)).collect::<Vec<_>>();
    match attribute.kind {
        Type::Complex => object(&attribute.sub_attributes).prop_map(Value::Object).boxed(),
        Type::String if !known.is_empty() => select(known).boxed(),
        Type::String => select(texts.to_vec()).prop_map(Value::from).boxed(),
        Type::Boolean => proptest::bool::ANY.prop_map(Value::from).boxed(),
        Type::Integer => (-3..12i64).prop_map(Value::from).boxed(),
        Type::Decimal => select(vec![json!(-2.5), json!(0), json!(1.5), json!(1e9)]).boxed(),
        Type::DateTime => {
            select(vec!["2020-01-01T00:00:00Z", "2020-01-01t01:00:00.50+01:00"]).prop_map(Value::from).boxed()
        }
        Type::Binary => select(vec!["MAMCAQE=", "MAMCAQI="]).prop_map(Value::from).boxed(),
        Type::Reference => select(vec!["https://x.example/a", "../Users/1"]).prop_map(Value::from).boxed(),
    }
}
