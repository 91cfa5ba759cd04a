//! Where each attribute lives: a column, a relation, or a fact with a number from the dictionary.
//!
//! Invariant: every comparable attribute of a registry has exactly one place, and the same place for those who
//! write it and those who search it. The numbers are the database's and never change; a registry is learned before
//! any of its types is used.

use std::sync::{Arc, PoisonError, RwLock};

use foldhash::{HashMap, HashMapExt as _};
use serde_json::json;

use crate::scim::key::Key;
use crate::scim::registry::{Family, Registry, ResourceType};
use crate::scim::schema::{Attribute, ContactKind, Kept, Returned, Type};
use crate::scim::urn;
use crate::store::batch::{Batch, Step};
use crate::store::driver::{Driver, Value};
use crate::store::error::StoreError;
use crate::store::statements;

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
pub(super) struct KindLayout<'a> {
    /// The type's number.
    pub(super) number: i64,
    /// The type.
    pub(super) kind: &'a ResourceType,
    numbers: Arc<Numbers>,
}

impl KindLayout<'_> {
    /// The paths whose values are facts, by their numbers.
    pub(super) fn paths_by_number(&self) -> HashMap<i64, &str> {
        self.numbers.paths.iter().map(|(path, &number)| (number, path.as_str())).collect()
    }

    /// Within the values of which path a value of an attribute with this number is unique: its own. A login id is unique
    /// among user names, which are names to log in by, too.
    pub(super) fn space(&self, attribute: &Attribute, number: i64) -> i64 {
        let is_login_id =
            attribute.name == "loginIds" && attribute.extension.as_deref() == Some(urn::IDENTIFIERS);
        let names = is_login_id.then(|| self.numbers.paths.get("userName")).flatten();
        names.copied().unwrap_or(number)
    }

    /// Where the values of this simple attribute of the type are.
    pub(super) fn place(&self, attribute: &Attribute) -> Place {
        let fact =
            || self.numbers.paths.get(&attribute.path).map_or(Place::Nowhere, |&number| Place::Fact(number));
        match attribute.kept {
            Kept::Header => header(&attribute.path).map_or(Place::Nowhere, Place::Header),
            Kept::Contact(kind) => {
                contact_column(attribute).map_or_else(fact, |column| Place::Contact(kind, column))
            }
            Kept::Members => end(attribute).map_or(Place::Nowhere, Place::Members),
            Kept::Groups => end(attribute).map_or(Place::Nowhere, Place::Groups),
            Kept::Document if is_indexed(attribute) => fact(),
            Kept::Document => Place::Nowhere,
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

/// The numbers of one type's name and of its paths: those of every registry that has a type of this name.
#[derive(Clone, Debug, Default)]
struct Numbers {
    kind: i64,
    paths: HashMap<String, i64>,
}

/// The dictionary, as far as this process needed it yet. What it has of a type is the same for all who have a type
/// of that name; what differs between them is asked of the type.
#[derive(Debug, Default)]
pub(super) struct Layout {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    kinds: HashMap<String, Arc<Numbers>>,
    names: HashMap<i64, Arc<str>>,
}

impl Layout {
    /// Reads what the dictionary has of the registry, after adding what it lacks.
    pub(super) async fn learn(&self, driver: &Driver, registry: &Registry) -> Result<(), StoreError> {
        let wanted: Vec<String> = registry.types().iter().flat_map(names).collect();
        let mut numbers = read_dictionary(driver, &wanted).await?;
        let mut batch = Batch::default();
        for name in wanted.iter().filter(|name| !numbers.contains_key(*name)) {
            let sql = "INSERT INTO dictionary (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
            batch.push(Step::new(sql, vec![name.as_str().into()]));
        }
        if !batch.steps.is_empty() {
            driver.write(batch).await?;
            numbers = read_dictionary(driver, &wanted).await?;
        }
        self.add(registry, &numbers)
    }

    fn add(&self, registry: &Registry, numbers: &HashMap<String, i64>) -> Result<(), StoreError> {
        let number = |name: String| {
            let missing = || StoreError::corrupt("the dictionary lost a name");
            numbers.get(&name).copied().ok_or_else(missing)
        };
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for kind in registry.types() {
            let mut known = inner.kinds.get(&kind.name).map_or_else(Numbers::default, |n| Numbers::clone(n));
            known.kind = number(kind.name.clone())?;
            for path in fact_paths(kind) {
                known.paths.insert(path.to_owned(), number(qualified(kind, path))?);
            }
            inner.names.insert(known.kind, kind.name.as_str().into());
            inner.kinds.insert(kind.name.clone(), Arc::new(known));
        }
        Ok(())
    }

    /// The number of the attribute that holds a user's login ids; one that no attribute has, if there is none.
    pub(super) fn login_ids(&self) -> i64 {
        let path = format!("{}:loginIds", urn::IDENTIFIERS);
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.kinds.get("User").and_then(|numbers| numbers.paths.get(&path)).copied().unwrap_or(-1)
    }

    /// The part of a resource type, whose registry must have been learned.
    pub(super) fn kind<'a>(&self, kind: &'a ResourceType) -> Result<KindLayout<'a>, StoreError> {
        let unknown = || StoreError::internal(format!("the store does not know the type {}", kind.name));
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let numbers = Arc::clone(inner.kinds.get(&kind.name).ok_or_else(unknown)?);
        Ok(KindLayout { number: numbers.kind, kind, numbers })
    }

    /// The number of the type of that name, if a registry has one.
    pub(super) fn kind_number(&self, name: &str) -> Option<i64> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.kinds.get(name).map(|numbers| numbers.kind)
    }

    /// The name of the resource type with that number.
    pub(super) fn kind_name(&self, number: i64) -> Option<Arc<str>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.names.get(&number).cloned()
    }

    /// The name of the resource type and the path of the attribute with these numbers.
    pub(super) fn names(&self, kind: i64, path: i64) -> Option<(Arc<str>, String)> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let name = inner.names.get(&kind)?;
        let (path, _) = inner.kinds.get(&**name)?.paths.iter().find(|(_, number)| **number == path)?;
        Some((Arc::clone(name), path.clone()))
    }
}

/// What `members.type` of a member of that type compares as.
pub(super) fn type_key(family: &Family, name: &str) -> String {
    let attribute = family.members.as_ref().and_then(|members| members.sub("type"));
    let key = attribute.and_then(|attribute| Key::of(attribute, &json!(name)));
    key.map_or_else(String::new, |key| key.as_str().to_owned())
}

/// What `members.display` of a resource with this label compares as.
pub(super) fn label_key(family: &Family, label: &str) -> Option<String> {
    let key = Key::of(family.members.as_ref()?.sub("display")?, &json!(label))?;
    Some(key.as_str().to_owned())
}

/// The numbers of these names, as far as they have one.
async fn read_dictionary(driver: &Driver, names: &[String]) -> Result<HashMap<String, i64>, StoreError> {
    let names: Vec<Value> = names.iter().map(|name| name.as_str().into()).collect();
    let mut numbers = HashMap::new();
    for statement in statements("SELECT d.name, d.id FROM dictionary d WHERE d.name IN ({ids})", &[], &names)
    {
        for mut row in driver.brief(statement).await? {
            numbers.insert(row.text()?, row.int()?);
        }
    }
    Ok(numbers)
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
        .filter(|leaf| is_indexed(leaf) && is_fact(leaf))
        .map(|leaf| leaf.path.as_str())
}

/// Whether its values are comparable and no secret.
fn is_indexed(leaf: &Attribute) -> bool {
    leaf.kind != Type::Complex && leaf.returned != Returned::Never
}

fn is_fact(leaf: &Attribute) -> bool {
    match leaf.kept {
        Kept::Document => true,
        Kept::Contact(_) => contact_column(leaf).is_none(),
        Kept::Header | Kept::Members | Kept::Groups => false,
    }
}
