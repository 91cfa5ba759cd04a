//! Profiles and policies: whether quirks are rewritten, and what is chosen where SCIM leaves a choice.
//!
//! Invariant: a policy is one row of the table below, with its name, its meaning and its value in every profile. A
//! tenant may set its own value, which then counts for all its clients. docs/quirks.md lists the rows for people.

use std::fmt;

use crate::contact;
use crate::message::Settings;
use crate::quirks::Retention;

/// How a client is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// One of [`Profile::NAMES`].
    pub name: &'static str,
    /// Whether the quirks are on.
    pub quirks: bool,
    /// The choices.
    pub policy: Policy,
    /// What the tenant decides about addresses and numbers.
    pub contacts: contact::Policy,
    /// What the tenant decides about messages and links.
    pub courier: Settings,
    /// How long what the tenant deletes can be restored.
    pub retention: Retention,
}

impl Profile {
    /// The name of every profile.
    pub const NAMES: [&'static str; 4] = ["default", "strict", "interop", "ipsie"];

    /// Every profile, in the order of their names.
    pub fn all() -> [Self; 4] {
        let profile = |name, quirks, policy| {
            let (contacts, courier) = (contact::Policy::default(), Settings::default());
            Self { name, quirks, policy, contacts, courier, retention: Retention::default() }
        };
        let [default, strict, interop, ipsie] = Self::NAMES;
        [
            profile(default, true, Policy::DEFAULT),
            profile(strict, false, Policy::STRICT),
            profile(interop, false, Policy::INTEROP),
            profile(ipsie, false, Policy::IPSIE),
        ]
    }

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|profile| profile.name == name)
    }

    /// Whether it does all that the SCIM 2.0 Interoperability Profile wants otherwise than the RFCs, which the
    /// server then claims.
    pub fn is_interoperable(&self) -> bool {
        let Policy {
            refuse_unknown_attributes,
            patch_needs_path,
            replace_whole_values,
            one_value_a_path,
            ..
        } = self.policy;
        !self.quirks
            && refuse_unknown_attributes
            && patch_needs_path
            && replace_whole_values
            && one_value_a_path
    }
}

const ON: bool = true;
const OFF: bool = false;

/// Makes [`Policy`] and its switches of a table: a row a policy, its values in the order of [`Profile::NAMES`].
macro_rules! policies {
    ($($(#[doc = $about:literal])+ $field:ident $name:literal $default:ident $strict:ident $interop:ident $ipsie:ident;)+) => {
        /// The choices that SCIM leaves to a server, or that real clients need and no rewriting can give them.
        /// A profile has a value for each; a tenant may set its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Policy {
            $($(#[doc = $about])+ pub $field: bool,)+
        }

        impl Policy {
            /// What every client that was seen in the field can live with.
            pub const DEFAULT: Self = Self { $($field: $default,)+ };
            /// What RFC 7643 and RFC 7644 say, to the letter.
            pub const STRICT: Self = Self { $($field: $strict,)+ };
            /// The SCIM 2.0 Interoperability Profile (draft-zollner-scim-interop-profile).
            pub const INTEROP: Self = Self { $($field: $interop,)+ };
            /// The IPSIE AL SCIM 2.0 profile, which builds on that.
            pub const IPSIE: Self = Self { $($field: $ipsie,)+ };
        }

        impl Policy {
            /// Every policy, by its name.
            pub const SWITCHES: &[Switch] = &[$(Switch {
                name: $name,
                about: concat!($($about),+),
                get: |policy| policy.$field,
                set: |policy, value| policy.$field = value,
            }),+];
        }
    };
}

policies! {
    /// A second group with the same `displayName` is refused with 409 (reading A12).
    unique_group_names "unique-group-names" OFF OFF OFF ON;
    /// A second resource of a type with the same `externalId` is refused with 409 (reading A29).
    unique_external_ids "unique-external-ids" OFF OFF OFF OFF;
    /// Members that are no resource of the tenant are kept instead of refused (D13, reading A28).
    accept_unknown_members "accept-unknown-members" ON OFF OFF OFF;
    /// A PUT of a group that leaves `members` out keeps them instead of clearing them (D06, reading A19).
    put_keeps_absent_members "put-keeps-absent-members" ON OFF OFF OFF;
    /// A PATCH `replace` whose value path matches nothing adds the value instead of failing with `noTarget` (D03, reading A16).
    replace_adds_missing_value "replace-adds-missing-value" ON OFF OFF OFF;
    /// A PATCH `replace` of a complex attribute clears the parts that it does not name (reading A17).
    replace_whole_values "replace-whole-values" OFF OFF ON ON;
    /// A PATCH `add` or `replace` whose value path matches several values is refused instead of changing all of them.
    one_value_a_path "one-value-a-path" OFF OFF ON ON;
    /// A PATCH operation without a path is refused (reading A22).
    patch_needs_path "patch-needs-path" OFF OFF ON ON;
    /// A PATCH without a path may name read-only attributes; they are ignored (D05, reading A20).
    patch_ignores_read_only "patch-ignores-read-only" ON OFF OFF OFF;
    /// Attributes that no schema has are refused instead of ignored (reading A8).
    refuse_unknown_attributes "refuse-unknown-attributes" OFF OFF ON ON;
    /// `password` is refused as if no schema had it.
    refuse_passwords "refuse-passwords" OFF OFF OFF ON;
    /// Users may be given the hash of a password in the extension `credentials`.
    accept_password_hashes "accept-password-hashes" OFF OFF OFF OFF;
    /// `country`, `locale`, `timezone` and the like are checked for their form (D26, reading A37).
    check_formats "check-formats" OFF ON ON ON;
    /// An `Accept` header that admits no JSON is answered 406 instead of with JSON (D18, reading A40).
    refuse_unacceptable "refuse-unacceptable" OFF ON ON ON;
    /// A PATCH is answered 204 unless `attributes` are asked for (reading A9).
    patch_no_content "patch-no-content" OFF OFF OFF OFF;
}

impl Policy {
    /// The policies that must be the same for all clients of a tenant, because these write the same resources.
    pub const SHARED: [&str; 2] = ["unique-group-names", "unique-external-ids"];

    /// Sets one by its name.
    ///
    /// # Errors
    /// [`UnknownPolicy`] if there is no such name.
    pub fn set(&mut self, name: &str, value: bool) -> Result<(), UnknownPolicy> {
        let switch = Self::SWITCHES.iter().find(|switch| switch.name == name);
        (switch.ok_or_else(|| UnknownPolicy(name.to_owned()))?.set)(self, value);
        Ok(())
    }
}

/// A policy by its name.
#[derive(Debug)]
pub struct Switch {
    /// The name under which a tenant sets it.
    pub name: &'static str,
    about: &'static str,
    get: fn(&Policy) -> bool,
    set: fn(&mut Policy, bool),
}

impl Switch {
    /// What it does when it is on, in a sentence.
    pub fn about(&self) -> &'static str {
        self.about.trim_start()
    }

    /// Whether it is on.
    pub fn is_on(&self, policy: &Policy) -> bool {
        (self.get)(policy)
    }
}

/// A policy name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPolicy(pub String);

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Policy::SWITCHES.iter().map(|switch| switch.name).collect();
        write!(f, "there is no policy {:?}; the policies are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownPolicy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_set_by_its_name_alone() {
        for switch in Policy::SWITCHES {
            let mut policy = Policy::STRICT;
            let value = !switch.is_on(&policy);
            policy.set(switch.name, value).unwrap();
            assert!(Policy::SWITCHES.iter().all(|other| {
                (other.is_on(&policy) != other.is_on(&Policy::STRICT)) == (other.name == switch.name)
            }));
        }
        let mut policy = Policy::STRICT;
        let error = policy.set("x", true).unwrap_err().to_string();
        assert!(error.contains("check-formats"), "{error}");
    }

    #[test]
    fn two_profiles_are_interoperable() {
        let claims = Profile::all().map(|profile| profile.is_interoperable());
        assert_eq!(claims, [false, false, true, true]);
        assert_eq!(Profile::named("lenient"), None);
    }
}
