//! SCIM's operations in the OpenAPI document: one for every route and method (RFC 7644 §3.2).
//!
//! Invariant: what the document says of a path under `/scim/v2`, it says of the same path under `/scim`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::context::Permission;
use crate::http::openapi::resources::{self, input_of, list_of};
use crate::http::openapi::{
    BODY, CLOSED, OPEN, Paths, Spelling, in_path, in_query, put, reference, security,
};
use crate::scim::error::ErrorKind;
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::urn;

/// The base of SCIM's paths, and the other one.
const BASE: &str = "/scim/v2";
const SHORT_BASE: &str = "/scim";

const JSON: &str = "application/scim+json";

/// What a change may be refused with.
const CHANGES: [ErrorKind; 2] = [ErrorKind::Uniqueness, ErrorKind::PreconditionFailed];

/// Adds the operations.
pub(super) fn operations(registry: &Registry, paths: &mut Paths) {
    service(paths);
    let mut scim = Scim { paths };
    discovery(&mut scim);
    all_types(&mut scim);
    if let Some(user) = registry.types().iter().find(|kind| urn::same(&kind.schema.id, urn::USER)) {
        me(&mut scim, user);
    }
    for kind in registry.types() {
        one_type(&mut scim, kind);
    }
}

/// The paths under SCIM's bases.
struct Scim<'a> {
    paths: &'a mut Paths,
}

impl Scim<'_> {
    fn add(&mut self, path: &str, method: &str, draft: Draft) {
        let full = format!("{BASE}{path}");
        self.paths.add(&full, method, draft.finish());
        self.paths.alias(&format!("{SHORT_BASE}{path}"), &full);
    }
}

fn service(paths: &mut Paths) {
    let draft = |summary: &str, kinds: &[ErrorKind]| Draft::open("Service", summary, kinds);
    let text = |description: &str, media_type: &str| json!({"description": description, "content": {media_type: {"schema": {"type": "string"}}}});
    let health = draft("Whether the process runs", &[]).answer(200, text("It does", "text/plain"));
    paths.add("/healthz", "GET", health.finish());
    let ready = draft("Whether the server can answer", &[ErrorKind::Unavailable]);
    paths.add("/readyz", "GET", ready.answer(200, text("It can", "text/plain")).finish());
    let document = draft("This document", &[ErrorKind::Unauthorized, ErrorKind::Unavailable]);
    let document = document.answer(
        200,
        json!({
            "description": "OpenAPI 3.1; with a token, with the schemas of its tenant",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }),
    );
    paths.add("/openapi.json", "GET", document.finish());
    let page = draft("This document, for people", &[]).answer(200, text("A page", "text/html"));
    paths.add("/docs", "GET", page.finish());
}

fn discovery(scim: &mut Scim<'_>) {
    let kinds = [OPEN.as_slice(), &[ErrorKind::Unauthorized, ErrorKind::Forbidden]].concat();
    let draft = |summary: &str| Draft::open("Discovery", summary, &kinds);
    let mut add = |path: &str, draft: Draft, description: &str, schema: &str| {
        scim.add(path, "GET", draft.shows(200, description, schema).tagged());
    };
    let config = draft("Get what the server can");
    add("/ServiceProviderConfig", config, "Its configuration", "scim.ServiceProviderConfig");
    add("/ResourceTypes", draft("List the resource types"), "All of them", &list_of("ResourceType"));
    let one = draft("Get a resource type").on("name", "Its name");
    add("/ResourceTypes/{name}", one, "The resource type", "scim.ResourceType");
    add("/Schemas", draft("List the schemas"), "All of them", &list_of("Schema"));
    let one = draft("Get a schema").on("urn", "Its URN");
    add("/Schemas/{urn}", one, "The schema", "scim.Schema");
}

fn all_types(scim: &mut Scim<'_>) {
    let query = || Draft::new("All types", "Query resources of all types");
    let page = |draft: Draft| draft.shows(200, "A page of the matches", "scim.List");
    scim.add("", "GET", page(query().with(listing())).tagged());
    scim.add("/.search", "POST", page(query().takes("scim.SearchRequest")));
    let bulk = Draft::new("All types", "Do many operations").writes().takes("scim.BulkRequest");
    let bulk = bulk.refused(&CHANGES).shows(200, "What became of each", "scim.BulkResponse");
    scim.add("/Bulk", "POST", bulk);
}

fn me(scim: &mut Scim<'_>, user: &ResourceType) {
    let draft = |verb: &str| {
        let draft = Draft::new("Me", format!("{verb} the user that the token is about"));
        draft.refused(&[ErrorKind::NotFound]).of_self()
    };
    one_resource(scim, "/Me", draft, user);
    let create = draft("Not offered: create").takes(&input_of(&user.name));
    scim.add("/Me", "POST", create.refused(&[ErrorKind::NotImplemented]));
}

fn one_type(scim: &mut Scim<'_>, kind: &ResourceType) {
    let (name, path) = (&kind.name, format!("/{}", kind.endpoint));
    let (shown, list) = (resources::shown(name), list_of(name));
    let draft = |verb: &str| Draft::new(&kind.endpoint, format!("{verb} a resource of the type {name}"));
    let query = || Draft::new(&kind.endpoint, format!("Query resources of the type {name}"));
    scim.add(&path, "GET", query().with(listing()).shows(200, "A page of the matches", &list).tagged());
    let search = query().takes("scim.SearchRequest").shows(200, "A page of the matches", &list);
    scim.add(&format!("{path}/.search"), "POST", search);
    let create = draft("Create").writes().with(projection()).with([prefer()]).takes(&input_of(name));
    let create = create.refused(&[ErrorKind::Uniqueness]).shows(201, "The resource", &shown);
    scim.add(&path, "POST", create.heads(201, "Location", "Its URL"));
    one_resource(scim, &format!("{path}/{{id}}"), |verb| draft(verb).on("id", "The id"), kind);
}

/// What can be done with one resource.
fn one_resource(scim: &mut Scim<'_>, path: &str, draft: impl Fn(&str) -> Draft, kind: &ResourceType) {
    let (shown, input, list) = (resources::shown(&kind.name), input_of(&kind.name), list_of(&kind.name));
    let either = json!({"anyOf": [reference(&shown), reference(&list)]});
    let either =
        json!({"description": "The resource; with a filter, a list", "content": {JSON: {"schema": either}}});
    let get = draft("Get").with(projection()).with([only_if(), if_match()]).answer(200, either).tagged();
    scim.add(path, "GET", get.refused(&[ErrorKind::PreconditionFailed]));
    let change = |verb: &str, takes: &str| {
        let change = draft(verb).writes().with(projection()).with([if_match(), if_none_match(), prefer()]);
        let change = change.takes(takes).refused(&CHANGES).shows(200, "The resource", &shown);
        let change = change.answer(204, json!({"description": "It is done, and not shown"}));
        change.heads(200, "ETag", ETAG).heads(204, "ETag", ETAG)
    };
    scim.add(path, "PUT", change("Replace", &input));
    scim.add(path, "PATCH", change("Change", "scim.PatchRequest"));
    let delete = draft("Delete").writes().with([if_match(), if_none_match()]);
    let delete = delete.refused(&[ErrorKind::PreconditionFailed]);
    scim.add(path, "DELETE", delete.answer(204, json!({"description": "It is gone"})));
}

const ETAG: &str = "The version of what is shown";

fn text() -> Value {
    json!({"type": "string"})
}

fn projection() -> [Value; 2] {
    [
        in_query("attributes", &text(), "What to show, with commas between"),
        in_query("excludedAttributes", &text(), "What not to show, with commas between"),
    ]
}

fn listing() -> Vec<Value> {
    let number = json!({"type": "integer"});
    let order = json!({"type": "string", "enum": ["ascending", "descending"]});
    let mut parameters = vec![
        in_query("filter", &json!({"type": "string", "minLength": 1}), "Which resources (RFC 7644 §3.4.2.2)"),
        in_query("sortBy", &text(), "The attribute to sort by"),
        in_query("sortOrder", &order, "`ascending` if it is missing"),
        in_query("startIndex", &number, "The number of the first match to show, from 1 on"),
        in_query(
            "cursor",
            &text(),
            "Where the page begins: nothing, or the `nextCursor` of the page before (RFC 9865)",
        ),
        in_query("count", &number, "How many matches to show: 100 if it is missing, 1000 at most"),
    ];
    parameters.extend(projection());
    parameters
}

fn only_if() -> Value {
    let filter = json!({"type": "string", "minLength": 1});
    in_query("filter", &filter, "Only if the resource matches; the answer is then a list of one or none")
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "schema": text(), "description": description})
}

fn if_match() -> Value {
    header("If-Match", "Only if the resource has one of these entity tags")
}

fn if_none_match() -> Value {
    header("If-None-Match", "Only if there is something with none of these entity tags")
}

fn prefer() -> Value {
    header("Prefer", "`return=minimal` or `return=representation` (RFC 7240)")
}

/// An operation in the making.
struct Draft {
    tag: String,
    summary: String,
    parameters: Vec<Value>,
    takes: Option<String>,
    answers: BTreeMap<String, Value>,
    /// None if it needs no token.
    permission: Option<Permission>,
    /// Whether who acts as a user needs no other permission.
    is_of_self: bool,
}

impl Draft {
    /// For those who may read.
    fn new(tag: &str, summary: impl Into<String>) -> Self {
        let kinds = [CLOSED.as_slice(), &[ErrorKind::NotAcceptable]].concat();
        let permission = Some(Permission::ReadScim);
        Self { permission, ..Self::open(tag, summary, &kinds) }
    }

    /// For everybody; with these refusals only.
    fn open(tag: &str, summary: impl Into<String>, kinds: &[ErrorKind]) -> Self {
        Self {
            tag: tag.to_owned(),
            summary: summary.into(),
            parameters: Vec::new(),
            takes: None,
            answers: Spelling::SCIM.refusals(kinds),
            permission: None,
            is_of_self: false,
        }
    }

    /// For those who may write.
    fn writes(mut self) -> Self {
        self.permission = Some(Permission::WriteScim);
        self
    }

    /// For those who act as the user that it is about, too.
    fn of_self(mut self) -> Self {
        self.is_of_self = true;
        self
    }

    fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// For what a segment of the path names, which may not be there.
    fn on(self, name: &str, description: &str) -> Self {
        self.with([in_path(name, description)]).refused(&[ErrorKind::NotFound])
    }

    fn takes(mut self, schema: &str) -> Self {
        self.takes = Some(schema.to_owned());
        self.refused(&BODY)
    }

    fn refused(mut self, kinds: &[ErrorKind]) -> Self {
        self.answers.extend(Spelling::SCIM.refusals(kinds));
        self
    }

    fn shows(self, status: u16, description: &str, schema: &str) -> Self {
        let content = json!({JSON: {"schema": reference(schema)}});
        self.answer(status, json!({"description": description, "content": content}))
    }

    /// The same with an entity tag, by which a client can ask whether there is something new.
    fn tagged(self) -> Self {
        let unchanged =
            self.with([if_none_match()]).answer(304, json!({"description": "It has not changed"}));
        unchanged.heads(200, "ETag", ETAG).heads(304, "ETag", ETAG)
    }

    fn answer(mut self, status: u16, answer: Value) -> Self {
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// The same with a header, in an answer that is there.
    fn heads(mut self, status: u16, name: &str, description: &str) -> Self {
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            put(answer, "headers", json!({name: {"description": description, "schema": text()}}));
        }
        self
    }

    fn finish(self) -> Value {
        let also = self.is_of_self.then_some(Permission::ActAsSubject);
        let permissions: Vec<Permission> = self.permission.into_iter().chain(also).collect();
        let mut out = json!({
            "tags": [self.tag], "summary": self.summary, "parameters": self.parameters,
            "security": security(None, &permissions), "responses": self.answers,
        });
        if let Some(schema) = self.takes {
            let body = json!({"schema": reference(&schema)});
            let content = json!({JSON: body, "application/json": body});
            put(&mut out, "requestBody", json!({"required": true, "content": content}));
        }
        out
    }
}
