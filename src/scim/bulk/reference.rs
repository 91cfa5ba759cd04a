//! Where the data of an operation may refer to another operation's resource (RFC 7644 §3.7.2, reading A33).
//!
//! Invariant: finding references and replacing them is one walk, so that what was found is what is replaced.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::scim::bulk::Verb;
use crate::scim::error::ScimError;
use crate::scim::urn;

/// What is done with a text that may be a reference: the text for its place, or none to leave it.
type Visit<'a> = dyn FnMut(&str) -> Result<Option<String>, ScimError> + 'a;

/// Shows every text that may be an id: each string, the last segment of a `$ref`, and each literal in a PATCH's paths.
///
/// # Errors
/// Those of `visit`, with the place.
pub(super) fn visit(
    verb: Verb,
    data: &mut Map<String, Value>,
    visit: &mut Visit<'_>,
) -> Result<(), ScimError> {
    let mut walk = Walk { place: "data".to_owned(), visit };
    for (name, value) in data.iter_mut() {
        let is_operations = verb == Verb::Patch && urn::same(name, "Operations");
        match value {
            Value::Array(operations) if is_operations => {
                for (index, operation) in operations.iter_mut().enumerate() {
                    let Value::Object(operation) = operation else { continue };
                    let place = format!(".{name}[{index}]");
                    walk.at(&place, |walk| walk.operation(operation))?;
                }
            }
            value => walk.at(&format!(".{name}"), |walk| walk.value(name, value))?,
        }
    }
    Ok(())
}

struct Walk<'a, 'b> {
    place: String,
    visit: &'a mut Visit<'b>,
}

impl Walk<'_, '_> {
    fn at(
        &mut self,
        place: &str,
        inside: impl FnOnce(&mut Self) -> Result<(), ScimError>,
    ) -> Result<(), ScimError> {
        let length = self.place.len();
        self.place.push_str(place);
        inside(self)?;
        self.place.truncate(length);
        Ok(())
    }

    fn operation(&mut self, operation: &mut Map<String, Value>) -> Result<(), ScimError> {
        for (name, value) in operation.iter_mut() {
            let place = format!(".{name}");
            match value {
                Value::String(path) if urn::same(name, "path") => {
                    self.at(&place, |walk| walk.literals(path))?;
                }
                value => self.at(&place, |walk| walk.value(name, value))?,
            }
        }
        Ok(())
    }

    fn value(&mut self, name: &str, value: &mut Value) -> Result<(), ScimError> {
        match value {
            Value::String(text) if urn::same(name, "$ref") => {
                let start = text.rfind('/').map_or(0, |slash| slash + 1);
                if let Some(id) = self.show(text.get(start..).unwrap_or_default())? {
                    text.replace_range(start.., &id);
                }
                Ok(())
            }
            Value::String(text) => {
                if let Some(id) = self.show(text)? {
                    *text = id;
                }
                Ok(())
            }
            Value::Array(values) => {
                for (index, value) in values.iter_mut().enumerate() {
                    self.at(&format!("[{index}]"), |walk| walk.value(name, value))?;
                }
                Ok(())
            }
            Value::Object(parts) => {
                for (name, value) in parts.iter_mut() {
                    self.at(&format!(".{name}"), |walk| walk.value(name, value))?;
                }
                Ok(())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    /// The texts in quotes of a path, as in `members[value eq "bulkId:a"]`. What is no JSON string is for the path's
    /// own parser to refuse.
    fn literals(&mut self, path: &mut String) -> Result<(), ScimError> {
        let mut done = String::new();
        let mut rest = path.as_str();
        while let Some(quote) = rest.find('"') {
            let (before, literal) = rest.split_at(quote);
            let mut strings = serde_json::Deserializer::from_str(literal).into_iter::<String>();
            let Some(Ok(text)) = strings.next() else { break };
            let (literal, after) = literal.split_at(strings.byte_offset());
            done.push_str(before);
            match self.show(&text)? {
                // Writing to a string cannot fail.
                Some(id) => write!(done, "{}", Value::from(id)).unwrap_or_default(),
                None => done.push_str(literal),
            }
            rest = after;
        }
        done.push_str(rest);
        *path = done;
        Ok(())
    }

    fn show(&mut self, text: &str) -> Result<Option<String>, ScimError> {
        (self.visit)(text).map_err(|error| error.at(&self.place))
    }
}
