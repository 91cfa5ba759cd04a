//! HTTP: every route of SCIM on this page, and what all requests have in common (RFC 7644 §3). The other APIs are
//! listed in [`api`].
//!
//! Invariant: a request takes one way: [`place`] finds where it goes, the caller is known before anything of
//! a tenant is looked at, and every refusal is a SCIM Error message, or what the API has in its place. The clock is
//! read once.

mod admin;
mod api;
mod auth;
mod base;
mod body;
mod cors;
mod descope;
mod error;
mod exchange;
mod identity;
mod json;
mod monocloud;
mod openapi;
mod problem;
mod query;
mod reindex;
mod scim;
mod server;
mod transmit;
mod zitadel;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};

use crate::access::Access;
use crate::context::Context;
use crate::directory::Directory;
use crate::http::error::Failure;
use crate::http::exchange::Trail;
use crate::http::scim::{Call, discovery, resources};
use crate::identity::Identity;
use crate::quirks::Profile;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::uri;

pub(crate) use error::with_causes;
pub(crate) use json::value as json_value;
pub use server::{serve, until};

/// What the HTTP side needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Scheme, host and perhaps path that clients see, without a slash at the end.
    pub public_url: Option<String>,
    /// Whether `X-Forwarded-Proto`, `-Host` and `-Prefix` count.
    pub trust_forwarded: bool,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The origins of the pages in browsers that may use the API.
    pub cors_origins: Vec<String>,
    /// How long a request may take, from its head to its answer.
    pub request_timeout: Duration,
    /// The number of worker threads; one a processor where it is not set.
    pub workers: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            trust_forwarded: false,
            cors_origins: Vec::new(),
            max_body: 4 << 20,
            request_timeout: Duration::from_secs(30),
            workers: None,
        }
    }
}

/// What every worker shares.
#[derive(Clone)]
struct App {
    directory: Directory,
    access: Access,
    identity: Identity,
    settings: Arc<Settings>,
    /// The OpenAPI document for those without a token, once somebody has asked for it.
    openapi: Arc<OnceLock<Bytes>>,
}

/// The places of the server; what is captured from the path stands in [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Health,
    Ready,
    OpenApi,
    Docs,
    Configuration,
    Types,
    OneType,
    Schemas,
    OneSchema,
    Root,
    RootSearch,
    Resources,
    Search,
    Resource,
    Bulk,
    Me,
    Nothing,
}

impl Place {
    /// Whether what is open there differs from tenant to tenant (reading A32).
    fn is_tenants(self) -> bool {
        matches!(
            self,
            Self::OpenApi
                | Self::Configuration
                | Self::Types
                | Self::OneType
                | Self::Schemas
                | Self::OneSchema
        )
    }
}

/// One row of the table of routes.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    place: Place,
    /// The path; those of SCIM stand under `/scim/v2` and `/scim`.
    pub template: &'static str,
    /// The methods.
    pub allow: &'static str,
    /// Whether it is answered without a token.
    pub open: bool,
}

const fn open(place: Place, template: &'static str, allow: &'static str) -> Route {
    Route { place, template, allow, open: true }
}

const fn closed(place: Place, template: &'static str, allow: &'static str) -> Route {
    Route { place, template, allow, open: false }
}

/// Every route.
pub const ROUTES: [Route; 16] = [
    open(Place::Health, "/healthz", "GET, HEAD, OPTIONS"),
    open(Place::Ready, "/readyz", "GET, HEAD, OPTIONS"),
    open(Place::OpenApi, "/openapi.json", "GET, HEAD, OPTIONS"),
    open(Place::Docs, "/docs", "GET, HEAD, OPTIONS"),
    open(Place::Configuration, "/ServiceProviderConfig", "GET, HEAD, OPTIONS"),
    open(Place::Types, "/ResourceTypes", "GET, HEAD, OPTIONS"),
    open(Place::OneType, "/ResourceTypes/{name}", "GET, HEAD, OPTIONS"),
    open(Place::Schemas, "/Schemas", "GET, HEAD, OPTIONS"),
    open(Place::OneSchema, "/Schemas/{urn}", "GET, HEAD, OPTIONS"),
    closed(Place::Root, "/", "GET, HEAD, OPTIONS"),
    closed(Place::RootSearch, "/.search", "POST, OPTIONS"),
    closed(Place::Resources, "/{type}", "GET, HEAD, POST, OPTIONS"),
    closed(Place::Search, "/{type}/.search", "POST, OPTIONS"),
    closed(Place::Resource, "/{type}/{id}", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
    closed(Place::Bulk, "/Bulk", "POST, OPTIONS"),
    closed(Place::Me, "/Me", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
];

/// The route of what is under SCIM's base and is nothing: it too asks for a token first.
const NOTHING: Route = closed(Place::Nothing, "unknown", "");

/// Where a path leads.
#[derive(Debug)]
struct Target<'a> {
    route: Route,
    /// The base that the request came by: `/scim/v2`, `/scim`, or nothing.
    mount: &'static str,
    /// `{type}`, as the path has it.
    endpoint: &'a str,
    /// `{id}`, `{name}` or `{urn}`, decoded.
    name: String,
}

/// Finds where a path leads. Doubled slashes and one at the end do not matter.
fn target(path: &str) -> Result<Target<'_>, ScimError> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (mount, rest) = match segments.as_slice() {
        ["scim", "v2", rest @ ..] => ("/scim/v2", rest),
        ["scim", version, ..] if is_version(version) => {
            let detail = format!("version {version} of SCIM is not served; v2 is");
            return Err(ScimError::new(ErrorKind::InvalidVers, detail));
        }
        ["scim", rest @ ..] => ("/scim", rest),
        rest => ("", rest),
    };
    let (place, endpoint, name) = place(mount, rest);
    let name = uri::decode(name, false).filter(|name| !name.contains(char::is_control));
    let route = match (ROUTES.iter().find(|route| route.place == place), &name) {
        (Some(route), Some(_)) => *route,
        _ if mount.is_empty() => return Err(nothing_here()),
        _ => NOTHING,
    };
    Ok(Target { route, mount, endpoint, name: name.unwrap_or_default() })
}

impl Target<'_> {
    /// Whether it is a place where there are these types, and the type that is there.
    fn kind(&self, registry: &Registry) -> Option<Option<Arc<ResourceType>>> {
        match (self.route.place, self.endpoint) {
            (Place::Nothing, _) => None,
            (_, "") => Some(None),
            (_, endpoint) => Some(Some(Arc::clone(registry.type_at(endpoint)?))),
        }
    }
}

/// The place, the `{type}` and the other captured segment of a path behind its mount.
fn place<'a>(mount: &str, rest: &[&'a str]) -> (Place, &'a str, &'a str) {
    match *rest {
        ["healthz"] if mount.is_empty() => (Place::Health, "", ""),
        ["readyz"] if mount.is_empty() => (Place::Ready, "", ""),
        ["openapi.json"] if mount.is_empty() => (Place::OpenApi, "", ""),
        ["docs"] if mount.is_empty() => (Place::Docs, "", ""),
        _ if mount.is_empty() => (Place::Nothing, "", ""),
        [] => (Place::Root, "", ""),
        ["ServiceProviderConfig"] => (Place::Configuration, "", ""),
        ["ResourceTypes"] => (Place::Types, "", ""),
        ["ResourceTypes", name] => (Place::OneType, "", name),
        ["Schemas"] => (Place::Schemas, "", ""),
        ["Schemas", urn] => (Place::OneSchema, "", urn),
        [".search"] => (Place::RootSearch, "", ""),
        ["Bulk"] => (Place::Bulk, "", ""),
        ["Me"] => (Place::Me, "", ""),
        [kind] => (Place::Resources, kind, ""),
        [kind, ".search"] => (Place::Search, kind, ""),
        [kind, id] => (Place::Resource, kind, id),
        _ => (Place::Nothing, "", ""),
    }
}

fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

fn nothing_here() -> ScimError {
    ScimError::new(ErrorKind::NotFound, "there is nothing at this path; SCIM is at /scim/v2")
}

/// Answers a request that came in at `now`, and leaves in `trail` what the log shall show.
async fn answer(
    app: &App,
    request: &HttpRequest,
    payload: Payload,
    now: DateTime<Utc>,
    trail: &mut Trail,
) -> Result<HttpResponse, Failure> {
    if let Some(api) = api::serving(request.path()) {
        return api.answer(app, request, payload, now, trail).await;
    }
    let target = target(request.path())?;
    let Route { place, template, allow, open } = target.route;
    trail.route = template;
    let asks_methods = *request.method() == Method::OPTIONS;
    let methods = || Ok(HttpResponse::NoContent().insert_header(("allow", allow)).finish());
    if asks_methods && target.kind(app.access.registry()).is_some() {
        return methods();
    }
    let token = auth::bearer(request);
    let caller = match open && (token.is_none() || !place.is_tenants()) {
        true => None,
        false => Some(app.access.authenticate(token, now).await?),
    };
    if let Some(caller) = &caller {
        trail.caller = Some(Arc::clone(caller));
    }
    let registry = caller.as_ref().map_or(app.access.registry(), |caller| &caller.registry);
    let Some(kind) = target.kind(registry) else {
        trail.route = NOTHING.template;
        return Err(nothing_here().into());
    };
    let method = request.method().as_str();
    if asks_methods {
        return methods();
    }
    if !allow.split(", ").any(|allowed| allowed == method) {
        return Err(Failure::method(method, &template.replace("{type}", target.endpoint), allow));
    }
    let profile = caller.as_ref().map(|caller| Arc::clone(&caller.profile));
    let caller = match caller {
        Some(caller) if !open => caller,
        _ => return open_place(app, request, &target, registry, profile.as_deref()).await,
    };
    let context = Context { caller, now, request: trail.request_id.clone() };
    let base = base::base(request, &app.settings, target.mount)?;
    let is_about_subject = place == Place::Me;
    let mut call = Call { app, request, context: &context, base: &base, trail, is_about_subject };
    call.check_may_read()?;
    call.check_accept()?;
    let Some(kind) = &kind else { return call.without_type(place, payload).await };
    match (place, request.method()) {
        (Place::Search, _) => resources::search(&mut call, std::slice::from_ref(kind), payload).await,
        (Place::Resources, &Method::POST) => resources::create(&mut call, kind, payload).await,
        (Place::Resources, _) => resources::list(&mut call, std::slice::from_ref(kind)).await,
        (_, &Method::PUT) => resources::replace(&mut call, kind, &target.name, payload).await,
        (_, &Method::PATCH) => resources::patch(&mut call, kind, &target.name, payload).await,
        (_, &Method::DELETE) => resources::delete(&mut call, kind, &target.name).await,
        _ => resources::get(&mut call, kind, &target.name).await,
    }
}

async fn open_place(
    app: &App,
    request: &HttpRequest,
    target: &Target<'_>,
    registry: &Registry,
    profile: Option<&Profile>,
) -> Result<HttpResponse, Failure> {
    match target.route.place {
        Place::Health => Ok(server::healthy()),
        Place::Ready => server::ready(&app.access).await,
        Place::OpenApi => Ok(openapi::answer(app, registry)),
        Place::Docs => Ok(openapi::page()),
        place => discovery::answer(app, request, target, place, registry, profile),
    }
}
