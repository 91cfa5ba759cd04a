//! The OpenAPI 3.1 document of everything that is served, and the page that shows it.
//!
//! Invariant: the document has exactly the operations that are served: those of SCIM from its routes and the registry,
//! those of the other APIs from their tables. What status and media type a refusal has is found out by spelling
//! one. A schema's name begins with its API's, so what one API gains renames nothing of another.

mod resources;
mod scim;

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::Bytes;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::access::Scope;
use crate::context::Permission;
use crate::http::App;
use crate::http::api::{APIS, Answer, Api, Operation, Run, SchemaOf};
use crate::http::error::{self, Failure};
use crate::scim::error::{ErrorKind, ScimError};
use crate::scim::registry::Registry;

/// What every request with a token may be refused with.
const CLOSED: [ErrorKind; 4] =
    [ErrorKind::InvalidValue, ErrorKind::Unauthorized, ErrorKind::Forbidden, ErrorKind::Unavailable];

/// What every request may be refused with that needs none.
const OPEN: [ErrorKind; 2] = [ErrorKind::InvalidValue, ErrorKind::Unavailable];

/// What a body may be refused with.
const BODY: [ErrorKind; 3] =
    [ErrorKind::RequestTimeout, ErrorKind::PayloadTooLarge, ErrorKind::UnsupportedMediaType];

/// Every kind that the document shows, one a status.
const REFUSED: [ErrorKind; 12] = [
    ErrorKind::InvalidValue,
    ErrorKind::Unauthorized,
    ErrorKind::Forbidden,
    ErrorKind::NotFound,
    ErrorKind::NotAcceptable,
    ErrorKind::RequestTimeout,
    ErrorKind::Uniqueness,
    ErrorKind::PreconditionFailed,
    ErrorKind::PayloadTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::NotImplemented,
    ErrorKind::Unavailable,
];

/// Where the schemas of types are, in the document.
const DEFINITIONS: &str = "/components/schemas";

/// The page that shows the document: one file, which fetches nothing but the document.
pub(super) fn page() -> HttpResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .body(include_str!("page.html"))
}

/// The answer that has the document. With the schemas of the server, which is what everybody is shown, it is made once.
pub(super) fn answer(app: &App, registry: &Registry) -> HttpResponse {
    let text = || Bytes::from(document(registry).to_string());
    let text = match std::ptr::eq(registry, &**app.access.registry()) {
        true => app.openapi.get_or_init(text).clone(),
        false => text(),
    };
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(text)
}

/// The document, with the schemas of this registry.
fn document(registry: &Registry) -> Value {
    let mut paths = Paths::default();
    let mut schemas = resources::schemas(registry);
    let mut responses: Map<String, Value> = Spelling::SCIM.responses().collect();
    schemas.insert(Spelling::SCIM.schema_name(), (Spelling::SCIM.schema)(&mut generator()).to_value());
    scim::operations(registry, &mut paths);
    for api in APIS {
        let spelling = Spelling { name: api.name, spell: api.spelling, schema: api.refusal };
        let mut generator = generator();
        let refusal = (spelling.schema)(&mut generator).to_value();
        schemas.insert(spelling.schema_name(), spelling.owned(refusal));
        responses.extend(spelling.responses());
        for operation in api.operations {
            let described = describe(api, operation, spelling, &mut generator);
            paths.add(operation.route(), operation.method, described);
        }
        let definitions = generator.take_definitions(false).into_iter();
        schemas.extend(definitions.map(|(name, schema)| (spelling.component(&name), spelling.owned(schema))));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Muster",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "SCIM 2.0 (RFC 7643, RFC 7644) and what is beside it. Read with a token, this document has \
                the schemas of the token's tenant.",
        },
        "paths": paths.0,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": schemes(),
        },
        "security": [{"bearer": []}],
    })
}

/// What makes schemas of types, for one API.
fn generator() -> SchemaGenerator {
    SchemaGenerator::new(SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = DEFINITIONS.into();
    }))
}

/// The ways in which requests present their tokens.
fn schemes() -> Map<String, Value> {
    let token = "A token that `muster token create` or POST /admin/v1/tokens made. Operations name the scope that it \
                 must have.";
    let bearer = ("bearer".to_owned(), json!({"type": "http", "scheme": "bearer", "description": token}));
    let keys = APIS.into_iter().filter_map(|api| api.key);
    let keys = keys.map(|header| {
        let scheme = json!({"type": "apiKey", "in": "header", "name": header, "description": token});
        (header.to_owned(), scheme)
    });
    std::iter::once(bearer).chain(keys).collect()
}

/// The operations, by path and method.
#[derive(Default)]
struct Paths(Map<String, Value>);

impl Paths {
    fn add(&mut self, path: &str, method: &str, operation: Value) {
        put(self.0.entry(path).or_insert_with(|| json!({})), &method.to_lowercase(), operation);
    }

    /// Serves at a second path what is at the first.
    fn alias(&mut self, path: &str, same: &str) {
        let pointer = same.replace('~', "~0").replace('/', "~1");
        self.0.insert(path.to_owned(), json!({"$ref": format!("#/paths/{pointer}")}));
    }
}

fn describe(api: &Api, operation: &Operation, spelling: Spelling, generator: &mut SchemaGenerator) -> Value {
    let is_open = matches!(operation.run, Run::Open(_));
    let mut kinds = match operation.run {
        Run::For(..) | Run::ForSelfOr(..) => CLOSED.to_vec(),
        Run::Open(_) => OPEN.to_vec(),
    };
    if operation.takes.is_some() {
        kinds.extend(BODY);
    }
    if operation.captures().next().is_some() {
        kinds.push(ErrorKind::NotFound);
    }
    let mut responses = spelling.refusals(&kinds);
    for status in api.refuses {
        let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let description = status.canonical_reason().unwrap_or_default();
        let refusal = json!({"description": description, "content": spelling.content()});
        responses.entry(status.as_str().to_owned()).or_insert(refusal);
    }
    for Answer(status, description, schema) in operation.answers {
        let content = match schema {
            Some(schema) if *status < 400 => {
                Some(spelling.content_of("application/json", *schema, generator))
            }
            Some(schema) => Some(spelling.content_of(&spelling.media_type(), *schema, generator)),
            None if *status >= 400 && !is_open => Some(spelling.content()),
            None => None,
        };
        let mut response = json!({"description": description});
        if let Some(content) = content {
            put(&mut response, "content", content);
        }
        responses.insert(status.to_string(), response);
    }
    let captured = operation.captures().map(|name| parameter(api, name, "path"));
    let asked = operation.query().map(|name| parameter(api, name, "query"));
    let mut described = Map::new();
    described.insert("tags".into(), json!([api.name]));
    described.insert("summary".into(), json!(operation.summary));
    described.insert("parameters".into(), captured.chain(asked).collect());
    described.insert(
        "security".into(),
        match operation.run {
            Run::For(permission, _) => security(api.key, &[permission]),
            Run::ForSelfOr(permission, _) => security(api.key, &[permission, Permission::ActAsSubject]),
            Run::Open(_) => json!([]),
        },
    );
    if let Some(schema) = operation.takes {
        let content = spelling.content_of("application/json", schema, generator);
        let body = json!({"required": true, "content": content});
        described.insert("requestBody".into(), body);
    }
    described.insert("responses".into(), json!(responses));
    described.into()
}

/// A token, in a header of its own or not, with a scope that has one of these permissions.
fn security(key: Option<&str>, permissions: &[Permission]) -> Value {
    let scopes = permissions.iter().map(|permission| Scope::with(*permission).name());
    scopes.map(|scope| json!({key.unwrap_or("bearer"): [scope]})).collect()
}

fn parameter(api: &Api, name: &str, place: &str) -> Value {
    let meaning = api.parameters.iter().find(|parameter| parameter.0 == name);
    let (kind, description) = meaning.map_or(("string", ""), |parameter| (parameter.1, parameter.2));
    match place {
        "path" => in_path(name, description),
        _ => in_query(name, &json!({"type": kind}), description),
    }
}

fn in_path(name: &str, description: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description,
        "schema": {"type": "string", "minLength": 1},
    })
}

fn in_query(name: &str, schema: &Value, description: &str) -> Value {
    json!({"name": name, "in": "query", "schema": schema, "description": description})
}

/// Gives an object a member.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#{DEFINITIONS}/{name}")})
}

/// A name without characters that names of components may not have.
fn plain(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_'), "_")
}

/// How an API, called `name`, spells its refusals.
#[derive(Clone, Copy)]
struct Spelling {
    name: &'static str,
    spell: fn(&Failure, &str) -> HttpResponse,
    /// The body of a refusal.
    schema: SchemaOf,
}

impl Spelling {
    const SCIM: Self = Self { name: "scim", spell: error::spell, schema: resources::refusal };

    /// The answers that refusals of these kinds are, by their status.
    fn refusals(self, kinds: &[ErrorKind]) -> BTreeMap<String, Value> {
        let named = kinds.iter().map(|kind| {
            let name = self.response_name(*kind);
            (self.sample(*kind).0.to_string(), json!({"$ref": format!("#/components/responses/{name}")}))
        });
        named.collect()
    }

    /// What [`Spelling::refusals`] points to.
    fn responses(self) -> impl Iterator<Item = (String, Value)> {
        REFUSED.into_iter().map(move |kind| {
            let mut response = json!({"description": meaning(kind), "content": self.content()});
            if let Some((name, description)) = header(kind) {
                let header = json!({"description": description, "schema": {"type": "string"}});
                put(&mut response, "headers", json!({name: header}));
            }
            (self.response_name(kind), response)
        })
    }

    fn response_name(self, kind: ErrorKind) -> String {
        plain(&format!("{}.{}", self.name, self.sample(kind).0))
    }

    fn content(self) -> Value {
        json!({self.media_type(): {"schema": reference(&self.schema_name())}})
    }

    fn media_type(self) -> String {
        self.sample(ErrorKind::InvalidValue).1
    }

    fn schema_name(self) -> String {
        self.component("Refusal")
    }

    /// What a schema of this API is called among those of all.
    fn component(self, name: &str) -> String {
        plain(&format!("{}.{name}", self.name))
    }

    fn content_of(self, media_type: &str, schema: SchemaOf, generator: &mut SchemaGenerator) -> Value {
        json!({media_type: {"schema": self.owned(schema(generator).to_value())}})
    }

    /// A schema as the generator made it, with what it refers to by the names of this API.
    fn owned(self, schema: Value) -> Value {
        match schema {
            Value::String(text) => {
                match text.strip_prefix('#').and_then(|rest| rest.strip_prefix(DEFINITIONS)) {
                    Some(name) => Value::String(format!(
                        "#{DEFINITIONS}/{}",
                        self.component(name.trim_start_matches('/'))
                    )),
                    None => Value::String(text),
                }
            }
            Value::Array(values) => values.into_iter().map(|value| self.owned(value)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name, self.owned(value))).collect()
            }
            simple => simple,
        }
    }

    /// The status and the media type of such a refusal.
    fn sample(self, kind: ErrorKind) -> (u16, String) {
        let response = (self.spell)(&Failure::from(ScimError::new(kind, "why")), "id");
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        (response.status().as_u16(), media_type)
    }
}

/// The header that belongs to a refusal.
fn header(kind: ErrorKind) -> Option<(&'static str, &'static str)> {
    match kind {
        ErrorKind::Unauthorized => Some(("WWW-Authenticate", "What token is wanted (RFC 6750)")),
        ErrorKind::Unavailable => Some(("Retry-After", "In how many seconds to come back")),
        _ => None,
    }
}

/// When a request is refused like this.
fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unauthorized => "There is no token, or it does not count",
        ErrorKind::Forbidden => "The token has not the scope",
        ErrorKind::NotFound => "There is no such thing",
        ErrorKind::NotAcceptable => "Accept does not admit JSON, and the tenant wants that refused",
        ErrorKind::Uniqueness | ErrorKind::Conflict => {
            "Another resource has a value that must be the only one"
        }
        ErrorKind::PreconditionFailed => "If-Match or If-None-Match does not hold",
        ErrorKind::RequestTimeout => "The body did not arrive in time",
        ErrorKind::PayloadTooLarge => "The body is too large",
        ErrorKind::UnsupportedMediaType => "The body is not JSON by its media type",
        ErrorKind::NotImplemented => "This is not offered",
        ErrorKind::Unavailable => "The server cannot answer now",
        _ => "Something in the request cannot be; the answer says what and where",
    }
}
