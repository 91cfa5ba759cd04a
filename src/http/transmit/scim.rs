//! The SCIM of this API, which merges where RFC 7644 replaces.
//!
//! Invariant: PUT changes what is given and nothing else. A primary address takes the place of the primary one; the others
//! remain. Muster's own SCIM is elsewhere and keeps the RFC.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::directory::Failure;
use crate::http::api::{Call, answer};
use crate::http::transmit::Done;
use crate::http::transmit::profile::{APPLICATION, add_secondary, password, replace_primary, status};
use crate::http::transmit::refusal::Refusal;
use crate::http::transmit::search::{is_descending, sorted_by};
use crate::identity::{Bag, Draft, Error, Query, State, User};
use crate::scim::schema::ContactKind;
use crate::scim::urn;

const APP_DATA: &str = "urn:ietf:params:scim:schemas:extension:CustomAppData:2.0:User";
const EXTENDED: &str = "urn:ietf:params:scim:schemas:extension:UserExtended:2.0:User";
/// How many users a page has, and the most that it may have.
const PAGE: u64 = 1_000;
const LARGEST_PAGE: u64 = 10_000;

/// An address or number.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Entry {
    value: String,
    #[serde(default)]
    primary: bool,
}

/// A user that is to be made or changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "ScimInput")]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Input {
    user_name: Option<String>,
    password: Option<String>,
    name: Option<Value>,
    preferred_language: Option<String>,
    emails: Vec<Entry>,
    phone_numbers: Vec<Entry>,
    /// The first one counts.
    photos: Option<Vec<String>>,
    /// The first one counts.
    addresses: Option<Vec<Value>>,
    external_id: Option<String>,
    active: Option<bool>,
    #[serde(rename = "urn:ietf:params:scim:schemas:extension:CustomAppData:2.0:User")]
    app_data: Option<Map<String, Value>>,
}

impl Input {
    fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        if let Some(name) = &self.user_name {
            draft.set_user_name(Some(name))?;
        }
        if let Some(password) = &self.password {
            draft.set_password(password, false)?;
        }
        let texts = [("preferredLanguage", &self.preferred_language), ("externalId", &self.external_id)];
        for (attribute, value) in texts {
            if let Some(value) = value {
                draft.set(attribute, &json!(value))?;
            }
        }
        if let Some(name) = &self.name {
            draft.set("name", name)?;
        }
        if let Some(address) = self.addresses.as_ref().and_then(|all| all.first()) {
            draft.set("addresses", &json!([address]))?;
        }
        if let Some(photo) = self.photos.as_ref().and_then(|all| all.first()) {
            draft.set("photos", &json!([{"value": photo, "type": "photo"}]))?;
        }
        for (kind, entries) in [(ContactKind::Email, &self.emails), (ContactKind::Phone, &self.phone_numbers)]
        {
            for entry in entries {
                match entry.primary {
                    true => replace_primary(draft, kind, &entry.value)?,
                    false => add_secondary(draft, kind, &entry.value)?,
                }
            }
        }
        if let Some(values) = &self.app_data {
            draft.merge_bag(&Bag::App(APPLICATION.into()), values.clone())?;
        }
        match self.active {
            Some(true) => draft.restore(),
            Some(false) => draft.set_state(State::Suspended),
            None => {}
        }
        Ok(())
    }
}

/// An error as SCIM has it here: `schemas` is one text, and `status` a number.
fn refuse(error: Error) -> Done {
    let (status, detail) = match &error {
        Error::NoUser => (404, "User not found".to_owned()),
        Error::Taken(name) => (409, format!("{name} is already taken")),
        Error::Failure(Failure::Scim(error)) if error.kind.status() < 500 => {
            (error.kind.status(), error.detail.clone())
        }
        Error::Failure(_) | Error::Limited(_) => return Err(error.into()),
        other => (400, other.to_string()),
    };
    let body = json!({"schemas": urn::ERROR, "status": status, "detail": detail});
    Ok(answer(status, &body)?)
}

fn one(status: u16, base: &str, user: &User) -> Done {
    Ok(answer(status, &shown(base, user))?)
}

pub(super) async fn create(mut call: Call) -> Done {
    let input: Input = call.json().await?;
    if input.user_name.is_none() || input.password.is_none() {
        let reason = "userName and password are required".into();
        return refuse(Error::Invalid { field: "User".into(), reason });
    }
    let made = |draft: &mut Draft<'_>| {
        draft.set_state(State::Pending);
        input.apply(draft)
    };
    match call.app.identity.create(&call.context, made).await {
        Ok((user, ())) => one(201, &call.base()?, &user),
        Err(error) => refuse(error),
    }
}

pub(super) async fn get(call: Call) -> Done {
    match call.app.identity.user(&call.context, call.capture(0)).await {
        Ok(user) => one(200, &call.base()?, &user),
        Err(error) => refuse(error),
    }
}

pub(super) async fn merge(mut call: Call) -> Done {
    let input: Input = call.json().await?;
    let change = |draft: &mut Draft<'_>| input.apply(draft);
    match call.app.identity.change(&call.context, call.capture(0), change).await {
        Ok((user, ())) => one(200, &call.base()?, &user),
        Err(error) => refuse(error),
    }
}

pub(super) async fn delete(call: Call) -> Done {
    match call.app.identity.delete(&call.context, call.capture(0)).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => refuse(error),
    }
}

/// A search in a body. Numbers come as texts, too.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Search {
    filter: Option<String>,
    start_index: Option<Value>,
    count: Option<Value>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    attributes: Option<Vec<String>>,
    excluded_attributes: Option<Vec<String>>,
}

pub(super) async fn search(mut call: Call) -> Done {
    let search = call.json().await?;
    found(&call, search).await
}

pub(super) async fn list(call: Call) -> Done {
    let text = |name: &str| call.parameter(name);
    let names = |name: &str| -> Result<_, Refusal> {
        Ok(text(name)?.map(|names| names.split(',').map(|name| name.trim().to_owned()).collect()))
    };
    let search = Search {
        filter: text("filter")?,
        start_index: text("startIndex")?.map(Value::String),
        count: text("count")?.map(Value::String),
        sort_by: text("sortBy")?,
        sort_order: text("sortOrder")?,
        attributes: names("attributes")?,
        excluded_attributes: names("excludedAttributes")?,
    };
    found(&call, search).await
}

async fn found(call: &Call, search: Search) -> Done {
    let start = number("startIndex", search.start_index.as_ref())?.unwrap_or(1).max(1);
    let limit = number("count", search.count.as_ref())?.unwrap_or(PAGE);
    if limit > LARGEST_PAGE {
        let reason = format!("it must not be greater than {LARGEST_PAGE}");
        return refuse(Error::Invalid { field: "count".into(), reason });
    }
    let query = Query {
        filter: search.filter.filter(|filter| !filter.is_empty()),
        sort: Some(sorted_by(search.sort_by.as_deref().unwrap_or("created_at"))?.to_owned()),
        descending: is_descending(search.sort_order.as_deref())?,
        offset: start - 1,
        limit,
    };
    let found = match call.app.identity.search(&call.context, &query).await {
        Ok(found) => found,
        Err(error) => return refuse(error),
    };
    let base = call.base()?;
    let is_shown = |name: &String| {
        let has = |names: &Vec<String>, part: fn(&str) -> &str| {
            names.iter().any(|other| part(other).eq_ignore_ascii_case(name))
        };
        let is_wanted = search.attributes.as_ref().map(|names| has(names, attribute));
        let is_unwanted = || search.excluded_attributes.as_ref().is_some_and(|names| has(names, |name| name));
        let always = matches!(name.as_str(), "schemas" | "id" | "userName" | "meta" | EXTENDED);
        always || is_wanted.unwrap_or_else(|| !is_unwanted())
    };
    let resources = found.users.iter().map(|user| {
        let mut user = shown(&base, user);
        user.retain(|name, _| is_shown(name));
        user
    });
    let resources: Vec<_> = resources.collect();
    let body = json!({
        "schemas": [urn::LIST_RESPONSE],
        "totalResults": found.total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    Ok(answer(200, &body)?)
}

/// The attribute that a path begins with: whoever asks for a part of one sees all of it.
fn attribute(path: &str) -> &str {
    if path.starts_with("urn:") { path } else { path.split('.').next().unwrap_or(path) }
}

fn number(name: &str, given: Option<&Value>) -> Result<Option<u64>, Refusal> {
    let read = match given {
        None => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_u64(),
    };
    read.map(Some).ok_or_else(|| Refusal::bad(format!("{name} must be a number that is not negative")))
}

/// A user as it is shown.
fn shown(base: &str, user: &User) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    let bag = user.bag(&Bag::App(APPLICATION.into()));
    put("schemas", Some(json!([urn::USER, APP_DATA, EXTENDED])));
    put("userName", Some(json!(user.user_name().unwrap_or(user.id()))));
    put("name", user.attribute("name").cloned());
    put("displayName", full_name(user));
    put("preferredLanguage", user.attribute("preferredLanguage").cloned());
    put("active", Some(json!(user.state() != State::Suspended)));
    for kind in ContactKind::ALL {
        let primary = user.primary(kind).map(|contact| json!({"value": contact.shown(), "primary": true}));
        let others = user.contacts().secondary(kind).into_iter();
        let others = others.map(|contact| json!({"value": contact.shown(), "primary": false}));
        put(kind.attribute(), Some(primary.into_iter().chain(others).collect()));
    }
    let photos = user.attribute("photos").and_then(Value::as_array).into_iter().flatten();
    put("photos", Some(photos.filter_map(|photo| photo.get("value").cloned()).collect()));
    put("addresses", Some(user.attribute("addresses").cloned().unwrap_or_else(|| json!([]))));
    put("id", Some(json!(user.id())));
    put("externalId", user.attribute("externalId").cloned());
    let location = format!("{base}/cis/scim/Users/{}", user.id());
    let meta = json!({"resourceType": "User", "created": user.created(), "lastModified": user.modified(),
        "location": location});
    put("meta", Some(meta));
    put(APP_DATA, bag.cloned().map(Value::Object));
    let mut extended = Map::new();
    extended.insert("status".into(), json!(status(user)));
    if let Some(password) = password(user) {
        extended.insert("passwordInformation".into(), password);
    }
    put(EXTENDED, Some(Value::Object(extended)));
    out
}

/// First, middle and last name.
fn full_name(user: &User) -> Option<Value> {
    let name = user.attribute("name")?;
    let parts = ["givenName", "middleName", "familyName"];
    let parts: Vec<&str> = parts.iter().filter_map(|part| name.get(part)?.as_str()).collect();
    (!parts.is_empty()).then(|| json!(parts.join(" ")))
}
