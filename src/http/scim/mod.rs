//! SCIM requests whose caller is known (RFC 7644 §3).
//!
//! Invariant: quirks are applied here and nowhere else, and each that fires is in the log line. What goes
//! down to the directory is SCIM; what comes back is only rendered.

pub(super) mod bulk;
pub(super) mod discovery;
mod pieces;
mod prefer;
pub(super) mod resources;

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, HeaderName, IF_MATCH, IF_NONE_MATCH};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

use crate::context::{Context, Permission};
use crate::http::error::Failure;
use crate::http::exchange::Trail;
use crate::http::scim::prefer::{PREFER, Return};
use crate::http::{App, Place, auth, body};
use crate::quirks::{self, Profile};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::registry::ResourceType;
use crate::scim::urn;
use crate::scim::version::Condition;

/// A request with all that is known about it.
pub(super) struct Call<'a> {
    pub(super) app: &'a App,
    pub(super) request: &'a HttpRequest,
    pub(super) context: &'a Context,
    /// The base of the URLs in the answer.
    pub(super) base: &'a str,
    pub(super) trail: &'a mut Trail,
    /// Whether it is about the user that the token is about, and nobody else.
    pub(super) is_about_subject: bool,
}

impl Call<'_> {
    /// Answers at the places that belong to no resource type.
    pub(super) async fn without_type(
        &mut self,
        place: Place,
        payload: Payload,
    ) -> Result<HttpResponse, Failure> {
        let registry = Arc::clone(&self.context.caller.registry);
        let kinds = registry.types();
        match place {
            Place::Root => resources::list(self, kinds).await,
            Place::RootSearch => resources::search(self, kinds, payload).await,
            Place::Bulk => bulk::answer(self, payload).await,
            _ => self.me(payload).await,
        }
    }

    /// Answers at `/Me`, which stands for the user that the token is about (RFC 7644 §3.11, reading A42).
    async fn me(&mut self, payload: Payload) -> Result<HttpResponse, Failure> {
        let caller = &self.context.caller;
        let kind = caller.registry.types().iter().find(|kind| urn::same(&kind.schema.id, urn::USER)).cloned();
        let (Some(id), Some(kind)) = (caller.subject.clone(), kind) else {
            return Err(ScimError::new(ErrorKind::NotFound, "the token is about no user").into());
        };
        match *self.request.method() {
            Method::PUT => resources::replace(self, &kind, id.as_str(), payload).await,
            Method::PATCH => resources::patch(self, &kind, id.as_str(), payload).await,
            Method::DELETE => resources::delete(self, &kind, id.as_str()).await,
            Method::POST => {
                let detail = "POST /Me is not supported; users are created at /Users";
                Err(ScimError::new(ErrorKind::NotImplemented, detail).into())
            }
            _ => resources::get(self, &kind, id.as_str()).await,
        }
    }

    /// Whether the client takes what is sent, for tenants that want it refused otherwise (reading A40).
    pub(super) fn check_accept(&self) -> Result<(), ScimError> {
        if !self.profile().policy.refuse_unacceptable || self.admits_json() {
            return Ok(());
        }
        Err(ScimError::new(
            ErrorKind::NotAcceptable,
            "answers are application/scim+json; Accept must admit that",
        ))
    }

    fn admits_json(&self) -> bool {
        let headers: Vec<&str> =
            self.request.headers().get_all(ACCEPT).filter_map(|h| h.to_str().ok()).collect();
        headers.is_empty() || headers.iter().flat_map(|header| header.split(',')).any(admits_json)
    }

    /// Whether the client wants to see what it wrote, if it says so.
    fn prefers(&self) -> Option<Return> {
        Return::parse(&self.list(PREFER)?)
    }

    /// Whether the answer to a PATCH has no body unless attributes are asked for (reading A9).
    fn wants_brief_patch(&self) -> bool {
        let is_usual = self.profile().policy.patch_no_content;
        self.prefers().map_or(is_usual, |wanted| wanted == Return::Minimal)
    }

    /// Refuses clients that may not read, or whom SCIM does not concern at all.
    pub(super) fn check_may_read(&self) -> Result<(), ScimError> {
        self.check_may(Permission::ReadScim)
    }

    /// Refuses clients that may only read.
    fn check_may_write(&self) -> Result<(), ScimError> {
        self.check_may(Permission::WriteScim)
    }

    /// Who acts as a user needs no other permission for what is about that user.
    fn check_may(&self, permission: Permission) -> Result<(), ScimError> {
        if self.is_about_subject && self.context.caller.scopes.allow(Permission::ActAsSubject) {
            return Ok(());
        }
        auth::check(self.context, permission)
    }

    fn profile(&self) -> &Profile {
        &self.context.caller.profile
    }

    async fn body(&self, payload: Payload) -> Result<Map<String, Value>, ScimError> {
        body::object(self.request, payload, self.app.settings.max_body).await
    }

    /// The body of a POST or PUT, in SCIM.
    async fn resource(
        &mut self,
        kind: &ResourceType,
        payload: Payload,
    ) -> Result<Map<String, Value>, ScimError> {
        let mut body = self.body(payload).await?;
        let fired = quirks::rewrite_resource(self.profile(), kind, &mut body);
        self.trail.quirks.extend(fired);
        Ok(body)
    }

    /// The body of a PATCH, in SCIM.
    async fn patch(
        &mut self,
        kind: &ResourceType,
        payload: Payload,
    ) -> Result<Map<String, Value>, ScimError> {
        let mut body = self.body(payload).await?;
        let fired = quirks::rewrite_patch(self.profile(), kind, &mut body);
        self.trail.quirks.extend(fired);
        Ok(body)
    }

    /// The body of a search, in SCIM but for its filter.
    async fn search(&mut self, payload: Payload) -> Result<Map<String, Value>, ScimError> {
        let mut body = self.body(payload).await?;
        let fired = quirks::rewrite_search(self.profile(), &mut body);
        self.trail.quirks.extend(fired);
        Ok(body)
    }

    /// A filter, in SCIM.
    fn filter(&mut self, kinds: &[Arc<ResourceType>], filter: Option<String>) -> Option<String> {
        let filter = filter?;
        let (rewritten, fired) = quirks::rewrite_filter(self.profile(), kinds, &filter);
        let rewritten = match rewritten {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(text),
        };
        self.trail.quirks.extend(fired);
        Some(rewritten.unwrap_or(filter))
    }

    /// The preconditions in the request's headers.
    fn condition(&self) -> Condition {
        condition(self.request)
    }

    fn list(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        list(self.request, name)
    }
}

/// The preconditions in a request's headers.
fn condition(request: &HttpRequest) -> Condition {
    Condition::from_headers(list(request, IF_MATCH).as_deref(), list(request, IF_NONE_MATCH).as_deref())
}

/// A header that is a list, wherever it was broken into lines.
fn list(request: &HttpRequest, name: HeaderName) -> Option<Cow<'_, str>> {
    let mut lines = request.headers().get_all(name).map(|line| line.to_str().unwrap_or_default());
    let first = lines.next()?;
    Some(lines.fold(Cow::Borrowed(first), |list, line| Cow::Owned(format!("{list}, {line}"))))
}

/// Whether an element of `Accept` admits the one media type that is sent, or plain JSON, which it is.
fn admits_json(element: &str) -> bool {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let ranges = ["*/*", "application/*", "application/json", "application/scim+json"];
    let quality =
        parts.find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")));
    ranges.iter().any(|good| range.eq_ignore_ascii_case(good))
        && quality.is_none_or(|quality| quality.parse::<f32>().is_ok_and(|quality| quality > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_admitted_by_its_names_and_by_wildcards_unless_its_quality_is_zero() {
        for good in ["*/*", "application/*;q=0.1", "application/JSON", "application/scim+json; charset=utf-8"]
        {
            assert!(admits_json(good), "{good}");
        }
        for bad in ["", "text/html", "application/json;q=0", "*/*; q=0.0", "application/xml;q=1"] {
            assert!(!admits_json(bad), "{bad}");
        }
    }
}
