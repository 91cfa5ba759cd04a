//! How long what a tenant deletes can be restored (RFC 7644 §3.6 lets a server keep it).
//!
//! Invariant: it is a setting of the tenant and no profile has a say in it, as all its clients delete from one directory.

use std::num::NonZeroU16;

use chrono::{DateTime, TimeDelta, Utc};

/// The longest, in days.
const MOST_DAYS: u16 = 3650;

/// For how many days; none if what is deleted is gone at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention(Option<NonZeroU16>);

impl Retention {
    /// The name of the setting, what may be written behind it, and what it decides.
    pub const SETTINGS: [(&'static str, &'static str, &'static str); 1] = [(
        "soft-delete",
        "a number of days from 1 to 3650, or off",
        "For how many days what was deleted can be restored.",
    )];

    /// The value, as it is written.
    pub fn get(self) -> String {
        self.0.map_or_else(|| "off".to_owned(), |days| days.to_string())
    }

    /// Sets it by its name; false if that is no name of it or no value.
    #[must_use]
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let days = value.parse::<NonZeroU16>().ok().filter(|days| days.get() <= MOST_DAYS);
        let is_good = name == "soft-delete" && (days.is_some() || value == "off");
        if is_good {
            self.0 = days;
        }
        is_good
    }

    /// Until when what is deleted now can be restored.
    pub fn until(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_add_signed(TimeDelta::days(self.0?.get().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_days_or_off() {
        let mut retention = Retention::default();
        let now = DateTime::UNIX_EPOCH;
        assert_eq!((retention.get().as_str(), retention.until(now)), ("off", None));
        assert!(retention.set("soft-delete", "30"));
        assert_eq!(retention.until(now), Some(now + TimeDelta::days(30)));
        for (name, value) in
            [("soft-delete", "0"), ("soft-delete", "3651"), ("soft-delete", "on"), ("x", "1")]
        {
            assert!(!retention.set(name, value), "{name}={value}");
        }
        assert_eq!(retention.get(), "30");
        assert!(retention.set("soft-delete", "off"));
        assert_eq!(retention, Retention::default());
    }
}
