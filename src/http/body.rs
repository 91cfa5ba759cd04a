//! A request's body: its size, its media type, its JSON (RFC 7644 §3.8).
//!
//! Invariant: never more than the limit is kept in memory, and a body that came in one piece is not copied.

use std::future::poll_fn;
use std::pin::Pin;

use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpMessage as _, HttpRequest};
use serde_json::{Map, Value};

use crate::http::json;
use crate::scim::error::{ErrorKind, ScimError};

/// Stands with a request while its body is on the way, so that a body that takes too long can be told from an answer that
/// does.
#[derive(Debug)]
pub(super) struct Arriving;

/// Reads the JSON object of a request that must have one.
///
/// # Errors
/// 413, 415, or `invalidSyntax`.
pub(super) async fn object(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Map<String, Value>, ScimError> {
    let bytes = bytes(request, payload, limit).await?;
    if !bytes.is_empty() {
        check_media_type(request)?;
    }
    json::object(&bytes)
}

/// Reads a body, whatever it is.
///
/// # Errors
/// 413, or `invalidSyntax` if it does not arrive.
pub(super) async fn bytes(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, ScimError> {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large(limit));
    }
    request.extensions_mut().insert(Arriving);
    let bytes = collect(payload, limit).await?;
    request.extensions_mut().remove::<Arriving>();
    Ok(bytes)
}

async fn collect(payload: Payload, limit: usize) -> Result<Bytes, ScimError> {
    let mut stream = BodyStream::new(payload);
    let mut next = async || match poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
        None => Ok(None),
        Some(Ok(piece)) => Ok(Some(piece)),
        Some(Err(error)) => Err(ScimError::syntax(format!("the body broke off: {error}"))),
    };
    let Some(first) = next().await? else { return Ok(Bytes::new()) };
    let mut whole = Vec::new();
    let mut size = first.len();
    while let Some(piece) = next().await? {
        size += piece.len();
        if size > limit {
            return Err(too_large(limit));
        }
        if whole.is_empty() {
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&piece);
    }
    match whole.is_empty() {
        _ if size > limit => Err(too_large(limit)),
        true => Ok(first),
        false => Ok(whole.into()),
    }
}

fn too_large(limit: usize) -> ScimError {
    ScimError::new(ErrorKind::PayloadTooLarge, format!("the body is larger than {limit} bytes"))
}

/// Both JSON media types are good, with any parameters; so is none (reading A40).
pub(super) fn check_media_type(request: &HttpRequest) -> Result<(), ScimError> {
    let Some(header) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let text = header.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let good = essence.is_empty() && header.is_empty()
        || ["application/scim+json", "application/json"]
            .iter()
            .any(|good| essence.eq_ignore_ascii_case(good));
    if good {
        return Ok(());
    }
    Err(ScimError::new(
        ErrorKind::UnsupportedMediaType,
        "the body's Content-Type must be application/scim+json or application/json",
    ))
}
