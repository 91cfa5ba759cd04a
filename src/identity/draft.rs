//! A user that is being made or changed.
//!
//! Invariant: nothing is written here. What is set is admitted by the schema as if it had come through SCIM, and
//! [`Draft::finish`] says what has to be written.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Map, Value, json};

use crate::contact::{Contacts, admitted};
use crate::context::Context;
use crate::courier::Channels;
use crate::directory::check_hash;
use crate::identity::user::{is_same_name, recovery_attribute};
use crate::identity::{Bag, Error, PasswordInfo, State, User};
use crate::scim::admit::{Rules, admit_value};
use crate::scim::registry::{AttributeName, ResourceType};
use crate::scim::resource::Resource;
use crate::scim::schema::{ContactKind, Kept};
use crate::scim::urn;
use crate::store::{Aside, Challenge};

/// A user that is being made or changed.
pub struct Draft<'a> {
    pub(super) cx: &'a Context,
    kind: &'a ResourceType,
    pub(super) channels: Channels,
    pub(super) user: User,
    pub(super) challenges: Vec<Challenge>,
    pub(super) asides: Vec<Aside>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        cx: &'a Context,
        kind: &'a ResourceType,
        channels: Channels,
        user: User,
        challenges: Vec<Challenge>,
    ) -> Self {
        Self { cx, kind, channels, user, challenges, asides: Vec::new() }
    }

    /// The time of the request, as it is stored.
    pub fn now(&self) -> DateTime<Utc> {
        self.cx.now.trunc_subsecs(3)
    }

    /// The user as it is so far.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The addresses and numbers, to do something with.
    pub fn contacts_mut(&mut self) -> &mut Contacts {
        &mut self.user.contacts
    }

    /// Sets an attribute of SCIM's, such as `name` or `urn:…:User:department`; null takes it away. Addresses and numbers
    /// are not set here, nor what has a method of its own.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), Error> {
        let invalid = |reason: String| Error::Invalid { field: name.to_owned(), reason };
        let path = self.kind.resolve(&AttributeName::split(name)).filter(|path| path.sub.is_none());
        let path = path.ok_or_else(|| invalid("there is no such attribute".into()))?;
        let attribute = &path.attribute;
        if attribute.kept != Kept::Document || matches!(name, "id" | "schemas") {
            return Err(invalid("it cannot be set here".into()));
        }
        let admitted =
            admit_value(attribute, value, Rules::default()).map_err(|error| invalid(error.detail))?;
        self.put(attribute.extension.as_deref(), &attribute.name, admitted.unwrap_or(Value::Null));
        Ok(())
    }

    /// Puts a value that is canonical already.
    fn put(&mut self, extension: Option<&str>, name: &str, value: Value) {
        let mut body = std::mem::take(&mut self.user.resource).into_body();
        match extension {
            None => drop(body.insert(name.to_owned(), value)),
            Some(id) => {
                let container = body.entry(id).or_insert_with(|| Value::Object(Map::new()));
                if let Some(container) = container.as_object_mut() {
                    container.insert(name.to_owned(), value);
                }
            }
        }
        self.user.resource = Resource::canonical(self.kind, body);
    }

    /// Sets the name to log in by; without one the user is known by its id.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn set_user_name(&mut self, name: Option<&str>) -> Result<(), Error> {
        let name = name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(self.user.id());
        let name = json!(name);
        self.set("userName", &name)
    }

    /// Sets the other names to log in by.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty one; [`Error::LastLoginId`] if none would be left of those that were there.
    pub fn set_login_ids(&mut self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() && !self.user.login_ids().is_empty() {
            return Err(Error::LastLoginId);
        }
        let name = format!("{}:loginIds", urn::IDENTIFIERS);
        let invalid = |reason: String| Error::Invalid { field: "loginIds".into(), reason };
        let path = self.kind.resolve(&AttributeName::split(&name));
        let path = path.ok_or_else(|| invalid("there is no such attribute".into()))?;
        let mut unique: Vec<&str> = Vec::new();
        for id in ids.iter().map(|id| id.trim()) {
            if id.is_empty() || id.contains(char::is_control) || id.len() > 256 {
                return Err(invalid("it must have 1 to 256 bytes and no control characters".into()));
            }
            if !unique.iter().any(|other| is_same_name(other, id)) {
                unique.push(id);
            }
        }
        // What may be a user name may be one of these, as one becomes the user name where that goes.
        admit_value(&path.attribute, &json!(unique), Rules::default())
            .map_err(|error| invalid(error.detail))?;
        let ids = json!(unique);
        self.put(Some(urn::IDENTIFIERS), "loginIds", ids);
        Ok(())
    }

    /// Puts another name to log in by in the place of this one, or none. A user name that goes away gives way to the next
    /// name.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the user has no such name, or for one that cannot be; [`Error::LastLoginId`] if none would be
    /// left.
    pub fn replace_login_name(&mut self, old: &str, new: Option<&str>) -> Result<(), Error> {
        let mut names: Vec<String> = self.user.login_names().into_iter().map(str::to_owned).collect();
        let Some(at) = names.iter().position(|name| is_same_name(name, old)) else {
            let reason = "the user does not log in by this name".into();
            return Err(Error::Invalid { field: "loginId".into(), reason });
        };
        match new {
            Some(new) => names.splice(at..=at, [new.to_owned()]).for_each(drop),
            None => drop(names.remove(at)),
        }
        let first = names.first().ok_or(Error::LastLoginId)?.clone();
        self.set_login_ids(&names)?;
        match self.user.user_name().is_some_and(|name| is_same_name(name, old)) {
            true => self.set_user_name(Some(&first)),
            false => Ok(()),
        }
    }

    /// Sets the address or number for the recovery of the account; none takes it away.
    ///
    /// # Errors
    /// [`Error::NotOne`].
    pub fn set_recovery(
        &mut self,
        kind: ContactKind,
        value: Option<&str>,
        verified: bool,
    ) -> Result<(), Error> {
        let entries = match value {
            None => Vec::new(),
            Some(text) => {
                let value = admitted(kind, text, self.cx.caller.profile.contacts.region);
                vec![json!({"value": value.ok_or(Error::NotOne(kind))?, "verified": verified})]
            }
        };
        self.put(Some(urn::IDENTIFIERS), recovery_attribute(kind), Value::Array(entries));
        Ok(())
    }

    /// Puts an account where it shall be in its life. One that is suspended is, when it is active again, what it was.
    pub fn set_state(&mut self, state: State) {
        if state == self.user.state() {
            return;
        }
        if state != State::Suspended {
            self.user.account.pending = state == State::Pending;
        }
        self.put(None, "active", Value::Bool(state != State::Suspended));
        self.user.account.state_changed = Some(self.now());
    }

    /// Lets a suspended account be what it was before.
    pub fn restore(&mut self) {
        if self.user.state() == State::Suspended {
            self.put(None, "active", Value::Bool(true));
            self.user.account.state_changed = Some(self.now());
        }
    }

    /// Merges into a bag at its top level: null takes a member away, everything else takes its place.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the bag becomes too large.
    pub fn merge_bag(&mut self, bag: &Bag, values: Map<String, Value>) -> Result<(), Error> {
        let mut content = self.user.bag(bag).cloned().unwrap_or_default();
        for (name, value) in values {
            match value {
                Value::Null => drop(content.shift_remove(&name)),
                value => drop(content.insert(name, value)),
            }
        }
        self.replace_bag(bag, content)
    }

    /// Puts this into a bag, in the place of what was there.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is too large.
    pub fn replace_bag(&mut self, bag: &Bag, content: Map<String, Value>) -> Result<(), Error> {
        let name = bag.name();
        let text = bag.text(&content).map_err(|reason| Error::Invalid { field: name.clone(), reason })?;
        if self.user.bags.get(&name).cloned().unwrap_or_default() == content {
            return Ok(());
        }
        self.asides.retain(|aside| !matches!(aside, Aside::Bag(other, _) if *other == name));
        self.asides.push(Aside::Bag(name.clone(), (!content.is_empty()).then_some(text)));
        self.user.bags.insert(name, content);
        Ok(())
    }

    /// Sets the password. One that is temporary has to be changed at the next login.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty one.
    pub fn set_password(&mut self, clear: &str, temporary: bool) -> Result<(), Error> {
        if clear.is_empty() {
            return Err(Error::Invalid { field: "password".into(), reason: "it must not be empty".into() });
        }
        let value = json!(clear);
        self.set("password", &value)?;
        let updated = self.now();
        self.user.account.password = Some(PasswordInfo { temporary, updated, expires: None });
        Ok(())
    }

    /// Sets the hash of a password that another system made, where the tenant takes such. In one change there is either a
    /// password or a hash.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the tenant does not, and for what is no hash of a known form or too dear.
    pub fn set_password_hash(&mut self, hash: &str, temporary: bool) -> Result<(), Error> {
        let invalid = |reason: &str| Error::Invalid { field: "passwordHash".into(), reason: reason.into() };
        if !self.cx.caller.profile.policy.accept_password_hashes {
            return Err(invalid(
                "hashes of passwords are taken where the tenant sets accept-password-hashes",
            ));
        }
        check_hash(hash).map_err(|error| invalid(&error.detail))?;
        self.set(&format!("{}:passwordHash", urn::CREDENTIALS), &json!(hash))?;
        let updated = self.now();
        self.user.account.password = Some(PasswordInfo { temporary, updated, expires: None });
        Ok(())
    }

    /// Says that the password has to be changed at the next login, or that it has not.
    ///
    /// # Errors
    /// [`Error::NoPassword`].
    pub fn set_password_temporary(&mut self, temporary: bool) -> Result<(), Error> {
        if !self.user.has_password() {
            return Err(Error::NoPassword);
        }
        let updated = self.user.account.password.as_ref().map_or(self.user.modified(), |info| info.updated);
        self.user.account.password = Some(PasswordInfo { temporary, updated, expires: None });
        Ok(())
    }

    /// Takes the password away.
    pub fn remove_password(&mut self) {
        self.put(None, "password", Value::Null);
        self.user.account.password = None;
    }

    /// What has to be written: the document, and what stands beside it.
    pub(super) fn finish(mut self) -> (Resource, Vec<Aside>) {
        if let Ok(Value::Object(account)) = serde_json::to_value(&self.user.account) {
            // The account is never too large.
            self.replace_bag(&Bag::Account, account).ok();
        }
        let User { resource, contacts, .. } = self.user;
        (contacts.written(self.kind, resource), self.asides)
    }
}
