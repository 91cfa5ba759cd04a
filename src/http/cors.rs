//! Which pages in browsers may use the API (the CORS protocol of the Fetch standard); none unless the operator says so.
//!
//! Invariant: an origin is allowed only if it is in the settings, letter by letter, and no answer allows cookies: tokens
//! travel in a header that the page itself must set. A preflight is answered before anything is looked up, because
//! browsers send it without the token; it says nothing of what is there.

use actix_cors::Cors;
use actix_web::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH,
    LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE: usize = 600;

/// What pages of these origins may send, and read beside the body.
pub(super) fn rules(origins: &[String]) -> Cors {
    let rules = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([AUTHORIZATION, CONTENT_TYPE, ACCEPT, IF_MATCH, IF_NONE_MATCH, PREFER, REQUEST_ID])
        .expose_headers([
            ETAG,
            LOCATION,
            CONTENT_LOCATION,
            PREFERENCE_APPLIED,
            RETRY_AFTER,
            WWW_AUTHENTICATE,
            REQUEST_ID,
        ])
        .max_age(MAX_AGE)
        // Browsers keep the answer from a page that is not allowed; everybody else is no page.
        .block_on_origin_mismatch(false);
    origins.iter().fold(rules, |rules, origin| rules.allowed_origin(origin))
}
