//! A user as this API shows it, and as it is given.
//!
//! Invariant: null is the same as nothing. An empty text takes a value away.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contact::{Demotion, Select, SetPrimary, Source, Truth};
use crate::http::descope::hashed::HashedPassword;
use crate::http::descope::refusal::Refusal;
use crate::identity::{Bag, Draft, Error, State, User};
use crate::scim::schema::ContactKind;

/// A user that is to be made or changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Input {
    /// A name that the user logs in by, or the user's id.
    pub(super) login_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    verified_email: Option<bool>,
    verified_phone: Option<bool>,
    #[serde(alias = "name")]
    display_name: Option<String>,
    given_name: Option<String>,
    middle_name: Option<String>,
    family_name: Option<String>,
    role_names: Option<Vec<String>>,
    custom_attributes: Option<Map<String, Value>>,
    picture: Option<String>,
    /// Other names to log in by, which are added.
    #[serde(alias = "additionalIdentifiers")]
    pub(super) additional_login_ids: Option<Vec<String>>,
    recovery_email: Option<String>,
    recovery_phone: Option<String>,
    verified_recovery_email: Option<bool>,
    verified_recovery_phone: Option<bool>,
    /// `enabled`, `disabled` or `invited`.
    status: Option<String>,
    /// Of new users only.
    password: Option<String>,
    /// The hash of the password, in its place; of new users only.
    hashed_password: Option<HashedPassword>,
    /// Not taken: Muster makes no passwords for one time.
    seed: Option<String>,
    /// Not taken: users of Muster are in one tenant.
    user_tenants: Option<Vec<Value>>,
    /// Not taken: Muster restricts no applications.
    #[serde(alias = "ssoAppIDs")]
    sso_app_ids: Option<Vec<Value>>,
    /// Not taken: Muster knows no families.
    family_associations: Option<Vec<Value>>,
    /// Not taken: all users are real.
    test: Option<bool>,
}

impl Input {
    /// Refuses what Muster does not keep, rather than lose it.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let is_some = |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let lost = [
            ("seed", self.seed.as_ref().is_some_and(|seed| !seed.is_empty())),
            ("userTenants", is_some(&self.user_tenants)),
            ("ssoAppIds", is_some(&self.sso_app_ids)),
            ("familyAssociations", is_some(&self.family_associations)),
            ("test", self.test == Some(true)),
        ];
        match lost.into_iter().find(|(_, is_there)| *is_there) {
            Some((name, _)) => {
                Err(Refusal::invalid(format!("{name} is not kept by this server; leave it out")))
            }
            None => self.state().and(self.hash()).map(drop),
        }
    }

    /// The hash of the password as one text.
    fn hash(&self) -> Result<Option<String>, Refusal> {
        self.hashed_password.as_ref().map(HashedPassword::text).transpose()
    }

    /// Where the account shall be in its life.
    fn state(&self) -> Result<Option<State>, Refusal> {
        self.status.as_deref().map(state).transpose()
    }

    /// The same as a description of the whole user: what is not given is taken away. Names to log in by, what is there for
    /// recovery, the state and the password stay.
    pub(super) fn whole(self) -> Self {
        Self {
            email: self.email.or_else(|| Some(String::new())),
            phone: self.phone.or_else(|| Some(String::new())),
            verified_email: Some(self.verified_email.unwrap_or(false)),
            verified_phone: Some(self.verified_phone.unwrap_or(false)),
            display_name: self.display_name.or_else(|| Some(String::new())),
            given_name: self.given_name.or_else(|| Some(String::new())),
            middle_name: self.middle_name.or_else(|| Some(String::new())),
            family_name: self.family_name.or_else(|| Some(String::new())),
            role_names: Some(self.role_names.unwrap_or_default()),
            picture: self.picture.or_else(|| Some(String::new())),
            ..self
        }
    }

    /// Puts what is given into a user.
    pub(super) fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let contacts = [
            (ContactKind::Email, &self.email, self.verified_email),
            (ContactKind::Phone, &self.phone, self.verified_phone),
        ];
        for (kind, value, verified) in contacts {
            match (value, verified) {
                (Some(value), verified) => {
                    set_contact(draft, kind, value, verified.map_or(Truth::Keep, truth))?
                }
                (None, Some(verified)) => {
                    let (now, source) = (draft.now(), verified.then_some(Source::Admin));
                    draft.contacts_mut().set_verified(kind, &Select::Primary, source, false, now)?;
                }
                (None, None) => {}
            }
        }
        let recoveries = [
            (ContactKind::Email, &self.recovery_email, self.verified_recovery_email),
            (ContactKind::Phone, &self.recovery_phone, self.verified_recovery_phone),
        ];
        for (kind, value, verified) in recoveries {
            let known = draft.user().recovery(kind);
            let value = value.clone().or_else(|| verified.and(known).map(|known| known.value));
            if let Some(value) = value {
                set_recovery(draft, kind, &value, verified == Some(true))?;
            }
        }
        self.name().apply(draft)?;
        if let Some(roles) = &self.role_names {
            let roles: Vec<Value> = roles.iter().map(|role| json!({"value": role})).collect();
            draft.set("roles", &json!(roles))?;
        }
        if let Some(picture) = &self.picture {
            set_picture(draft, picture)?;
        }
        if let Some(more) = self.additional_login_ids.as_ref().filter(|more| !more.is_empty()) {
            let known = draft.user().login_names().into_iter().map(str::to_owned);
            let names: Vec<String> = known.chain(more.iter().cloned()).collect();
            draft.set_login_ids(&names)?;
        }
        if let Some(password) = &self.password {
            draft.set_password(password, false)?;
        }
        if let Ok(Some(hash)) = self.hash() {
            draft.set_password_hash(&hash, false)?;
        }
        if let Ok(Some(state)) = self.state() {
            draft.set_state(state);
        }
        Ok(())
    }

    fn name(&self) -> Name {
        Name {
            display_name: self.display_name.clone(),
            given_name: self.given_name.clone(),
            middle_name: self.middle_name.clone(),
            family_name: self.family_name.clone(),
        }
    }

    /// What the tenant defined, if it is given.
    pub(super) fn custom_attributes(&self) -> Option<&Map<String, Value>> {
        self.custom_attributes.as_ref()
    }
}

/// What a user is called.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Name {
    #[serde(alias = "name")]
    display_name: Option<String>,
    given_name: Option<String>,
    middle_name: Option<String>,
    family_name: Option<String>,
}

impl Name {
    /// Puts what is given into a user.
    pub(super) fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        if let Some(name) = &self.display_name {
            draft.set("displayName", &text(name))?;
        }
        let parts = [
            ("givenName", &self.given_name),
            ("middleName", &self.middle_name),
            ("familyName", &self.family_name),
        ];
        if parts.iter().all(|(_, part)| part.is_none()) {
            return Ok(());
        }
        let known = draft.user().attribute("name").and_then(Value::as_object).cloned();
        let mut name = known.clone().unwrap_or_default();
        for (member, part) in parts {
            if let Some(part) = part {
                name.insert(member.to_owned(), text(part));
            }
        }
        name.retain(|_, part| !part.is_null());
        if name != known.unwrap_or_default() {
            // It was made of the parts as they were.
            name.shift_remove("formatted");
            draft.set("name", &if name.is_empty() { Value::Null } else { Value::Object(name) })?;
        }
        Ok(())
    }
}

/// A text as a value; an empty one is none.
fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

/// Where an account is in its life, by this API's word for it.
pub(super) fn state(word: &str) -> Result<State, Refusal> {
    match word {
        "enabled" => Ok(State::Active),
        "disabled" => Ok(State::Suspended),
        "invited" => Ok(State::Pending),
        _ => Err(Refusal::invalid(format!(
            "status must be one of enabled, disabled, invited, and is {word:?}"
        ))),
    }
}

/// Whether a value is verified, as an administrator says.
pub(super) fn truth(verified: bool) -> Truth {
    if verified { Truth::Verified(Source::Admin) } else { Truth::Unverified }
}

/// Sets the address or number, in the place of the one before; an empty one takes it away.
pub(super) fn set_contact(
    draft: &mut Draft<'_>,
    kind: ContactKind,
    value: &str,
    truth: Truth,
) -> Result<(), Error> {
    let value = Some(value.to_owned()).filter(|value| !value.is_empty());
    if value.is_none() && draft.user().primary(kind).is_none() {
        return Ok(());
    }
    let set = SetPrimary { kind, value, truth, old: Demotion::Drop, only_if_other: false };
    let now = draft.now();
    draft.contacts_mut().set_primary(&set, now)?;
    Ok(())
}

/// Sets the address or number for the recovery of the account; an empty one takes it away.
pub(super) fn set_recovery(
    draft: &mut Draft<'_>,
    kind: ContactKind,
    value: &str,
    verified: bool,
) -> Result<(), Error> {
    draft.set_recovery(kind, Some(value).filter(|value| !value.is_empty()), verified)
}

/// Sets the picture; an empty address takes it away.
pub(super) fn set_picture(draft: &mut Draft<'_>, picture: &str) -> Result<(), Error> {
    let photos = if picture.is_empty() { Value::Null } else { json!([{"value": picture, "type": "photo"}]) };
    draft.set("photos", &photos)
}

/// A user as it is shown: with every member, whatever there is.
pub(super) fn shown(user: &User) -> Value {
    let contact = |kind| {
        let primary = user.primary(kind);
        let is_verified = primary.is_some_and(|contact| contact.verified.is_some());
        (primary.map_or("", |contact| contact.shown()).to_owned(), is_verified)
    };
    let recovery =
        |kind| user.recovery(kind).map_or_else(Default::default, |known| (known.value, known.verified));
    let text = |name: &str| user.text(name).unwrap_or_default();
    let name = |part: &str| {
        let part = user.attribute("name").and_then(|name| name.get(part)?.as_str());
        part.unwrap_or_default()
    };
    let (email, verified_email) = contact(ContactKind::Email);
    let (phone, verified_phone) = contact(ContactKind::Phone);
    let (recovery_email, verified_recovery_email) = recovery(ContactKind::Email);
    let (recovery_phone, verified_recovery_phone) = recovery(ContactKind::Phone);
    let picture = user.attribute("photos").and_then(|photos| photos.get(0)?.get("value")?.as_str());
    json!({
        "loginIds": user.login_names(),
        "userId": user.id(),
        "name": text("displayName"),
        "email": email,
        "phone": phone,
        "verifiedEmail": verified_email,
        "verifiedPhone": verified_phone,
        "roleNames": roles(user),
        "userTenants": [],
        "status": match user.state() {
            State::Pending => "invited",
            State::Active => "enabled",
            State::Suspended => "disabled",
        },
        "externalIds": user.text("externalId").into_iter().collect::<Vec<_>>(),
        "picture": picture.unwrap_or_default(),
        "test": false,
        "customAttributes": user.bag(&Bag::Attributes).cloned().unwrap_or_default(),
        "createdTime": user.created().timestamp(),
        "TOTP": false,
        "SAML": false,
        "OAuth": {},
        "webauthn": false,
        "password": user.has_password(),
        "ssoAppIds": [],
        "givenName": name("givenName"),
        "middleName": name("middleName"),
        "familyName": name("familyName"),
        "editable": true,
        "SCIM": false,
        "push": false,
        "permissions": [],
        "OIDC": false,
        "consentExpiration": 0,
        "recoveryEmail": recovery_email,
        "verifiedRecoveryEmail": verified_recovery_email,
        "recoveryPhone": recovery_phone,
        "verifiedRecoveryPhone": verified_recovery_phone,
    })
}

fn roles(user: &User) -> Vec<&str> {
    let roles = user.attribute("roles").and_then(Value::as_array).into_iter().flatten();
    roles.filter_map(|role| role.get("value")?.as_str()).collect()
}
