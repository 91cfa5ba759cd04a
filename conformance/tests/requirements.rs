//! The list of requirements and the scenarios that come with the examiner.
//!
//! Invariant: every requirement has a scenario or a reason why it has none, and every scenario proves
//! requirements that exist.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use muster_conformance::{Scenario, requirements, scenarios};
use std::collections::BTreeSet;

#[test]
fn every_requirement_has_scenarios_or_a_reason_why_not() {
    let covered: BTreeSet<String> = scenarios().unwrap().into_iter().flat_map(|one| one.covers).collect();
    let all = requirements().unwrap();
    let neither: Vec<&str> = all
        .iter()
        .filter(|one| one.untestable.is_none() && !covered.contains(&one.id))
        .map(|one| one.id.as_str())
        .collect();
    assert_eq!(neither, Vec::<&str>::new(), "these have neither");
    let both: Vec<&str> = all
        .iter()
        .filter(|one| one.untestable.is_some() && covered.contains(&one.id))
        .map(|one| one.id.as_str())
        .collect();
    assert_eq!(both, Vec::<&str>::new(), "these have both");
}

#[test]
fn every_scenario_proves_requirements_that_exist() {
    let known: BTreeSet<String> = requirements().unwrap().into_iter().map(|one| one.id).collect();
    for scenario in scenarios().unwrap() {
        for id in &scenario.covers {
            assert!(known.contains(id), "{}, `{}`: {id}", scenario.file, scenario.name);
        }
    }
}

#[test]
fn the_requirements_of_the_core_rfcs_are_all_there() {
    let all = requirements().unwrap();
    let count = |document: &str| all.iter().filter(|one| one.id.starts_with(document)).count();
    assert_eq!((count("7643-"), count("7644-")), (137, 257));
    assert_eq!((count("9865-"), count("9967-"), count("IOP-"), count("IPSIE-")), (25, 33, 21, 29));
}

#[test]
fn no_two_scenarios_have_the_same_name() {
    let mut seen = BTreeSet::new();
    for scenario in scenarios().unwrap() {
        assert!(seen.insert(scenario.name.clone()), "{}: {}", scenario.file, scenario.name);
    }
}

#[test]
fn a_scenario_that_could_not_be_carried_out_is_refused_with_its_file_and_name() {
    for (steps, reason) in [
        (r#"{ GET = "/Users", statuz = 200 }"#, "statuz"),
        (r#"{ GET = "/Users/{{u/id}}", status = 200 }"#, "nothing keeps `u`"),
        (r#"{ GET = "/Users", only_if = "u 201", status = 200 }"#, "nothing keeps `u`"),
        (r#"{ GET = "/Users", expect = "/id equals 1" }"#, "unknown verb `equals`"),
        (r#"{ GET = "/Users", POST = "/Users", status = 200 }"#, "second method"),
        (r#"{ user = '{"a"', status = 201 }"#, "is no JSON"),
        (r#"{ user = '{}', group = '{}', status = 201 }"#, "two bodies"),
        (r#"{ user = '{}', status = 201, proves = "7644-3.3-09" }"#, "does not cover"),
        (r#"{ user = '{}' }"#, "no step expects anything"),
        (r#"{ GET = "/Users", error = "no 400" }"#, "does not begin with a status"),
    ] {
        let text = format!("[[scenario]]\nname = \"odd\"\ncovers = [\"7644-3.3-04\"]\nsteps = [{steps}]");
        let error = Scenario::parse("odd.toml", &text).unwrap_err();
        assert!(error.contains("odd.toml") && error.contains(reason), "{steps}: {error}");
    }
}
