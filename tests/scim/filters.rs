//! Filters: which of the resources in `filter/population.json` match, or why not.
//!
//! A case may begin with `type Group` or `types User, Group`; a query of several types shows all that match.

use std::fs;

use muster::scim::admit::Rules;
use muster::scim::fact::{Fact, facts};
use muster::scim::filter::Filter;
use muster::scim::registry::{Registry, ResourceType};
use serde_json::{Map, Value};

use crate::{cases, directory};

#[test]
fn filters_match_what_the_cases_say() {
    let registry = directory::registry();
    let population = population(&registry);
    cases::check("filter", |given| match given {
        [filter] => outcome(&registry, &["User"], filter, &population),
        [types, filter] => {
            let (_, names) = types.split_once(' ').unwrap();
            let names: Vec<&str> = names.split(", ").collect();
            outcome(&registry, &names, filter, &population)
        }
        _ => panic!("a case is a filter, perhaps with types in front: {given:?}"),
    });
}

/// A resource that filters see.
struct Someone {
    name: String,
    kind: String,
    facts: Vec<Fact>,
}

fn outcome(registry: &Registry, types: &[&str], filter: &str, population: &[Someone]) -> Vec<String> {
    let kinds: Vec<&ResourceType> = types.iter().map(|name| &**registry.type_named(name).unwrap()).collect();
    let bound = match kinds.as_slice() {
        [kind] => Filter::parse(filter, kind).map(|filter| vec![filter]),
        kinds => Filter::parse_for_all(filter, kinds.iter().copied()),
    };
    let bound = match bound {
        Ok(bound) => bound,
        Err(error) => return vec![directory::refusal(&error)],
    };
    let matches = |someone: &&Someone| {
        let at = types.iter().position(|name| *name == someone.kind);
        at.is_some_and(|at| bound[at].matches(&someone.facts))
    };
    let names: Vec<String> = population.iter().filter(matches).map(|someone| someone.name.clone()).collect();
    vec![directory::names(&names)]
}

/// The population: `given` is admitted as a POST is, and `server` is what the server adds.
fn population(registry: &Registry) -> Vec<Someone> {
    let text = fs::read_to_string(cases::path("filter/population.json")).unwrap();
    let people: Vec<Map<String, Value>> = serde_json::from_str(&text).unwrap();
    people.iter().map(|person| someone(registry, person)).collect()
}

fn someone(registry: &Registry, person: &Map<String, Value>) -> Someone {
    let text = |member: &str| person[member].as_str().unwrap().to_owned();
    let object = |member: &str| person[member].as_object().unwrap().clone();
    let kind = registry.type_named(&text("type")).unwrap();
    let mut body = directory::created(kind, object("given"), Rules::default()).unwrap().into_body();
    body.extend(object("server"));
    Someone { name: text("name"), kind: text("type"), facts: facts(kind, &body) }
}
