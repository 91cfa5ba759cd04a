//! Every operation that is served, as the OpenAPI document lists them: who gets in, and that the document leaves none out
//! and is the one that is committed.

use std::path::Path;

use muster::access::Scope;
use muster::context::Permission;
use muster::http::ROUTES;
use muster::id::TenantId;
use serde_json::{Value, json};

use crate::kit::{Answer, App, now, wait};

/// What only the tenant `default` has.
const MARK: &str = "ann-of-the-default-tenant";
const SCHEMA: &str = "urn:example:of-the-default-tenant";

/// The scopes that the document names, each with the permission that it stands for.
const NEEDED: [(&str, Permission); 6] = [
    ("scim:read", Permission::ReadScim),
    ("scim", Permission::WriteScim),
    ("identity:read", Permission::ReadIdentity),
    ("identity", Permission::WriteIdentity),
    ("admin", Permission::Administer),
    ("me", Permission::ActAsSubject),
];

/// An operation with its captures filled in.
struct Operation {
    method: String,
    path: String,
    target: String,
    described: Value,
}

impl Operation {
    /// The permissions of which it takes one; none if it takes no token.
    fn permissions(&self) -> Vec<Permission> {
        let scopes = self.security().map(|(_, scopes)| &scopes[0]);
        scopes.map(|scope| NEEDED.iter().find(|(name, _)| scope == name).unwrap().1).collect()
    }

    /// The ways to present a token, each with the scopes that it must have.
    fn security(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.described["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap())
    }

    fn send(&self, app: &App, token: Option<&str>) -> Answer {
        self.send_with(app, token, &json!({}))
    }

    fn send_with(&self, app: &App, token: Option<&str>, body: &Value) -> Answer {
        let request = app.request(&self.method, &self.target);
        let request = match (token, self.security().next()) {
            (None, _) | (_, None) => request,
            (Some(token), Some((scheme, _))) if scheme == "bearer" && self.has_project() => {
                let project = token.split('_').nth(1).unwrap();
                request.token(&format!("{project}:{token}"))
            }
            (Some(token), Some((scheme, _))) if scheme == "bearer" => request.token(token),
            (Some(token), Some((header, _))) => request.header(header, token),
        };
        match self.described.get("requestBody") {
            Some(_) => request.json(body).send(),
            None => request.send(),
        }
    }

    /// Whether the number of the tenant stands before the token, as Descope has it.
    fn has_project(&self) -> bool {
        self.described["tags"][0] == "Descope"
    }

    /// SCIM and the native APIs; the others spell refusals as their vendors do.
    fn is_ours(&self) -> bool {
        ["/scim", "/admin/", "/identity/"].iter().any(|begin| self.path.starts_with(begin))
    }
}

fn document(app: &App) -> Value {
    app.request("GET", "/openapi.json").send().json()
}

/// The operations, for the user and the group with these ids.
fn operations(app: &App, user: &str, group: &str) -> Vec<Operation> {
    let document = document(app);
    let mut out = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let same = item["$ref"].as_str().map(|pointer| document.pointer(&pointer[1..]).unwrap());
        for (method, described) in same.unwrap_or(item).as_object().unwrap() {
            let filled = path.split('/').map(|part| match part {
                "{urn}" => SCHEMA,
                "{name}" => "User",
                part if part.starts_with('{') && path.contains("/Groups/") => group,
                part if part.starts_with('{') => user,
                part => part,
            });
            let target = filled.collect::<Vec<_>>().join("/");
            let (method, path) = (method.to_uppercase(), path.clone());
            out.push(Operation { method, path, target, described: described.clone() });
        }
    }
    out
}

/// The operations that take a token.
fn closed(app: &App, user: &str, group: &str) -> impl Iterator<Item = Operation> {
    operations(app, user, group).into_iter().filter(|operation| !operation.permissions().is_empty())
}

/// A user and a group of the tenant `default`, which has a schema of its own, too.
fn populate(app: &App) -> (String, String) {
    let user = app.new_user(MARK);
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": MARK,
        "members": [{"value": user}]});
    let group = app.post("/Groups", &group).json()["id"].as_str().unwrap().to_owned();
    let schema = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": SCHEMA,
        "attributes": [{"name": "mark", "description": MARK}]});
    let admin = app.new_token(TenantId::DEFAULT, Scope::Admin, "strict");
    let set = app.request("PUT", &format!("/admin/v1/schemas/{SCHEMA}")).token(&admin).json(&schema).send();
    assert_eq!(set.status, 201, "{set:?}");
    (user, group)
}

#[test]
fn without_a_token_nothing_closed_is_answered() {
    let app = App::start();
    for operation in operations(&app, "1", "1") {
        let answer = operation.send(&app, None);
        let what = format!("{} {}: {answer:?}", operation.method, operation.path);
        match operation.permissions().as_slice() {
            [] => assert!(![401, 403].contains(&answer.status) && answer.status < 500, "{what}"),
            _ => assert_eq!(answer.status, 401, "{what}"),
        }
    }
}

#[test]
fn a_token_of_another_tenant_learns_and_changes_nothing() {
    let app = App::start();
    let (user, group) = populate(&app);
    let shown = || {
        let resources =
            [format!("/Users/{user}"), format!("/Groups/{group}")].map(|path| app.get(&path).json());
        let own = wait(app.access.schemas(TenantId::DEFAULT)).unwrap().documents;
        (resources, own, wait(app.access.tokens(TenantId::DEFAULT, now())).unwrap().len())
    };
    let before = shown();
    let other = app.new_token(app.new_tenant("acme"), Scope::Full, "strict");
    for operation in closed(&app, &user, &group) {
        let answer = operation.send(&app, Some(&other));
        let what = format!("{} {}: {answer:?}", operation.method, operation.path);
        assert!(!answer.body.contains(MARK), "{what}");
        assert!(answer.status < 500 || answer.status == 501, "{what}");
        let names_a_resource = operation.target.contains(&user) || operation.target.contains(&group);
        if names_a_resource && operation.is_ours() {
            assert!([400, 404].contains(&answer.status), "{what}");
        }
    }
    assert_eq!(shown(), before);
}

#[test]
fn a_token_with_too_small_a_scope_is_refused_everywhere() {
    let app = App::start();
    let (user, group) = populate(&app);
    let scopes =
        Scope::NAMES.map(|(_, scope)| (scope, app.token_about(TenantId::DEFAULT, scope, Some(&user))));
    for operation in closed(&app, &user, &group) {
        let permissions = operation.permissions();
        let opens = |scope: &Scope| permissions.iter().any(|permission| scope.scopes().allow(*permission));
        for (scope, token) in scopes.iter().filter(|(scope, _)| !opens(scope)) {
            let answer = operation.send(&app, Some(token));
            let what = format!("{} {} with {}: {answer:?}", operation.method, operation.path, scope.name());
            if operation.is_ours() {
                assert_eq!(answer.status, 403, "{what}");
            } else {
                assert!([401, 403, 404].contains(&answer.status), "{what}");
            }
        }
    }
}

#[test]
fn who_acts_as_a_user_does_nothing_to_another() {
    let app = App::start();
    let (user, group) = populate(&app);
    let other = app.new_user("other");
    let token = |id: &str| app.token_about(TenantId::DEFAULT, Scope::Me, Some(id));
    let (own, foreign) = (token(&user), token(&other));
    let body = json!({"userId": user, "phone": "+41791234567", "email": "a@example.com", "verificationCode": "123456"});
    // Those that users may ask for themselves, and others with the scope for everybody.
    let is_for_both = |operation: &Operation| {
        let permissions = operation.permissions();
        permissions.contains(&Permission::ActAsSubject) && permissions.len() > 1 && !operation.is_ours()
    };
    let before = app.get(&format!("/Users/{user}")).json();
    let mut tried = 0;
    for operation in closed(&app, &user, &group).filter(is_for_both) {
        let what = format!("{} {}", operation.method, operation.path);
        let answer = operation.send_with(&app, Some(&foreign), &body);
        assert_eq!(answer.status, 403, "{what}: {answer:?}");
        assert!(!answer.body.contains(MARK), "{what}: {answer:?}");
        tried += 1;
    }
    assert_eq!(app.get(&format!("/Users/{user}")).json(), before);
    for operation in closed(&app, &user, &group).filter(is_for_both) {
        let answer = operation.send_with(&app, Some(&own), &body);
        let what = format!("{} {}: {answer:?}", operation.method, operation.path);
        assert!(answer.status < 500 && ![401, 403].contains(&answer.status), "{what}");
    }
    assert!(tried >= 18, "{tried}");
}

#[test]
fn the_document_has_every_route_of_scim_under_both_prefixes() {
    let app = App::start();
    let document = document(&app);
    for route in ROUTES {
        let path = route.template.replace("{type}", "Users");
        let (path, short) = match path.as_str() {
            "/" => ("/scim/v2".to_owned(), Some("/scim".to_owned())),
            "/healthz" | "/readyz" | "/openapi.json" | "/docs" => (path, None),
            path => (format!("/scim/v2{path}"), Some(format!("/scim{path}"))),
        };
        for method in route.allow.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method)) {
            let described = &document["paths"][&path][method.to_lowercase()];
            assert!(described["responses"].is_object(), "{method} {path} is not described");
            assert_eq!(described["security"] == json!([]), route.open, "{method} {path}");
        }
        if let Some(short) = short {
            let pointer = format!("#/paths/{}", path.replace('/', "~1"));
            assert_eq!(document["paths"][&short], json!({"$ref": pointer}), "{short}");
        }
    }
}

#[test]
fn what_the_document_has_is_served() {
    let app = App::start();
    for operation in operations(&app, "1", "1") {
        let answer = app.request("OPTIONS", &operation.target).send();
        let allowed = answer.header("allow").unwrap_or_default();
        assert!(
            allowed.split(", ").any(|method| method == operation.method),
            "{}: {answer:?}",
            operation.path
        );
    }
}

#[test]
fn every_parameter_of_the_document_says_what_it_means() {
    let app = App::start();
    for operation in operations(&app, "1", "1") {
        for parameter in operation.described["parameters"].as_array().unwrap() {
            let says = parameter["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(says, "{} {}: {parameter}", operation.method, operation.path);
        }
    }
}

#[test]
fn every_schema_of_the_document_is_named_after_its_api_and_by_itself() {
    let document = document(&App::start());
    let tags = operations(&App::start(), "1", "1");
    let tags: Vec<String> = tags
        .iter()
        .map(|operation| operation.described["tags"][0].as_str().unwrap().replace(' ', "_"))
        .collect();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys() {
        let (api, own) = name.split_once('.').unwrap_or_else(|| panic!("{name}"));
        assert!(api == "scim" || tags.iter().any(|tag| tag == api), "{name}");
        assert!(!own.ends_with(|last: char| last.is_ascii_digit()), "{name}: two schemas have one name");
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[test]
fn with_a_token_the_document_has_the_schemas_of_its_tenant() {
    let app = App::start();
    let tenant = app.new_tenant("acme");
    let (admin, scim) =
        (app.new_token(tenant, Scope::Admin, "strict"), app.new_token(tenant, Scope::ScimRead, "strict"));
    let set = |path: &str, document: &Value| {
        let answer = app.request("PUT", &format!("/admin/v1/{path}")).token(&admin).json(document).send();
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    set(
        "schemas/urn:example:Badge",
        &json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": "urn:example:Badge", "attributes": [{"name": "serial", "description": "What is on it"}]}),
    );
    set(
        "resource-types/Badge",
        &json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "name": "Badge", "endpoint": "/Badges", "schema": "urn:example:Badge"}),
    );
    let own = app.request("GET", "/openapi.json").token(&scim).send().json();
    assert_eq!(
        own["components"]["schemas"]["scim.Badge"]["properties"]["serial"]["description"],
        "What is on it"
    );
    assert!(own["paths"]["/scim/v2/Badges/{id}"]["patch"].is_object());
    assert!(document(&app)["paths"]["/scim/v2/Badges/{id}"].is_null());
    assert_eq!(app.request("GET", "/openapi.json").token("wrong").send().status, 401);
}

#[test]
fn the_committed_document_is_what_is_served() {
    let served = format!("{:#}\n", document(&App::start()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    #[expect(clippy::disallowed_methods, reason = "a test is told by the environment to write")]
    if std::env::var("UPDATE_EXPECT").is_ok() {
        std::fs::write(&path, &served).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == served,
        "docs/openapi.json is stale: run UPDATE_EXPECT=1 cargo test --test http every"
    );
}

#[test]
fn the_page_is_one_file_that_fetches_only_the_document() {
    let page = App::start().request("GET", "/docs").send();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"), "{page:?}");
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "it needs no other host");
}
