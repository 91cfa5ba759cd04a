//! Explaining: where a search begins, in words that need no knowledge of a database's plans.

use crate::id::TenantId;
use crate::scim::filter::Filter;
use crate::scim::registry::ResourceType;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::lower::Lowering;

/// Where a search begins: the fewest resources first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At one resource.
    Resource,
    /// At the resources with one value.
    Value,
    /// At those whose values begin alike.
    Prefix,
    /// At those with values on one side of another.
    Range,
    /// At those with a value that many share: a boolean, a type.
    Class,
    /// At all values of the attribute.
    Values,
    /// At all resources of the type.
    Everything,
}

impl Store {
    /// Where a search with this filter begins.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if the store does not know the type.
    pub fn start(&self, tenant: TenantId, kind: &ResourceType, filter: &Filter) -> Result<Start, StoreError> {
        let dialect = self.driver().dialect();
        Ok(Lowering::new(self.layout(), dialect, kind, vec![tenant.0.into()])?.start(filter))
    }
}
