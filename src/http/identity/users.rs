//! Users: made, found, listed, changed, deleted, and the groups that they are in.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::contact::{Add, Demotion, Primary, SetPrimary, Source, Truth};
use crate::context::Permission;
use crate::http::api::{Answer, Call, Operation, Run, answer, schema};
use crate::http::error::Failure;
use crate::http::identity::failing::refuse;
use crate::http::identity::view::ShownUser;
use crate::identity::{By, Draft, Error, Query, State};
use crate::scim::error::ScimError;
use crate::scim::schema::ContactKind;

/// How many users a page has, if the request does not say; and at most.
const PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 1000;

pub(super) const LIST: Operation = Operation {
    method: "GET",
    path: "/identity/v1/users{?filter,sort,order,offset,limit}",
    summary: "Search users",
    takes: None,
    answers: &[Answer(200, "A page of the users that match", Some(schema::<Page>))],
    run: Run::For(Permission::ReadIdentity, |call| Box::pin(list(call))),
};

pub(super) const COUNT: Operation = Operation {
    method: "GET",
    path: "/identity/v1/users/count{?filter}",
    summary: "Count users",
    takes: None,
    answers: &[Answer(200, "How many match", Some(schema::<Count>))],
    run: Run::For(Permission::ReadIdentity, |call| Box::pin(count(call))),
};

pub(super) const CREATE: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users",
    summary: "Make a user",
    takes: Some(schema::<NewUser>),
    answers: &[
        Answer(201, "The user", Some(schema::<ShownUser>)),
        Answer(409, "Another user has one of the values", None),
    ],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(create(call))),
};

pub(super) const FIND: Operation = Operation {
    method: "GET",
    path: "/identity/v1/users/by/{name}/{value}{?primary}",
    summary: "Find a user by an address, a number, a name or an id",
    takes: None,
    answers: &[Answer(200, "The user", Some(schema::<ShownUser>)), Answer(404, "There is none", None)],
    run: Run::For(Permission::ReadIdentity, |call| Box::pin(find(call))),
};

pub(super) const GET: Operation = Operation {
    method: "GET",
    path: "/identity/v1/users/{id}",
    summary: "Get a user",
    takes: None,
    answers: &[Answer(200, "The user", Some(schema::<ShownUser>)), Answer(404, "There is none", None)],
    run: Run::For(Permission::ReadIdentity, |call| Box::pin(get(call))),
};

pub(super) const UPDATE: Operation = Operation {
    method: "PATCH",
    path: "/identity/v1/users/{id}",
    summary: "Change what is given of a user; null takes a value away",
    takes: Some(schema::<UserChange>),
    answers: &[
        Answer(200, "The user", Some(schema::<ShownUser>)),
        Answer(404, "There is none", None),
        Answer(409, "Another user has one of the values", None),
    ],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(update(call))),
};

pub(super) const DELETE: Operation = Operation {
    method: "DELETE",
    path: "/identity/v1/users/{id}",
    summary: "Delete a user",
    takes: None,
    answers: &[Answer(204, "The user is gone", None), Answer(404, "There is none", None)],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(delete(call))),
};

pub(super) const GROUPS: Operation = Operation {
    method: "GET",
    path: "/identity/v1/users/{id}/groups",
    summary: "List the groups that a user is a member of",
    takes: None,
    answers: &[Answer(200, "The groups", Some(schema::<Groups>)), Answer(404, "There is no such user", None)],
    run: Run::For(Permission::ReadIdentity, |call| Box::pin(groups(call))),
};

/// A page of users.
#[derive(Serialize, JsonSchema)]
struct Page {
    /// How many users match.
    total: u64,
    /// The users of this page.
    users: Vec<ShownUser>,
}

/// How many users match.
#[derive(Serialize, JsonSchema)]
struct Count {
    /// How many.
    count: u64,
}

/// The groups that a user is a member of.
#[derive(Serialize, JsonSchema)]
struct Groups {
    /// The groups.
    groups: Vec<ShownGroup>,
}

/// A group.
#[derive(Serialize, JsonSchema)]
struct ShownGroup {
    /// The id, which is also SCIM's.
    id: String,
    /// What the group is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
}

/// An address or number of a user that is made.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewContact {
    /// The address or number.
    value: String,
    /// What sort it is, such as `work`.
    #[serde(rename = "type")]
    label: Option<String>,
    /// Whether it is known to be the user's.
    #[serde(default)]
    verified: bool,
    /// Whether it is the primary one; the first one is if none says so.
    #[serde(default)]
    primary: bool,
}

/// A user that is to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The name to log in by.
    user_name: Option<String>,
    /// The id in another system.
    external_id: Option<String>,
    /// Other names to log in by.
    #[serde(default)]
    login_ids: Vec<String>,
    /// What the user is called.
    display_name: Option<String>,
    /// The parts of the name, as SCIM has them.
    name: Option<Map<String, Value>>,
    /// The languages that the user reads, as in `de, en;q=0.5`.
    preferred_language: Option<String>,
    /// The e-mail addresses.
    #[serde(default)]
    emails: Vec<NewContact>,
    /// The phone numbers.
    #[serde(default)]
    phones: Vec<NewContact>,
    /// `pending` or `active`, which it is if it is missing.
    state: Option<StateName>,
    /// The password.
    password: Option<String>,
    /// Whether the password has to be changed at the first login.
    #[serde(default)]
    temporary_password: bool,
}

/// Where an account is in its life.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum StateName {
    Pending,
    Active,
    Suspended,
}

impl From<StateName> for State {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Pending => Self::Pending,
            StateName::Active => Self::Active,
            StateName::Suspended => Self::Suspended,
        }
    }
}

/// What shall be different.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// The name to log in by.
    #[serde(default, deserialize_with = "given::deserialize")]
    #[schemars(with = "Option<String>")]
    user_name: Option<Option<String>>,
    /// The id in another system.
    #[serde(default, deserialize_with = "given::deserialize")]
    #[schemars(with = "Option<String>")]
    external_id: Option<Option<String>>,
    /// Other names to log in by; at least one stays.
    login_ids: Option<Vec<String>>,
    /// What the user is called.
    #[serde(default, deserialize_with = "given::deserialize")]
    #[schemars(with = "Option<String>")]
    display_name: Option<Option<String>>,
    /// The parts of the name, as SCIM has them; in the place of those that were there.
    #[serde(default, deserialize_with = "given::deserialize")]
    #[schemars(with = "Option<Map<String, Value>>")]
    name: Option<Option<Map<String, Value>>>,
    /// The languages that the user reads.
    #[serde(default, deserialize_with = "given::deserialize")]
    #[schemars(with = "Option<String>")]
    preferred_language: Option<Option<String>>,
    /// The primary e-mail address: a new one is unverified and takes the place of the one that was there.
    email: Option<String>,
    /// The primary phone number, likewise.
    phone: Option<String>,
    /// `pending`, `active` or `suspended`.
    state: Option<StateName>,
}

/// Tells a value that is null from one that is not given.
mod given {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
}

async fn list(call: Call) -> Result<HttpResponse, Failure> {
    let number = |name: &str, default: u64| match call.parameter(name)? {
        None => Ok(default),
        Some(text) => {
            let wrong =
                || Failure::from(ScimError::value(format!("parameter {name} must be a whole number")));
            text.parse::<u64>().map_err(|_| wrong())
        }
    };
    let descending = match call.parameter("order")?.as_deref() {
        None | Some("ascending") => false,
        Some("descending") => true,
        Some(_) => return Err(ScimError::value("parameter order must be ascending or descending").into()),
    };
    let query = Query {
        filter: call.parameter("filter")?,
        sort: call.parameter("sort")?,
        descending,
        offset: number("offset", 0)?,
        limit: number("limit", PAGE)?.min(LARGEST_PAGE),
    };
    match call.app.identity.search(&call.context, &query).await {
        Ok(found) => answer(
            200,
            &Page { total: found.total, users: found.users.iter().map(ShownUser::from).collect() },
        ),
        Err(error) => refuse(error),
    }
}

async fn count(call: Call) -> Result<HttpResponse, Failure> {
    match call.app.identity.count(&call.context, call.parameter("filter")?).await {
        Ok(count) => answer(200, &Count { count }),
        Err(error) => refuse(error),
    }
}

async fn create(mut call: Call) -> Result<HttpResponse, Failure> {
    let new: NewUser = call.json().await?;
    match call.app.identity.create(&call.context, |draft| make(draft, &new)).await {
        Ok((user, ())) => answer(201, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}

fn make(draft: &mut Draft<'_>, new: &NewUser) -> Result<(), Error> {
    draft.set_user_name(new.user_name.as_deref())?;
    if !new.login_ids.is_empty() {
        draft.set_login_ids(&new.login_ids)?;
    }
    let texts = [
        ("externalId", &new.external_id),
        ("displayName", &new.display_name),
        ("preferredLanguage", &new.preferred_language),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            draft.set(name, &json!(text))?;
        }
    }
    if let Some(name) = &new.name {
        draft.set("name", &json!(name))?;
    }
    let now = draft.now();
    for (kind, contacts) in [(ContactKind::Email, &new.emails), (ContactKind::Phone, &new.phones)] {
        for contact in contacts {
            let add = Add {
                kind,
                value: contact.value.clone(),
                label: contact.label.clone(),
                truth: if contact.verified { Truth::Verified(Source::Admin) } else { Truth::Unverified },
                primary: if contact.primary { Primary::Yes } else { Primary::Auto },
            };
            draft.contacts_mut().add(&add, now)?;
        }
    }
    if let Some(state) = new.state {
        draft.set_state(state.into());
    }
    match &new.password {
        Some(password) => draft.set_password(password, new.temporary_password),
        None => Ok(()),
    }
}

async fn find(call: Call) -> Result<HttpResponse, Failure> {
    let value = call.capture(1).to_owned();
    let primary = call.parameter("primary")?.as_deref() == Some("true");
    let by = match call.capture(0) {
        "email" => By::Contact(ContactKind::Email, value, primary),
        "phone" => By::Contact(ContactKind::Phone, value, primary),
        "user-name" => By::UserName(value),
        "login-id" => By::LoginId(value),
        "external-id" => By::ExternalId(value),
        other => {
            let detail = format!(
                "users are not found by {other:?}, but by email, phone, user-name, login-id and external-id"
            );
            return Err(ScimError::value(detail).into());
        }
    };
    match call.app.identity.resolve(&call.context, &by).await {
        Ok(user) => answer(200, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}

async fn get(call: Call) -> Result<HttpResponse, Failure> {
    match call.app.identity.user(&call.context, call.capture(0)).await {
        Ok(user) => answer(200, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}

async fn update(mut call: Call) -> Result<HttpResponse, Failure> {
    let change: UserChange = call.json().await?;
    match call.app.identity.change(&call.context, call.capture(0), |draft| apply(draft, &change)).await {
        Ok((user, ())) => answer(200, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}

fn apply(draft: &mut Draft<'_>, change: &UserChange) -> Result<(), Error> {
    if let Some(name) = &change.user_name {
        draft.set_user_name(name.as_deref())?;
    }
    if let Some(ids) = &change.login_ids {
        draft.set_login_ids(ids)?;
    }
    let texts = [
        ("externalId", &change.external_id),
        ("displayName", &change.display_name),
        ("preferredLanguage", &change.preferred_language),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            draft.set(name, &json!(text))?;
        }
    }
    if let Some(name) = &change.name {
        draft.set("name", &json!(name))?;
    }
    let now = draft.now();
    for (kind, value) in [(ContactKind::Email, &change.email), (ContactKind::Phone, &change.phone)] {
        if value.is_some() {
            let value = value.clone();
            let set =
                SetPrimary { kind, value, truth: Truth::Keep, old: Demotion::Drop, only_if_other: false };
            draft.contacts_mut().set_primary(&set, now)?;
        }
    }
    if let Some(state) = change.state {
        draft.set_state(state.into());
    }
    Ok(())
}

async fn delete(call: Call) -> Result<HttpResponse, Failure> {
    match call.app.identity.delete(&call.context, call.capture(0)).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => refuse(error),
    }
}

async fn groups(call: Call) -> Result<HttpResponse, Failure> {
    let found = match call.app.identity.groups(&call.context, call.capture(0)).await {
        Ok(found) => found,
        Err(error) => return refuse(error),
    };
    let groups = found.iter().map(|group| {
        let name = group.resource.body().get("displayName").and_then(Value::as_str);
        ShownGroup { id: group.record.id.to_string(), display_name: name.map(str::to_owned) }
    });
    answer(200, &Groups { groups: groups.collect() })
}
