//! One request from the wire to the log line.
//!
//! Invariant: every request gets exactly one answer and one log line, within its time limit, also when the code behind
//! it panics.
//! The line has no query, no id and no header in it: those are personal data or secrets.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::rt::time::timeout;
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

use crate::context::Caller;
use crate::http::App;
use crate::http::body::Arriving;
use crate::http::error::{self, Failure};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the log line of a request shows. It travels with the request, from its root span to its end.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) request_id: String,
    pub(super) route: &'static str,
    pub(super) caller: Option<Arc<Caller>>,
    pub(super) quirks: Vec<&'static str>,
    /// How a refusal is spelled where the request went.
    pub(super) spelling: fn(&Failure, &str) -> HttpResponse,
    began: Instant,
}

impl Trail {
    fn begin(request: &impl HttpMessage) -> Self {
        Self {
            request_id: request_id(request),
            route: "unknown",
            caller: None,
            quirks: Vec::new(),
            spelling: error::spell,
            began: Instant::now(),
        }
    }
}

/// The root span of a request, in which all that is logged about it happens, and its one line at the end.
pub(super) struct RootSpan;

impl RootSpanBuilder for RootSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let trail = Trail::begin(request);
        // Only those who read what happens inside a request pay for a span around it.
        let span = tracing::debug_span!("request", id = trail.request_id);
        request.extensions_mut().insert(trail);
        span
    }

    fn on_request_end<B: MessageBody>(_: Span, outcome: &Result<ServiceResponse<B>, actix_web::Error>) {
        let Ok(response) = outcome else { return };
        let extensions = response.request().extensions();
        let Some(trail) = extensions.get::<Trail>() else { return };
        let caller = trail.caller.as_deref();
        tracing::info!(
            parent: None,
            request_id = trail.request_id,
            tenant = caller.map_or("", |caller| &caller.tenant_name),
            client = caller.map_or("", |caller| &caller.client_name),
            method = response.request().method().as_str(),
            route = trail.route,
            status = response.status().as_u16(),
            duration_ms = trail.began.elapsed().as_secs_f64() * 1e3,
            quirks = trail.quirks.join(","),
            "request"
        );
    }
}

/// Answers one request.
pub(super) async fn exchange(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let began = request.extensions_mut().remove::<Trail>();
    let mut trail = began.unwrap_or_else(|| Trail::begin(&request));
    let limit = app.settings.request_timeout;
    let answered = {
        // It is large, and stays where it is made.
        let answering = pin!(super::answer(&app, &request, payload, clock(), &mut trail));
        timeout(limit, unpanicked(answering)).await
    };
    let answered = match answered {
        Ok(answered) => answered,
        Err(_) if request.extensions().contains::<Arriving>() => Err(Failure::slow_body(limit)),
        Err(_) => Err(Failure::overdue(limit, !request.method().is_safe())),
    };
    let mut response = answered.unwrap_or_else(|failure| {
        if let Some(cause) = &failure.cause {
            tracing::error!(request_id = trail.request_id, cause, "a request failed");
        }
        (trail.spelling)(&failure, &trail.request_id)
    });
    if let Ok(value) = HeaderValue::from_str(&trail.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    request.extensions_mut().insert(trail);
    response
}

#[expect(clippy::disallowed_methods, reason = "the one read of the clock in a request")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}

/// The client's own id of the request if it is fit for a log, else the one that the root span was given.
fn request_id(request: &impl HttpMessage) -> String {
    let fit = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'=')
            })
    };
    let given = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(fit);
    let made = || request.extensions().get::<RequestId>().map(|id| id.simple().to_string());
    given.map(str::to_owned).or_else(made).unwrap_or_default()
}

/// The future's output, or a 500 if it panics.
async fn unpanicked<T>(mut future: Pin<&mut impl Future<Output = Result<T, Failure>>>) -> Result<T, Failure> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(Failure::internal(format!("panic: {}", message(&*panic))))),
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::rt::System;

    use super::*;

    #[test]
    fn a_panic_becomes_a_500_that_shows_only_the_request_id() {
        let broken = async {
            actix_web::rt::task::yield_now().await;
            if true {
                panic!("a secret cause")
            }
            Ok(())
        };
        System::new().block_on(async {
            let failure = unpanicked(pin!(broken)).await.unwrap_err();
            assert_eq!(failure.cause.as_deref(), Some("panic: a secret cause"));
            let response = error::spell(&failure, "req-1");
            assert_eq!(response.status().as_u16(), 500);
            let body = String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec()).unwrap();
            assert!(body.contains("req-1") && !body.contains("secret"), "{body}");
        });
    }

    #[test]
    fn what_does_not_panic_passes_through() {
        let answered = System::new().block_on(unpanicked(pin!(async { Ok(7) })));
        assert_eq!(answered.unwrap(), 7);
    }
}
