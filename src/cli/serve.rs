//! `muster serve`: puts the layers together and runs them until it is told to stop.
//!
//! Invariant: stdout has one line when requests are answered, and before it, once in a database's life, its
//! first token.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use crate::access::{Access, Bootstrap};
use crate::cli::{Refused, log, say, schemas};
use crate::config::{self, Given, Settings};
use crate::courier::{self, Channels, Courier};
use crate::directory::Directory;
use crate::http;
use crate::identity::Identity;
use crate::scim::registry::Registry;
use crate::store::{DatabaseUrl, Store, StoreError};

/// How long to wait before a database that is away is tried again.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Run the server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  muster serve
  muster serve --listen 0.0.0.0:8080 --database sqlite:/var/lib/muster/muster.db
  muster serve --public-url https://scim.example.com --log-format json

MUSTER_BOOTSTRAP_TOKEN sets the first token of the tenant default. Without it, the first start on an empty
database makes one and prints it, once. MUSTER_LOG filters log lines, as in MUSTER_LOG=debug.")]
pub(super) struct Serve {
    /// The settings file [default: muster.toml, if it is there]
    #[arg(long, env = "MUSTER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

impl Serve {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        let settings = self.given.over(Given::from_file(self.config.as_deref())?).resolve()?;
        // What was logged is written before this ends.
        let _log = log::start(settings.log_format)?;
        let registry = Arc::new(schemas::registry(settings.schemas.as_deref())?);
        let courier = Courier::new(&settings.courier).map_err(Refused)?;
        let channels = courier.channels();
        let (listener, address) = listen(settings.listen)?;
        let Some(store) = open(&settings.database, &registry, &listener).await? else { return Ok(()) };
        let access = Access::new(store.clone(), registry);
        let directory = Directory::new(store.clone());
        let identity = Identity::new(directory.clone(), store.clone(), channels);
        let stop = stop_signal()?;
        // Only now: a token that is shown once must not be lost to a port in use.
        let bootstrap = access.bootstrap(config::bootstrap_token().as_deref(), now).await?;
        if let Bootstrap::Made(token) = bootstrap {
            say(first_token(token.reveal(), address))?;
        }
        say(format_args!("muster listening on http://{address}"))?;
        announce(channels);
        let (ended, end) = oneshot::channel::<()>();
        // It ends with the server: then the other half of the channel is gone.
        let delivery = tokio::task::spawn_local(courier::deliver(store, courier, async { drop(end.await) }));
        let served = http::serve(listener, http_settings(settings), directory, access, identity, stop).await;
        drop(ended);
        // What it had taken when it was told to stop is brought first.
        delivery.await.ok();
        Ok(served?)
    }
}

/// Says what cannot be sent.
fn announce(channels: Channels) {
    let missing: Vec<&str> = [("e-mails", channels.email), ("texts", channels.sms)]
        .into_iter()
        .filter(|(_, there)| !there)
        .map(|(name, _)| name)
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        tracing::warn!(
            "no courier is set for {missing}: codes and links that should be sent are not; see --courier"
        );
    }
}

/// Opens the database. A server that is away is tried again and again, and clients are told so meanwhile; none if the
/// process is asked to end before it is there.
async fn open(
    database: &DatabaseUrl,
    registry: &Registry,
    listener: &TcpListener,
) -> Result<Option<Store>, Refused> {
    let first = Store::open(database, registry).await;
    let (DatabaseUrl::Postgres(_), Err(StoreError::Unavailable(_))) = (database, &first) else {
        return Ok(Some(first?));
    };
    let again = async {
        let mut opened = first;
        while let Err(error @ StoreError::Unavailable(_)) = &opened {
            tracing::error!(cause = http::with_causes(error), "the database cannot be reached; trying again");
            actix_web::rt::time::sleep(BETWEEN_TRIES).await;
            opened = Store::open(database, registry).await;
        }
        opened
    };
    let stop = stop_signal()?;
    match http::until(listener.try_clone()?, select(pin!(again), pin!(stop))).await? {
        Either::Left((opened, _)) => Ok(Some(opened?)),
        Either::Right(_) => Ok(None),
    }
}

/// Opens the socket, whose backlog holds connections until they are served, and says which port it got.
fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Refused> {
    TcpListener::bind(address)
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)))
        .map_err(|error| Refused(format!("cannot listen on {address}: {error}; choose another --listen")))
}

fn first_token(token: &str, address: SocketAddr) -> String {
    format!(
        "The first token of the tenant default, which is shown only now:\n{token}\n\
         Try it:\n  curl -H 'Authorization: Bearer {token}' http://{address}/scim/v2/Users"
    )
}

fn http_settings(settings: Settings) -> http::Settings {
    http::Settings {
        public_url: settings.public_url,
        trust_forwarded: settings.trust_forwarded,
        cors_origins: settings.cors_origins,
        max_body: settings.max_body,
        request_timeout: settings.request_timeout,
        workers: settings.workers,
    }
}

/// Ready when the process is asked to end.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Refused> {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(poll_fn(move |cx| {
        let told = terminate.poll_recv(cx).is_ready() || interrupt.poll_recv(cx).is_ready();
        if told { Poll::Ready(()) } else { Poll::Pending }
    }))
}

/// Ready when the process is asked to end.
#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Refused> {
    Ok(async {
        // Without a handler the system ends the process by itself.
        let _ = tokio::signal::ctrl_c().await;
    })
}
