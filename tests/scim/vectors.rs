//! Public vectors: Muster agrees with each, or `vectors/reasons.txt` says why not and what happens instead.
//!
//! Invariant: no reason is stale. An entry must be about a vector that Muster disagrees with, and name the outcome.

mod patch;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use muster::scim::error::ErrorKind;
use muster::scim::filter::{Filter, grammar};
use muster::scim::path::Target;
use muster::scim::registry::Registry;
use serde_json::Value;

use crate::cases;
use crate::directory::refusal;

/// What became of a vector.
struct Verdict {
    agrees: bool,
    outcome: String,
}

#[test]
fn muster_agrees_with_every_vector_or_has_a_reason() {
    let registry = Registry::built_in().unwrap();
    let mut verdicts = filters(&registry);
    verdicts.extend(patch::verdicts(&registry));
    let paths = paths(&registry);
    let seen = RefCell::new(BTreeSet::new());
    cases::check("vectors", |given| {
        let name = given[0].clone();
        seen.borrow_mut().insert(name.clone());
        if let Some(meaning) = paths.get(&name) {
            return vec![meaning.clone()];
        }
        let reason = given.get(1).is_some_and(|line| line.starts_with("because ") && line.ends_with('.'));
        assert!(reason, "{name} needs a line that says why, in a sentence");
        let verdict = verdicts.get(&name).unwrap_or_else(|| panic!("there is no vector {name}"));
        assert!(!verdict.agrees, "{name} agrees now: take its reason away");
        vec![verdict.outcome.clone()]
    });
    let seen = seen.into_inner();
    let open: Vec<String> = verdicts
        .iter()
        .filter(|(name, verdict)| !verdict.agrees && !seen.contains(*name))
        .map(|(name, verdict)| format!("{name}\n=> {}\n", verdict.outcome))
        .chain(paths.keys().filter(|name| !seen.contains(*name)).cloned())
        .collect();
    assert!(open.is_empty(), "neither agreement nor a reason:\n\n{}", open.join("\n"));
}

/// The grammar's verdict on filters: whose attribute names those are does not matter to it.
fn filters(registry: &Registry) -> BTreeMap<String, Verdict> {
    let user = registry.type_named("User").unwrap();
    let verdict = |vector: Value| {
        let text = vector["filter"].as_str().unwrap();
        let parsed = grammar::parse(text);
        let accepted = if vector["semantic"] == true {
            assert!(parsed.is_ok(), "{text} is grammatical");
            Filter::parse(text, user).map(drop)
        } else {
            parsed.map(drop)
        };
        let refused = accepted.err();
        assert!(
            refused.as_ref().is_none_or(|error| error.kind == ErrorKind::InvalidFilter),
            "{text}: {refused:?}"
        );
        let agrees = refused.is_none() == (vector["valid"] == true);
        let outcome = refused.map_or("accepted".to_owned(), |error| refusal(&error));
        (format!("filter {text}"), Verdict { agrees, outcome })
    };
    read("filters").into_iter().map(verdict).collect()
}

/// What PATCH paths mean; those that fit neither User nor Group are refused.
fn paths(registry: &Registry) -> BTreeMap<String, String> {
    let meaning = |vector: Value| {
        let text = vector["path"].as_str().unwrap();
        let bound = ["User", "Group"].map(|name| Target::parse(text, registry.type_named(name).unwrap()));
        let meaning = match bound {
            [Ok(target), _] => format!("User: {}", shown(&target)),
            [_, Ok(target)] => format!("Group: {}", shown(&target)),
            [Err(error), Err(other)] => {
                assert!([&error, &other].iter().all(|error| error.kind == ErrorKind::InvalidPath), "{text}");
                refusal(&error)
            }
        };
        (format!("path {text}"), meaning)
    };
    read("paths").into_iter().map(meaning).collect()
}

fn shown(target: &Target) -> String {
    match target {
        Target::Core => "the core attributes".to_owned(),
        Target::Extension(id) => format!("the extension {id}"),
        Target::Attribute(path) => path.to_string(),
        Target::Values { path, .. } => format!("{path} of the selected values"),
    }
}

fn read(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(cases::path(&format!("vectors/{name}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
