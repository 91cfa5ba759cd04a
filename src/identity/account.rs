//! What is known of an account beside SCIM: whether it awaits its first login, and what its password is like.
//!
//! Invariant: SCIM's `active` is the one switch: a user that is not active is suspended, whatever stands here, and is what
//! it was before when it is active again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where an account is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was made and not used yet.
    Pending,
    /// It is used.
    Active,
    /// It may not be used.
    Suspended,
}

/// What is known of an account beside SCIM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Whether it awaits its first login.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// When its state last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_changed: Option<DateTime<Utc>>,
    /// What its password is like, if it was set here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordInfo>,
}

/// What a password is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordInfo {
    /// Whether it has to be changed at the next login.
    pub temporary: bool,
    /// When it was set.
    pub updated: DateTime<Utc>,
    /// When it stops counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
}
