//! Bulk (RFC 7644 §3.7): the message, and what is wrong with an operation before anything is done.
//!
//! Invariant: what is wrong with one operation refuses that operation; only a message that is none refuses all.
//! [`reference`] knows where a `bulkId` may stand, [`plan`] which operation must wait for which.

pub mod plan;
mod reference;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::admit;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::uri;
use crate::scim::urn;

/// The most operations that one request may have; `bulk.maxOperations` of the service provider configuration.
pub const MAX_OPERATIONS: usize = 1000;

/// What stands before a `bulkId` where it is used in place of an id.
const PREFIX: &str = "bulkId:";

/// A parsed bulk request.
#[derive(Clone, Debug)]
pub struct BulkRequest {
    /// After how many errors no further operation is begun.
    pub fail_on_errors: Option<usize>,
    /// Whether nothing is done unless everything is: Muster's own, under [`urn::BULK_OPTIONS`].
    pub all_or_nothing: bool,
    /// The operations, in the client's order.
    pub operations: Vec<Operation>,
}

/// One operation: what the answer repeats, and what to do.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The method, in capitals; none if it is no text.
    pub method: Option<String>,
    /// The client's name for what a POST creates.
    pub bulk_id: Option<String>,
    /// The path, as the client wrote it.
    pub path: Option<String>,
    /// What to do, or why that cannot be.
    pub action: Result<Action, ScimError>,
}

/// What an operation does.
#[derive(Clone, Debug)]
pub struct Action {
    /// Which request it stands for.
    pub verb: Verb,
    /// On resources of which type.
    pub kind: Arc<ResourceType>,
    /// On which resource.
    pub target: Target,
    /// The version that the resource must have, as an `If-Match` header has it.
    pub version: Option<String>,
    /// The body; empty for DELETE.
    pub data: Map<String, Value>,
    /// The POSTs whose resources it is about or refers to.
    pub needs: BTreeSet<usize>,
}

/// The methods of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Modify.
    Patch,
    /// Delete.
    Delete,
}

/// What an operation is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The resource with this id.
    Id(String),
    /// The resource that the POST with this index creates.
    Made(usize),
}

impl BulkRequest {
    /// Reads the body of a bulk request.
    ///
    /// # Errors
    /// `invalidSyntax` for a wrong envelope, `invalidValue` for `failOnErrors`, 413 for too many operations.
    pub fn parse(body: &Map<String, Value>, registry: &Registry) -> Result<Self, ScimError> {
        let members = admit::index(body)?;
        let ids = members.get("schemas").and_then(|ids| ids.as_array()).into_iter().flatten();
        if !ids.filter_map(Value::as_str).any(|id| urn::same(id, urn::BULK_REQUEST)) {
            return Err(ScimError::syntax(format!("schemas must be [\"{}\"]", urn::BULK_REQUEST)));
        }
        let fail_on_errors = match members.get("failOnErrors") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_u64().map(usize::try_from) {
                Some(Ok(limit)) if limit > 0 => Some(limit),
                _ => return Err(ScimError::value("failOnErrors must be a whole number from 1 on")),
            },
        };
        let given = match members.get("Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            _ => return Err(ScimError::syntax("Operations must be an array with at least one operation")),
        };
        if given.len() > MAX_OPERATIONS {
            let detail = format!("{} operations exceed maxOperations ({MAX_OPERATIONS})", given.len());
            return Err(ScimError::new(ErrorKind::PayloadTooLarge, detail));
        }
        let mut operations = Vec::with_capacity(given.len());
        for (index, operation) in given.iter().enumerate() {
            let Value::Object(operation) = operation else {
                let detail = format!("Operations[{index}]: an operation is an object");
                return Err(ScimError::syntax(detail));
            };
            operations.push(operation);
        }
        let mut request = Self {
            fail_on_errors,
            all_or_nothing: all_or_nothing(members.get(urn::BULK_OPTIONS))?,
            operations: Vec::with_capacity(operations.len()),
        };
        let made = Made::of(&operations);
        for (index, operation) in operations.into_iter().enumerate() {
            request.operations.push(Operation::parse(index, operation, &made, registry));
        }
        Ok(request)
    }
}

/// Muster's own mode: `{"allOrNothing": true}` under [`urn::BULK_OPTIONS`].
fn all_or_nothing(options: Option<&Value>) -> Result<bool, ScimError> {
    let wrong =
        || ScimError::value(format!("{} must be {{\"allOrNothing\": true or false}}", urn::BULK_OPTIONS));
    match options {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Object(options)) => match admit::index(options)?.get("allOrNothing") {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(wanted)) => Ok(*wanted),
            Some(_) => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

/// The POSTs of a request by their `bulkId`s.
struct Made {
    by_id: HashMap<String, usize>,
    twice: HashSet<String>,
}

impl Made {
    fn of(operations: &[&Map<String, Value>]) -> Self {
        let mut made = Self { by_id: HashMap::new(), twice: HashSet::new() };
        for (index, operation) in operations.iter().enumerate() {
            let Ok(members) = admit::index(operation) else { continue };
            let text = |name: &str| members.get(name).and_then(|value| value.as_str());
            let (Some(method), Some(id)) = (text("method"), text("bulkId")) else { continue };
            if method.eq_ignore_ascii_case("POST") && made.by_id.insert(id.to_owned(), index).is_some() {
                made.twice.insert(id.to_owned());
            }
        }
        made
    }

    /// The POST with that `bulkId`.
    fn find(&self, bulk_id: &str) -> Result<usize, ScimError> {
        match self.by_id.get(bulk_id) {
            Some(_) if self.twice.contains(bulk_id) => {
                Err(ScimError::conflict("the bulkId that is referred to is there twice"))
            }
            Some(index) => Ok(*index),
            None => Err(ScimError::conflict("no POST of the request has the bulkId that is referred to")),
        }
    }
}

impl Operation {
    fn parse(index: usize, given: &Map<String, Value>, made: &Made, registry: &Registry) -> Self {
        let text = |name: &str| {
            let member = given.iter().find(|(member, _)| urn::same(member, name));
            member.and_then(|(_, value)| value.as_str()).map(str::to_owned)
        };
        Self {
            method: text("method").map(|method| method.to_ascii_uppercase()),
            bulk_id: text("bulkId"),
            path: text("path"),
            action: Action::parse(index, given, made, registry),
        }
    }
}

impl Action {
    fn parse(
        index: usize,
        given: &Map<String, Value>,
        made: &Made,
        registry: &Registry,
    ) -> Result<Self, ScimError> {
        let members = admit::index(given)?;
        let text = |name: &str, wanted: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str())),
            Some(_) => Err(ScimError::value(format!("{name} must be {wanted}"))),
        };
        let verb = Verb::parse(text("method", "a string")?)?;
        let bulk_id = text("bulkId", "a string that is not empty")?;
        if verb == Verb::Post {
            let id = bulk_id.ok_or_else(|| ScimError::value("a POST needs a bulkId"))?;
            if made.twice.contains(id) {
                return Err(ScimError::value("another POST of the request has the same bulkId"));
            }
        }
        let path = text("path", "a string that is not empty")?;
        let path = path.ok_or_else(|| ScimError::value("an operation needs a path"))?;
        let (kind, id) = split(path, registry)?;
        let mut needs = BTreeSet::new();
        let target = match (verb, id) {
            (Verb::Post, None) => Target::Made(index),
            (Verb::Post, Some(_)) => {
                let detail = "the path of a POST must be the endpoint of a resource type, as in \"/Users\"";
                return Err(ScimError::value(detail));
            }
            (_, None) => {
                let detail = "the path must lead to a resource, as in \"/Users/id\" or \"/Users/bulkId:id\"";
                return Err(ScimError::value(detail));
            }
            (_, Some(id)) => match id.strip_prefix(PREFIX) {
                Some(bulk_id) => {
                    let post = made.find(bulk_id).map_err(|error| error.at("path"))?;
                    needs.insert(post);
                    Target::Made(post)
                }
                None => Target::Id(id),
            },
        };
        let mut data = match members.get("data") {
            _ if verb == Verb::Delete => Map::new(),
            Some(Value::Object(data)) => data.clone(),
            _ => return Err(ScimError::syntax("data must be an object: the body of the request")),
        };
        reference::visit(verb, &mut data, &mut |text| {
            if let Some(bulk_id) = text.strip_prefix(PREFIX) {
                needs.insert(made.find(bulk_id)?);
            }
            Ok(None)
        })?;
        let version = text("version", "an entity tag").map(|tag| tag.map(str::to_owned))?;
        Ok(Self { verb, kind, target, version: version.filter(|_| verb != Verb::Post), data, needs })
    }

    /// The id that the operation is about; `ids` are those that the POSTs will give.
    pub fn id<'a>(&'a self, ids: &'a [Option<String>]) -> &'a str {
        match &self.target {
            Target::Id(id) => id,
            Target::Made(index) => ids.get(*index).and_then(Option::as_deref).unwrap_or_default(),
        }
    }

    /// Puts ids in the place of `bulkId`s in the data.
    ///
    /// # Errors
    /// 409 for a `bulkId` that no POST has. There is none after [`BulkRequest::parse`], but what was rewritten since.
    pub fn substitute(&mut self, ids: &HashMap<String, String>) -> Result<(), ScimError> {
        reference::visit(self.verb, &mut self.data, &mut |text| {
            let Some(bulk_id) = text.strip_prefix(PREFIX) else { return Ok(None) };
            let id = ids.get(bulk_id).ok_or_else(|| {
                ScimError::conflict("no POST of the request has the bulkId that is referred to")
            })?;
            Ok(Some(id.clone()))
        })
    }
}

impl Verb {
    fn parse(method: Option<&str>) -> Result<Self, ScimError> {
        match method.map(str::to_ascii_uppercase).as_deref() {
            Some("POST") => Ok(Self::Post),
            Some("PUT") => Ok(Self::Put),
            Some("PATCH") => Ok(Self::Patch),
            Some("DELETE") => Ok(Self::Delete),
            _ => Err(ScimError::value("method must be \"POST\", \"PUT\", \"PATCH\" or \"DELETE\"")),
        }
    }
}

/// The resource type and the id of a path. Slashes count as they do in a URL.
fn split(path: &str, registry: &Registry) -> Result<(Arc<ResourceType>, Option<String>), ScimError> {
    if path.contains(['?', '#']) {
        return Err(ScimError::value("a path has no query and no fragment"));
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let nothing = || ScimError::new(ErrorKind::NotFound, "there is nothing at this path");
    let (endpoint, id) = match segments.as_slice() {
        [endpoint] => (*endpoint, None),
        [endpoint, id] => (*endpoint, Some(*id)),
        _ => return Err(nothing()),
    };
    let kind = registry.type_at(endpoint).ok_or_else(nothing)?;
    let id = match id {
        None => None,
        Some(id) => {
            Some(uri::decode(id, false).filter(|id| !id.contains(char::is_control)).ok_or_else(nothing)?)
        }
    };
    Ok((Arc::clone(kind), id))
}
