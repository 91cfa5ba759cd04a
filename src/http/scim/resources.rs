//! Requests on resources: query, create, retrieve, replace, patch, delete (RFC 7644 §3.3–§3.6, §3.14).
//!
//! Invariant: bodies are written once, from the pieces that the directory renders.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LOCATION, CONTENT_TYPE, ETAG, LOCATION};
use actix_web::web::Payload;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::Value;

use crate::directory::{Entry, Listing, Pieces};
use crate::http::error::{Failure, SCIM_JSON};
use crate::http::query::Query;
use crate::http::scim::prefer::{PREFERENCE_APPLIED, Return};
use crate::http::scim::{Call, pieces};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::filter::Filter;
use crate::scim::listing::ListQuery;
use crate::scim::projection::Projection;
use crate::scim::registry::ResourceType;
use crate::scim::urn;

type Kinds = [Arc<ResourceType>];

/// GET on a type, or on the root for all types.
pub(in crate::http) async fn list(call: &mut Call<'_>, kinds: &Kinds) -> Result<HttpResponse, Failure> {
    let query = Query::parse(call.request.query_string())?;
    let projection = query.projection()?;
    answer_query(call, kinds, query.into_list_query(), &projection).await
}

/// POST on `.search`: the same, asked in the body (RFC 7644 §3.4.3).
pub(in crate::http) async fn search(
    call: &mut Call<'_>,
    kinds: &Kinds,
    payload: Payload,
) -> Result<HttpResponse, Failure> {
    let body = call.search(payload).await?;
    let (query, projection) = ListQuery::from_search_request(&body)?;
    answer_query(call, kinds, query, &projection).await
}

/// The page that matches; to a GET with its tag, or only that, if the client has the page.
async fn answer_query(
    call: &mut Call<'_>,
    kinds: &Kinds,
    query: ListQuery,
    projection: &Projection,
) -> Result<HttpResponse, Failure> {
    let query = ListQuery { filter: call.filter(kinds, query.filter), ..query };
    let listing = call.app.directory.list(call.context, kinds, &query, projection).await?;
    let tag = listing.tag();
    let tagged = (ETAG, format!("W/\"{tag}\""));
    if *call.request.method() == Method::POST {
        return Ok(list_response(call, HttpResponse::Ok(), listing, projection));
    }
    if call.condition().knows(&tag) {
        return Ok(HttpResponse::NotModified().insert_header(tagged).finish());
    }
    let mut response = HttpResponse::Ok();
    response.insert_header(tagged);
    Ok(list_response(call, response, listing, projection))
}

/// POST on a type.
pub(in crate::http) async fn create(
    call: &mut Call<'_>,
    kind: &Arc<ResourceType>,
    payload: Payload,
) -> Result<HttpResponse, Failure> {
    call.check_may_write()?;
    let query = Query::parse(call.request.query_string())?;
    let projection = query.projection()?;
    let body = call.resource(kind, payload).await?;
    let entry = call.app.directory.create(call.context, kind, body, &projection).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, entry.location(call.base)));
    if call.prefers() == Some(Return::Minimal) && !query.projects() {
        return Ok(without_entry(response, &entry, true));
    }
    Ok(with_entry(call, response, entry, &projection))
}

/// GET or HEAD on a resource. With a filter it is a query over this one resource (reading A41).
pub(in crate::http) async fn get(
    call: &mut Call<'_>,
    kind: &Arc<ResourceType>,
    id: &str,
) -> Result<HttpResponse, Failure> {
    let query = Query::parse(call.request.query_string())?;
    let projection = query.projection()?;
    if query.filter.is_some() {
        let kinds = std::slice::from_ref(kind);
        let filter = call.filter(kinds, query.filter);
        let filter = filter.map(|filter| only(id, &filter, kind)).transpose()?;
        return answer_query(call, kinds, ListQuery { filter, ..ListQuery::default() }, &projection).await;
    }
    let entry = call.app.directory.get(call.context, kind, id, &projection).await?;
    let condition = call.condition();
    if condition.is_not_modified(entry.version()) {
        let mut response = HttpResponse::NotModified();
        response.insert_header((ETAG, entry.etag()));
        response.insert_header((CONTENT_LOCATION, entry.location(call.base)));
        return Ok(response.finish());
    }
    if !condition.allows_write(entry.version()) {
        let detail = format!("the resource is at version {}", entry.etag());
        return Err(ScimError::new(ErrorKind::PreconditionFailed, detail).into());
    }
    Ok(with_entry(call, HttpResponse::Ok(), entry, &projection))
}

/// The filter, for one resource. It is parsed by itself first, so that its parentheses are its own.
fn only(id: &str, filter: &str, kind: &ResourceType) -> Result<String, ScimError> {
    Filter::parse(filter, kind)?;
    Ok(format!("id eq {} and ({filter})", Value::from(id)))
}

/// PUT on a resource.
pub(in crate::http) async fn replace(
    call: &mut Call<'_>,
    kind: &Arc<ResourceType>,
    id: &str,
    payload: Payload,
) -> Result<HttpResponse, Failure> {
    call.check_may_write()?;
    let query = Query::parse(call.request.query_string())?;
    let projection = query.projection()?;
    let body = call.resource(kind, payload).await?;
    let entry =
        call.app.directory.replace(call.context, kind, id, &call.condition(), body, &projection).await?;
    if call.prefers() == Some(Return::Minimal) && !query.projects() {
        return Ok(without_entry(HttpResponse::NoContent(), &entry, true));
    }
    Ok(with_entry(call, HttpResponse::Ok(), entry, &projection))
}

/// PATCH on a resource. The answer has a body unless it is not wanted (reading A9) or would be a large group.
pub(in crate::http) async fn patch(
    call: &mut Call<'_>,
    kind: &Arc<ResourceType>,
    id: &str,
    payload: Payload,
) -> Result<HttpResponse, Failure> {
    call.check_may_write()?;
    let query = Query::parse(call.request.query_string())?;
    let projection = query.projection()?;
    let body = call.patch(kind, payload).await?;
    let entry =
        call.app.directory.patch(call.context, kind, id, &call.condition(), body, &projection).await?;
    let is_brief = call.wants_brief_patch() && !query.projects();
    if is_brief || entry.has_too_many_members() {
        let is_preferred = is_brief && call.prefers().is_some();
        return Ok(without_entry(HttpResponse::NoContent(), &entry, is_preferred));
    }
    Ok(with_entry(call, HttpResponse::Ok(), entry, &projection))
}

/// DELETE on a resource.
pub(in crate::http) async fn delete(
    call: &mut Call<'_>,
    kind: &Arc<ResourceType>,
    id: &str,
) -> Result<HttpResponse, Failure> {
    call.check_may_write()?;
    call.app.directory.delete(call.context, kind, id, &call.condition()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The answer to a write that does not show the resource, perhaps because the client prefers that.
fn without_entry(mut response: HttpResponseBuilder, entry: &Entry, is_preferred: bool) -> HttpResponse {
    if is_preferred {
        response.insert_header((PREFERENCE_APPLIED, Return::Minimal.applied()));
    }
    response.insert_header((ETAG, entry.etag())).finish()
}

/// The representation of a resource. RFC 7643 §3.1: `meta.location` is the value of `Content-Location`.
fn with_entry(
    call: &Call<'_>,
    mut response: HttpResponseBuilder,
    entry: Entry,
    projection: &Projection,
) -> HttpResponse {
    response.insert_header((CONTENT_TYPE, SCIM_JSON)).insert_header((ETAG, entry.etag()));
    response.insert_header((CONTENT_LOCATION, entry.location(call.base)));
    if call.is_about_subject {
        // RFC 7644 §3.11: where the user is found by everybody.
        response.insert_header((LOCATION, entry.location(call.base)));
    }
    let is_write = !matches!(*call.request.method(), Method::GET | Method::HEAD);
    if is_write && call.prefers() == Some(Return::Representation) {
        response.insert_header((PREFERENCE_APPLIED, Return::Representation.applied()));
    }
    let mut body = Pieces::default();
    entry.pieces(call.base, projection, &mut body);
    pieces::respond(call, response, body)
}

/// The ListResponse of RFC 7644 §3.4.2, written around the bytes of its resources.
fn list_response(
    call: &Call<'_>,
    mut response: HttpResponseBuilder,
    listing: Listing,
    projection: &Projection,
) -> HttpResponse {
    // A cursor needs no escaping, and it is there or not (RFC 9865 §2).
    let place = match (listing.start_index, &listing.next_cursor) {
        (Some(index), _) => format!("\"startIndex\":{index},"),
        (None, Some(cursor)) => format!("\"nextCursor\":\"{cursor}\","),
        (None, None) => String::new(),
    };
    let head = format!(
        r#"{{"schemas":["{}"],"totalResults":{},{place}"itemsPerPage":{},"Resources":["#,
        urn::LIST_RESPONSE,
        listing.total,
        listing.entries.len(),
    );
    let mut body = Pieces::default();
    body.text.extend_from_slice(head.as_bytes());
    for (index, entry) in listing.entries.into_iter().enumerate() {
        if index > 0 {
            body.text.push(b',');
        }
        entry.pieces(call.base, projection, &mut body);
    }
    body.text.extend_from_slice(b"]}");
    response.insert_header((CONTENT_TYPE, SCIM_JSON));
    pieces::respond(call, response, body)
}
