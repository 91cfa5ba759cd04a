//! Projection: which part of a representation a response shows.
//!
//! A case is `type Device` (or not), `BODY {…}`, then `attributes=…`, `excludedAttributes=…` and `touched=…`, each or none.

use muster::scim::projection::Projection;
use serde_json::{Map, Value};

use crate::cases::{self, object};
use crate::directory::{refusal, registry};

#[test]
fn responses_show_what_the_cases_say() {
    let registry = registry();
    cases::check("projection", |given| {
        let mut kind = registry.type_named("User").unwrap();
        let mut body = Map::new();
        let (mut attributes, mut excluded, mut touched) = (None, None, Vec::new());
        for line in given {
            if let Some(name) = line.strip_prefix("type ") {
                kind = registry.type_named(name).unwrap();
            } else if let Some(text) = line.strip_prefix("BODY ") {
                body = object(text);
            } else {
                let (name, value) = line.split_once('=').unwrap();
                match name {
                    "attributes" => attributes = Some(value),
                    "excludedAttributes" => excluded = Some(value),
                    "touched" => touched = value.split(',').map(str::to_owned).collect(),
                    _ => panic!("{line} is nothing that a projection knows"),
                }
            }
        }
        match Projection::parse(attributes, excluded) {
            Ok(projection) => vec![Value::Object(projection.project(kind, body, &touched)).to_string()],
            Err(error) => vec![refusal(&error)],
        }
    });
}
