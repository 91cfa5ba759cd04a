//! Laws that hold for every value: proven on random ones, and on the largest that are allowed.

use std::sync::{Arc, LazyLock};

use muster::scim::admit::Rules;
use muster::scim::fact::facts;
use muster::scim::filter::{Filter, grammar};
use muster::scim::patch::apply::MAX_VISITED;
use muster::scim::patch::{MAX_OPERATIONS, PatchRequest};
use muster::scim::path::Target;
use muster::scim::registry::{Path, ResourceType};
use muster::scim::resource::Resource;
use proptest::collection::vec;
use proptest::option;
use proptest::sample::select;
use proptest::strategy::{Just, Strategy};
use proptest::{prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use crate::directory::{created, kind, with_schemas};
use crate::patches::patch_op;

static DEVICE: LazyLock<Arc<ResourceType>> = LazyLock::new(|| kind("Device"));

/// Text that differs in case, composition and width, so that comparisons have something to do.
fn text() -> impl Strategy<Value = Value> {
    select(vec!["a", "A", "ab", "b", "é", "e\u{301}", "É", "ß", "SS", "a b", "", "\"\\", "x@y.example"])
        .prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![(-3..12i64).prop_map(Value::from), Just(json!(1.5)), Just(json!(i64::MAX)), Just(json!(-0.0))]
}

fn whole_number() -> impl Strategy<Value = Value> {
    prop_oneof![(-3..12i64).prop_map(Value::from), Just(json!(i64::MAX)), Just(json!(i64::MIN))]
}

fn instant() -> impl Strategy<Value = Value> {
    select(vec![
        "2020-01-01T00:00:00Z",
        "2020-01-01t01:00:00+01:00",
        "2020-01-01T00:00:00.5",
        "1999-12-31T23:59:59.999-02:00",
    ])
    .prop_map(Value::from)
}

fn part() -> impl Strategy<Value = Value> {
    let parts =
        (select(vec!["n1", "N1", "n2"]), option::of(text()), option::of(whole_number()), vec(text(), 0..3));
    parts.prop_map(|(number, maker, revision, sizes)| {
        json!({"number": number, "maker": maker, "revision": revision, "sizes": sizes, "code": "c"})
    })
}

/// The body of a device as a client sends it.
fn device() -> impl Strategy<Value = Map<String, Value>> {
    let simple = (
        option::of(text()),
        option::of(number()),
        option::of(whole_number()),
        option::of(instant()),
        option::of(proptest::bool::ANY),
    );
    let several = (vec(text(), 0..4), vec(part(), 0..4), option::of(0..4usize), option::of(text()));
    (simple, several).prop_map(|((label, weight, count, bought, broken), (tags, mut parts, primary, lessor))| {
        if let Some(parts) = primary.and_then(|at| parts.get_mut(at)).and_then(Value::as_object_mut) {
            parts.insert("primary".into(), json!(true));
        }
        let body = json!({
            "serial": "S", "label": label, "weight": weight, "count": count, "bought": bought, "broken": broken,
            "tags": tags, "parts": parts, "pin": "1234", "urn:example:schemas:Lease": {"lessor": lessor}
        });
        body.as_object().unwrap().clone()
    })
}

fn made(body: Map<String, Value>) -> Resource {
    created(&DEVICE, body, Rules::default()).unwrap()
}

/// One test of an attribute, with an operator and a literal that fit it.
fn test_of(
    name: &'static str,
    ordered: bool,
    text: bool,
    literal: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = String> {
    let mut operators = vec!["eq", "NE"];
    if ordered {
        operators.extend(["gt", "ge", "lt", "le"]);
    }
    if text {
        operators.extend(["co", "sw", "ew"]);
    }
    (select(operators), literal).prop_map(move |(op, literal)| format!("{name} {op} {literal}"))
}

/// A test that may stand in brackets behind `parts`.
fn inner_test() -> impl Strategy<Value = String> {
    prop_oneof![
        test_of("number", true, true, text()),
        test_of("revision", true, false, number()),
        test_of("sizes", true, true, text()),
        test_of("primary", false, false, proptest::bool::ANY.prop_map(Value::from)),
        select(vec!["maker pr", "maker eq null", "sizes ne null"]).prop_map(str::to_owned),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        test_of("label", true, true, text()),
        test_of("weight", true, false, number()),
        test_of("count", true, false, number()),
        test_of("bought", true, false, instant()),
        test_of("broken", false, false, proptest::bool::ANY.prop_map(Value::from)),
        test_of("tags", true, true, text()),
        test_of("parts.sizes", true, true, text()),
        test_of("lessor", true, true, text()),
        inner_test().prop_map(|test| format!("parts[{test}]")),
        (inner_test(), inner_test()).prop_map(|(a, b)| format!("parts[{a} and not ({b})]")),
        select(vec!["label pr", "tags eq null", "parts pr", "count ne null"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("not ({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} and {b}")),
        ]
    })
}

fn holds(filter: &str, resource: &Resource) -> bool {
    let bound = Filter::parse(filter, &DEVICE).unwrap_or_else(|error| panic!("{filter}: {error}"));
    bound.matches(&facts(&DEVICE, resource.body()))
}

/// An operation that most likely fits, on one of these targets.
fn fitting_operation() -> impl Strategy<Value = Value> {
    let typed = prop_oneof![
        (select(vec!["label", "pin", "box.stamp", "parts[number eq \"n1\"].maker", "lessor"]), text()),
        (select(vec!["weight", "box.width", "box.height", "urn:example:schemas:Lease:rate"]), number()),
        (select(vec!["count", "ports", "parts.revision", "parts[maker eq \"a\"].revision"]), whole_number()),
        (select(vec!["bought", "parts[number eq \"N1\"].made"]), instant()),
        (select(vec!["broken", "parts[number eq \"n2\"].primary"]), Just(json!(true))),
        (select(vec!["tags", "parts[sizes co \"a\"].sizes"]), vec(text(), 0..3).prop_map(Value::from)),
        (select(vec!["tags[value eq \"a\"]", "tags[value sw \"a\"]"]), text()),
        (Just("parts"), vec(part(), 0..3).prop_map(Value::from)),
        (
            select(vec![
                "parts[number eq \"n1\"]",
                "parts[number eq \"n9\" and revision eq 1]",
                "parts[revision gt 1]"
            ]),
            part()
        ),
        (select(vec!["box", "box[width gt 0]"]), Just(json!({"stamp": "s", "height": null, "width": 1}))),
        (select(vec!["urn:example:schemas:Lease"]), Just(json!({"lessor": "B", "rate": null}))),
        (Just("schemas[value co \"Lease\"]"), Just(json!(null))),
        (Just("https://example.com/schemas/2.0/Warranty"), Just(json!({"until": "2030-01-01T00:00:00Z"}))),
    ];
    (select(vec!["add", "replace", "remove"]), typed).prop_map(|(op, (path, value))| match op {
        "remove" => json!({"op": op, "path": path}),
        _ => json!({"op": op, "path": path, "value": value}),
    })
}

/// An operation of any kind with any value, on anything or nothing.
fn wild_operation() -> impl Strategy<Value = Value> {
    let path = select(vec![
        "serial",
        "codes",
        "state",
        "count",
        "box",
        "parts",
        "parts.primary",
        "tags eq \"b\"",
        "schemas",
        "urn:example:schemas:Lease",
        "nope",
        "parts[",
        "",
    ]);
    let value = prop_oneof![
        text(),
        part(),
        device().prop_map(Value::Object),
        Just(json!(null)),
        Just(json!({})),
        Just(json!([null, {}, []])),
    ];
    let op = select(vec!["add", "Replace", "REMOVE", "move"]);
    (op, option::of(path), option::of(value))
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
}

fn operation() -> impl Strategy<Value = Value> {
    prop_oneof![9 => fitting_operation(), 1 => wild_operation()]
}

/// Any JSON at all, with words that mean something here and there.
fn any_json() -> impl Strategy<Value = Value> {
    let words =
        vec!["add", "replace", "remove", "parts", "tags[value eq \"a\"]", "op", "path", "value", "pin", ""];
    let leaf = prop_oneof![
        Just(Value::Null),
        proptest::bool::ANY.prop_map(Value::from),
        number(),
        text(),
        select(words.clone()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let members = vec((select(words.clone()), inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|all| Value::Object(all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

/// The text of a path that selects values, as it was understood.
fn printed(target: &Target) -> Option<String> {
    let Target::Values { path, filter } = target else { return None };
    let each = Filter::Each { path: Path::whole(&path.attribute), inner: Box::new(filter.clone()) };
    Some(path.sub.as_ref().map_or_else(|| each.to_string(), |sub| format!("{each}.{}", sub.name)))
}

proptest! {
    #[test]
    fn a_filter_that_is_printed_is_read_as_one_that_means_the_same(filter in filter(), body in device()) {
        let bound = Filter::parse(&filter, &DEVICE).unwrap();
        let printed = bound.to_string();
        // What always or never holds is no filter when it is printed, and large numbers are printed as they compare.
        prop_assume!(!printed.contains("thing") && !printed.contains("922337203685477"));
        let resource = made(body);
        prop_assert_eq!(holds(&printed, &resource), holds(&filter, &resource), "{}", printed);
    }

    #[test]
    fn a_path_that_is_printed_is_read_as_one_that_selects_the_same(
        inner in inner_test(),
        sub in option::of(select(vec!["revision", "MAKER", "sizes"])),
        body in device(),
    ) {
        let text = sub.map_or_else(|| format!("parts[{inner}]"), |sub| format!("parts[{inner}].{sub}"));
        let printed = printed(&Target::parse(&text, &DEVICE).unwrap()).unwrap();
        prop_assume!(!printed.contains("thing") && !printed.contains("922337203685477"));
        let before = made(body);
        let after = |path: &str| {
            let operation = json!({"op": "remove", "path": path});
            PatchRequest::parse(&patch_op(&[operation]), &DEVICE, Rules::default(), false)?.apply(&before, &DEVICE, false)
        };
        let (Ok(one), Ok(other)) = (after(&text), after(&printed)) else {
            prop_assert_eq!(after(&text).is_ok(), after(&printed).is_ok(), "{}", printed);
            return Ok(());
        };
        prop_assert_eq!(one, other, "{}", printed);
    }

    #[test]
    fn no_json_makes_a_patch_panic(body in device(), operations in any_json(), whole in proptest::bool::ANY) {
        let before = made(body);
        let mut request = patch_op(&[]);
        request.insert("Operations".to_owned(), operations.clone());
        let request = if whole { operations.as_object().cloned().unwrap_or_default() } else { request };
        let run = || PatchRequest::parse(&request, &DEVICE, Rules::default(), false)?.apply(&before, &DEVICE, true);
        prop_assert_eq!(&run(), &run());
    }

    #[test]
    fn not_is_the_exact_complement(filter in filter(), body in device()) {
        let resource = made(body);
        prop_assert_eq!(holds(&format!("not ({filter})"), &resource), !holds(&filter, &resource));
    }

    #[test]
    fn and_is_or_the_other_way_round(a in filter(), b in filter(), body in device()) {
        let resource = made(body);
        let both = holds(&format!("({a}) and ({b})"), &resource);
        prop_assert_eq!(both, !holds(&format!("not ({a}) or not ({b})"), &resource));
        prop_assert_eq!(both, holds(&a, &resource) && holds(&b, &resource));
    }

    #[test]
    fn the_operators_agree_with_each_other(name in select(vec!["label", "lessor"]), literal in text(), body in device()) {
        let resource = made(body);
        let is = |op: &str| holds(&format!("{name} {op} {literal}"), &resource);
        let (present, equal) = (holds(&format!("{name} pr"), &resource), is("eq"));
        prop_assert_eq!(is("ne"), !equal);
        prop_assert_eq!(is("le"), is("lt") || equal);
        prop_assert_eq!(is("ge"), is("gt") || equal);
        prop_assert_eq!(present, is("le") || is("gt"));
        prop_assert!(!equal || is("co") && is("sw") && is("ew"));
        prop_assert!(!(is("sw") || is("ew")) || is("co"));
        prop_assert_eq!(holds(&format!("{name} eq null"), &resource), !present);
    }

    #[test]
    fn a_test_behind_the_brackets_is_one_in_them(a in inner_test(), b in inner_test(), body in device()) {
        let resource = made(body);
        let behind = holds(&format!("parts[{a}].{b}"), &resource);
        prop_assert_eq!(behind, holds(&format!("parts[{a} and {b}]"), &resource));
    }

    #[test]
    fn a_put_of_what_is_there_changes_nothing(body in device()) {
        let resource = made(body.clone());
        for body in [body, resource.body().clone()] {
            let admitted = DEVICE.admit(&with_schemas(&DEVICE, body), Rules::default()).unwrap();
            prop_assert_eq!(&resource.replaced(&DEVICE, &admitted).unwrap(), &resource);
        }
    }

    #[test]
    fn what_is_stored_comes_back_and_shows_no_secret(body in device()) {
        let resource = made(body);
        let document = resource.to_document(&DEVICE);
        let parsed = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        prop_assert!(!document.visible.contains("pin") && !document.visible.contains("code\""));
        let again = Resource::stored(parsed(&document.visible), document.secret.as_deref().map(parsed));
        prop_assert_eq!(again, resource);
    }

    #[test]
    fn a_patch_is_deterministic_and_leaves_what_admission_would_have_made(
        body in device(),
        operations in vec(operation(), 1..4),
        add_missing in proptest::bool::ANY,
    ) {
        let before = made(body);
        let run = || {
            let request = PatchRequest::parse(&patch_op(&operations), &DEVICE, Rules::default(), false)?;
            request.apply(&before, &DEVICE, add_missing)
        };
        prop_assert_eq!(&run(), &run());
        if let Ok(Some(after)) = run() {
            prop_assert!(after != before);
            let admitted = DEVICE.admit(after.body(), Rules::default()).unwrap();
            prop_assert_eq!(&after.replaced(&DEVICE, &admitted).unwrap(), &after);
            prop_assert_eq!(after.to_document(&DEVICE), after.replaced(
                &DEVICE,
                &DEVICE.admit(after.body(), Rules::default()).unwrap(),
            ).unwrap().to_document(&DEVICE));
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,60}") {
        check_parsers(&text)?;
    }

    #[test]
    fn no_soup_of_words_makes_the_parsers_panic(
        words in vec(select(vec![
            "label", "parts", "(", ")", "[", "]", " ", " ", "eq", "pr", "not", "and", "or", "\"a", "\"", "\\", "1", "-",
            "true", "null", ".", ":", "urn:x", "é", "\t", "tags",
        ]), 0..25),
    ) {
        check_parsers(&words.concat())?;
    }
}

fn check_parsers(text: &str) -> Result<(), proptest::test_runner::TestCaseError> {
    if let Err(error) = Filter::parse(text, &DEVICE) {
        let at = error.detail.strip_prefix("at byte ").and_then(|rest| rest.split(':').next());
        let at = at.and_then(|at| at.parse::<usize>().ok());
        prop_assert!(at.is_some_and(|at| at <= text.len() && text.is_char_boundary(at)), "{}", error);
    }
    let _ = Target::parse(text, &DEVICE);
    Ok(())
}

#[test]
fn a_filter_has_limits_and_they_are_those_that_are_written_down() {
    let deep = |levels: usize| format!("{}label pr{}", "(".repeat(levels), ")".repeat(levels));
    assert!(grammar::parse(&deep(grammar::MAX_DEPTH)).is_ok());
    assert!(grammar::parse(&deep(grammar::MAX_DEPTH + 1)).is_err());
    assert!(grammar::parse(&deep(100_000)).is_err());

    let many = |tests: usize| vec!["label pr"; tests].join(" or ");
    assert!(grammar::parse(&many(grammar::MAX_TESTS)).is_ok());
    assert!(grammar::parse(&many(grammar::MAX_TESTS + 1)).is_err());

    let long = |bytes: usize| format!("label eq \"{}\"", "x".repeat(bytes - 11));
    assert!(grammar::parse(&long(grammar::MAX_LENGTH)).is_ok());
    assert!(grammar::parse(&long(grammar::MAX_LENGTH + 1)).is_err());
}

#[test]
fn the_limits_of_a_filter_do_not_count_what_stands_in_its_strings() {
    let text = format!("label eq \"{} \\\" {}\"", "(".repeat(200), "and ".repeat(500));
    assert!(grammar::parse(&text).is_ok());
}

#[test]
fn a_patch_has_at_most_as_many_operations_as_is_written_down() {
    let operation = json!({"op": "replace", "path": "label", "value": "x"});
    let parse = |count: usize| {
        PatchRequest::parse(&patch_op(&vec![operation.clone(); count]), &DEVICE, Rules::default(), false)
    };
    assert_eq!(parse(MAX_OPERATIONS).unwrap().operations.len(), MAX_OPERATIONS);
    assert_eq!(parse(MAX_OPERATIONS + 1).unwrap_err().kind.status(), 413);
}

#[test]
fn ten_thousand_values_take_no_time_to_speak_of() {
    let parts: Vec<Value> =
        (0..10_000).map(|index| json!({"number": index.to_string(), "maker": "M"})).collect();
    let tags: Vec<String> = (0..10_000).map(|index| format!("tag {index}")).collect();
    let body = json!({"serial": "S", "parts": parts, "tags": tags});
    let resource = made(body.as_object().unwrap().clone());
    assert!(holds("parts[number eq \"9999\" and maker eq \"m\"] and tags[value ew \"9999\"]", &resource));

    let operations = [
        json!({"op": "add", "path": "tags", "value": tags}),
        json!({"op": "replace", "path": "parts[maker eq \"M\"].revision", "value": 1}),
        json!({"op": "remove", "path": "parts[number ne \"7\"]"}),
    ];
    let request = PatchRequest::parse(&patch_op(&operations), &DEVICE, Rules::default(), false).unwrap();
    let after = request.apply(&resource, &DEVICE, false).unwrap().unwrap();
    assert_eq!(after.body()["parts"], json!([{"number": "7", "maker": "M", "revision": 1}]));
    assert_eq!(after.body()["tags"].as_array().unwrap().len(), tags.len());
}

#[test]
fn many_operations_on_many_values_are_refused_before_they_take_long() {
    let tags: Vec<String> = (0..10_000).map(|index| format!("tag {index}")).collect();
    let resource = made(json!({"serial": "S", "tags": tags}).as_object().unwrap().clone());
    let parse = |count: usize| {
        let operation = |index| json!({"op": "remove", "path": format!("tags[value eq \"none {index}\"]")});
        let operations: Vec<Value> = (0..count).map(operation).collect();
        PatchRequest::parse(&patch_op(&operations), &DEVICE, Rules::default(), false).unwrap()
    };
    let allowed = MAX_VISITED / tags.len();
    assert_eq!(parse(allowed + 1).apply(&resource, &DEVICE, false).unwrap_err().kind.status(), 413);
    assert_eq!(parse(10).apply(&resource, &DEVICE, false), Ok(None));
}
