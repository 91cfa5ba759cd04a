//! The schemas and resource types of a directory, and how names find attributes (RFC 7643 §3, §6, §7).
//!
//! Invariant: every resource type's schemas are present, every attribute path is unique within its type, and
//! a name resolves to the same attribute wherever it stands: body, filter, path or query parameter.

use std::fmt;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use memchr::memmem::Finder;
use serde_json::{Map, Value, json};

use crate::scim::error::ScimError;
use crate::scim::schema::{Attribute, Comparison, Kept, Placement, Returned, Schema, Type};
use crate::scim::urn;

/// A bound attribute path: an attribute, and perhaps one of its sub-attributes.
#[derive(Clone, PartialEq)]
pub struct Path {
    /// The top-level attribute.
    pub attribute: Arc<Attribute>,
    /// Its sub-attribute, where one is named.
    pub sub: Option<Arc<Attribute>>,
}

impl Path {
    /// The path of a whole attribute.
    pub fn whole(attribute: &Arc<Attribute>) -> Self {
        Self { attribute: Arc::clone(attribute), sub: None }
    }

    /// The path of a sub-attribute.
    pub fn to_sub(attribute: &Arc<Attribute>, sub: &Arc<Attribute>) -> Self {
        Self { attribute: Arc::clone(attribute), sub: Some(Arc::clone(sub)) }
    }

    /// The attribute that the path ends in.
    pub fn leaf(&self) -> &Arc<Attribute> {
        self.sub.as_ref().unwrap_or(&self.attribute)
    }

    /// Whether a value filter can stand behind it: whether there are several values, or one with parts (reading A48).
    pub fn has_values(&self) -> bool {
        self.sub.is_none() && (self.attribute.multi_valued || self.attribute.kind == Type::Complex)
    }

    /// Whether any part of it is `returned: never`.
    pub fn is_secret(&self) -> bool {
        self.attribute.returned == Returned::Never || self.leaf().returned == Returned::Never
    }

    /// The same path with `.value` where the leaf is complex and has one (reading A14).
    #[must_use]
    pub fn to_value(&self) -> Self {
        match (&self.sub, self.attribute.value_sub()) {
            (None, Some(sub)) => Self::to_sub(&self.attribute, sub),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.leaf().path)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

/// An attribute's name as a client writes it, split but not yet bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeName<'a> {
    /// The schema URN in front, if any.
    pub urn: Option<&'a str>,
    /// The attribute.
    pub name: &'a str,
    /// The sub-attribute after a dot.
    pub sub: Option<&'a str>,
}

impl<'a> AttributeName<'a> {
    /// Splits `[urn:]name[.sub]`. A URN may hold dots and colons (`2.0`), a name may not,
    /// so the URN ends at the last colon. Says nothing about which characters are allowed.
    pub fn split(text: &'a str) -> Self {
        let (urn, rest) = match text.rsplit_once(':') {
            Some((urn, rest)) => (Some(urn), rest),
            None => (None, text),
        };
        match rest.split_once('.') {
            Some((name, sub)) => Self { urn, name, sub: Some(sub) },
            None => Self { urn, name: rest, sub: None },
        }
    }
}

/// An extension that a resource type may or must have.
#[derive(Debug)]
pub struct Extension {
    /// The extension's schema.
    pub schema: Arc<Schema>,
    /// Whether every resource of the type must carry it.
    pub required: bool,
}

/// What the types of one registry know of each other.
#[derive(Debug, Default)]
pub struct Family {
    /// The name and the endpoint of each.
    pub types: Vec<(String, String)>,
    /// The attribute that memberships stand for, seen from the group.
    pub members: Option<Arc<Attribute>>,
}

/// An attribute that refers to a resource.
#[derive(Debug)]
pub struct Reference {
    /// The attribute.
    pub attribute: Arc<Attribute>,
    /// How its value begins in a document's text.
    opening: Finder<'static>,
}

impl Reference {
    fn new(attribute: &Arc<Attribute>) -> Self {
        let opening = format!("\"{}\":{{", attribute.name);
        Self { attribute: Arc::clone(attribute), opening: Finder::new(&opening).into_owned() }
    }

    /// Whether the JSON text of a document can have a value of it. If not, it has none.
    pub fn may_be_in(&self, document: &[u8]) -> bool {
        self.opening.find(document).is_some()
    }
}

/// A kind of resource: its endpoint and its schemas (RFC 7643 §6).
#[derive(Debug)]
pub struct ResourceType {
    /// The name, which is also the id and `meta.resourceType`.
    pub name: String,
    /// The endpoint without its slash: `Users`.
    pub endpoint: String,
    /// A sentence for people.
    pub description: String,
    /// The base schema.
    pub schema: Arc<Schema>,
    /// The extensions.
    pub extensions: Vec<Extension>,
    /// Common and core attributes in the order in which resources show them.
    pub attributes: Vec<Arc<Attribute>>,
    /// Whether some attribute is `returned: request`, so that a stored document is not yet a response.
    pub is_selective: bool,
    /// The single complex attributes that refer to a resource by its id and URI, such as `manager`.
    pub references: Vec<Reference>,
    /// The types of the registry that this one is in.
    pub family: Arc<Family>,
    /// By the schema's spelling, which most clients use, and in lower case.
    by_name: HashMap<String, Arc<Attribute>>,
    by_loose_name: HashMap<String, Option<Arc<Attribute>>>,
}

impl ResourceType {
    fn new(header: TypeHeader, common: &Schema, schema: Arc<Schema>, extensions: Vec<Extension>) -> Self {
        let attributes: Vec<_> = common.attributes.iter().chain(&schema.attributes).cloned().collect();
        let spellings = |a: &Arc<Attribute>| {
            [a.name.clone(), a.name.to_ascii_lowercase()].map(|name| (name, Arc::clone(a)))
        };
        let by_name = attributes.iter().flat_map(spellings).collect();
        let mut by_loose_name: HashMap<String, Option<Arc<Attribute>>> = HashMap::new();
        for attribute in extensions.iter().flat_map(|extension| &extension.schema.attributes) {
            by_loose_name
                .entry(attribute.name.to_ascii_lowercase())
                .and_modify(|seen| *seen = None)
                .or_insert_with(|| Some(Arc::clone(attribute)));
        }
        let mut built = Self {
            name: header.name,
            endpoint: header.endpoint,
            description: header.description,
            is_selective: false,
            references: Vec::new(),
            family: Arc::default(),
            schema,
            extensions,
            attributes,
            by_name,
            by_loose_name,
        };
        let is_selective = built
            .all_attributes()
            .flat_map(|a| std::iter::once(a).chain(&a.sub_attributes))
            .any(|a| a.returned == Returned::Request);
        built.is_selective = is_selective;
        let references = built.all_attributes().filter(|a| is_reference(a)).map(Reference::new);
        built.references = references.collect();
        built
    }

    /// Every top-level attribute: common, core, then the extensions'.
    pub fn all_attributes(&self) -> impl Iterator<Item = &Arc<Attribute>> {
        let extended = self.extensions.iter().flat_map(|extension| &extension.schema.attributes);
        self.attributes.iter().chain(extended)
    }

    /// The common or core attribute of that name, in any case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.by_name.get(name).or_else(|| self.by_name.get(&name.to_ascii_lowercase()))
    }

    /// The extension with that URN, in any case.
    pub fn extension(&self, id: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| urn::same(&extension.schema.id, id))
    }

    /// Binds a name. An extension's attribute may be named without its URN where that is not ambiguous (reading A36).
    pub fn resolve(&self, name: &AttributeName<'_>) -> Option<Path> {
        let attribute = match name.urn {
            Some(id) if urn::same(id, &self.schema.id) => self.attribute(name.name)?,
            Some(id) => {
                let attributes = &self.extension(id)?.schema.attributes;
                attributes.iter().find(|a| urn::same(&a.name, name.name))?
            }
            None => self.attribute(name.name).or_else(|| self.loose(name.name))?,
        };
        match name.sub {
            None => Some(Path::whole(attribute)),
            Some(sub) => Some(Path::to_sub(attribute, attribute.sub(sub)?)),
        }
    }

    fn loose(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.by_loose_name.get(&name.to_ascii_lowercase())?.as_ref()
    }

    /// The attribute that memberships stand for, seen from the group: `members` of Group.
    pub fn members(&self) -> Option<&Arc<Attribute>> {
        self.attributes.iter().find(|a| a.kept == Kept::Members)
    }

    /// The attribute that memberships stand for, seen from the member: `groups` of User.
    pub fn groups(&self) -> Option<&Arc<Attribute>> {
        self.attributes.iter().find(|a| a.kept == Kept::Groups)
    }

    /// The type as it is served, without `meta`.
    pub fn to_json(&self) -> Map<String, Value> {
        let extensions: Vec<Value> = self
            .extensions
            .iter()
            .filter(|e| e.schema.extends.is_none())
            .map(|e| json!({"schema": &*e.schema.id, "required": e.required}))
            .collect();
        let mut out = Map::new();
        out.insert("schemas".into(), json!([urn::RESOURCE_TYPE]));
        out.insert("id".into(), json!(self.name));
        out.insert("name".into(), json!(self.name));
        out.insert("endpoint".into(), json!(format!("/{}", self.endpoint)));
        if !self.description.is_empty() {
            out.insert("description".into(), json!(self.description));
        }
        out.insert("schema".into(), json!(&*self.schema.id));
        if !extensions.is_empty() {
            out.insert("schemaExtensions".into(), Value::Array(extensions));
        }
        out
    }
}

fn is_reference(attribute: &Attribute) -> bool {
    let uri = attribute.sub("$ref").is_some_and(|sub| sub.comparison == Comparison::ResourceUri);
    uri && attribute.value_sub().is_some() && !attribute.multi_valued
}

/// The parts of a resource type's document that need no other document.
struct TypeHeader {
    name: String,
    endpoint: String,
    description: String,
}

/// All schemas and resource types that a directory serves.
#[derive(Debug)]
pub struct Registry {
    schemas: Vec<Arc<Schema>>,
    types: Vec<Arc<ResourceType>>,
    documents: Vec<(String, Value)>,
}

/// The documents that are built in, by the name of their file under `schemas/`.
const BUILT_IN: [(&str, &str); 10] = [
    ("user.json", include_str!("../../schemas/user.json")),
    ("group.json", include_str!("../../schemas/group.json")),
    ("enterprise-user.json", include_str!("../../schemas/enterprise-user.json")),
    ("identifiers.json", include_str!("../../schemas/identifiers.json")),
    ("credentials.json", include_str!("../../schemas/credentials.json")),
    ("service-provider-config.json", include_str!("../../schemas/service-provider-config.json")),
    ("resource-type.json", include_str!("../../schemas/resource-type.json")),
    ("schema.json", include_str!("../../schemas/schema.json")),
    ("user.type.json", include_str!("../../schemas/user.type.json")),
    ("group.type.json", include_str!("../../schemas/group.type.json")),
];

/// The attributes of RFC 7643 §3.1, which every resource type has and no schema lists (erratum 8418).
const COMMON: &str = include_str!("../../schemas/common.json");

impl Registry {
    /// The built-in documents alone.
    ///
    /// # Errors
    /// As [`Registry::with`]; a test shows that there are none.
    pub fn built_in() -> Result<Self, ScimError> {
        Self::with(&[])
    }

    /// The built-in documents and `more`, each a name (for errors) and a Schema or ResourceType document.
    /// A document with the id of a built-in one takes its place.
    ///
    /// # Errors
    /// `invalidValue` that names the document and says what is wrong in it.
    pub fn with(more: &[(String, Value)]) -> Result<Self, ScimError> {
        let mut documents = Vec::with_capacity(BUILT_IN.len() + more.len());
        for (name, text) in BUILT_IN {
            let document: Value =
                serde_json::from_str(text).map_err(|error| ScimError::value(error.to_string()).at(name))?;
            documents.push((name.to_owned(), document));
        }
        Self::build(documents, more)
    }

    /// These documents and `more`, as [`Registry::with`] does with the built-in ones.
    ///
    /// # Errors
    /// As [`Registry::with`].
    pub fn extended(&self, more: &[(String, Value)]) -> Result<Self, ScimError> {
        Self::build(self.documents.clone(), more)
    }

    fn build(mut all: Vec<(String, Value)>, more: &[(String, Value)]) -> Result<Self, ScimError> {
        for (name, document) in more {
            all.retain(|(_, earlier)| DocumentKey::of(earlier) != DocumentKey::of(document));
            all.push((name.clone(), document.clone()));
        }
        let documents = &all;
        let (types, schemas): (Vec<_>, Vec<_>) =
            documents.iter().partition(|(_, d)| is_a(d, urn::RESOURCE_TYPE));
        if let Some((name, _)) = schemas.iter().find(|(_, d)| !is_a(d, urn::SCHEMA)) {
            let wanted = format!("schemas must be [\"{}\"] or [\"{}\"]", urn::SCHEMA, urn::RESOURCE_TYPE);
            return Err(ScimError::value(wanted).at(name));
        }
        let extensions = extension_ids(&types);
        let mut registry = Self { schemas: Vec::new(), types: Vec::new(), documents: Vec::new() };
        for (name, document) in schemas {
            let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
            let extends = document.get("extends").is_some()
                || extensions.iter().any(|extension| urn::same(extension, id));
            let placement = if extends { Placement::Extension } else { Placement::Base };
            let schema = Schema::parse(document, placement).map_err(|error| error.at(name))?;
            registry.schemas.push(Arc::new(schema));
        }
        let common: Value = serde_json::from_str(COMMON)
            .map_err(|error| ScimError::value(error.to_string()).at("common.json"))?;
        let common = Schema::parse(&common, Placement::Base)?;
        let mut built: Vec<ResourceType> = Vec::new();
        for (name, document) in types {
            let kind = registry.build_type(document, &common, &built).map_err(|error| error.at(name))?;
            built.push(kind);
        }
        let family = Arc::new(Family {
            types: built.iter().map(|kind| (kind.name.clone(), kind.endpoint.clone())).collect(),
            members: built.iter().find_map(ResourceType::members).cloned(),
        });
        let join = |kind| Arc::new(ResourceType { family: Arc::clone(&family), ..kind });
        registry.types = built.into_iter().map(join).collect();
        registry.documents = all;
        Ok(registry)
    }

    fn build_type(
        &self,
        document: &Value,
        common: &Schema,
        others: &[ResourceType],
    ) -> Result<ResourceType, ScimError> {
        let required = |member: &str| {
            document
                .get(member)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| ScimError::value(format!("a resource type needs {member}")))
        };
        let known = |id: &str| {
            self.schema(id).cloned().ok_or_else(|| ScimError::value(format!("there is no schema {id}")))
        };
        let header = TypeHeader {
            name: required("name")?.to_owned(),
            endpoint: check_endpoint(required("endpoint")?)?,
            description: document.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        if others.iter().any(|other| other.name == header.name || other.endpoint == header.endpoint) {
            let detail = format!("the name {} or the endpoint /{} is taken", header.name, header.endpoint);
            return Err(ScimError::value(detail));
        }
        let mut extensions = Vec::new();
        for extension in document.get("schemaExtensions").and_then(Value::as_array).into_iter().flatten() {
            let id = extension.get("schema").and_then(Value::as_str).unwrap_or_default();
            let required = match extension.get("required") {
                None | Some(Value::Null) => false,
                Some(Value::Bool(required)) => *required,
                Some(_) => return Err(ScimError::value(format!("{id}: required must be true or false"))),
            };
            if extensions.iter().any(|other: &Extension| urn::same(&other.schema.id, id)) {
                return Err(ScimError::value(format!("the extension {id} is there twice")));
            }
            extensions.push(Extension { schema: known(id)?, required });
        }
        let schema = known(required("schema")?)?;
        let silent = self.schemas.iter().filter(|other| {
            other.extends.as_ref().is_some_and(|base| urn::same(base, &schema.id))
                && !extensions.iter().any(|extension| urn::same(&extension.schema.id, &other.id))
        });
        let silent: Vec<_> =
            silent.map(|schema| Extension { schema: Arc::clone(schema), required: false }).collect();
        extensions.extend(silent);
        if let Some(taken) =
            schema.attributes.iter().find(|a| common.attributes.iter().any(|c| urn::same(&a.name, &c.name)))
        {
            return Err(ScimError::value(format!(
                "attribute {} is one of the common attributes",
                taken.name
            )));
        }
        Ok(ResourceType::new(header, common, schema, extensions))
    }

    /// The document with that key, as it was given.
    pub fn document(&self, key: &DocumentKey) -> Option<&Value> {
        let found = self.documents.iter().find(|(_, document)| DocumentKey::of(document) == *key);
        found.map(|(_, document)| document)
    }

    /// All schemas, in the order in which they are served.
    pub fn schemas(&self) -> &[Arc<Schema>] {
        &self.schemas
    }

    /// All resource types, in the order in which they are served.
    pub fn types(&self) -> &[Arc<ResourceType>] {
        &self.types
    }

    /// The schema with that URN, in any case.
    pub fn schema(&self, id: &str) -> Option<&Arc<Schema>> {
        self.schemas.iter().find(|schema| urn::same(&schema.id, id))
    }

    /// The resource type with that name; names are case-exact (erratum 8475).
    pub fn type_named(&self, name: &str) -> Option<&Arc<ResourceType>> {
        self.types.iter().find(|kind| kind.name == name)
    }

    /// The resource type at that endpoint (`Users`); endpoints are case-exact (erratum 8475).
    pub fn type_at(&self, endpoint: &str) -> Option<&Arc<ResourceType>> {
        self.types.iter().find(|kind| kind.endpoint == endpoint)
    }
}

/// The URNs that resource types use as extensions.
fn extension_ids<'a>(types: &[&'a (String, Value)]) -> Vec<&'a str> {
    types
        .iter()
        .filter_map(|(_, document)| document.get("schemaExtensions").and_then(Value::as_array))
        .flatten()
        .filter_map(|extension| extension.get("schema").and_then(Value::as_str))
        .collect()
}

/// What makes two documents the same one: whether it is a resource type, and its name or else its URN, in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentKey {
    is_type: bool,
    id: String,
}

impl DocumentKey {
    /// The key of a document.
    pub fn of(document: &Value) -> Self {
        let is_type = is_a(document, urn::RESOURCE_TYPE);
        let id = document.get(if is_type { "name" } else { "id" }).and_then(Value::as_str);
        Self { is_type, id: id.unwrap_or_default().to_ascii_lowercase() }
    }

    /// The key of the schema with that URN.
    pub fn schema(id: &str) -> Self {
        Self { is_type: false, id: id.to_ascii_lowercase() }
    }

    /// The key of the resource type with that name.
    pub fn resource_type(name: &str) -> Self {
        Self { is_type: true, id: name.to_ascii_lowercase() }
    }
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.is_type { "resource type" } else { "schema" }, self.id)
    }
}

fn is_a(document: &Value, wanted: &str) -> bool {
    let schemas = document.get("schemas").and_then(Value::as_array);
    schemas.into_iter().flatten().any(|id| id.as_str().is_some_and(|id| urn::same(id, wanted)))
}

/// The endpoints that are not resource types.
const RESERVED: [&str; 6] = ["Bulk", "Me", "ResourceTypes", "Schemas", "ServiceProviderConfig", "v2"];

fn check_endpoint(endpoint: &str) -> Result<String, ScimError> {
    let name = endpoint.strip_prefix('/').unwrap_or(endpoint);
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !plain || RESERVED.contains(&name) {
        let detail = format!(
            "endpoint {endpoint:?} must be a slash and a name of letters, digits, - or _ that SCIM does not use itself"
        );
        return Err(ScimError::value(detail));
    }
    Ok(name.to_owned())
}
