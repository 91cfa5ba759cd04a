//! Which pages in browsers may use the API (the CORS protocol of the Fetch standard); none unless the operator says so.
//!
//! Invariant: an origin is allowed only if it is in the settings, letter by letter, and no answer allows cookies: tokens
//! travel in a header that the page itself must set. A preflight is answered before anything is looked up, because
//! browsers send it without the token; it says nothing of what is there. What headers an API has beside those of all
//! is said by the API.

use actix_cors::Cors;

use crate::http::api::{APIS, Api};

/// The headers of requests that every API reads, or SCIM does.
const HEADERS: [&str; 7] =
    ["authorization", "content-type", "accept", "if-match", "if-none-match", "prefer", "x-request-id"];

/// The headers of answers that say something, whatever is asked.
const SHOWN: [&str; 8] = [
    "allow",
    "etag",
    "location",
    "content-location",
    "preference-applied",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE: usize = 600;

/// What pages of these origins may send, and read beside the body.
pub(super) fn rules(origins: &[String]) -> Cors {
    let of_apis = |own: fn(&Api) -> &'static [&'static str]| APIS.into_iter().flat_map(own).copied();
    let rules = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(HEADERS.into_iter().chain(of_apis(|api| api.headers)))
        .expose_headers(SHOWN.into_iter().chain(of_apis(|api| api.shows)))
        .max_age(MAX_AGE)
        // Browsers keep the answer from a page that is not allowed; everybody else is no page.
        .block_on_origin_mismatch(false);
    origins.iter().fold(rules, |rules, origin| rules.allowed_origin(origin))
}
