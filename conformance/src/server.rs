//! What a server says about itself, and so which scenarios apply to it.
//!
//! Invariant: what the server does not say is taken for granted: a scenario is left out only where the
//! server itself says that it lacks what the scenario needs.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One of the resource types of RFC 7643.
#[derive(Debug, PartialEq)]
pub(crate) struct Core {
    pub(crate) name: &'static str,
    pub(crate) endpoint: &'static str,
    pub(crate) urn: &'static str,
    attributes: &'static [&'static str],
}

pub(crate) static USER: Core = Core {
    name: "User",
    endpoint: "/Users",
    urn: "urn:ietf:params:scim:schemas:core:2.0:User",
    attributes: &[
        "userName",
        "name",
        "displayName",
        "nickName",
        "profileUrl",
        "title",
        "userType",
        "preferredLanguage",
        "locale",
        "timezone",
        "active",
        "password",
        "emails",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "groups",
        "entitlements",
        "roles",
        "x509Certificates",
    ],
};

pub(crate) static GROUP: Core = Core {
    name: "Group",
    endpoint: "/Groups",
    urn: "urn:ietf:params:scim:schemas:core:2.0:Group",
    attributes: &["displayName", "members"],
};

pub(crate) static ENTERPRISE: Core = Core {
    name: "Enterprise",
    endpoint: "",
    urn: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    attributes: &["employeeNumber", "costCenter", "organization", "division", "department", "manager"],
};

/// Names that every scenario may use.
pub(crate) const CONSTANTS: &[(&str, &str)] = &[
    ("User", "urn:ietf:params:scim:schemas:core:2.0:User"),
    ("Group", "urn:ietf:params:scim:schemas:core:2.0:Group"),
    ("Enterprise", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
    ("Schema", "urn:ietf:params:scim:schemas:core:2.0:Schema"),
    ("ResourceType", "urn:ietf:params:scim:schemas:core:2.0:ResourceType"),
    ("ServiceProviderConfig", "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"),
    ("ListResponse", "urn:ietf:params:scim:api:messages:2.0:ListResponse"),
    ("SearchRequest", "urn:ietf:params:scim:api:messages:2.0:SearchRequest"),
    ("PatchOp", "urn:ietf:params:scim:api:messages:2.0:PatchOp"),
    ("BulkRequest", "urn:ietf:params:scim:api:messages:2.0:BulkRequest"),
    ("BulkResponse", "urn:ietf:params:scim:api:messages:2.0:BulkResponse"),
    ("Error", "urn:ietf:params:scim:api:messages:2.0:Error"),
];

/// Names whose values the runner makes for each scenario: text that nobody else uses, the base URL, the
/// server's configuration, an hour ago and an hour ahead, and numbers of its limits.
pub(crate) const GENERATED: &[&str] = &["run", "base", "config", "ago", "ahead", "many", "large"];

/// What an attribute is to be like: `User type=integer mutability=readWrite`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Attribute {
    text: String,
    kind: String,
    wanted: Vec<(String, Value)>,
}

impl TryFrom<String> for Attribute {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut words = text.split(' ');
        let kind = words.next().unwrap_or_default().to_owned();
        let pair = |word: &str| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
        };
        let wanted = words
            .map(|word| pair(word).ok_or_else(|| format!("`{word}` in `{text}` is no name=value")))
            .collect::<Result<_, _>>()?;
        Ok(Self { text, kind, wanted })
    }
}

/// An attribute of the examined server.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The extension that it is in; none for the base schema.
    pub(crate) extension: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

impl Found {
    /// How it is named in filters and paths.
    pub(crate) fn path(&self) -> String {
        self.extension.as_ref().map_or_else(|| self.name.clone(), |urn| format!("{urn}:{}", self.name))
    }

    /// Where it is in a resource.
    pub(crate) fn pointer(&self) -> String {
        self.extension.as_ref().map_or_else(|| self.name.clone(), |urn| format!("{urn}/{}", self.name))
    }
}

/// The discovery documents, as far as the server has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server {
    /// The ServiceProviderConfig.
    pub(crate) config: Option<Value>,
    /// The Schema resources.
    pub(crate) schemas: Option<Vec<Value>>,
    /// The ResourceType resources.
    pub(crate) types: Option<Vec<Value>>,
    /// What else is given: `other-tenant`, `reader`, and the documents that are examined by request.
    pub(crate) given: Vec<String>,
}

impl Server {
    /// Why a scenario that needs this cannot be carried out; none if it can.
    pub(crate) fn lacks(&self, need: &str) -> Option<String> {
        match need {
            "other-tenant" | "reader" => (!self.has_given(need)).then(|| {
                format!(
                    "it needs a second token; give one with --{}-token",
                    if need == "reader" { need } else { "other" }
                )
            }),
            "interop" => (!self.claims_interop()).then(|| {
                "the server does not claim the profile (interopProfileConformant); ask with --only IOP"
                    .to_owned()
            }),
            "ipsie" => {
                (!self.has_given("IPSIE")).then(|| "the profile is examined with --only IPSIE".to_owned())
            }
            "cursor" | "index" => {
                let known = self.config.as_ref().is_none_or(|config| {
                    let value = config.pointer("/pagination").and_then(|all| all.get(need));
                    value.map_or(need == "index", |value| value == &Value::Bool(true))
                });
                (!known).then(|| format!("pagination.{need} is not advertised in the ServiceProviderConfig"))
            }
            // The values of these names are made, or not, when the scenario begins.
            "many" | "large" => None,
            "events" | "async" => self.lacks_events(need),
            "patch" | "bulk" | "filter" | "sort" | "etag" | "changePassword" => (!self.supports(need))
                .then(|| format!("{need} is not advertised in the ServiceProviderConfig")),
            attribute => self.lacks_declared(attribute),
        }
    }

    fn has_given(&self, name: &str) -> bool {
        self.given.iter().any(|given| given == name)
    }

    fn claims_interop(&self) -> bool {
        let claim = self.config.as_ref().and_then(|config| config.get("interopProfileConformant"));
        self.has_given("IOP") || claim == Some(&Value::Bool(true))
    }

    fn supports(&self, feature: &str) -> bool {
        let said = self.config.as_ref().and_then(|config| config.get(feature)?.get("supported"));
        said != Some(&Value::Bool(false))
    }

    fn lacks_events(&self, need: &str) -> Option<String> {
        let events = self.config.as_ref().and_then(|config| config.get("securityEvents"));
        let Some(events) = events else {
            return Some("securityEvents is not advertised in the ServiceProviderConfig".to_owned());
        };
        let asynchronous = events.get("asyncRequest").and_then(Value::as_str).unwrap_or("none");
        (need == "async" && asynchronous.eq_ignore_ascii_case("none"))
            .then(|| "securityEvents.asyncRequest is none in the ServiceProviderConfig".to_owned())
    }

    fn lacks_declared(&self, need: &str) -> Option<String> {
        let (kind, path) = need.split_once('.').map_or((need, None), |(kind, path)| (kind, Some(path)));
        if kind != ENTERPRISE.name
            && let Some(types) = &self.types
            && !types.iter().any(|one| one.get("name").and_then(Value::as_str) == Some(kind))
        {
            return Some(format!("there is no resource type {kind} in /ResourceTypes"));
        }
        let schemas = self.schemas.as_ref()?;
        let core = [&USER, &GROUP, &ENTERPRISE].into_iter().find(|core| core.name == kind)?;
        let schema = schemas.iter().find(|schema| is_named(schema, "id", core.urn));
        let Some(schema) = schema else {
            return Some(format!("there is no schema {} in /Schemas", core.urn));
        };
        let mut within = schema.get("attributes");
        for name in path.into_iter().flat_map(|path| path.split('.')) {
            let Some(attribute) = attribute_of(within, name) else {
                return Some(format!(
                    "there is no attribute {} in the schema of {kind}",
                    path.unwrap_or_default()
                ));
            };
            within = attribute.get("subAttributes");
        }
        None
    }

    /// The attribute that is like that, or why there is none.
    pub(crate) fn find(&self, like: &Attribute) -> Result<Found, String> {
        let none = || format!("no attribute is like `{}` in /Schemas", like.text);
        let schemas = self.schemas.as_ref().ok_or_else(none)?;
        self.urns_of(&like.kind)
            .iter()
            .enumerate()
            .find_map(|(at, urn)| {
                let schema = schemas.iter().find(|schema| is_named(schema, "id", urn))?;
                let fits = |attribute: &&Value| {
                    like.wanted.iter().all(|(name, wanted)| characteristic(attribute, name) == *wanted)
                };
                let attribute = schema.get("attributes")?.as_array()?.iter().find(fits)?;
                let name = attribute.get("name")?.as_str()?.to_owned();
                Some(Found { extension: (at > 0).then(|| urn.clone()), name })
            })
            .ok_or_else(none)
    }

    /// The base schema of a type, and its extensions.
    fn urns_of(&self, kind: &str) -> Vec<String> {
        let declared = self.types.iter().flatten().find(|one| is_named(one, "name", kind));
        let Some(declared) = declared else {
            let core = if kind == GROUP.name { &GROUP } else { &USER };
            return vec![core.urn.to_owned()];
        };
        let text = |value: &Value| value.get("schema").and_then(Value::as_str).map(str::to_owned);
        let extensions = declared.get("schemaExtensions").and_then(Value::as_array);
        text(declared).into_iter().chain(extensions.into_iter().flatten().filter_map(text)).collect()
    }

    /// The members that a new resource must have on this server beyond `schemas`; `name` is unique.
    pub(crate) fn minimal(&self, core: &Core, name: &str) -> Map<String, Value> {
        let mut body = Map::new();
        if core == &USER {
            body.insert("userName".to_owned(), format!("{name}@example.com").into());
        } else {
            body.insert("displayName".to_owned(), name.into());
        }
        let schema = self.schemas.iter().flatten().find(|schema| is_named(schema, "id", core.urn));
        let attributes = schema.and_then(|schema| schema.get("attributes")).and_then(Value::as_array);
        for attribute in attributes.into_iter().flatten() {
            let name_of = attribute.get("name").and_then(Value::as_str).unwrap_or_default();
            let required = attribute.get("required") == Some(&Value::Bool(true));
            if required && !["id", "schemas", "meta"].contains(&name_of) && !body.contains_key(name_of) {
                body.insert(name_of.to_owned(), sample(attribute, name));
            }
        }
        body
    }
}

/// A value that fits an attribute.
fn sample(attribute: &Value, name: &str) -> Value {
    let suggested = attribute.pointer("/canonicalValues/0").cloned();
    let one = match attribute.get("type").and_then(Value::as_str).unwrap_or("string") {
        "boolean" => json!(true),
        "integer" | "decimal" => json!(1),
        "dateTime" => json!("2020-01-01T00:00:00Z"),
        "binary" => json!("AAAA"),
        "reference" => json!("https://example.com/"),
        "complex" => {
            let subs = attribute.get("subAttributes").and_then(Value::as_array);
            let wanted = |sub: &&Value| {
                sub.get("required") == Some(&Value::Bool(true)) || is_named(sub, "name", "value")
            };
            let pair = |sub: &Value| Some((sub.get("name")?.as_str()?.to_owned(), sample(sub, name)));
            Value::Object(subs.into_iter().flatten().filter(wanted).filter_map(pair).collect())
        }
        _ => suggested.unwrap_or_else(|| format!("{name}@example.com").into()),
    };
    if attribute.get("multiValued") == Some(&Value::Bool(true)) { json!([one]) } else { one }
}

fn is_named(value: &Value, member: &str, name: &str) -> bool {
    value.get(member).and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(name))
}

fn attribute_of<'a>(attributes: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    attributes?.as_array()?.iter().find(|attribute| is_named(attribute, "name", name))
}

/// A characteristic of an attribute, or what RFC 7643 §2.2 has where none is stated.
fn characteristic(attribute: &Value, name: &str) -> Value {
    let default = match name {
        "type" => json!("string"),
        "mutability" => json!("readWrite"),
        "returned" => json!("default"),
        "uniqueness" => json!("none"),
        _ => json!(false),
    };
    attribute.get(name).cloned().unwrap_or(default)
}

/// The attributes of RFC 7643 that a text names outside of quotes, as needs: `User.title`.
pub(crate) fn named_in(text: &str, endpoint: &str) -> Vec<String> {
    let cores: &[&Core] =
        if endpoint.starts_with(GROUP.endpoint) { &[&GROUP] } else { &[&USER, &ENTERPRISE] };
    let unquoted: String = text.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words = unquoted.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    let mut needs = Vec::new();
    for word in words {
        let name =
            word.split('.').find(|part| !part.is_empty() && !part.starts_with(|c: char| c.is_ascii_digit()));
        for core in cores {
            let known = core
                .attributes
                .iter()
                .find(|known| name.is_some_and(|name| known.eq_ignore_ascii_case(name)));
            needs.extend(known.map(|known| format!("{}.{known}", core.name)));
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::{Server, USER, named_in};
    use serde_json::json;

    fn server() -> Server {
        let attributes = json!([
            {"name": "userName", "required": true},
            {"name": "emails", "type": "complex", "multiValued": true, "required": true,
             "subAttributes": [{"name": "value"}, {"name": "type"}]},
        ]);
        let extension = json!({"id": "urn:x:Y", "attributes": [{"name": "age", "type": "integer"}]});
        Server {
            config: Some(json!({"bulk": {"supported": false}, "patch": {"supported": true}})),
            schemas: Some(vec![json!({"id": USER.urn, "attributes": attributes}), extension]),
            types: Some(vec![
                json!({"name": "User", "schema": USER.urn, "schemaExtensions": [{"schema": "urn:x:Y"}]}),
            ]),
            given: Vec::new(),
        }
    }

    #[test]
    fn a_scenario_is_left_out_for_what_the_server_says_it_lacks() {
        let lacks = |need| server().lacks(need);
        for need in [
            "bulk",
            "Group",
            "User.title",
            "User.emails.display",
            "Enterprise.manager",
            "cursor",
            "other-tenant",
        ] {
            assert!(lacks(need).is_some(), "{need}");
        }
        for need in ["patch", "sort", "User", "User.emails.type", "index"] {
            assert_eq!(lacks(need), None, "{need}");
        }
        let silent = Server::default();
        for need in ["bulk", "Group", "User.title"] {
            assert_eq!(silent.lacks(need), None, "{need}");
        }
    }

    #[test]
    fn attributes_are_found_by_what_they_are_like() {
        let find = |like: &str| server().find(&like.to_owned().try_into().unwrap()).map(|found| found.path());
        assert_eq!(find("User type=integer").unwrap(), "urn:x:Y:age");
        assert_eq!(find("User type=complex multiValued=true").unwrap(), "emails");
        assert!(find("User type=integer mutability=immutable").unwrap_err().contains("mutability=immutable"));
    }

    #[test]
    fn a_new_resource_has_what_the_server_requires() {
        let body = server().minimal(&USER, "a");
        assert_eq!(json!(body), json!({"userName": "a@example.com", "emails": [{"value": "a@example.com"}]}));
    }

    #[test]
    fn attributes_are_seen_in_paths_and_filters_but_not_in_quotes() {
        let named = named_in(r#"filter=title eq "nickName" and emails[type eq "x"].value pr"#, "/Users");
        assert_eq!(named, ["User.title", "User.emails"]);
        assert_eq!(named_in("members.value", "/Groups"), ["Group.members"]);
    }
}
