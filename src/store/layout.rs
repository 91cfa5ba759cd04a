//! Where each attribute lives: a column, a relation, or a fact with a number from the dictionary.
//!
//! Invariant: every comparable attribute of the registry has exactly one place, and the same place for those who
//! write it and those who search it. The numbers are the database's and never change.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use crate::scim::key::Key;
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::schema::{Attribute, ContactKind, Kept, Returned, Type};
use crate::scim::urn;
use crate::store::batch::{Batch, Step};
use crate::store::driver::{Driver, Row, Statement, Value};
use crate::store::error::StoreError;

/// The columns that stand for header attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Id,
    Created,
    Modified,
    Version,
    Kind,
    Location,
}

/// The columns of a contact row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContactColumn {
    Value,
    Type,
    Display,
    Primary,
    Id,
    Verified,
    VerifiedAt,
    Source,
    Canonical,
    Created,
}

/// What a membership shows of the resource at its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Value,
    Reference,
    Type,
    Display,
}

/// Where the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Header(Header),
    Contact(ContactKind, ContactColumn),
    Members(End),
    Groups(End),
    Fact(i64),
    /// Nothing is kept of it, so nothing matches it: complex attributes and secrets.
    Nowhere,
}

/// The number that stands for a kind of contact in the tables.
pub(super) fn contact_number(kind: ContactKind) -> i64 {
    match kind {
        ContactKind::Email => 1,
        ContactKind::Phone => 2,
    }
}

/// The kind of contact that a number stands for.
pub(super) fn contact_kind(number: i64) -> Option<ContactKind> {
    [ContactKind::Email, ContactKind::Phone].into_iter().find(|&kind| contact_number(kind) == number)
}

/// One resource type's part of the layout.
#[derive(Debug)]
pub(super) struct KindLayout {
    /// The type's number.
    pub(super) number: i64,
    /// The type's name.
    pub(super) name: String,
    /// The type's endpoint.
    pub(super) endpoint: String,
    /// What `members.type` of such a member compares as.
    pub(super) type_key: String,
    paths: HashMap<String, i64>,
}

impl KindLayout {
    /// The paths whose values are facts, by their numbers.
    pub(super) fn paths_by_number(&self) -> HashMap<i64, &str> {
        self.paths.iter().map(|(path, &number)| (number, path.as_str())).collect()
    }

    /// Where the values of this simple attribute of the type are.
    pub(super) fn place(&self, attribute: &Attribute) -> Place {
        let fact = || self.paths.get(&attribute.path).map_or(Place::Nowhere, |&number| Place::Fact(number));
        match attribute.kept {
            Kept::Header => header(&attribute.path).map_or(Place::Nowhere, Place::Header),
            Kept::Contact(kind) => {
                contact_column(attribute).map_or_else(fact, |column| Place::Contact(kind, column))
            }
            Kept::Members => end(attribute).map_or(Place::Nowhere, Place::Members),
            Kept::Groups => end(attribute).map_or(Place::Nowhere, Place::Groups),
            Kept::Document => fact(),
        }
    }
}

fn header(path: &str) -> Option<Header> {
    Some(match path {
        "id" => Header::Id,
        "meta.created" => Header::Created,
        "meta.lastModified" => Header::Modified,
        "meta.version" => Header::Version,
        "meta.resourceType" => Header::Kind,
        "meta.location" => Header::Location,
        _ => return None,
    })
}

/// The column of a sub-attribute of `emails` or `phoneNumbers`, or of what the identifiers extension says of them; one
/// that a custom schema adds is a fact.
pub(super) fn contact_column(attribute: &Attribute) -> Option<ContactColumn> {
    Some(match (attribute.name.as_str(), attribute.kind) {
        (_, Type::Complex) => return None,
        (name, kind) if attribute.extension.is_some() => return known_column(name, kind),
        ("value", _) => ContactColumn::Value,
        ("type", _) => ContactColumn::Type,
        ("display", _) => ContactColumn::Display,
        ("primary", Type::Boolean) => ContactColumn::Primary,
        _ => return None,
    })
}

/// The column of a sub-attribute of the identifiers extension.
fn known_column(name: &str, kind: Type) -> Option<ContactColumn> {
    Some(match (name, kind) {
        ("value", Type::String) => ContactColumn::Value,
        ("id", Type::String) => ContactColumn::Id,
        ("verified", Type::Boolean) => ContactColumn::Verified,
        ("verifiedAt", Type::DateTime) => ContactColumn::VerifiedAt,
        ("verificationSource", Type::String) => ContactColumn::Source,
        ("canonical", Type::String) => ContactColumn::Canonical,
        ("created", Type::DateTime) => ContactColumn::Created,
        _ => return None,
    })
}

fn end(attribute: &Attribute) -> Option<End> {
    Some(match attribute.name.as_str() {
        _ if attribute.kind == Type::Complex => return None,
        "value" => End::Value,
        "$ref" => End::Reference,
        "type" => End::Type,
        "display" => End::Display,
        _ => return None,
    })
}

/// The layout of every resource type.
#[derive(Debug)]
pub(super) struct Layout {
    kinds: HashMap<String, KindLayout>,
    display: Option<Arc<Attribute>>,
}

impl Layout {
    /// Reads the dictionary, after adding what the registry has and the dictionary lacks.
    pub(super) async fn load(driver: &Driver, registry: &Registry) -> Result<Self, StoreError> {
        let mut numbers = read_dictionary(driver).await?;
        let mut batch = Batch::default();
        for name in registry.types().iter().flat_map(names).filter(|name| !numbers.contains_key(name)) {
            let sql = "INSERT INTO dictionary (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
            batch.push(Step::new(sql, vec![name.into()]));
        }
        if !batch.steps.is_empty() {
            driver.write(batch).await?;
            numbers = read_dictionary(driver).await?;
        }
        let member_type = registry.types().iter().find_map(|kind| kind.members()?.sub("type"));
        let kinds = registry.types().iter().map(|kind| {
            let layout = kind_layout(kind, &numbers, member_type)?;
            Ok((kind.name.clone(), layout))
        });
        let display = registry.types().iter().find_map(|kind| kind.members()?.sub("display")).cloned();
        Ok(Self { kinds: kinds.collect::<Result<_, StoreError>>()?, display })
    }

    /// The part of a resource type, which must be one of the registry that the store was opened with.
    pub(super) fn kind(&self, kind: &ResourceType) -> Result<&KindLayout, StoreError> {
        self.kinds
            .get(&kind.name)
            .ok_or_else(|| StoreError::internal(format!("the store does not know the type {}", kind.name)))
    }

    /// The number of the attribute that holds a user's login ids; one that no attribute has, if there is none.
    pub(super) fn login_ids(&self) -> i64 {
        let path = format!("{}:loginIds", urn::IDENTIFIERS);
        self.kinds.values().find_map(|kind| kind.paths.get(&path)).copied().unwrap_or(-1)
    }

    /// The resource types, in no order.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &KindLayout> {
        self.kinds.values()
    }

    /// The name of the resource type with that number.
    pub(super) fn kind_name(&self, number: i64) -> Option<&str> {
        self.kinds.values().find(|kind| kind.number == number).map(|kind| kind.name.as_str())
    }

    /// What `members.display` of a resource with this label compares as.
    pub(super) fn label_key(&self, label: &str) -> Option<String> {
        let key = Key::of(self.display.as_ref()?, &json!(label))?;
        Some(key.as_str().to_owned())
    }
}

async fn read_dictionary(driver: &Driver) -> Result<HashMap<String, i64>, StoreError> {
    let rows = driver.scan(Statement::new("SELECT name, id FROM dictionary", Vec::<Value>::new())).await?;
    rows.into_iter().map(|mut row: Row| Ok((row.text()?, row.int()?))).collect()
}

fn kind_layout(
    kind: &Arc<ResourceType>,
    numbers: &HashMap<String, i64>,
    member_type: Option<&Arc<Attribute>>,
) -> Result<KindLayout, StoreError> {
    let number = |name: String| {
        let missing = || StoreError::corrupt("the dictionary lost a name");
        numbers.get(&name).copied().ok_or_else(missing)
    };
    let paths = fact_paths(kind)
        .map(|path| Ok((path.to_owned(), number(qualified(kind, path))?)))
        .collect::<Result<_, StoreError>>()?;
    let type_key = member_type.and_then(|attribute| Key::of(attribute, &json!(kind.name)));
    Ok(KindLayout {
        number: number(kind.name.clone())?,
        name: kind.name.clone(),
        endpoint: kind.endpoint.clone(),
        type_key: type_key.map_or_else(String::new, |key| key.as_str().to_owned()),
        paths,
    })
}

/// Every name that the dictionary must have for a type.
fn names(kind: &Arc<ResourceType>) -> impl Iterator<Item = String> {
    std::iter::once(kind.name.clone()).chain(fact_paths(kind).map(|path| qualified(kind, path)))
}

fn qualified(kind: &ResourceType, path: &str) -> String {
    format!("{}/{path}", kind.name)
}

/// The paths whose values are facts.
fn fact_paths(kind: &ResourceType) -> impl Iterator<Item = &str> {
    kind.all_attributes()
        .filter(|attribute| attribute.returned != Returned::Never)
        .flat_map(|attribute| std::iter::once(attribute).chain(&attribute.sub_attributes))
        .filter(|leaf| leaf.kind != Type::Complex && leaf.returned != Returned::Never && is_fact(leaf))
        .map(|leaf| leaf.path.as_str())
}

fn is_fact(leaf: &Attribute) -> bool {
    match leaf.kept {
        Kept::Document => true,
        Kept::Contact(_) => contact_column(leaf).is_none(),
        Kept::Header | Kept::Members | Kept::Groups => false,
    }
}
