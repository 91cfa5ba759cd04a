//! What the store hands out: a resource's row, and what memberships show.
//!
//! Invariant: a [`Record`] is one version of one resource; its document is JSON text as it was stored.

use serde_json::{Map, Value};

use crate::id::ResourceId;
use crate::scim::resource::Resource;
use crate::store::driver::Row;
use crate::store::error::StoreError;

/// A resource as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The row's number; it rises with the order of creation.
    pub pk: i64,
    /// The SCIM id.
    pub id: ResourceId,
    /// 1 after creation, one more after every change.
    pub version: i64,
    /// When it was created: a [`Key`](crate::scim::key::Key) of an instant, so UTC without the `Z`.
    pub created: String,
    /// When it last changed, in the same form.
    pub modified: String,
    /// JSON text without `id`, `meta`, members and groups.
    pub document: String,
    /// JSON text of what is never returned.
    pub secret: Option<String>,
}

impl Record {
    /// The columns of a record, of the row with the alias `r`, in the order in which [`Record::read`] takes them.
    pub(super) const COLUMNS: &str = "r.pk, r.id, r.version, r.created, r.modified, r.document, r.secret";

    /// The resource that it holds, put together again.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the document is no JSON object.
    pub fn resource(&self) -> Result<Resource, StoreError> {
        let object = |text: &str| {
            serde_json::from_str::<Map<String, Value>>(text)
                .map_err(|error| StoreError::corrupt(format!("a stored document is not JSON: {error}")))
        };
        Ok(Resource::stored(object(&self.document)?, self.secret.as_deref().map(object).transpose()?))
    }

    pub(super) fn read(row: &mut Row) -> Result<Self, StoreError> {
        Ok(Self {
            pk: row.int()?,
            id: ResourceId::from_text(row.text()?),
            version: row.int()?,
            created: row.text()?,
            modified: row.text()?,
            document: row.text()?,
            secret: row.maybe_text()?,
        })
    }
}

/// A group, seen from a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRef {
    /// The group's id.
    pub id: String,
    /// What the group is called.
    pub display: Option<String>,
    /// Whether it is a member of the group itself, and not only of groups inside it.
    pub is_direct: bool,
}

/// A member, seen from a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's id.
    pub id: String,
    /// The name of its type; none if the tenant has no such resource.
    pub kind: Option<String>,
    /// What the member is called.
    pub display: Option<String>,
}

/// An id that is a resource of the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The id.
    pub id: String,
    /// The name of its type.
    pub kind: String,
    /// What others show for it.
    pub display: Option<String>,
}

/// A value that no other resource of the type may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueValue {
    /// The id of the resource.
    pub id: String,
    /// The name of its type.
    pub kind: String,
    /// The attribute's canonical path.
    pub path: String,
    /// The value's key.
    pub key: String,
}
