//! What the APIs beside SCIM have in common: operations as rows of a table.
//!
//! Invariant: an operation runs only for a caller whom its row permits it, and whatever refuses a request, routing and
//! authentication included, is spelled in the API's own way. A row also says what the OpenAPI document shows. A handler
//! whose refusals say more than a [`Failure`] can answers with them itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::context::{Context, Permission};
use crate::http::error::Failure;
use crate::http::exchange::Trail;
use crate::http::{
    App, admin, auth, base, body, descope, identity, json, monocloud, query, transmit, zitadel,
};
use crate::id::ResourceId;
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::uri;

/// The APIs beside SCIM.
pub(super) const APIS: [&Api; 7] = [
    &admin::API,
    &identity::API,
    &transmit::API,
    &zitadel::REST,
    &zitadel::CONNECT,
    &monocloud::API,
    &descope::API,
];

/// One API: where it is, who may use it and how it talks.
pub(super) struct Api {
    /// What the OpenAPI document calls it.
    pub(super) name: &'static str,
    /// The beginnings of its paths, in whole segments: `/admin/v1`.
    pub(super) mounts: &'static [&'static str],
    /// Its operations. Where two fit a path, the one with the earlier literal segment is meant.
    pub(super) operations: &'static [Operation],
    /// What the names in its paths and queries mean.
    pub(super) parameters: &'static [Parameter],
    /// The body of a refusal.
    pub(super) refusal: SchemaOf,
    /// The statuses of refusals that every operation may have beside those that every API has.
    pub(super) refuses: &'static [u16],
    /// The token that a request presents.
    pub(super) token: fn(&HttpRequest) -> Option<&str>,
    /// The header that has it where it is not a bearer token, for the OpenAPI document.
    pub(super) key: Option<&'static str>,
    /// The headers that its clients send, beside those that every API reads.
    pub(super) headers: &'static [&'static str],
    /// The headers of its answers that say something, beside those that every API sends.
    pub(super) shows: &'static [&'static str],
    /// A refusal as this API's clients expect it; the text is the request's id.
    pub(super) spelling: fn(&Failure, &str) -> HttpResponse,
}

/// One row of an API's table.
pub(super) struct Operation {
    /// The method.
    pub(super) method: &'static str,
    /// The whole path; segments in braces are captured. Behind it stand the parameters that the query may have, as a URI
    /// template (RFC 6570) has them: `/identity/v1/users{?filter,sort}`.
    pub(super) path: &'static str,
    /// What it does, in a few words.
    pub(super) summary: &'static str,
    /// What its body is, where it takes one.
    pub(super) takes: Option<SchemaOf>,
    /// What it answers, but for the refusals that every operation has.
    pub(super) answers: &'static [Answer],
    /// What does it.
    pub(super) run: Run,
}

impl Operation {
    /// The path without the parameters of the query.
    pub(super) fn route(&self) -> &'static str {
        self.path.split("{?").next().unwrap_or(self.path)
    }

    /// The names of the segments that are captured.
    pub(super) fn captures(&self) -> impl Iterator<Item = &'static str> {
        self.route().split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The names of the parameters that the query may have.
    pub(super) fn query(&self) -> impl Iterator<Item = &'static str> {
        let names = self.path.split_once("{?").and_then(|(_, names)| names.strip_suffix('}'));
        names.into_iter().flat_map(|names| names.split(','))
    }
}

/// What a captured segment or a parameter of a query means: its name, the type that JSON Schema calls it, a description.
pub(super) struct Parameter(pub(super) &'static str, pub(super) &'static str, pub(super) &'static str);

/// One answer of an operation: its status, when it is given, and its body.
pub(super) struct Answer(pub(super) u16, pub(super) &'static str, pub(super) Option<SchemaOf>);

/// The schema of a body.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What an operation comes to.
pub(super) type Outcome = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>>>>;

/// What does an operation, and for whom.
pub(super) enum Run {
    /// For a caller with this permission.
    For(Permission, fn(Call) -> Outcome),
    /// For a caller with this permission, and for one who acts as a user; [`Call::check_about`] says as whom. What runs must
    /// ask; `tests/http/every.rs` tries each such operation as somebody else.
    ForSelfOr(Permission, fn(Call) -> Outcome),
    /// For everybody: what opens it is in the request itself.
    Open(fn(Call<Anybody>) -> Outcome),
}

/// Who makes a request that needs no token.
pub(super) struct Anybody {
    /// When it came in.
    pub(super) now: DateTime<Utc>,
}

/// A request to an operation, from a caller who may make it.
pub(super) struct Call<Who = Context> {
    pub(super) app: App,
    pub(super) context: Who,
    operation: &'static Operation,
    request: HttpRequest,
    /// None once it was read.
    payload: Option<Payload>,
    captures: Vec<String>,
}

impl Call {
    /// Refuses a caller who has not this permission.
    pub(super) fn check(&self, permission: Permission) -> Result<(), Failure> {
        Ok(auth::check(&self.context, permission)?)
    }

    /// Refuses a caller who has not this permission and is not the user that the request is about.
    pub(super) fn check_about(&self, permission: Permission, user: &str) -> Result<(), Failure> {
        let caller = &self.context.caller;
        let is_self = caller.subject.as_ref().is_some_and(|subject| subject.as_str() == user);
        match is_self && caller.scopes.allow(Permission::ActAsSubject) {
            true => Ok(()),
            false => self.check(permission),
        }
    }

    /// The user whom the caller acts as.
    ///
    /// # Errors
    /// 403 if the token is about nobody.
    pub(super) fn subject(&self) -> Result<&str, Failure> {
        let subject = self.context.caller.subject.as_ref().map(ResourceId::as_str);
        subject.ok_or_else(|| {
            ScimError::new(ErrorKind::Forbidden, "the token is about no user; this needs one that is").into()
        })
    }
}

impl<Who> Call<Who> {
    /// What stood in the path for the n-th pair of braces, decoded.
    pub(super) fn capture(&self, index: usize) -> &str {
        self.captures.get(index).map_or("", String::as_str)
    }

    /// Scheme, host and perhaps path that clients see, without a slash at the end.
    ///
    /// # Errors
    /// 400 if the request does not say.
    pub(super) fn base(&self) -> Result<String, Failure> {
        Ok(base::base(&self.request, &self.app.settings, "")?)
    }

    /// A header, if it is there once and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    /// A parameter of the query; an empty one counts as not given. The operation's path must name it.
    ///
    /// # Errors
    /// 400 if it is not percent-encoded text.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<String>, Failure> {
        if !self.operation.query().any(|other| other == name) {
            return Err(Failure::internal(format!("{} does not name {name}", self.operation.path)));
        }
        let mut pairs = query::pairs(self.request.query_string())?.into_iter();
        Ok(pairs.find(|(other, value)| other == name && !value.is_empty()).map(|(_, value)| value))
    }

    /// The body, which must be a JSON object of this form.
    ///
    /// # Errors
    /// 413, 415, or 400 with the member that is wrong.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let bytes = self.bytes().await?;
        if !bytes.is_empty() {
            body::check_media_type(&self.request)?;
        }
        formed(json::object(&bytes)?)
    }

    /// The same, where no body is as good as an empty object, whatever its media type is said to be.
    ///
    /// # Errors
    /// As [`Call::json`].
    pub(super) async fn json_if_any<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let bytes = self.bytes().await?;
        match bytes.trim_ascii().is_empty() {
            true => formed(Map::new()),
            false => formed(json::object(&bytes)?),
        }
    }

    /// The fields of a form in the body.
    ///
    /// # Errors
    /// 413, or 400 if it is none.
    pub(super) async fn form(&mut self) -> Result<Vec<(String, String)>, Failure> {
        let bytes = self.bytes().await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ScimError::value("the form is not UTF-8"))?;
        Ok(query::pairs(text)?)
    }

    async fn bytes(&mut self) -> Result<Bytes, Failure> {
        let payload = self.payload.take().ok_or_else(|| Failure::internal("the body was read before"))?;
        Ok(body::bytes(&self.request, payload, self.app.settings.max_body).await?)
    }
}

/// An object as a value of this form.
///
/// # Errors
/// 400 with the member that is wrong.
pub(super) fn formed<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Failure> {
    serde_path_to_error::deserialize(Value::Object(object)).map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { String::new() } else { format!("{place}: ") };
        ScimError::value(format!("{place}{}", error.inner())).into()
    })
}

/// An answer with a JSON body.
pub(super) fn answer(status: u16, body: &impl Serialize) -> Result<HttpResponse, Failure> {
    let text = serde_json::to_string(body).map_err(|error| Failure::internal(error.to_string()))?;
    let status = actix_web::http::StatusCode::from_u16(status);
    let status = status.map_err(|error| Failure::internal(error.to_string()))?;
    Ok(HttpResponse::build(status).insert_header((CONTENT_TYPE, "application/json")).body(text))
}

/// The API that a path belongs to.
pub(super) fn serving(path: &str) -> Option<&'static Api> {
    let begins =
        |mount: &&str| path.strip_prefix(*mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    APIS.into_iter().find(|api| api.mounts.iter().any(begins))
}

impl Api {
    /// Answers a request that came in at `now`.
    pub(super) async fn answer(
        &'static self,
        app: &App,
        request: &HttpRequest,
        payload: Payload,
        now: DateTime<Utc>,
        trail: &mut Trail,
    ) -> Result<HttpResponse, Failure> {
        trail.spelling = self.spelling;
        let segments: Vec<&str> = request.path().split('/').filter(|part| !part.is_empty()).collect();
        let fitting = self.fitting(&segments);
        let Some(first) = fitting.first() else {
            return Err(ScimError::new(ErrorKind::NotFound, "there is nothing at this path").into());
        };
        trail.route = first.route();
        if *request.method() == Method::OPTIONS {
            return Ok(HttpResponse::NoContent().insert_header((ALLOW, allowed(&fitting))).finish());
        }
        let method = request.method().as_str();
        let Some(&operation) = fitting.iter().find(|operation| operation.method == method) else {
            return Err(Failure::method(method, first.route(), &allowed(&fitting)));
        };
        let (permission, or_self, run) = match operation.run {
            Run::For(permission, run) => (permission, false, run),
            Run::ForSelfOr(permission, run) => (permission, true, run),
            Run::Open(run) => {
                let captures = captures(operation.route(), &segments)?;
                let (app, request, payload) = (app.clone(), request.clone(), Some(payload));
                let context = Anybody { now };
                return run(Call { app, context, operation, request, payload, captures }).await;
            }
        };
        let caller = app.access.authenticate((self.token)(request), now).await?;
        trail.caller = Some(Arc::clone(&caller));
        let context = Context { caller, now, request: trail.request_id.clone() };
        if !or_self || !context.caller.scopes.allow(Permission::ActAsSubject) {
            auth::check(&context, permission)?;
        }
        let captures = captures(operation.route(), &segments)?;
        let (app, request, payload) = (app.clone(), request.clone(), Some(payload));
        run(Call { app, context, operation, request, payload, captures }).await
    }

    /// The operations at a path, for all methods; only those with the earliest literal segments.
    fn fitting(&self, segments: &[&str]) -> Vec<&'static Operation> {
        let fits = |operation: &&Operation| {
            let parts = parts(operation.route());
            parts.len() == segments.len()
                && parts.iter().zip(segments).all(|(part, segment)| is_capture(part) || part == segment)
        };
        let rank =
            |operation: &&Operation| parts(operation.route()).into_iter().map(is_capture).collect::<Vec<_>>();
        let best = self.operations.iter().filter(fits).map(|operation| rank(&operation)).min();
        let fitting = self.operations.iter().filter(fits);
        fitting.filter(|operation| Some(rank(operation)) == best).collect()
    }
}

fn parts(path: &'static str) -> Vec<&'static str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

fn is_capture(part: &str) -> bool {
    part.starts_with('{')
}

/// The decoded segments where the path has braces.
fn captures(path: &'static str, segments: &[&str]) -> Result<Vec<String>, Failure> {
    let captured = parts(path).into_iter().zip(segments).filter(|(part, _)| is_capture(part));
    captured
        .map(|(part, segment)| {
            uri::decode(segment, false).filter(|text| !text.contains(char::is_control)).ok_or_else(|| {
                ScimError::value(format!("{part} of the path is not percent-encoded text")).into()
            })
        })
        .collect()
}

/// The methods of the operations, for `Allow`.
fn allowed(operations: &[&Operation]) -> String {
    let mut methods: Vec<&str> = operations.iter().map(|operation| operation.method).collect();
    methods.push("OPTIONS");
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn row(method: &'static str, path: &'static str) -> Operation {
        let run = Run::For(Permission::Administer, |_| Box::pin(async { Ok(HttpResponse::Ok().finish()) }));
        Operation { method, path, summary: "", takes: None, answers: &[], run }
    }

    const ROWS: [Operation; 4] = [
        row("GET", "/t/users/{id}"),
        row("GET", "/t/users/count{?filter,name}"),
        row("DELETE", "/t/users/{id}"),
        row("GET", "/t/users/{id}/groups/{group}"),
    ];

    #[test]
    fn a_literal_segment_goes_before_a_captured_one() {
        let api = Api { operations: &ROWS, ..admin::API };
        let paths = |path: &str| {
            let segments: Vec<&str> = path.split('/').collect();
            api.fitting(&segments).iter().map(|row| (row.method, row.route())).collect::<Vec<_>>()
        };
        assert_eq!(paths("t/users/count"), [("GET", "/t/users/count")]);
        assert_eq!(paths("t/users/7"), [("GET", "/t/users/{id}"), ("DELETE", "/t/users/{id}")]);
        assert_eq!(paths("t/users"), []);
    }

    #[test]
    fn a_path_names_what_it_captures_and_what_the_query_may_have() {
        let names = |row: &Operation| (row.captures().collect::<Vec<_>>(), row.query().collect::<Vec<_>>());
        assert_eq!(names(&ROWS[1]), (vec![], vec!["filter", "name"]));
        assert_eq!(names(&ROWS[3]), (vec!["id", "group"], vec![]));
    }

    #[test]
    fn captures_are_decoded() {
        let segments = ["t", "users", "a%40b+c", "groups", "%2B1"];
        assert_eq!(captures(ROWS[3].path, &segments).unwrap(), ["a@b+c", "+1"]);
        assert!(captures(ROWS[0].path, &["t", "users", "%ff"]).is_err());
    }

    #[test]
    fn an_api_is_found_by_whole_segments() {
        assert!(serving("/admin/v1/tokens").is_some_and(|api| api.name == "Administration"));
        assert!(serving("/admin/v1").is_some() && serving("/admin/v10/tokens").is_none());
        assert!(serving("/scim/v2/Users").is_none());
    }
}
