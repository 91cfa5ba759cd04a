//! What a tenant decides about its users' addresses and numbers.
//!
//! Invariant: whether a contact claims its value for its user is a function of the contact and of one setting, so that
//! one unique index enforces every choice.

use std::fmt;
use std::str::FromStr;

use crate::contact::Region;

/// Which contacts claim their address or number, so that no other user of the tenant can claim the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claims {
    /// None do.
    None,
    /// Those that are login ids of their user.
    Login,
    /// Those that are verified. What providers push is unverified, so provisioning never meets a claim.
    #[default]
    Verified,
    /// Those that are verified or primary.
    PrimaryOrVerified,
    /// All do.
    All,
}

impl Claims {
    /// The choices by their names.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("login", Self::Login),
        ("verified", Self::Verified),
        ("primary-or-verified", Self::PrimaryOrVerified),
        ("all", Self::All),
    ];

    /// Whether a contact claims its value.
    pub fn of(self, primary: bool, verified: bool, is_login: bool) -> bool {
        match self {
            Self::None => false,
            Self::Login => is_login,
            Self::Verified => verified,
            Self::PrimaryOrVerified => primary || verified,
            Self::All => true,
        }
    }
}

impl FromStr for Claims {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, claims)| *claims).ok_or(())
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, claims)| claims == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// The settings of a tenant that its contacts depend on, each by a name of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Which contacts claim their value.
    pub claims: Claims,
    /// Where numbers without a country code are from.
    pub region: Option<Region>,
    /// Whether a user may be merged away whose address or number another one gets.
    pub merges: bool,
}

impl Policy {
    /// The names of the settings, what may be written behind them, and what they decide.
    pub const SETTINGS: [(&'static str, &'static str, &'static str); 3] = [
        (
            "identifier-uniqueness",
            "none, login, verified, primary-or-verified or all",
            "Which e-mail addresses and phone numbers belong to one user only.",
        ),
        (
            "default-phone-region",
            "the two letters of a country, as in CH, or none",
            "Where phone numbers without a country code are from.",
        ),
        (
            "merge-on-conflict",
            "on or off",
            "Whether a user is merged away when another one gets the address or number that it logs in by.",
        ),
    ];

    /// The value of one by its name, as it is written.
    pub fn get(&self, name: &str) -> String {
        match (name, &self.region) {
            ("identifier-uniqueness", _) => self.claims.to_string(),
            ("default-phone-region", Some(region)) => region.to_string(),
            ("merge-on-conflict", _) => if self.merges { "on" } else { "off" }.to_owned(),
            _ => "none".to_owned(),
        }
    }

    /// Sets one by its name; false if there is no such setting or it cannot have this value.
    #[must_use]
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        match name {
            "identifier-uniqueness" => value.parse().map(|claims| self.claims = claims).is_ok(),
            "default-phone-region" if value == "none" => {
                self.region = None;
                true
            }
            "default-phone-region" => value.parse().map(|region| self.region = Some(region)).is_ok(),
            "merge-on-conflict" if matches!(value, "on" | "off") => {
                self.merges = value == "on";
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_takes_what_it_says_and_nothing_else() {
        let mut policy = Policy::default();
        assert_eq!(policy.claims, Claims::Verified);
        for (name, claims) in Claims::NAMES {
            assert!(policy.set("identifier-uniqueness", name));
            assert_eq!((policy.claims, claims.to_string().as_str()), (claims, name));
        }
        assert!(policy.set("default-phone-region", "ch") && policy.region.is_some());
        assert!(policy.set("default-phone-region", "none") && policy.region.is_none());
        assert!(policy.set("merge-on-conflict", "on") && policy.get("merge-on-conflict") == "on");
        assert!(policy.set("merge-on-conflict", "off") && policy.get("merge-on-conflict") == "off");
        let wrong = [
            ("identifier-uniqueness", "on"),
            ("default-phone-region", "XX"),
            ("merge-on-conflict", "yes"),
            ("x", "y"),
        ];
        for (name, value) in wrong {
            assert!(!policy.set(name, value), "{name}={value}");
        }
    }

    #[test]
    fn a_claim_follows_the_choice() {
        let cases = [(true, false, false), (false, true, false), (false, false, true), (false, false, false)];
        let claimed =
            |claims: Claims| cases.map(|(primary, verified, login)| claims.of(primary, verified, login));
        assert_eq!(claimed(Claims::None), [false; 4]);
        assert_eq!(claimed(Claims::Login), [false, false, true, false]);
        assert_eq!(claimed(Claims::Verified), [false, true, false, false]);
        assert_eq!(claimed(Claims::PrimaryOrVerified), [true, true, false, false]);
        assert_eq!(claimed(Claims::All), [true; 4]);
    }
}
