//! Tenants, and the policies that each sets for itself.
//!
//! Invariant: a stored override names a policy that exists; it takes the place of the profile's choice for
//! every client of the tenant.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use crate::access::{Access, AccessError, FRESH};
use crate::id::TenantId;
use crate::quirks::Policy;
use crate::scim::key::parse_instant;
use crate::scim::registry::Registry;
use crate::scim::urn;
use crate::store::{self, StoreError, UniquePath};

/// A tenant as people see it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its number.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// What it decides for itself.
    pub overrides: Overrides,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
}

/// The policies that a tenant sets, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, bool>);

impl Overrides {
    /// Reads what the store keeps: nothing, or a JSON object of booleans.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if it is anything else, or names a policy that does not exist.
    pub fn parse(text: &str) -> Result<Self, AccessError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let map: BTreeMap<String, bool> = serde_json::from_str(text).map_err(|error| {
            AccessError::invalid(format!("the tenant's stored policies are damaged: {error}"))
        })?;
        let overrides = Self(map);
        overrides.apply(Policy::DEFAULT)?;
        Ok(overrides)
    }

    /// Reads `NAME=on` or `NAME=off` and sets that policy.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] that says what to write.
    pub fn set(&mut self, assignment: &str) -> Result<(), AccessError> {
        let wrong = || {
            let names = Policy::NAMES.join(", ");
            AccessError::invalid(format!(
                "{assignment:?} is no policy setting; \
                 write POLICY=on or POLICY=off, where POLICY is one of {names}"
            ))
        };
        let (name, value) = assignment.split_once('=').ok_or_else(wrong)?;
        let value = match value {
            "on" => true,
            "off" => false,
            _ => return Err(wrong()),
        };
        if !Policy::NAMES.contains(&name) {
            return Err(wrong());
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// The policy with these choices in it.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if one is unknown.
    pub fn apply(&self, mut policy: Policy) -> Result<Policy, AccessError> {
        for (name, value) in &self.0 {
            policy.set(name, *value).map_err(|error| AccessError::invalid(error.to_string()))?;
        }
        Ok(policy)
    }

    /// Whether the tenant leaves everything to the profile.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn to_text(&self) -> Result<String, AccessError> {
        serde_json::to_string(&self.0).map_err(|error| AccessError::invalid(error.to_string()))
    }
}

impl fmt::Display for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}={}", if *value { "on" } else { "off" })?;
        }
        Ok(())
    }
}

/// The longest name of a tenant, in bytes.
const NAME_LIMIT: usize = 64;

fn check_name(name: &str) -> Result<(), AccessError> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain && name.len() <= NAME_LIMIT {
        return Ok(());
    }
    Err(AccessError::invalid(format!(
        "{name:?} cannot be a tenant's name; write 1 to {NAME_LIMIT} letters, digits, \
          hyphens, dots or underscores, a letter or digit first"
    )))
}

impl Access {
    /// Makes a tenant.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] for a name that is taken or no name, [`AccessError::Store`].
    pub async fn create_tenant(&self, name: &str, now: DateTime<Utc>) -> Result<TenantId, AccessError> {
        check_name(name)?;
        match self.store.create_tenant(name, now).await {
            Ok(tenant) => Ok(tenant.id),
            Err(StoreError::Unique { .. }) => {
                Err(AccessError::invalid(format!("there is a tenant {name} already; choose another name")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All tenants.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>, AccessError> {
        self.store.list_tenants().await?.into_iter().map(tenant).collect()
    }

    /// The tenant of that name.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if there is none, [`AccessError::Store`].
    pub async fn tenant(&self, name: &str) -> Result<Tenant, AccessError> {
        match self.store.find_tenant(name).await? {
            Some(row) => tenant(row),
            None => Err(AccessError::invalid(format!(
                "there is no tenant {name}; see `muster tenant list`, \
                 or make it with `muster tenant create {name}`"
            ))),
        }
    }

    /// Puts a tenant's own choices in the place of those it had.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if the tenant's resources do not obey a choice, [`AccessError::Store`].
    pub async fn set_overrides(
        &self,
        tenant: TenantId,
        overrides: &Overrides,
        registry: &Registry,
    ) -> Result<(), AccessError> {
        // No profile makes group names unique, so the tenant alone decides.
        let unique = overrides.apply(Policy::DEFAULT)?.unique_group_names;
        let groups = registry.types().iter().filter(|kind| &*kind.schema.id == urn::GROUP);
        let paths: Vec<_> = groups.map(|kind| UniquePath { kind, path: "displayName", unique }).collect();
        match self.store.set_policies(tenant, &overrides.to_text()?, &paths).await {
            Ok(()) => {
                self.known.forget();
                Ok(())
            }
            Err(StoreError::Unique { path }) => Err(AccessError::invalid(format!(
                "the tenant has groups with the same {path}; rename them first"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a tenant with all its resources and tokens.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] for the tenant `default`, which every database has, [`AccessError::Store`].
    pub async fn delete_tenant(&self, tenant: TenantId) -> Result<(), AccessError> {
        if tenant == TenantId::DEFAULT {
            return Err(AccessError::invalid("the tenant default stays; revoke its tokens instead"));
        }
        self.store.delete_tokens(tenant).await?;
        self.known.forget();
        // Elsewhere its clients may be known a little longer, and must not write into what is being removed.
        tokio::time::sleep(FRESH.to_std().unwrap_or_default()).await;
        Ok(self.store.delete_tenant(tenant).await?)
    }
}

fn tenant(row: store::Tenant) -> Result<Tenant, AccessError> {
    let overrides = Overrides::parse(&row.policies)?;
    Ok(Tenant { id: row.id, name: row.name, overrides, created: parse_instant(&row.created) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_set_kept_and_applied() {
        let mut overrides = Overrides::default();
        overrides.set("unique-group-names=on").unwrap();
        overrides.set("put-keeps-absent-members=off").unwrap();
        assert_eq!(overrides.to_string(), "put-keeps-absent-members=off unique-group-names=on");
        let kept = Overrides::parse(&overrides.to_text().unwrap()).unwrap();
        assert_eq!(kept, overrides);
        let policy = kept.apply(Policy::DEFAULT).unwrap();
        let expected =
            Policy { unique_group_names: true, put_keeps_absent_members: false, ..Policy::DEFAULT };
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_setting_that_is_none_says_what_to_write() {
        for wrong in ["", "unique-group-names", "unique-group-names=yes", "unique_group_names=on", "x=on"] {
            let error = Overrides::default().set(wrong).unwrap_err().to_string();
            assert!(error.contains("POLICY=on") && error.contains("unique-group-names"), "{error}");
        }
    }

    #[test]
    fn a_tenant_name_is_plain() {
        for good in ["acme", "a", "Acme-2.eu_1", &"a".repeat(64)] {
            check_name(good).unwrap();
        }
        for bad in ["", "-a", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
