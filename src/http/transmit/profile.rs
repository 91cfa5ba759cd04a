//! A user as this API shows it, and as it is given.
//!
//! Invariant: an update merges at its top level: what is not given, or is null, stays; a name or an address takes the place
//! of the one before, and custom data are merged member by member.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::contact::{Add, Contact, Demotion, Primary, Select, SetPrimary, Truth};
use crate::http::transmit::refusal::Refusal;
use crate::identity::{Bag, Draft, Error, State, User};
use crate::scim::schema::ContactKind;

/// The bag of the tenant's one application.
pub(super) const APPLICATION: &str = "default";
/// The bag of what links users to accounts of the application.
pub(super) const ACCOUNT: &str = "default.account";
/// The member of that bag that has the account's id.
const ACCOUNT_ID: &str = "id";
/// The claim that has the birthday, as OpenID Connect calls it.
const BIRTHDATE: &str = "birthdate";

/// What a user is called.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(super) struct Name {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    middle_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
}

/// Where a user lives.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(super) struct Address {
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    street_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    /// `Home`, `Work` or `Other`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

/// A first password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Credentials {
    password: String,
    /// Whether it has to be changed at the next login; yes if it is missing.
    force_replace: Option<bool>,
}

/// A user that is to be made or changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Input {
    pub(super) email: Option<String>,
    pub(super) phone_number: Option<String>,
    username: Option<String>,
    /// Addresses that are added.
    secondary_emails: Option<Vec<String>>,
    /// Numbers that are added.
    secondary_phone_numbers: Option<Vec<String>>,
    birthday: Option<String>,
    address: Option<Address>,
    name: Option<Name>,
    external_account_id: Option<String>,
    custom_app_data: Option<Map<String, Value>>,
    picture: Option<String>,
    language: Option<String>,
    custom_data: Option<Map<String, Value>>,
    external_user_id: Option<String>,
    custom_user_fields: Option<Map<String, Value>>,
    /// `Active`, `Disabled` or `Pending`; of updates only.
    pub(super) status: Option<String>,
    /// Of new users only.
    pub(super) credentials: Option<Credentials>,
}

impl Input {
    /// Says everything that is too long or is none of what it may be.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let mut wrong = Vec::new();
        let mut at_most = |name: &str, text: &Option<String>, limit: usize| {
            if text.as_ref().is_some_and(|text| text.chars().count() > limit) {
                wrong.push(format!("{name} must be shorter than or equal to {limit} characters"));
            }
        };
        if let Some(name) = &self.name {
            at_most("name.title", &name.title, 30);
            at_most("name.first_name", &name.first_name, 30);
            at_most("name.middle_name", &name.middle_name, 30);
            at_most("name.last_name", &name.last_name, 30);
        }
        if let Some(address) = &self.address {
            at_most("address.country", &address.country, 30);
            at_most("address.state", &address.state, 30);
            at_most("address.city", &address.city, 30);
            at_most("address.street_address", &address.street_address, 150);
            at_most("address.postal_code", &address.postal_code, 30);
        }
        let one_of = |text: &Option<String>, words: &[&str]| {
            text.as_ref().is_none_or(|text| words.contains(&text.as_str()))
        };
        if !one_of(&self.status, &["Active", "Disabled", "Pending"]) {
            wrong.push("status must be one of Active, Disabled, Pending".into());
        }
        let kind = self.address.as_ref().and_then(|address| address.kind.clone());
        if !one_of(&kind, &["Home", "Work", "Other"]) {
            wrong.push("address.type must be one of Home, Work, Other".into());
        }
        if self.birthday.as_deref().is_some_and(|day| birthday(day).is_none()) {
            wrong.push("birthday must be a date or a time, as in 1990-01-31".into());
        }
        if wrong.is_empty() { Ok(()) } else { Err(Refusal::bad_for(&wrong)) }
    }

    /// Puts what is given into a user.
    pub(super) fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        if let Some(name) = &self.username {
            draft.set_user_name(Some(name))?;
        }
        let contacts = [
            (ContactKind::Email, &self.email, &self.secondary_emails),
            (ContactKind::Phone, &self.phone_number, &self.secondary_phone_numbers),
        ];
        for (kind, primary, secondary) in contacts {
            if let Some(value) = primary {
                replace_primary(draft, kind, value)?;
            }
            for value in secondary.iter().flatten() {
                add_secondary(draft, kind, value)?;
            }
        }
        for (attribute, value) in
            [("preferredLanguage", &self.language), ("externalId", &self.external_user_id)]
        {
            if let Some(value) = value {
                draft.set(attribute, &json!(value))?;
            }
        }
        if let Some(picture) = &self.picture {
            draft.set("photos", &json!([{"value": picture, "type": "photo"}]))?;
        }
        if let Some(Name { title, first_name, middle_name, last_name }) = &self.name {
            let name = json!({"honorificPrefix": title, "givenName": first_name, "middleName": middle_name,
                "familyName": last_name});
            draft.set("name", &name)?;
        }
        if let Some(address) = &self.address {
            let Address { country, state, city, street_address, postal_code, kind } = address;
            let kind = kind.as_ref().map(|kind| kind.to_lowercase());
            let address = json!({"country": country, "region": state, "locality": city,
                "streetAddress": street_address, "postalCode": postal_code, "type": kind});
            draft.set("addresses", &json!([address]))?;
        }
        self.fill_bags(draft)?;
        match self.status.as_deref() {
            Some("Active") if draft.user().state() == State::Suspended => draft.restore(),
            Some("Active") => draft.set_state(State::Active),
            Some("Pending") => draft.set_state(State::Pending),
            Some(_) => draft.set_state(State::Suspended),
            None => {}
        }
        if let Some(Credentials { password, force_replace }) = &self.credentials {
            draft.set_password(password, force_replace.unwrap_or(true))?;
        }
        Ok(())
    }

    fn fill_bags(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let bags = [
            (Bag::Custom, &self.custom_data),
            (Bag::App(APPLICATION.into()), &self.custom_app_data),
            (Bag::Attributes, &self.custom_user_fields),
        ];
        for (bag, values) in bags {
            if let Some(values) = values {
                draft.merge_bag(&bag, values.clone())?;
            }
        }
        let texts = [
            (Bag::App(ACCOUNT.into()), ACCOUNT_ID, &self.external_account_id),
            (Bag::Claims, BIRTHDATE, &self.birthday.as_deref().and_then(birthday)),
        ];
        for (bag, name, value) in texts {
            if let Some(value) = value {
                draft.merge_bag(&bag, Map::from_iter([(name.to_owned(), json!(value))]))?;
            }
        }
        Ok(())
    }
}

/// The day of a date or a time.
fn birthday(text: &str) -> Option<String> {
    let day = text.get(..10)?;
    let is_day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok();
    let is_whole = text.len() == 10 || DateTime::parse_from_rfc3339(text).is_ok();
    (is_day && is_whole).then(|| day.to_owned())
}

/// Sets the primary value; a new one is not verified, one that the user has is promoted as it is.
pub(super) fn replace_primary(draft: &mut Draft<'_>, kind: ContactKind, value: &str) -> Result<(), Error> {
    let (value, truth, old) = (Some(value.to_owned()), Truth::Keep, Demotion::Drop);
    let set = SetPrimary { kind, value, truth, old, only_if_other: false };
    let now = draft.now();
    draft.contacts_mut().set_primary(&set, now)?;
    Ok(())
}

/// Adds a value that the user does not have.
pub(super) fn add_secondary(draft: &mut Draft<'_>, kind: ContactKind, value: &str) -> Result<(), Error> {
    if draft.user().contacts().find(kind, &Select::Value(value.to_owned())).is_some() {
        return Ok(());
    }
    let value = value.to_owned();
    let add = Add { kind, value, label: None, truth: Truth::Unverified, primary: Primary::Auto };
    let now = draft.now();
    draft.contacts_mut().add(&add, now)?;
    Ok(())
}

/// A user as it is shown.
pub(super) fn shown(user: &User, groups: Option<&[String]>) -> Value {
    let mut out = Map::new();
    for (kind, secondary) in
        [(ContactKind::Email, "secondary_emails"), (ContactKind::Phone, "secondary_phone_numbers")]
    {
        if let Some(primary) = user.primary(kind) {
            out.insert(super::refusal::member(kind).into(), contact(kind, primary));
        }
        let others: Vec<Value> =
            user.contacts().secondary(kind).into_iter().map(|other| contact(kind, other)).collect();
        out.insert(secondary.into(), others.into());
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    put("username", user.user_name().map(|name| json!(name)));
    put("user_id", Some(json!(user.id())));
    let bag = |bag: &Bag| user.bag(bag).cloned().map(Value::Object);
    put("birthday", user.bag(&Bag::Claims).and_then(|claims| claims.get(BIRTHDATE)).cloned());
    put("address", address(user));
    put("name", name(user).map(|name| json!(name)));
    put("status", Some(json!(status(user))));
    put("status_changed_at", user.state_changed().map(|at| json!(at)));
    put("created_at", Some(millis(user.created())));
    put("updated_at", Some(millis(user.modified())));
    let account = user.bag(&Bag::App(ACCOUNT.into()));
    put("external_account_id", account.and_then(|account| account.get(ACCOUNT_ID)).cloned());
    put("custom_app_data", bag(&Bag::App(APPLICATION.into())));
    put("groupIds", groups.map(|groups| json!(groups)));
    put("picture", user.attribute("photos").and_then(|photos| photos.get(0)?.get("value").cloned()));
    put("language", user.attribute("preferredLanguage").cloned());
    put("custom_data", bag(&Bag::Custom));
    put("external_user_id", user.attribute("externalId").cloned());
    put("custom_user_fields", bag(&Bag::Attributes));
    put("password_information", password(user));
    Value::Object(out)
}

fn contact(kind: ContactKind, contact: &Contact) -> Value {
    let mut out = Map::new();
    out.insert("value".into(), json!(contact.shown()));
    out.insert(format!("{}_verified", super::refusal::member(kind)), json!(contact.verified.is_some()));
    if let Some(verification) = &contact.verified {
        out.insert("verified_at".into(), json!(verification.at));
    }
    Value::Object(out)
}

/// Where the account is in its life.
pub(super) fn status(user: &User) -> &'static str {
    match user.state() {
        State::Pending => "Pending",
        State::Active => "Active",
        State::Suspended => "Disabled",
    }
}

/// What is known of the password; none where nothing is.
pub(super) fn password(user: &User) -> Option<Value> {
    let known = user.password()?;
    let is_over = known.expires.is_some_and(|end| end <= user.modified());
    let mut out = Map::new();
    out.insert("expired".into(), json!(is_over));
    out.insert("temporary".into(), json!(known.temporary));
    out.insert("updated_at".into(), millis(known.updated));
    if let Some(end) = known.expires {
        out.insert("expires_in".into(), json!(end));
    }
    Some(Value::Object(out))
}

fn name(user: &User) -> Option<Name> {
    let part = |name: &str| Some(user.attribute("name")?.get(name)?.as_str()?.to_owned());
    user.attribute("name")?;
    Some(Name {
        title: part("honorificPrefix"),
        first_name: part("givenName"),
        middle_name: part("middleName"),
        last_name: part("familyName"),
    })
}

fn address(user: &User) -> Option<Value> {
    let first = user.attribute("addresses")?.get(0)?;
    let part = |name: &str| first.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = part("type").map(|kind| match &*kind {
        "home" => "Home".to_owned(),
        "work" => "Work".to_owned(),
        _ => "Other".to_owned(),
    });
    Some(json!(Address {
        country: part("country"),
        state: part("region"),
        city: part("locality"),
        street_address: part("streetAddress"),
        postal_code: part("postalCode"),
        kind,
    }))
}

fn millis(at: DateTime<Utc>) -> Value {
    json!(at.timestamp_millis())
}
