//! Making, reading, finding, changing and removing users, and their groups.
//!
//! Invariant: an identifier finds the user whose primary or only one it is.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use actix_web::HttpResponse;

use crate::http::api::{Call, answer};
use crate::http::transmit::devices::DEVICES;
use crate::http::transmit::profile::{ACCOUNT, APPLICATION, Input, shown};
use crate::http::transmit::refusal::Refusal;
use crate::http::transmit::{Done, result, search};
use crate::identity::{Bag, By, Draft, Error, State, User};
use crate::scim::key::parse_instant;
use crate::scim::schema::ContactKind;

/// An answer with a user in it.
#[derive(Serialize, JsonSchema)]
pub(super) struct UserResult {
    /// The user.
    result: Value,
}

/// A page of users.
#[derive(Serialize, JsonSchema)]
pub(super) struct Page {
    /// How many match.
    total_count: u64,
    /// Whether there are others before and behind.
    page_info: Value,
    /// The users.
    result: Vec<Value>,
}

async fn one(call: &Call, user: &User) -> Done {
    let groups = call.app.identity.groups(&call.context, user.id()).await?;
    let ids: Vec<String> = groups.iter().map(|group| group.record.id.to_string()).collect();
    result(200, shown(user, Some(&ids)))
}

pub(super) async fn create(mut call: Call) -> Done {
    let mut input: Input = call.json().await?;
    input.check()?;
    input.status = None;
    if input.email.is_none() && input.phone_number.is_none() {
        return Err(Refusal::bad("email or phone_number is required"));
    }
    let made = |draft: &mut Draft<'_>| {
        draft.set_state(State::Pending);
        input.apply(draft)
    };
    let (user, ()) = call.app.identity.create(&call.context, made).await?;
    result(201, shown(&user, Some(&[])))
}

pub(super) async fn get(call: Call) -> Done {
    let user = call.app.identity.user(&call.context, call.capture(0)).await?;
    one(&call, &user).await
}

pub(super) async fn update(mut call: Call) -> Done {
    let mut input: Input = call.json().await?;
    input.check()?;
    input.credentials = None;
    let change = |draft: &mut Draft<'_>| input.apply(draft);
    let (user, ()) = call.app.identity.change(&call.context, call.capture(0), change).await?;
    one(&call, &user).await
}

pub(super) async fn delete(call: Call) -> Done {
    call.app.identity.delete(&call.context, call.capture(0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes what the application keeps of a user.
pub(super) async fn leave_application(call: Call) -> Done {
    let change = |draft: &mut Draft<'_>| {
        draft.replace_bag(&Bag::App(APPLICATION.into()), Map::new())?;
        draft.replace_bag(&Bag::App(ACCOUNT.into()), Map::new())?;
        draft.replace_bag(&Bag::App(DEVICES.into()), Map::new())
    };
    call.app.identity.change(&call.context, call.capture(0), change).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn found(call: &Call, by: By) -> Done {
    let user = call.app.identity.resolve(&call.context, &by).await?;
    one(call, &user).await
}

pub(super) async fn by_email(call: Call) -> Done {
    found(&call, By::Contact(ContactKind::Email, call.capture(0).to_owned(), true)).await
}

pub(super) async fn by_phone(call: Call) -> Done {
    found(&call, By::Contact(ContactKind::Phone, call.capture(0).to_owned(), true)).await
}

pub(super) async fn by_user_name(call: Call) -> Done {
    found(&call, By::UserName(call.capture(0).to_owned())).await
}

pub(super) async fn by_external_id(call: Call) -> Done {
    found(&call, By::ExternalId(call.capture(0).to_owned())).await
}

pub(super) async fn by_identifier(call: Call) -> Done {
    let name = call.parameter("identifier_name")?;
    let value = call.parameter("identifier_value")?;
    let (Some(name), Some(value)) = (name, value) else {
        return Err(Refusal::bad("identifier_name and identifier_value are required"));
    };
    let by = match name.as_str() {
        "email" => By::Contact(ContactKind::Email, value, true),
        "phoneNumber" => By::Contact(ContactKind::Phone, value, true),
        "externalUserId" => By::ExternalId(value),
        "username" => By::UserName(value),
        // Muster is not told of providers' ids, so nobody has one.
        "idpIdentifier" => return Err(Error::NoUser.into()),
        other => {
            let known = "email, phoneNumber, externalUserId, username, idpIdentifier";
            return Err(Refusal::bad(format!("identifier_name {other:?} is not known; there are {known}")));
        }
    };
    found(&call, by).await
}

pub(super) async fn count(call: Call) -> Done {
    let filter = call.parameter("search")?.map(|text| search::filter(&call, &text)).transpose()?;
    let count = call.app.identity.count(&call.context, filter).await?;
    result(200, json!({"user_count": count}))
}

pub(super) async fn list(call: Call) -> Done {
    let query = search::query(&call)?;
    let found = call.app.identity.search(&call.context, &query).await?;
    let shown: Vec<Value> = found.users.iter().map(|user| shown(user, None)).collect();
    let behind = query.offset.saturating_add(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    let page_info = json!({"has_next_page": behind < found.total, "has_previous_page": query.offset > 0});
    let page = Page { total_count: found.total, page_info, result: shown };
    Ok(answer(200, &page)?)
}

pub(super) async fn groups(call: Call) -> Done {
    let groups = call.app.identity.groups(&call.context, call.capture(0)).await?;
    let millis = |text: &str| parse_instant(text).map(|at| at.timestamp_millis()).unwrap_or_default();
    let groups = groups.iter().map(|group| {
        json!({
            "group_id": group.record.id.as_str(),
            "name": group.resource.body().get("displayName").cloned().unwrap_or_default(),
            "created_at": millis(&group.record.created),
            "updated_at": millis(&group.record.modified),
        })
    });
    result(200, groups.collect::<Vec<_>>())
}
