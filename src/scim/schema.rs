//! Schemas and attributes with their characteristics (RFC 7643 §2.2, §7).
//!
//! Invariant: an [`Attribute`] is complete: every default of §2.2 is applied and every combination that
//! RFC 7643 forbids was refused when the document was read, so no later code asks "is it set?".

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::scim::admit::{self, Rules};
use crate::scim::error::ScimError;
use crate::scim::urn;

/// The eight data types of RFC 7643 §2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any Unicode text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A number with or without a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// An `xsd:dateTime`.
    DateTime,
    /// Base64 text.
    Binary,
    /// A URI.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

impl Type {
    const NAMES: [(&'static str, Self); 8] = [
        ("string", Self::String),
        ("boolean", Self::Boolean),
        ("decimal", Self::Decimal),
        ("integer", Self::Integer),
        ("dateTime", Self::DateTime),
        ("binary", Self::Binary),
        ("reference", Self::Reference),
        ("complex", Self::Complex),
    ];

    /// The type's name in a schema document.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }

    /// Whether `uniqueness` and `caseExact` mean anything for values of this type.
    fn compares_as_text(self) -> bool {
        !matches!(self, Self::Boolean | Self::Complex)
    }
}

/// Who may change a value, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Only the server.
    ReadOnly,
    /// The client, any time.
    ReadWrite,
    /// The client, once.
    Immutable,
    /// The client; nobody reads it back.
    WriteOnly,
}

impl Mutability {
    const NAMES: [(&'static str, Self); 4] = [
        ("readOnly", Self::ReadOnly),
        ("readWrite", Self::ReadWrite),
        ("immutable", Self::Immutable),
        ("writeOnly", Self::WriteOnly),
    ];
}

/// When a value appears in responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// In every response.
    Always,
    /// In no response, no filter, no sort, no error.
    Never,
    /// Unless the client asks for other attributes.
    Default,
    /// Only when the client asks for it, or has just written it.
    Request,
}

impl Returned {
    const NAMES: [(&'static str, Self); 4] = [
        ("always", Self::Always),
        ("never", Self::Never),
        ("default", Self::Default),
        ("request", Self::Request),
    ];
}

/// How far a value must differ from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    /// Not at all.
    None,
    /// Among the resources of this type in the tenant.
    Server,
    /// Anywhere; enforced as [`Uniqueness::Server`], because a tenant sees nothing beyond itself.
    Global,
}

impl Uniqueness {
    const NAMES: [(&'static str, Self); 3] =
        [("none", Self::None), ("server", Self::Server), ("global", Self::Global)];
}

/// Which way an attribute's values compare; the rules themselves are in [`crate::scim::key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Text, letter by letter after NFC.
    Exact,
    /// Text after NFC and full case folding.
    Folded,
    /// User names: RFC 8265 UsernameCaseMapped.
    UserName,
    /// URIs of resources: by their last two segments, so that the base and the version do not count (RFC 7643 §2.4).
    ResourceUri,
    /// `true` or `false`.
    Boolean,
    /// By size.
    Number,
    /// By the instant.
    Instant,
    /// By the decoded octets.
    Octets,
    /// Complex values do not compare.
    Nothing,
}

/// Where Muster keeps the values of a top-level attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In columns of the resource's row: `id`, `meta`.
    Header,
    /// In the resource's document.
    Document,
    /// In the document, and one row a value beside it.
    Contact(ContactKind),
    /// As memberships, seen from the group.
    Members,
    /// As memberships, seen from the member; derived, so never written.
    Groups,
}

/// The two kinds of contact rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactKind {
    /// `emails`.
    Email,
    /// `phoneNumbers`.
    Phone,
}

impl ContactKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Email, Self::Phone];

    /// The attribute of User that has the values.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Email => "emails",
            Self::Phone => "phoneNumbers",
        }
    }

    /// What people call one of them.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Email => "e-mail address",
            Self::Phone => "phone number",
        }
    }
}

/// One attribute or sub-attribute with all its characteristics.
#[derive(Debug, PartialEq)]
pub struct Attribute {
    /// The name as the schema spells it.
    pub name: String,
    /// The canonical full path: `name`, `name.givenName`, `urn:…:User:manager.value`.
    pub path: String,
    /// The URN of the extension that holds it; none for core and common attributes.
    pub extension: Option<Arc<str>>,
    /// The data type.
    pub kind: Type,
    /// Whether there is an array of values.
    pub multi_valued: bool,
    /// A sentence for people.
    pub description: String,
    /// Whether a resource must have a value.
    pub required: bool,
    /// Suggested values; with `closed`, the only ones.
    pub canonical_values: Vec<String>,
    /// Whether values outside `canonical_values` are refused (RFC 7643 §2.3.1 leaves it to the server).
    pub closed: bool,
    /// Whether text compares letter by letter.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// When it is shown.
    pub returned: Returned,
    /// How unique it must be.
    pub uniqueness: Uniqueness,
    /// What a reference may point at.
    pub reference_types: Vec<String>,
    /// The sub-attributes of a complex attribute.
    pub sub_attributes: Vec<Arc<Attribute>>,
    /// The value that a new resource gets when the client sends none.
    pub default: Option<Value>,
    /// How its values compare.
    pub comparison: Comparison,
    /// Where its values are kept; sub-attributes have their parent's.
    pub kept: Kept,
}

impl Attribute {
    /// The sub-attribute of that name, in any case.
    pub fn sub(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.sub_attributes.iter().find(|sub| urn::same(&sub.name, name))
    }

    /// The sub-attribute that stands for the whole when none is named (reading A14): `value`.
    pub fn value_sub(&self) -> Option<&Arc<Attribute>> {
        self.sub("value")
    }

    /// Whether its value stays where a client writes the whole that it belongs to and leaves it out (reading A19).
    pub fn is_protected(&self) -> bool {
        self.returned == Returned::Never || self.default.is_some()
    }

    /// The attribute as it is served under `/Schemas`.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("name".into(), json!(self.name));
        out.insert("type".into(), json!(self.kind.name()));
        out.insert("multiValued".into(), json!(self.multi_valued));
        out.insert("description".into(), json!(self.description));
        out.insert("required".into(), json!(self.required));
        if !self.canonical_values.is_empty() {
            out.insert("canonicalValues".into(), json!(self.canonical_values));
        }
        if self.kind.compares_as_text() {
            out.insert("caseExact".into(), json!(self.case_exact));
        }
        out.insert("mutability".into(), json!(name_of(&Mutability::NAMES, self.mutability)));
        out.insert("returned".into(), json!(name_of(&Returned::NAMES, self.returned)));
        if self.kind.compares_as_text() && self.kind != Type::Binary {
            out.insert("uniqueness".into(), json!(name_of(&Uniqueness::NAMES, self.uniqueness)));
        }
        if !self.reference_types.is_empty() {
            out.insert("referenceTypes".into(), json!(self.reference_types));
        }
        if self.kind == Type::Complex {
            let subs: Vec<Value> = self.sub_attributes.iter().map(|sub| sub.to_json()).collect();
            out.insert("subAttributes".into(), Value::Array(subs));
        }
        Value::Object(out)
    }
}

/// A schema: a URN and the attributes that it defines (RFC 7643 §7).
#[derive(Debug, PartialEq)]
pub struct Schema {
    /// The URN.
    pub id: Arc<str>,
    /// A short name for people.
    pub name: String,
    /// A sentence for people.
    pub description: String,
    /// The top-level attributes.
    pub attributes: Vec<Arc<Attribute>>,
    /// The base schema whose resources have it without discovery showing it.
    pub extends: Option<Arc<str>>,
}

/// Whether a schema's attributes stand at the top of a resource or in a container of its URN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// A base schema, or the common attributes.
    Base,
    /// An extension.
    Extension,
}

impl Schema {
    /// Reads a Schema document. `placement` says which paths its attributes get.
    ///
    /// # Errors
    /// `invalidValue` with the attribute and the characteristic that is wrong.
    pub fn parse(document: &Value, placement: Placement) -> Result<Self, ScimError> {
        let id = text(document, "id").ok_or_else(|| ScimError::value("a schema needs an id: its URN"))?;
        let attributes = document
            .get("attributes")
            .and_then(Value::as_array)
            .ok_or_else(|| ScimError::value(format!("schema {id} needs an array of attributes")))?;
        let id: Arc<str> = id.into();
        let home = Home { schema: &id, placement, parent: None };
        let attributes = attributes
            .iter()
            .map(|document| parse_attribute(document, &home).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.at(format!("schema {id}")))?;
        refuse_duplicates(&attributes).map_err(|error| error.at(format!("schema {id}")))?;
        Ok(Self {
            name: text(document, "name").unwrap_or(&id).to_owned(),
            description: text(document, "description").unwrap_or_default().to_owned(),
            id,
            attributes,
            extends: text(document, "extends").map(Arc::from),
        })
    }

    /// The schema as it is served, without `meta`.
    pub fn to_json(&self) -> Map<String, Value> {
        let attributes: Vec<Value> = self.attributes.iter().map(|a| a.to_json()).collect();
        let mut out = Map::new();
        out.insert("schemas".into(), json!([urn::SCHEMA]));
        out.insert("id".into(), json!(&*self.id));
        out.insert("name".into(), json!(self.name));
        if !self.description.is_empty() {
            out.insert("description".into(), json!(self.description));
        }
        out.insert("attributes".into(), Value::Array(attributes));
        out
    }
}

/// Where an attribute that is being read stands.
struct Home<'a> {
    schema: &'a Arc<str>,
    placement: Placement,
    parent: Option<&'a Parent>,
}

/// What a sub-attribute takes over from the attribute above it.
struct Parent {
    path: String,
    kept: Kept,
}

fn parse_attribute(document: &Value, home: &Home<'_>) -> Result<Attribute, ScimError> {
    let name = text(document, "name").ok_or_else(|| ScimError::value("an attribute needs a name"))?;
    check_name(name)?;
    read_characteristics(document, name, home).map_err(|error| error.at(format!("attribute {name}")))
}

fn read_characteristics(document: &Value, name: &str, home: &Home<'_>) -> Result<Attribute, ScimError> {
    let kind = keyword(document, "type", &Type::NAMES, Type::String)?;
    let (path, kept) = match home.parent {
        Some(parent) => (format!("{}.{name}", parent.path), parent.kept),
        None if home.placement == Placement::Extension => {
            (format!("{}:{name}", home.schema), kept(home.schema, name))
        }
        None if matches!(name, "id" | "meta") => (name.to_owned(), Kept::Header),
        None => (name.to_owned(), kept(home.schema, name)),
    };
    let parent = Parent { path, kept };
    let sub_attributes = read_sub_attributes(document, kind, home, &parent)?;
    let case_exact = flag(document, "caseExact")?.unwrap_or(matches!(kind, Type::Binary | Type::Reference));
    let reference_types = texts(document, "referenceTypes")?;
    if kind != Type::Reference && !reference_types.is_empty() {
        return Err(ScimError::value("referenceTypes belong to the type reference only"));
    }
    let Parent { path, kept } = parent;
    let mutability = keyword(document, "mutability", &Mutability::NAMES, Mutability::ReadWrite)?;
    let mut attribute = Attribute {
        comparison: comparison(kind, case_exact, &reference_types, home, name),
        extension: (home.placement == Placement::Extension).then(|| Arc::clone(home.schema)),
        name: name.to_owned(),
        path,
        kind,
        multi_valued: flag(document, "multiValued")?.unwrap_or(false),
        description: text(document, "description").unwrap_or_default().to_owned(),
        required: flag(document, "required")?.unwrap_or(false),
        canonical_values: texts(document, "canonicalValues")?,
        closed: flag(document, "canonicalValuesClosed")?.unwrap_or(false),
        case_exact,
        mutability,
        returned: read_returned(document, mutability)?,
        uniqueness: keyword(document, "uniqueness", &Uniqueness::NAMES, Uniqueness::None)?,
        reference_types,
        sub_attributes,
        default: None,
        kept,
    };
    if attribute.closed && attribute.canonical_values.is_empty() {
        return Err(ScimError::value("canonicalValuesClosed needs canonicalValues"));
    }
    if let Some(default) = document.get("default") {
        let default = admit::admit_value(&attribute, default, Rules::default());
        attribute.default = default.map_err(|error| error.at("default"))?;
    }
    Ok(attribute)
}

/// RFC 7643 §7: a write-only value is never returned.
fn read_returned(document: &Value, mutability: Mutability) -> Result<Returned, ScimError> {
    let write_only = mutability == Mutability::WriteOnly;
    let default = if write_only { Returned::Never } else { Returned::Default };
    let returned = keyword(document, "returned", &Returned::NAMES, default)?;
    if write_only && returned != Returned::Never {
        return Err(ScimError::value("what is writeOnly must be returned: never"));
    }
    Ok(returned)
}

fn read_sub_attributes(
    document: &Value,
    kind: Type,
    home: &Home<'_>,
    parent: &Parent,
) -> Result<Vec<Arc<Attribute>>, ScimError> {
    let documents = match document.get("subAttributes") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(documents)) => documents,
        Some(_) => return Err(ScimError::value("subAttributes must be an array")),
    };
    if kind == Type::Complex && home.parent.is_some() && &**home.schema != urn::SCHEMA {
        return Err(ScimError::value("a sub-attribute cannot be complex (RFC 7643 §2.3.8)"));
    }
    if kind != Type::Complex && !documents.is_empty() {
        return Err(ScimError::value("subAttributes belong to the type complex only"));
    }
    if kind == Type::Complex && documents.is_empty() {
        return Err(ScimError::value("a complex attribute needs subAttributes"));
    }
    let inner = Home { parent: Some(parent), ..*home };
    let subs = documents
        .iter()
        .map(|document| parse_attribute(document, &inner).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    refuse_duplicates(&subs)?;
    Ok(subs)
}

/// The attributes that Muster keeps elsewhere than in a document alone.
fn kept(schema: &str, name: &str) -> Kept {
    match (schema, name) {
        (urn::USER | urn::IDENTIFIERS, "emails") => Kept::Contact(ContactKind::Email),
        (urn::USER | urn::IDENTIFIERS, "phoneNumbers") => Kept::Contact(ContactKind::Phone),
        (urn::USER, "groups") => Kept::Groups,
        (urn::GROUP, "members") => Kept::Members,
        _ => Kept::Document,
    }
}

fn comparison(
    kind: Type,
    case_exact: bool,
    reference_types: &[String],
    home: &Home<'_>,
    name: &str,
) -> Comparison {
    match kind {
        Type::Boolean => Comparison::Boolean,
        Type::Decimal | Type::Integer => Comparison::Number,
        Type::DateTime => Comparison::Instant,
        Type::Binary => Comparison::Octets,
        Type::Complex => Comparison::Nothing,
        Type::Reference if points_at_resources(reference_types) => Comparison::ResourceUri,
        Type::String if is_user_name(home, name) => Comparison::UserName,
        Type::String | Type::Reference if case_exact => Comparison::Exact,
        Type::String | Type::Reference => Comparison::Folded,
    }
}

/// The names by which a user logs in compare alike, whichever attribute has them.
fn is_user_name(home: &Home<'_>, name: &str) -> bool {
    matches!((&**home.schema, name), (urn::USER, "userName") | (urn::IDENTIFIERS, "loginIds"))
}

fn points_at_resources(reference_types: &[String]) -> bool {
    !reference_types.is_empty() && !reference_types.iter().any(|kind| kind == "external" || kind == "uri")
}

/// RFC 7643 §2.1 with erratum 8924: a letter first (after an optional `$`), then letters, digits, `$`, `-`, `_`.
fn check_name(name: &str) -> Result<(), ScimError> {
    let rest = name.strip_prefix('$').unwrap_or(name);
    let good = rest.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '$' | '-' | '_'));
    if good {
        Ok(())
    } else {
        Err(ScimError::value(format!(
            "{name:?} is no attribute name: it must begin with a letter and go on with letters, digits, $, - or _"
        )))
    }
}

fn refuse_duplicates(attributes: &[Arc<Attribute>]) -> Result<(), ScimError> {
    for (index, attribute) in attributes.iter().enumerate() {
        if attributes.iter().take(index).any(|other| urn::same(&other.name, &attribute.name)) {
            return Err(ScimError::value(format!("attribute {} is defined twice", attribute.name)));
        }
    }
    Ok(())
}

fn text<'a>(document: &'a Value, member: &str) -> Option<&'a str> {
    document.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn flag(document: &Value, member: &str) -> Result<Option<bool>, ScimError> {
    match document.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(ScimError::value(format!("{member} must be true or false"))),
    }
}

fn texts(document: &Value, member: &str) -> Result<Vec<String>, ScimError> {
    let wrong = || ScimError::value(format!("{member} must be an array of strings"));
    match document.get(member) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

fn keyword<T: Copy>(
    document: &Value,
    member: &str,
    names: &[(&'static str, T)],
    default: T,
) -> Result<T, ScimError> {
    let Some(value) = document.get(member).filter(|value| !value.is_null()) else {
        return Ok(default);
    };
    let given = value.as_str().unwrap_or_default();
    names.iter().find(|(name, _)| *name == given).map(|(_, value)| *value).ok_or_else(|| {
        let allowed: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        ScimError::value(format!("{member} is {value}; it must be one of {}", allowed.join(", ")))
    })
}

fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], wanted: T) -> &'static str {
    names.iter().find(|(_, value)| *value == wanted).map_or("", |(name, _)| name)
}
