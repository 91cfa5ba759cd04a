//! Queries and their answers (RFC 7644 §3.4.2, §3.4.3, RFC 9865): parameters in, ListResponse out.
//!
//! Invariant: GET and `.search` give the same [`ListQuery`], so they cannot answer differently.

use serde_json::{Map, Value};

use crate::scim::admit::{self, Members};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::projection::Projection;
use crate::scim::registry::{AttributeName, Path, ResourceType};
use crate::scim::schema::Type;
use crate::scim::urn;

/// The most resources on one page; `filter.maxResults` of the service provider configuration.
pub const MAX_COUNT: u64 = 1000;
/// The resources on a page when the client does not say.
pub const DEFAULT_COUNT: u64 = 100;

/// The parameters of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// The filter's text.
    pub filter: Option<String>,
    /// The attribute to sort by.
    pub sort_by: Option<String>,
    /// `ascending` (the default) or `descending`.
    pub sort_order: Option<String>,
    /// The 1-based index of the first resource; less counts as 1.
    pub start_index: Option<i64>,
    /// How many resources at most; less than 0 counts as 0.
    pub count: Option<i64>,
    /// Where to go on, as an earlier page said; empty for the first page of a walk. None for paging by index.
    pub cursor: Option<String>,
}

impl ListQuery {
    /// Reads the body of a `.search` request.
    ///
    /// # Errors
    /// `invalidSyntax` for a wrong envelope, `invalidValue` for a parameter of the wrong type.
    pub fn from_search_request(body: &Map<String, Value>) -> Result<(Self, Projection), ScimError> {
        let members = admit::index(body)?;
        let ids = members.get("schemas").and_then(|ids| ids.as_array()).into_iter().flatten();
        if !ids.filter_map(Value::as_str).any(|id| urn::same(id, urn::SEARCH_REQUEST)) {
            return Err(ScimError::syntax(format!("schemas must be [\"{}\"]", urn::SEARCH_REQUEST)));
        }
        let cursor = text(members, "cursor")?;
        let count = integer(members, "count");
        let query = Self {
            filter: text(members, "filter")?,
            sort_by: text(members, "sortBy")?,
            sort_order: text(members, "sortOrder")?,
            start_index: integer(members, "startIndex")?,
            count: if cursor.is_some() { count.map_err(invalid_count)? } else { count? },
            cursor,
        };
        let projection = Projection::parse(
            names(members, "attributes")?.as_deref(),
            names(members, "excludedAttributes")?.as_deref(),
        )?;
        Ok((query, projection))
    }

    /// The 1-based index of the first resource (reading A6).
    pub fn start(&self) -> u64 {
        self.start_index.and_then(|start| u64::try_from(start).ok()).unwrap_or(1).max(1)
    }

    /// How many resources at most (readings A5, A6).
    pub fn limit(&self) -> u64 {
        self.count.map_or(DEFAULT_COUNT, |count| u64::try_from(count).unwrap_or(0)).min(MAX_COUNT)
    }

    /// Refuses two ways of paging at once (reading A45).
    ///
    /// # Errors
    /// `invalidValue`.
    pub fn check_paging(&self) -> Result<(), ScimError> {
        if self.cursor.is_some() && self.start_index.is_some() {
            return Err(ScimError::value("startIndex and cursor exclude each other"));
        }
        Ok(())
    }

    /// Whether the order is descending. Without `sortBy`, `sortOrder` means nothing (reading A4).
    ///
    /// # Errors
    /// `invalidValue` for anything but `ascending` and `descending`, in any case.
    pub fn is_descending(&self) -> Result<bool, ScimError> {
        if self.sort_by.is_none() {
            return Ok(false);
        }
        match self.sort_order.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("ascending") => Ok(false),
            Some("descending") => Ok(true),
            Some(_) => Err(ScimError::value("sortOrder must be \"ascending\" or \"descending\"")),
        }
    }

    /// What to sort by, one entry a type; none in an entry where the type has no such attribute (reading A4).
    ///
    /// # Errors
    /// `invalidValue` for an attribute that no type has or that has no single value to sort by, `invalidFilter` for a secret
    /// one (reading A27).
    pub fn sort_paths<'a>(
        &self,
        kinds: impl Iterator<Item = &'a ResourceType>,
    ) -> Result<Vec<Option<Path>>, ScimError> {
        let Some(name) = self.sort_by.as_deref() else {
            return Ok(kinds.map(|_| None).collect());
        };
        let split = AttributeName::split(name);
        let paths: Vec<Option<Path>> =
            kinds.map(|kind| kind.resolve(&split).map(|path| path.to_value())).collect();
        if paths.iter().all(Option::is_none) {
            return Err(ScimError::value(format!("sortBy: there is no attribute {name:?}")));
        }
        if paths.iter().flatten().any(Path::is_secret) {
            return Err(ScimError::filter(format!("sortBy: {name} cannot be sorted by")));
        }
        if paths.iter().flatten().any(|path| path.leaf().kind == Type::Complex) {
            let detail = format!("sortBy: {name} is complex; name one of its sub-attributes");
            return Err(ScimError::value(detail));
        }
        Ok(paths)
    }
}

/// Table 3 of RFC 9865: beside a cursor a wrong `count` has an error of its own.
pub fn invalid_count(error: ScimError) -> ScimError {
    ScimError::new(ErrorKind::InvalidCount, error.detail)
}

fn text(members: Members<'_>, name: &str) -> Result<Option<String>, ScimError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(ScimError::value(format!("{name} must be a string"))),
    }
}

fn integer(members: Members<'_>, name: &str) -> Result<Option<i64>, ScimError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(ScimError::value(format!("{name} must be a whole number"))),
        },
    }
}

/// `attributes` and `excludedAttributes` are arrays in a body; a string of names, as in a URL, is understood too.
fn names(members: Members<'_>, name: &str) -> Result<Option<String>, ScimError> {
    let wrong = || ScimError::value(format!("{name} must be an array of strings"));
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(names)) => Ok(Some(names.clone())),
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            Ok(Some(names.ok_or_else(wrong)?.join(",")))
        }
        Some(_) => Err(wrong()),
    }
}
