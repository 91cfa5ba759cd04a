//! What real clients send beside SCIM, and how it becomes SCIM before anything strict reads it.
//!
//! Invariants, held by `tests/quirks.rs` over every fixture: strict SCIM rejects what a quirk fires on; rewriting
//! is idempotent and ends in what strict SCIM accepts. A leniency that cannot keep the first law is a field of [`Policy`].

use std::fmt;

/// How a client is served: which quirks are rewritten, and which choices are made where SCIM leaves one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The profile's name: `default` or `strict`.
    pub name: &'static str,
    /// Whether the quirks are on.
    pub quirks: bool,
    /// The choices.
    pub policy: Policy,
}

impl Profile {
    /// The name of every profile.
    pub const NAMES: [&'static str; 2] = ["default", "strict"];

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self { name: "default", quirks: true, policy: Policy::DEFAULT }),
            "strict" => Some(Self { name: "strict", quirks: false, policy: Policy::STRICT }),
            _ => None,
        }
    }
}

/// The choices that SCIM leaves to a server, or that real clients need and no rewriting can give them.
/// A profile has a value for each; a tenant may set its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A second group with the same `displayName` is refused with 409 (reading A12).
    pub unique_group_names: bool,
    /// Members that are no resource of the tenant are kept instead of refused (D13, reading A28).
    pub accept_unknown_members: bool,
    /// A PUT of a group that leaves `members` out keeps them instead of clearing them (D06, reading A19).
    pub put_keeps_absent_members: bool,
    /// A PATCH `replace` whose value path matches nothing adds the value instead of failing with `noTarget` (D03, reading A16).
    pub replace_adds_missing_value: bool,
    /// A PATCH without a path may name read-only attributes; they are ignored (D05, reading A20).
    pub patch_ignores_read_only: bool,
    /// `country`, `locale`, `timezone` and the like are checked for their form (D26, reading A37).
    pub check_formats: bool,
    /// An `Accept` header that admits no JSON is answered 406 instead of with JSON (D18, reading A40).
    pub refuse_unacceptable: bool,
    /// A PATCH is answered 204 unless `attributes` are asked for (reading A9).
    pub patch_no_content: bool,
}

impl Policy {
    /// What every client that was seen in the field can live with.
    pub const DEFAULT: Self = Self {
        unique_group_names: false,
        accept_unknown_members: true,
        put_keeps_absent_members: true,
        replace_adds_missing_value: true,
        patch_ignores_read_only: true,
        check_formats: false,
        refuse_unacceptable: false,
        patch_no_content: false,
    };

    /// What RFC 7643 and RFC 7644 say, to the letter.
    pub const STRICT: Self = Self {
        unique_group_names: false,
        accept_unknown_members: false,
        put_keeps_absent_members: false,
        replace_adds_missing_value: false,
        patch_ignores_read_only: false,
        check_formats: true,
        refuse_unacceptable: true,
        patch_no_content: false,
    };

    /// The names under which a tenant sets them, in kebab case.
    pub const NAMES: [&'static str; 8] = [
        "unique-group-names",
        "accept-unknown-members",
        "put-keeps-absent-members",
        "replace-adds-missing-value",
        "patch-ignores-read-only",
        "check-formats",
        "refuse-unacceptable",
        "patch-no-content",
    ];

    /// Sets one by its name.
    ///
    /// # Errors
    /// [`UnknownPolicy`] if there is no such name.
    pub fn set(&mut self, name: &str, value: bool) -> Result<(), UnknownPolicy> {
        let field = match name {
            "unique-group-names" => &mut self.unique_group_names,
            "accept-unknown-members" => &mut self.accept_unknown_members,
            "put-keeps-absent-members" => &mut self.put_keeps_absent_members,
            "replace-adds-missing-value" => &mut self.replace_adds_missing_value,
            "patch-ignores-read-only" => &mut self.patch_ignores_read_only,
            "check-formats" => &mut self.check_formats,
            "refuse-unacceptable" => &mut self.refuse_unacceptable,
            "patch-no-content" => &mut self.patch_no_content,
            _ => return Err(UnknownPolicy(name.to_owned())),
        };
        *field = value;
        Ok(())
    }
}

/// A policy name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPolicy(pub String);

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no policy {:?}; the policies are {}", self.0, Policy::NAMES.join(", "))
    }
}

impl std::error::Error for UnknownPolicy {}
