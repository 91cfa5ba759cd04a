//! The listening server: its socket, its patience, and the two questions that a supervisor asks.
//!
//! Invariant: a connection that sends nothing is dropped; a server that is told to stop answers what it has
//! begun.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Condition;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse, HttpServer};
use tracing_actix_web::TracingLogger;

use crate::access::Access;
use crate::directory::Directory;
use crate::http::cors;
use crate::http::error::{self, Failure, with_causes};
use crate::http::exchange::{RootSpan, exchange};
use crate::http::{App, Settings, reindex};
use crate::identity::Identity;
use crate::scim::error::{ErrorKind, ScimError};

/// How long a client may take for the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long requests that were begun may take when the server stops, in seconds.
const LAST_REQUESTS: u64 = 30;
/// How long the store may take to say that it is there.
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// Answers requests until `stop` is ready, and then those that were begun.
///
/// # Errors
/// Those of the operating system.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    directory: Directory,
    access: Access,
    identity: Identity,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let workers = settings.workers;
    let upkeep = actix_web::rt::spawn(reindex::run(access.clone(), directory.clone()));
    let origins = settings.cors_origins.clone();
    let settings = Arc::new(settings);
    let app = Data::new(App { directory, access, identity, settings, openapi: Arc::default() });
    let mut server = HttpServer::new(move || {
        actix_web::App::new()
            .wrap(Condition::new(!origins.is_empty(), cors::rules(&origins)))
            .wrap(TracingLogger::<RootSpan>::new())
            .app_data(Data::clone(&app))
            .default_service(web::to(exchange))
    })
    .client_request_timeout(HEAD_PATIENCE)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(LAST_REQUESTS)
    .shutdown_signal(stop)
    .disable_signals();
    if let Some(count) = workers {
        server = server.workers(count);
    }
    let served = server.listen(listener)?.run().await;
    upkeep.abort();
    served
}

/// Answers that the database is away until `ready` is, and then what that is. Nobody is left waiting: the socket may be
/// served by others afterwards.
///
/// # Errors
/// Those of the operating system.
pub async fn until<T>(listener: TcpListener, ready: impl Future<Output = T>) -> io::Result<T> {
    let server = HttpServer::new(|| {
        actix_web::App::new().wrap(TracingLogger::<RootSpan>::new()).default_service(web::to(away))
    });
    let server = server
        .client_request_timeout(HEAD_PATIENCE)
        .keep_alive(KeepAlive::Disabled)
        .shutdown_timeout(1)
        .disable_signals()
        .workers(1)
        .listen(listener)?
        .run();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let ready = ready.await;
    handle.stop(true).await;
    running.await.map_err(io::Error::other)??;
    Ok(ready)
}

async fn away(request: HttpRequest) -> HttpResponse {
    if request.path() == "/healthz" {
        return healthy();
    }
    let error = ScimError::new(ErrorKind::Unavailable, "the database is away; try again");
    error::spell(&error.into(), "")
}

fn says(text: &'static str) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(text)
}

/// `/healthz`: the process runs.
pub(super) fn healthy() -> HttpResponse {
    says("ok\n")
}

/// `/readyz`: the store answers too.
pub(super) async fn ready(access: &Access) -> Result<HttpResponse, Failure> {
    let pinged = actix_web::rt::time::timeout(PING_PATIENCE, access.ping()).await;
    let cause = match pinged {
        Ok(Ok(())) => return Ok(says("ready\n")),
        Ok(Err(error)) => with_causes(&error),
        Err(_) => "the store does not answer in time".to_owned(),
    };
    Err(Failure::unavailable(cause))
}
