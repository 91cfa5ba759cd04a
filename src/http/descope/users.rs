//! Making, reading, changing and deleting users, one by one and many at once.
//!
//! Invariant: of many users each is made or changed as a whole or not at all; what fails says why and hinders no other.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::http::api::{Call, answer};
use crate::http::descope::profile::{Input, Name, set_picture, shown, state};
use crate::http::descope::refusal::Refusal;
use crate::http::descope::{Done, named, nothing, one, required};
use crate::identity::{Bag, Draft, Error, State, User};

/// The most users that one request may name.
const LARGEST_BATCH: usize = 1_000;

/// Users that are to be made or changed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Inputs {
    users: Option<Vec<Input>>,
}

impl Inputs {
    fn users(self) -> Result<Vec<Input>, Refusal> {
        let users = self.users.unwrap_or_default();
        check_count("users", users.len()).map(|()| users)
    }
}

fn check_count(member: &str, count: usize) -> Result<(), Refusal> {
    match count {
        0 => Err(Refusal::missing(member)),
        1..=LARGEST_BATCH => Ok(()),
        _ => Err(Refusal::invalid(format!("{member} may have {LARGEST_BATCH} entries"))),
    }
}

pub(super) async fn license(_call: Call) -> Done {
    Ok(answer(200, &json!({"rateLimitTier": "tier4"}))?)
}

pub(super) async fn create(mut call: Call) -> Done {
    let input: Input = call.json().await?;
    one(&made(&call, &input).await?, true)
}

/// A new user. It awaits its first login, unless something else is said.
async fn made(call: &Call, input: &Input) -> Result<User, Refusal> {
    let login_id = required("loginId", input.login_id.as_deref())?;
    input.check()?;
    let edit = |draft: &mut Draft<'_>| {
        draft.set_user_name(Some(login_id))?;
        draft.set_login_ids(&[login_id.to_owned()])?;
        draft.set_state(State::Pending);
        if let Some(attributes) = input.custom_attributes() {
            draft.replace_bag(&Bag::Attributes, attributes.clone())?;
        }
        input.apply(draft)
    };
    let made = call.app.identity.create(&call.context, edit).await;
    made.map(|(user, ())| user).map_err(Refusal::of_creation)
}

pub(super) async fn update(mut call: Call) -> Done {
    let input: Input = call.json().await?;
    let input = input.whole();
    input.check()?;
    let user = named(&call, input.login_id.as_deref()).await?;
    let edit = |draft: &mut Draft<'_>| {
        draft.replace_bag(&Bag::Attributes, input.custom_attributes().cloned().unwrap_or_default())?;
        input.apply(draft)
    };
    let (user, ()) = call.app.identity.change(&call.context, user.id(), edit).await?;
    one(&user, false)
}

pub(super) async fn patch(mut call: Call) -> Done {
    let input: Input = call.json().await?;
    one(&patched(&call, &input).await?, false)
}

async fn patched(call: &Call, input: &Input) -> Result<User, Refusal> {
    input.check()?;
    let user = named(call, input.login_id.as_deref()).await?;
    let edit = |draft: &mut Draft<'_>| {
        if let Some(attributes) = input.custom_attributes() {
            draft.merge_bag(&Bag::Attributes, attributes.clone())?;
        }
        input.apply(draft)
    };
    let changed = call.app.identity.change(&call.context, user.id(), edit).await;
    Ok(changed.map(|(user, ())| user)?)
}

pub(super) async fn create_batch(mut call: Call) -> Done {
    let inputs: Inputs = call.json().await?;
    batch("createdUsers", inputs.users()?, async |input| made(&call, input).await).await
}

pub(super) async fn patch_batch(mut call: Call) -> Done {
    let inputs: Inputs = call.json().await?;
    batch("patchedUsers", inputs.users()?, async |input| patched(&call, input).await).await
}

/// Does something for each of many users.
async fn batch(member: &str, inputs: Vec<Input>, run: impl AsyncFn(&Input) -> Result<User, Refusal>) -> Done {
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for input in &inputs {
        match run(input).await {
            Ok(user) => good.push(shown(&user)),
            Err(refusal) => failed.push(json!({"failure": refusal.of_one()?, "user": {
                "loginIds": input.login_id.iter().collect::<Vec<_>>(),
                "email": input.email.as_deref().unwrap_or_default(),
                "phone": input.phone.as_deref().unwrap_or_default(),
            }})),
        }
    }
    let mut body = Map::new();
    body.insert(member.to_owned(), Value::Array(good));
    body.insert("failedUsers".to_owned(), Value::Array(failed));
    body.insert("additionalErrors".to_owned(), json!({}));
    Ok(answer(200, &body)?)
}

pub(super) async fn load(call: Call) -> Done {
    let id = call.parameter("userId")?;
    let user = match (call.parameter("loginId")?, id) {
        (None, Some(id)) => call.app.identity.user(&call.context, &id).await?,
        (login_id, _) => named(&call, login_id.as_deref()).await?,
    };
    one(&user, false)
}

/// Users by their ids.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UserIds {
    user_ids: Option<Vec<String>>,
}

impl UserIds {
    fn ids(self) -> Result<Vec<String>, Refusal> {
        let ids = self.user_ids.unwrap_or_default();
        check_count("userIds", ids.len()).map(|()| ids)
    }
}

/// The users with these ids, without those who are unknown.
pub(super) async fn load_many(mut call: Call) -> Done {
    let request: UserIds = call.json().await?;
    let mut users = Vec::new();
    for id in request.ids()? {
        match call.app.identity.user(&call.context, &id).await {
            Err(Error::NoUser) => {}
            user => users.push(shown(&user?)),
        }
    }
    Ok(answer(200, &json!({"total": users.len(), "users": users}))?)
}

/// A user by one of its names, or by its id.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OneUser {
    login_id: Option<String>,
    user_id: Option<String>,
}

pub(super) async fn delete(mut call: Call) -> Done {
    let OneUser { login_id, user_id } = call.json().await?;
    let id = match user_id.filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => named(&call, login_id.as_deref()).await?.id().to_owned(),
    };
    call.app.identity.delete(&call.context, &id).await?;
    nothing()
}

/// Deletes the users with these ids; whoever is unknown is gone already.
pub(super) async fn delete_many(mut call: Call) -> Done {
    let request: UserIds = call.json().await?;
    for id in request.ids()? {
        match call.app.identity.delete(&call.context, &id).await {
            Ok(()) | Err(Error::NoUser) => {}
            Err(error) => return Err(error.into()),
        }
    }
    nothing()
}

/// Where an account shall be in its life.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateStatus {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    /// `enabled`, `disabled` or `invited`.
    status: Option<String>,
}

pub(super) async fn update_status(mut call: Call) -> Done {
    let UpdateStatus { login_id, status } = call.json().await?;
    let state = state(required("status", status.as_deref())?)?;
    change(&call, login_id.as_deref(), |draft| {
        draft.set_state(state);
        Ok(())
    })
    .await
}

/// What a user is to be called.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateName {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    #[serde(flatten)]
    name: Name,
}

pub(super) async fn update_name(mut call: Call) -> Done {
    let UpdateName { login_id, name } = call.json().await?;
    change(&call, login_id.as_deref(), |draft| name.apply(draft)).await
}

/// A picture.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdatePicture {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    /// The address of the picture; none takes it away.
    picture: Option<String>,
}

pub(super) async fn update_picture(mut call: Call) -> Done {
    let UpdatePicture { login_id, picture } = call.json().await?;
    let picture = picture.unwrap_or_default();
    change(&call, login_id.as_deref(), |draft| set_picture(draft, &picture)).await
}

/// Something that the tenant defined.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateCustomAttribute {
    /// A name that the user logs in by, or the user's id.
    login_id: Option<String>,
    attribute_key: Option<String>,
    /// The value; null takes it away.
    attribute_value: Value,
}

pub(super) async fn update_custom_attribute(mut call: Call) -> Done {
    let UpdateCustomAttribute { login_id, attribute_key, attribute_value } = call.json().await?;
    let key = required("attributeKey", attribute_key.as_deref())?;
    change(&call, login_id.as_deref(), |draft| {
        draft.merge_bag(&Bag::Attributes, Map::from_iter([(key.to_owned(), attribute_value.clone())]))
    })
    .await
}

async fn change(
    call: &Call,
    login_id: Option<&str>,
    edit: impl Fn(&mut Draft<'_>) -> Result<(), Error>,
) -> Result<HttpResponse, Refusal> {
    let user = named(call, login_id).await?;
    let (user, ()) = call.app.identity.change(&call.context, user.id(), edit).await?;
    one(&user, false)
}
