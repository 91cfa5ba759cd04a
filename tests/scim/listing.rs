//! Queries: what their parameters mean.
//!
//! A case is `types User, Group` (or not) and the body of a `.search` request.

use muster::scim::error::ScimError;
use muster::scim::listing::ListQuery;
use muster::scim::registry::{Registry, ResourceType};
use muster::scim::urn;
use serde_json::{Map, Value, json};

use crate::cases::{self, object};
use crate::directory::{refusal, registry};

#[test]
fn queries_mean_what_the_cases_say() {
    let registry = registry();
    cases::check("listing", |given| {
        let (types, body) = match given {
            [body] => (vec!["User"], body),
            [types, body] => (types.split_once(' ').unwrap().1.split(", ").collect(), body),
            _ => panic!("{given:?} is more than a query"),
        };
        let mut body = object(body);
        body.entry("schemas").or_insert_with(|| json!([urn::SEARCH_REQUEST]));
        vec![meaning(&registry, &types, &body).unwrap_or_else(|error| refusal(&error))]
    });
}

fn meaning(registry: &Registry, types: &[&str], body: &Map<String, Value>) -> Result<String, ScimError> {
    let (query, projection) = ListQuery::from_search_request(body)?;
    let kinds = types.iter().map(|name| -> &ResourceType { registry.type_named(name).unwrap() });
    let order = if query.is_descending()? { "descending" } else { "ascending" };
    let sort = query.sort_paths(kinds)?;
    let sort: Vec<String> =
        sort.iter().map(|path| path.as_ref().map_or("nothing".to_owned(), ToString::to_string)).collect();
    let filter = query.filter.as_deref().unwrap_or("none");
    let (start, limit, sort) = (query.start(), query.limit(), sort.join(" and "));
    Ok(format!("from {start}, at most {limit}, {order} by {sort}; filter {filter}; {projection:?}"))
}
