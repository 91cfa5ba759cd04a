//! Bodies that the directory hands out in pieces.
//!
//! Invariant: what is all there goes out with its length. Else the next piece is read when the client has taken most of
//! what came before it, so a slow client costs one piece of memory and no connection to the database.

use std::collections::VecDeque;
use std::io;

use actix_web::http::Method;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::stream;

use crate::directory::{Piece, Pieces};
use crate::http::error::Failure;
use crate::http::scim::Call;

/// What is still to be sent, and the request's id for the log.
struct Rest {
    pieces: VecDeque<Piece>,
    request: String,
}

/// The answer that has these pieces as its body.
pub(super) fn respond(call: &Call<'_>, mut response: HttpResponseBuilder, body: Pieces) -> HttpResponse {
    let mut pieces = body.finish();
    if let [Piece::Text(text)] = pieces.as_mut_slice() {
        return response.body(std::mem::take(text));
    }
    if *call.request.method() == Method::HEAD {
        // Nobody reads it, so there is nothing to gather.
        pieces.clear();
    }
    let rest = Rest { pieces: pieces.into(), request: call.context.request.clone() };
    response.streaming(stream::try_unfold(rest, next))
}

/// The next bytes. A failure ends the connection before the body's end, which tells the client that it has not all of it.
async fn next(mut rest: Rest) -> io::Result<Option<(Bytes, Rest)>> {
    loop {
        let reading = match rest.pieces.front_mut() {
            None => return Ok(None),
            Some(Piece::Members(reading)) => reading,
            Some(Piece::Text(text)) => {
                let text = std::mem::take(text);
                rest.pieces.pop_front();
                return Ok(Some((text.into(), rest)));
            }
        };
        match reading.next().await {
            Ok(Some(members)) => return Ok(Some((members.into(), rest))),
            Ok(None) => rest.pieces.pop_front(),
            Err(failure) => {
                let failure = Failure::from(failure);
                let cause = failure.cause.unwrap_or(failure.error.detail);
                tracing::error!(request_id = rest.request, cause, "an answer broke off");
                return Err(io::Error::other("the answer broke off"));
            }
        };
    }
}
