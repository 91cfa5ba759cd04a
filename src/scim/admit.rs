//! Admission: JSON from a client → canonical values, attribute by attribute (RFC 7643 §2, RFC 7644 §3.3, §3.5.1).
//!
//! Invariant: what is admitted obeys every characteristic of its schema. Unknown and read-only attributes are
//! ignored (readings A8, A20); `null`, `[]`, `{}` and `""` are all "no value" (RFC 7643 §2.5, reading A3).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::format;
use crate::scim::key::{self, Key};
use crate::scim::object;
use crate::scim::registry::{Extension, ResourceType};
use crate::scim::resource::{Resource, take_in_order};
use crate::scim::schema::{Attribute, Comparison, Kept, Mutability, Schema, Type};
use crate::scim::urn;

/// The longest id of a member, in bytes: far more than ids have, and few enough for an index entry.
const MAX_MEMBER_ID: usize = 256;

/// How strictly values are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether `country`, `locale`, `timezone` and other forms are checked (reading A37).
    pub check_formats: bool,
    /// Whether attributes that no schema has are refused instead of ignored (reading A8).
    pub refuse_unknown: bool,
    /// Whether every operation of a PATCH needs a path (reading A22).
    pub needs_path: bool,
    /// Whether a PATCH `replace` of a complex attribute clears the parts that it does not name (reading A17).
    pub replace_whole: bool,
    /// Whether a PATCH may change one value of an attribute at a time only.
    pub one_value: bool,
    /// Whether a PATCH may say which addresses and numbers are verified, which is read-only to everybody else.
    pub may_verify: bool,
}

/// A body that was admitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// The resource, without the memberships.
    pub resource: Resource,
    /// The ids in `members`; none if the body did not mention them.
    pub members: Option<Vec<String>>,
    /// The writable attributes that the body mentioned, as the schema spells them: top-level attributes, extensions,
    /// and the extensions' attributes.
    pub mentioned: Vec<String>,
}

impl ResourceType {
    /// Admits the body of a POST or PUT.
    ///
    /// # Errors
    /// `invalidSyntax` for a wrong envelope, `invalidValue` for a wrong or missing value; the detail names the attribute.
    pub fn admit(&self, body: &Map<String, Value>, rules: Rules) -> Result<Admitted, ScimError> {
        let members_of_body = index(body)?;
        self.check_schemas(members_of_body.get("schemas"))?;
        let is_known = |name: &str| self.attribute(name).is_some() || self.extension(name).is_some();
        check_known(body, rules, &self.name, is_known)?;
        let mut admitted = Admitted { resource: Resource::default(), members: None, mentioned: Vec::new() };
        let mut out = Map::with_capacity(body.len());
        for attribute in self.attributes.iter().filter(|a| is_writable(a) && a.name != "schemas") {
            let Some(given) = members_of_body.get(&attribute.name) else { continue };
            admitted.mentioned.push(attribute.path.clone());
            if attribute.kept == Kept::Members {
                admitted.members = Some(member_ids(attribute, given, rules)?);
            } else if let Some(value) = admit_value(attribute, given, rules)? {
                out.insert(attribute.name.clone(), value);
            }
        }
        for extension in &self.extensions {
            let id = &extension.schema.id;
            let Some(given) = members_of_body.get(id) else { continue };
            admitted.mentioned.push(id.to_string());
            if let Some(container) =
                container_value(&extension.schema, given, &mut admitted.mentioned, rules)?
            {
                out.insert(id.to_string(), Value::Object(container));
            }
        }
        admitted.resource = Resource::canonical(self, out);
        Ok(admitted)
    }

    /// Refuses a resource that lacks a required value (reading A44: `invalidValue` for POST and PUT).
    ///
    /// # Errors
    /// `invalidValue` that names the attribute or the extension.
    pub fn check_required(&self, body: &Map<String, Value>) -> Result<(), ScimError> {
        let stored = |a: &&Arc<Attribute>| !matches!(a.kept, Kept::Header | Kept::Members | Kept::Groups);
        for attribute in self.attributes.iter().filter(stored).filter(|a| a.name != "schemas") {
            check_complete(attribute, body)?;
        }
        for extension in &self.extensions {
            match object::get(body, &extension.schema.id) {
                Some(Value::Object(container)) => {
                    extension.schema.attributes.iter().try_for_each(|a| check_complete(a, container))?;
                }
                _ if extension.required => {
                    let detail = format!("{} needs the extension {}", self.name, extension.schema.id);
                    return Err(ScimError::value(detail));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_schemas(&self, given: Option<&Value>) -> Result<(), ScimError> {
        let wanted = &self.schema.id;
        let missing = || ScimError::syntax(format!("schemas must be an array that holds \"{wanted}\""));
        let ids = given.and_then(Value::as_array).ok_or_else(missing)?;
        let mut holds_base = false;
        for id in ids {
            let id = id.as_str().ok_or_else(missing)?;
            holds_base |= urn::same(id, wanted);
            if !urn::same(id, wanted) && self.extension(id).is_none() {
                return Err(ScimError::syntax(format!("schemas: {} has no schema {id:?}", self.name)));
            }
        }
        if holds_base { Ok(()) } else { Err(missing()) }
    }
}

impl Extension {
    /// Whether what stays of it when a client takes it away must go, too: it lacks what is required, and nothing of it is
    /// immutable.
    pub(in crate::scim) fn lapses(&self, container: &Map<String, Value>) -> bool {
        let attributes = &self.schema.attributes;
        let is_fixed =
            |a: &Arc<Attribute>| a.mutability == Mutability::Immutable && container.contains_key(&a.name);
        attributes.iter().any(|a| check_complete(a, container).is_err()) && !attributes.iter().any(is_fixed)
    }
}

/// The members of a body, found by their names in any case (RFC 7643 §2.1: names are case-insensitive).
#[derive(Clone, Copy, Debug)]
pub struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    /// The member of that name.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|(given, _)| urn::same(given, name)).map(|(_, value)| value)
    }
}

/// The members of a body.
///
/// # Errors
/// `invalidSyntax` if one attribute is there twice (reading A11).
pub fn index(body: &Map<String, Value>) -> Result<Members<'_>, ScimError> {
    let mut names: Vec<&str> = body.keys().map(String::as_str).collect();
    names.sort_by(|a, b| {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        a.bytes().map(lower).cmp(b.bytes().map(lower))
    });
    match names.windows(2).find(|pair| matches!(pair, [a, b] if urn::same(a, b))) {
        Some([_, name]) => Err(ScimError::syntax(format!("{name} is there twice, in different case"))),
        _ => Ok(Members(body)),
    }
}

/// Refuses a name that no schema has, where the rules say so.
fn check_known(
    given: &Map<String, Value>,
    rules: Rules,
    owner: &str,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), ScimError> {
    match given.keys().find(|name| rules.refuse_unknown && !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(ScimError::syntax(format!("there is no attribute {name:?} in {owner}"))),
    }
}

/// Whether clients may write it: what they send for other attributes is ignored (reading A20).
fn is_writable(attribute: &Attribute) -> bool {
    attribute.mutability != Mutability::ReadOnly
}

/// The canonical value of an attribute, all elements of it; none for no value.
///
/// # Errors
/// `invalidValue` that names the attribute and says what it takes.
pub fn admit_value(attribute: &Attribute, given: &Value, rules: Rules) -> Result<Option<Value>, ScimError> {
    match given {
        Value::Null => Ok(None),
        Value::Array(elements) if attribute.multi_valued => {
            let elements = admit_elements(attribute, elements, rules)?;
            Ok((!elements.is_empty()).then_some(Value::Array(elements)))
        }
        _ if attribute.multi_valued => Err(wrong_type(attribute, "an array", given)),
        _ => admit_single(attribute, given, rules),
    }
}

/// The canonical elements of a multi-valued attribute: empty ones dropped, equal ones merged, one primary at most.
///
/// # Errors
/// As [`admit_value`], with the index of the element.
pub fn admit_elements(attribute: &Attribute, given: &[Value], rules: Rules) -> Result<Vec<Value>, ScimError> {
    let mut out = Elements::of(attribute, Vec::with_capacity(given.len()));
    for (position, element) in given.iter().enumerate() {
        if element.is_null() {
            let detail = format!("{}[{position}] is null; leave the value out", attribute.path);
            return Err(ScimError::value(detail));
        }
        let admitted = admit_single(attribute, element, rules)
            .map_err(|error| error.at(format_args!("{}[{position}]", attribute.path)))?;
        if let Some(value) = admitted {
            out.append(value);
        }
    }
    let out = out.values;
    if out.iter().filter(|value| is_primary(value)).count() > 1 {
        return Err(ScimError::value(format!("{}: more than one value is primary", attribute.path)));
    }
    Ok(out)
}

/// The values of a multi-valued attribute, each there once: one with the same `value` and `type` as another updates it
/// instead of standing beside it (reading A18, RFC 7643 §2.4). Adding takes the same time however many there are.
pub(in crate::scim) struct Elements<'a> {
    attribute: &'a Attribute,
    /// The values in their order.
    pub(in crate::scim) values: Vec<Value>,
    places: HashMap<Identity, usize>,
}

/// What makes two values of an attribute the same one.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    /// The key of a simple value, or those of `value` and `type`.
    Keys(Key, Option<Key>),
    /// All of a value that has no `value`.
    Whole(String),
}

impl<'a> Elements<'a> {
    /// The elements of an attribute that are there already.
    pub(in crate::scim) fn of(attribute: &'a Attribute, values: Vec<Value>) -> Self {
        let places =
            (0..).zip(&values).map(|(index, value)| (Identity::of(attribute, value), index)).collect();
        Self { attribute, values, places }
    }

    /// Adds a value, or updates the one that is the same; says at which index it stands.
    pub(in crate::scim) fn append(&mut self, value: Value) -> usize {
        match self.places.entry(Identity::of(self.attribute, &value)) {
            Entry::Occupied(place) => {
                let index = *place.get();
                if let (Some(Value::Object(old)), Value::Object(new)) = (self.values.get_mut(index), value) {
                    old.extend(new);
                    *old = take_in_order(&self.attribute.sub_attributes, old);
                }
                index
            }
            Entry::Vacant(place) => {
                self.values.push(value);
                *place.insert(self.values.len() - 1)
            }
        }
    }
}

impl Identity {
    fn of(attribute: &Attribute, value: &Value) -> Self {
        let part = |sub: Option<&Arc<Attribute>>| {
            sub.and_then(|sub| Key::of(sub, object::get(value.as_object()?, &sub.name)?))
        };
        let key = match attribute.kind {
            Type::Complex => part(attribute.value_sub()),
            _ => Key::of(attribute, value),
        };
        key.map_or_else(|| Self::Whole(value.to_string()), |key| Self::Keys(key, part(attribute.sub("type"))))
    }
}

/// Whether both are values of the attribute, and equal ones.
pub(in crate::scim) fn same_key(attribute: &Attribute, a: &Value, b: &Value) -> bool {
    Key::of(attribute, a).is_some_and(|key| Some(key) == Key::of(attribute, b))
}

/// Whether the element says `"primary": true`.
pub fn is_primary(value: &Value) -> bool {
    value.as_object().and_then(|parts| object::get(parts, "primary")) == Some(&Value::Bool(true))
}

/// The canonical form of one value; none for no value.
///
/// # Errors
/// As [`admit_value`].
pub fn admit_single(attribute: &Attribute, given: &Value, rules: Rules) -> Result<Option<Value>, ScimError> {
    match (attribute.kind, given) {
        (_, Value::Null) => Ok(None),
        (Type::Complex, Value::Object(parts)) => {
            let mut parts = admit_parts(attribute, parts, rules)?;
            parts.retain(|_, value| !value.is_null());
            Ok((!parts.is_empty()).then_some(Value::Object(parts)))
        }
        (Type::Complex, _) => Err(wrong_type(attribute, "an object", given)),
        _ if is_empty_text(attribute, given, rules) => Ok(None),
        _ => admit_simple(attribute, given, rules).map(Some),
    }
}

/// Whether it is the empty text, which is no value (reading A3), of an attribute whose values are text or octets.
/// It is no URI, so references have it only where forms are not checked.
pub(in crate::scim) fn is_empty_text(attribute: &Attribute, given: &Value, rules: Rules) -> bool {
    let may_be_empty = match attribute.kind {
        Type::String | Type::Binary => true,
        Type::Reference => !rules.check_formats,
        _ => false,
    };
    may_be_empty && given == ""
}

/// The sub-attributes of a complex value in canonical form, `null` where the client says "no value".
///
/// # Errors
/// As [`admit_value`].
pub fn admit_parts(
    attribute: &Attribute,
    given: &Map<String, Value>,
    rules: Rules,
) -> Result<Map<String, Value>, ScimError> {
    check_known(given, rules, &attribute.path, |name| attribute.sub(name).is_some())?;
    let mut out = Map::with_capacity(given.len());
    let given = index(given).map_err(|error| error.at(&attribute.path))?;
    for sub in &attribute.sub_attributes {
        let Some(value) = given.get(&sub.name) else { continue };
        if !is_writable(sub) {
            continue;
        }
        out.insert(sub.name.clone(), admit_value(sub, value, rules)?.unwrap_or(Value::Null));
    }
    Ok(out)
}

fn admit_simple(attribute: &Attribute, given: &Value, rules: Rules) -> Result<Value, ScimError> {
    let canonical = match (attribute.kind, given) {
        (Type::String | Type::Reference, Value::String(_))
        | (Type::Boolean, Value::Bool(_))
        | (Type::Decimal, Value::Number(_)) => given.clone(),
        (Type::Integer, Value::Number(number)) if number.is_i64() => given.clone(),
        (Type::DateTime, Value::String(text)) => {
            let instant = key::parse_instant(text).ok_or_else(|| no_form(attribute))?;
            Value::String(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        (Type::Binary, Value::String(text)) if key::decode_base64(text).is_some() => given.clone(),
        (Type::Binary, Value::String(_)) | (Type::Integer, Value::Number(_)) => {
            return Err(no_form(attribute));
        }
        _ => return Err(wrong_type(attribute, expectation(attribute.kind), given)),
    };
    if let Value::String(text) = &canonical {
        check_text(attribute, text)?;
        format::check(attribute, text, rules.check_formats)?;
    }
    check_canonical_values(attribute, &canonical)?;
    Ok(canonical)
}

fn check_text(attribute: &Attribute, text: &str) -> Result<(), ScimError> {
    if text.contains('\0') {
        return Err(ScimError::value(format!("{}: the character U+0000 cannot be stored", attribute.path)));
    }
    if attribute.comparison == Comparison::UserName {
        format::check_user_name(text)?;
    }
    Ok(())
}

fn check_canonical_values(attribute: &Attribute, value: &Value) -> Result<(), ScimError> {
    let allowed = &attribute.canonical_values;
    let is_allowed = |name: &String| same_key(attribute, &Value::String(name.clone()), value);
    if !attribute.closed || allowed.iter().any(is_allowed) {
        return Ok(());
    }
    Err(ScimError::value(format!("{} must be one of {}", attribute.path, allowed.join(", "))))
}

fn container_value(
    schema: &Schema,
    given: &Value,
    mentioned: &mut Vec<String>,
    rules: Rules,
) -> Result<Option<Map<String, Value>>, ScimError> {
    let id = &schema.id;
    let given = match given {
        // No extension at all: that is no value for each of its attributes.
        Value::Null => {
            mentioned.extend(schema.attributes.iter().filter(|a| is_writable(a)).map(|a| a.path.clone()));
            return Ok(None);
        }
        Value::Object(container) => {
            // Some clients repeat `schemas` inside the container; there it means nothing.
            let is_known = |name: &str| {
                urn::same(name, "schemas") || schema.attributes.iter().any(|a| urn::same(&a.name, name))
            };
            check_known(container, rules, id, is_known)?;
            index(container).map_err(|error| error.at(id))?
        }
        _ => return Err(ScimError::value(format!("{id} must be an object"))),
    };
    let mut out = Map::new();
    for attribute in schema.attributes.iter().filter(|a| is_writable(a)) {
        let Some(value) = given.get(&attribute.name) else { continue };
        mentioned.push(attribute.path.clone());
        if let Some(value) = admit_value(attribute, value, rules)? {
            out.insert(attribute.name.clone(), value);
        }
    }
    Ok((!out.is_empty()).then_some(out))
}

/// The ids that a value of `members` names: `value`, or the end of `$ref` where only that is given.
///
/// # Errors
/// `invalidValue` for a value that is not an array of objects, or an element that names nothing.
pub fn member_ids(attribute: &Attribute, given: &Value, rules: Rules) -> Result<Vec<String>, ScimError> {
    let elements = match given {
        Value::Null => return Ok(Vec::new()),
        Value::Array(elements) => elements,
        _ => return Err(wrong_type(attribute, "an array", given)),
    };
    let mut out: Vec<String> = Vec::with_capacity(elements.len());
    let mut seen = std::collections::HashSet::with_capacity(elements.len());
    for (position, element) in elements.iter().enumerate() {
        if let Value::Object(parts) = element {
            check_known(parts, rules, &attribute.path, |name| attribute.sub(name).is_some())?;
        }
        let id =
            member_id(element).map_err(|error| error.at(format_args!("{}[{position}]", attribute.path)))?;
        if seen.insert(id) {
            out.push(id.to_owned());
        }
    }
    Ok(out)
}

fn member_id(element: &Value) -> Result<&str, ScimError> {
    let needs = || ScimError::value("a member is an object with the id of a resource as its value");
    let parts = index(element.as_object().ok_or_else(needs)?)?;
    let text = |name: &str| match parts.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str())),
        None | Some(Value::Null) => Ok(None),
        Some(_) => Err(needs()),
    };
    let id = match (text("value")?, text("$ref")?) {
        (Some(value), _) => value,
        (None, Some(uri)) => uri.rsplit('/').next().unwrap_or(uri),
        (None, None) => return Err(needs()),
    };
    if id.contains('\0') || id.len() > MAX_MEMBER_ID {
        return Err(ScimError::value(format!(
            "the id of a member has at most {MAX_MEMBER_ID} bytes, and no U+0000"
        )));
    }
    Ok(id)
}

/// Refuses an attribute that must have a value and has none, and values that lack a part that they must have.
pub(in crate::scim) fn check_complete(
    attribute: &Attribute,
    body: &Map<String, Value>,
) -> Result<(), ScimError> {
    let needs_parts = attribute.sub_attributes.iter().any(|sub| sub.required);
    if !attribute.required && !needs_parts {
        return Ok(());
    }
    let given = object::get(body, &attribute.name);
    let is_blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
    if attribute.required && given.is_none_or(is_blank) {
        return Err(ScimError::value(format!("{} is required and must not be empty", attribute.path)));
    }
    if !needs_parts {
        return Ok(());
    }
    let check_parts = |value: &Value| match value {
        Value::Object(parts) => {
            attribute.sub_attributes.iter().try_for_each(|sub| check_complete(sub, parts))
        }
        _ => Ok(()),
    };
    match given {
        Some(Value::Array(elements)) => (0..).zip(elements).try_for_each(|(index, element): (usize, _)| {
            check_parts(element).map_err(|error| error.at(format_args!("{}[{index}]", attribute.path)))
        }),
        Some(value) => check_parts(value),
        None => Ok(()),
    }
}

fn expectation(kind: Type) -> &'static str {
    match kind {
        Type::String => "a string",
        Type::Reference => "a string with a URI",
        Type::Boolean => "true or false",
        Type::Decimal => "a number",
        Type::Integer => "a whole number of 64 bits without fraction and exponent",
        Type::DateTime => "a date and time like \"2011-05-13T04:42:34Z\"",
        Type::Binary => "a string in base64",
        Type::Complex => "an object",
    }
}

/// A value of the right JSON type that is not in the form that the attribute's type has.
fn no_form(attribute: &Attribute) -> ScimError {
    ScimError::value(format!("{} must be {}", attribute.path, expectation(attribute.kind)))
}

fn wrong_type(attribute: &Attribute, wanted: &str, given: &Value) -> ScimError {
    let found = match given {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    ScimError::value(format!("{} must be {wanted}, not {found}", attribute.path))
}
