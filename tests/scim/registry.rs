//! The registry: which documents it takes, and what it makes of them.
//!
//! A case is an attribute of a schema, or `TYPE {…}`: a resource type beside the built-in ones and those of `schemas/`.

use muster::scim::registry::Registry;
use muster::scim::schema::{Placement, Schema};
use serde_json::{Value, json};

use crate::cases::{self, object};
use crate::directory::{documents, refusal};

#[test]
fn documents_are_read_as_the_cases_say() {
    cases::check("registry", |given| {
        let [line] = given else { panic!("{given:?} is more than a document") };
        let outcome = match line.strip_prefix("TYPE ") {
            Some(text) => {
                let mut all = documents();
                all.push(("case".to_owned(), Value::Object(object(text))));
                Registry::with(&all).map(|registry| Value::Object(registry.types().last().unwrap().to_json()))
            }
            None => {
                let schema = json!({"id": "urn:x", "attributes": [object(line)]});
                Schema::parse(&schema, Placement::Base).map(|schema| schema.attributes[0].to_json())
            }
        };
        vec![outcome.map_or_else(|error| refusal(&error), |document| document.to_string())]
    });
}

#[test]
fn the_documents_that_are_built_in_are_good() {
    assert!(Registry::built_in().is_ok());
}
