//! Tenants, and the policies that each sets for itself.
//!
//! Invariant: a stored override names a policy that exists; it takes the place of the profile's choice for
//! every client of the tenant.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::{Access, AccessError, FRESH, tokens};
use crate::contact;
use crate::id::TenantId;
use crate::message;
use crate::quirks::{Policy, Profile, Retention};
use crate::scim::key::parse_instant;
use crate::scim::schema::ContactKind;
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

/// The policies and settings that a tenant sets, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, Choice>);

/// What a tenant sets: a policy to on or off, a setting to a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Choice {
    Policy(bool),
    Setting(String),
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(true) => f.write_str("on"),
            Self::Policy(false) => f.write_str("off"),
            Self::Setting(text) => f.write_str(text),
        }
    }
}

impl Overrides {
    /// Reads what the store keeps: nothing, or a JSON object of booleans and texts.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if it is anything else, or names a policy that does not exist.
    pub fn parse(text: &str) -> Result<Self, AccessError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let map: BTreeMap<String, Choice> = serde_json::from_str(text).map_err(|error| {
            AccessError::invalid(format!("the tenant's stored policies are damaged: {error}"))
        })?;
        Ok(Self(map))
    }

    /// Reads `POLICY=on`, `POLICY=off` or `SETTING=VALUE` and sets that.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] that says what to write.
    pub fn set(&mut self, assignment: &str) -> Result<(), AccessError> {
        let (name, value) = assignment.split_once('=').ok_or_else(|| no_setting(assignment))?;
        let choice = match value {
            "on" | "off" if is_policy(name) => Choice::Policy(value == "on"),
            _ if contact::Policy::default().set(name, value)
                || message::Settings::default().set(name, value)
                || Retention::default().set(name, value) =>
            {
                Choice::Setting(value.to_owned())
            }
            _ => return Err(no_setting(assignment)),
        };
        self.0.insert(name.to_owned(), choice);
        Ok(())
    }

    /// Leaves a policy or setting to the profile again.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if there is none of that name.
    pub fn unset(&mut self, name: &str) -> Result<(), AccessError> {
        if self.0.remove(name).is_some() || Setting::named(name).is_some() {
            return Ok(());
        }
        Err(no_setting(name))
    }

    /// What the tenant decides for a policy or setting, as it is written; nothing if it leaves that to the profile.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(Choice::to_string)
    }

    /// The names of what the tenant decides.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The profile with these choices in it.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] if one is unknown.
    pub fn apply(&self, mut profile: Profile) -> Result<Profile, AccessError> {
        for (name, choice) in &self.0 {
            let known = match choice {
                Choice::Policy(value) => profile.policy.set(name, *value).is_ok(),
                Choice::Setting(text) => {
                    profile.contacts.set(name, text)
                        || profile.courier.set(name, text)
                        || profile.retention.set(name, text)
                }
            };
            if !known {
                return Err(no_setting(&format!("{name}={choice}")));
            }
        }
        Ok(profile)
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
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

/// One thing that a tenant can decide for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What may be written behind the name, in words.
    pub values: &'static str,
    /// What it decides, in a sentence.
    pub about: &'static str,
    /// What is so in each profile unless the tenant sets it: names of profiles and values.
    pub defaults: [(&'static str, String); 4],
}

impl Setting {
    /// Every policy and every setting.
    pub fn all() -> Vec<Self> {
        let policies = Policy::SWITCHES.iter().map(|switch| {
            let value = |profile: &Profile| Choice::Policy(switch.is_on(&profile.policy)).to_string();
            let defaults = Profile::all().map(|profile| (profile.name, value(&profile)));
            Self { name: switch.name, values: "on or off", about: switch.about(), defaults }
        });
        let settings = contact::Policy::SETTINGS.into_iter().map(|(name, values, about)| {
            let defaults = Profile::all().map(|profile| (profile.name, profile.contacts.get(name)));
            Self { name, values, about, defaults }
        });
        let courier = message::Settings::SETTINGS.into_iter().map(|(name, values, about)| {
            let defaults = Profile::all().map(|profile| (profile.name, "none".to_owned()));
            Self { name, values, about, defaults }
        });
        let retention = Retention::SETTINGS.into_iter().map(|(name, values, about)| {
            let defaults = Profile::all().map(|profile| (profile.name, profile.retention.get()));
            Self { name, values, about, defaults }
        });
        policies.chain(settings).chain(courier).chain(retention).collect()
    }

    /// The one that this name belongs to; all words of messages are one.
    pub fn named(name: &str) -> Option<Self> {
        let name = if message::Settings::is_words(name) { message::Settings::WORDS } else { name };
        Self::all().into_iter().find(|setting| setting.name == name)
    }
}

fn is_policy(name: &str) -> bool {
    Policy::SWITCHES.iter().any(|switch| switch.name == name)
}

fn no_setting(assignment: &str) -> AccessError {
    let names: Vec<&str> = Policy::SWITCHES.iter().map(|switch| switch.name).collect();
    let names = names.join(", ");
    let all =
        contact::Policy::SETTINGS.iter().chain(&message::Settings::SETTINGS).chain(&Retention::SETTINGS);
    let settings: Vec<String> = all.map(|(name, values, _)| format!("{name} is {values}")).collect();
    AccessError::invalid(format!(
        "{assignment:?} is no setting of a tenant; write POLICY=on or POLICY=off, where POLICY is one of {names}; \
         or SETTING=VALUE, where {}",
        settings.join("; ")
    ))
}

/// How often a change is tried again that lost a race.
const ATTEMPTS: usize = 8;

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

    /// What a tenant decides for itself.
    ///
    /// # Errors
    /// [`AccessError::Store`].
    pub async fn overrides(&self, tenant: TenantId) -> Result<Overrides, AccessError> {
        Overrides::parse(&self.store.policies(tenant).await?)
    }

    /// Changes what a tenant decides, and answers with what it decides then.
    ///
    /// # Errors
    /// What `edit` says; [`AccessError::Contradicted`] if the tenant's resources do not obey a choice;
    /// [`AccessError::Store`].
    pub async fn change_overrides(
        &self,
        tenant: TenantId,
        edit: impl Fn(&mut Overrides) -> Result<(), AccessError>,
    ) -> Result<Overrides, AccessError> {
        for _ in 0..ATTEMPTS {
            let before = self.store.policies(tenant).await?;
            let mut overrides = Overrides::parse(&before)?;
            edit(&mut overrides)?;
            match self.put_overrides(tenant, &before, &overrides).await {
                Err(AccessError::Store(StoreError::Conflict)) => {}
                other => return other.map(|()| overrides),
            }
        }
        Err(StoreError::unavailable("the tenant's settings are being changed by others all the time").into())
    }

    /// Puts a tenant's own choices in the place of those it had before.
    async fn put_overrides(
        &self,
        tenant: TenantId,
        before: &str,
        overrides: &Overrides,
    ) -> Result<(), AccessError> {
        // No profile decides about these, so the tenant alone does.
        let base = Profile::named("default").ok_or_else(|| tokens::unknown_profile("default"))?;
        let profile = overrides.apply(base)?;
        let Policy { unique_group_names, unique_external_ids, .. } = profile.policy;
        let registry = self.schemas(tenant).await?.registry;
        let types = || registry.types().iter();
        let groups = types().filter(|kind| &*kind.schema.id == urn::GROUP);
        let names = groups.map(|kind| UniquePath { kind, path: "displayName", unique: unique_group_names });
        let kinds = types().filter(|kind| kind.attribute("externalId").is_some());
        let ids = kinds.map(|kind| UniquePath { kind, path: "externalId", unique: unique_external_ids });
        let paths: Vec<_> = names.chain(ids).collect();
        let claims = profile.contacts.claims;
        match self.store.set_policies(tenant, before, &overrides.to_text()?, &paths, claims).await {
            Ok(()) => {
                self.known.forget();
                Ok(())
            }
            Err(StoreError::Unique { path })
                if ContactKind::ALL.iter().any(|kind| kind.attribute() == path) =>
            {
                Err(AccessError::Contradicted(format!(
                    "the tenant has users with the same value in {path} who would both claim it; \
                     take it from one of them first"
                )))
            }
            Err(StoreError::Unique { path }) => Err(AccessError::Contradicted(format!(
                "the tenant has resources with the same {path}; give them different ones first"
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
        let policy = kept.apply(Profile::named("default").unwrap()).unwrap().policy;
        let expected =
            Policy { unique_group_names: true, put_keeps_absent_members: false, ..Policy::DEFAULT };
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_setting_is_a_text() {
        let mut overrides = Overrides::default();
        overrides.set("identifier-uniqueness=all").unwrap();
        overrides.set("default-phone-region=CH").unwrap();
        assert_eq!(overrides.to_string(), "default-phone-region=CH identifier-uniqueness=all");
        let kept = Overrides::parse(&overrides.to_text().unwrap()).unwrap();
        let profile = kept.apply(Profile::named("strict").unwrap()).unwrap();
        assert_eq!(profile.contacts.claims, contact::Claims::All);
        assert!(profile.contacts.region.is_some());
    }

    #[test]
    fn a_setting_that_is_none_says_what_to_write() {
        for wrong in [
            "",
            "unique-group-names",
            "unique-group-names=yes",
            "unique_group_names=on",
            "x=on",
            "identifier-uniqueness=on",
            "default-phone-region=Switzerland",
        ] {
            let error = Overrides::default().set(wrong).unwrap_err().to_string();
            assert!(error.contains("POLICY=on") && error.contains("unique-group-names"), "{error}");
            assert!(error.contains("identifier-uniqueness is none, login"), "{error}");
        }
        let stored = Overrides::parse(r#"{"no-such-policy":true}"#).unwrap();
        assert!(stored.apply(Profile::named("default").unwrap()).is_err());
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
