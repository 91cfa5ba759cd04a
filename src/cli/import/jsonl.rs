//! Lines of JSON as rows of an import.

use std::io::BufRead;

use serde_json::{Map, Value};

use crate::cli::import::{Admission, Row};
use crate::directory::NewMembers;
use crate::http;

/// The lines of an input.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    /// How many lines were read.
    pub(super) line: u64,
    /// How many bytes were read.
    pub(super) bytes: u64,
    octets: Vec<u8>,
}

impl Lines {
    pub(super) fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self { input, line: 0, bytes: 0, octets: Vec::new() }
    }

    /// Reads the next line that is not blank; answers whether there is one.
    pub(super) fn advance(&mut self) -> std::io::Result<bool> {
        loop {
            self.octets.clear();
            let length = self.input.read_until(b'\n', &mut self.octets)?;
            if length == 0 {
                return Ok(false);
            }
            self.line += 1;
            self.bytes += length as u64;
            if !self.octets.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The row that the line is.
    pub(super) fn row(&self, admission: &Admission) -> Result<Row, String> {
        let text = str::from_utf8(&self.octets).map_err(|_| "the line is not UTF-8".to_owned())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value = http::json_value(text).map_err(|error| {
            // The position counts within the line; which line that is, is said already.
            let error = error.to_string().replace(" at line 1 column ", " at column ");
            format!("the line is not acceptable JSON: {error}")
        })?;
        let Value::Object(object) = value else { return Err(SHAPE.to_owned()) };
        row(object, admission)
    }
}

const SHAPE: &str = "a line must be {\"type\": …, \"resource\": {…}} or \
                     {\"membership\": {\"group\": …, \"members\": […]}}";

fn row(mut object: Map<String, Value>, admission: &Admission) -> Result<Row, String> {
    let (kind, resource) = (object.remove("type"), object.remove("resource"));
    let (secrets, membership) = (object.remove("secrets"), object.remove("membership"));
    let bags = match object.remove("bags") {
        None => Map::new(),
        Some(Value::Object(bags)) if kind.is_some() => bags,
        Some(_) => return Err(format!("\"bags\" must be an object, beside a resource; {SHAPE}")),
    };
    if let Some(name) = object.keys().next() {
        return Err(format!("{name:?} means nothing here; {SHAPE}"));
    }
    match (kind, resource, secrets, membership) {
        (Some(Value::String(kind)), Some(Value::Object(resource)), None, None) => {
            admission.resource(&kind, resource, None, bags)
        }
        (Some(Value::String(kind)), Some(Value::Object(resource)), Some(Value::Object(secrets)), None) => {
            admission.resource(&kind, resource, Some(secrets), bags)
        }
        (None, None, None, Some(Value::Object(membership))) => members(&membership),
        _ => Err(SHAPE.to_owned()),
    }
}

fn members(membership: &Map<String, Value>) -> Result<Row, String> {
    let text =
        |value: &Value| value.as_str().filter(|id| !id.is_empty() && !id.contains('\0')).map(str::to_owned);
    let group = membership.get("group").and_then(text);
    let ids = membership.get("members").and_then(Value::as_array);
    let members = ids.and_then(|ids| ids.iter().map(text).collect::<Option<Vec<_>>>());
    match group.zip(members) {
        Some((group, members)) => Ok(Row::Members(NewMembers { group, members })),
        None => Err("a membership needs the id of its group, and an array of ids as its members".to_owned()),
    }
}
