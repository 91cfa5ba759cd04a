//! What a vendor's document says of answers: which an operation has, and what they look like.
//!
//! Invariant: an operation that the document has answers with a status and a body that it has for it; what every operation
//! may answer has one shape.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::kit::Answer;

/// The statuses that no operation's own list has: no token, no permission, too much.
const EVERYWHERE: [u16; 5] = [400, 401, 403, 429, 500];

pub(crate) struct Shapes {
    operations: Vec<Operation>,
    error: Validator,
}

struct Operation {
    method: String,
    path: Vec<String>,
    /// What answers look like, by status; none for answers without a body.
    answers: BTreeMap<u16, Option<Validator>>,
    /// Whether it was answered with what was asked for.
    answered: bool,
}

impl Shapes {
    pub(crate) fn read(vendor: &str) -> Self {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors").join(vendor).join("answers.json");
        let document: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let validator = |schema: &Value| {
            let mut schema = schema.clone();
            schema["$defs"] = document["$defs"].clone();
            jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
        };
        let operation = |(name, answers): (&String, &Value)| {
            let (method, path) = name.split_once(' ').unwrap();
            let answers = answers.as_object().unwrap().iter().map(|(status, schema)| {
                (status.parse().unwrap(), (!schema.is_null()).then(|| validator(schema)))
            });
            Operation {
                method: method.to_owned(),
                path: path.split('/').map(str::to_owned).collect(),
                answers: answers.collect(),
                answered: false,
            }
        };
        let mut operations: Vec<_> =
            document["operations"].as_object().unwrap().iter().map(operation).collect();
        // Literal segments go before those in braces.
        operations.sort_by_key(|operation| {
            operation.path.iter().map(|part| part.starts_with('{')).collect::<Vec<_>>()
        });
        Self { operations, error: validator(&json!({"$ref": "#/$defs/Error"})) }
    }

    pub(crate) fn check(&mut self, method: &str, target: &str, answer: &Answer) -> Result<(), String> {
        let path: Vec<&str> = target.split('?').next().unwrap().split('/').collect();
        let fits = |operation: &&mut Operation| {
            let same = |(part, segment): (&String, &&str)| part.starts_with('{') || part == segment;
            operation.method == method
                && operation.path.len() == path.len()
                && operation.path.iter().zip(&path).all(same)
        };
        let Some(operation) = self.operations.iter_mut().find(fits) else { return Ok(()) };
        operation.answered |= answer.status < 300;
        let shape = match operation.answers.get(&answer.status) {
            Some(shape) => shape.as_ref(),
            None if EVERYWHERE.contains(&answer.status) => Some(&self.error),
            None => return Err(format!("the document has no answer {} of {method} {target}", answer.status)),
        };
        match shape {
            Some(shape) => {
                shape.validate(&answer.json()).map_err(|error| format!("{}: {error}", error.instance_path()))
            }
            None => Ok(()),
        }
    }

    /// The operations that no request was good for.
    pub(crate) fn never_answered(&self) -> Vec<String> {
        let missing = self.operations.iter().filter(|operation| !operation.answered);
        missing.map(|operation| format!("{} {}", operation.method, operation.path.join("/"))).collect()
    }
}
