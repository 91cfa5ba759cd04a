//! Claims, and data that the user may or may not see; and the groups that the user is in.
//!
//! Invariant: a PATCH changes what it names, and null takes it away. The six claims that it may name are attributes of
//! SCIM's, so that providers and applications see one name.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::http::api::{Call, answer};
use crate::http::monocloud::refusal::Refusal;
use crate::http::monocloud::view::seconds;
use crate::http::monocloud::{Done, change, message, required, search};
use crate::identity::{Bag, Draft, Error};
use crate::scim::key::parse_instant;

/// Data that the user may see.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PublicData {
    public_data: Option<Map<String, Value>>,
}

/// Data that the user may not see.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PrivateData {
    private_data: Option<Map<String, Value>>,
}

/// A group that the user is in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownGroup {
    group_id: String,
    group_name: String,
    user_id: String,
    creation_time: i64,
}

/// Claims as they are to be: not given, null, or a text.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Claims {
    /// What the user is called as a whole.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    name: Given,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    given_name: Given,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    middle_name: Given,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    family_name: Given,
    /// What friends say.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    nickname: Given,
    /// Where a picture of the user is.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    picture: Given,
}

/// A value that may be null; none if it is not given.
type Given = Option<Option<String>>;

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Claims {
    /// Name, given, middle and family name, nickname and picture.
    pub(super) fn new([name, given_name, middle_name, family_name, nickname, picture]: [Given; 6]) -> Self {
        Self { name, given_name, middle_name, family_name, nickname, picture }
    }

    /// Puts them into a user.
    pub(super) fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        for (attribute, value) in [("displayName", &self.name), ("nickName", &self.nickname)] {
            if let Some(value) = value {
                draft.set(attribute, &json!(value))?;
            }
        }
        if let Some(picture) = &self.picture {
            let photo = picture.as_ref().map(|picture| json!([{"value": picture, "type": "photo"}]));
            draft.set("photos", &json!(photo))?;
        }
        let parts = [
            ("givenName", &self.given_name),
            ("middleName", &self.middle_name),
            ("familyName", &self.family_name),
        ];
        let mut name = draft.user().attribute("name").and_then(Value::as_object).cloned().unwrap_or_default();
        let before = name.clone();
        for (part, value) in parts {
            if let Some(value) = value {
                name.insert(part.to_owned(), json!(value));
            }
        }
        if name == before { Ok(()) } else { draft.set("name", &Value::Object(name)) }
    }
}

pub(super) async fn set_claims(mut call: Call) -> Done {
    let claims: Claims = message(&mut call).await?;
    change(&call, |draft| claims.apply(draft)).await
}

/// The content of a bag.
async fn read(call: &Call, bag: &Bag) -> Result<Option<Map<String, Value>>, Refusal> {
    let user = call.app.identity.user(&call.context, call.capture(0)).await?;
    Ok(Some(user.bag(bag).cloned().unwrap_or_default()))
}

/// Merges into a bag, and returns what is there then.
async fn merge(call: &Call, bag: &Bag, values: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let command = |draft: &mut Draft<'_>| draft.merge_bag(bag, values.clone());
    let (user, ()) = call.app.identity.change(&call.context, call.capture(0), command).await?;
    Ok(user.bag(bag).cloned().unwrap_or_default())
}

pub(super) async fn public(call: Call) -> Done {
    Ok(answer(200, &PublicData { public_data: read(&call, &Bag::Public).await? })?)
}

pub(super) async fn private(call: Call) -> Done {
    Ok(answer(200, &PrivateData { private_data: read(&call, &Bag::Private).await? })?)
}

pub(super) async fn merge_public(mut call: Call) -> Done {
    let PublicData { public_data } = message(&mut call).await?;
    let data = merge(&call, &Bag::Public, &required("public_data", public_data)?).await?;
    Ok(answer(200, &PublicData { public_data: Some(data) })?)
}

pub(super) async fn merge_private(mut call: Call) -> Done {
    let PrivateData { private_data } = message(&mut call).await?;
    let data = merge(&call, &Bag::Private, &required("private_data", private_data)?).await?;
    Ok(answer(200, &PrivateData { private_data: Some(data) })?)
}

pub(super) async fn groups(call: Call) -> Done {
    let page = search::Page::of(&call)?;
    let groups = call.app.identity.groups(&call.context, call.capture(0)).await?;
    let total = u64::try_from(groups.len()).unwrap_or(u64::MAX);
    let first = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let shown = groups.iter().skip(first).take(size).map(|group| ShownGroup {
        group_id: group.record.id.to_string(),
        group_name: group
            .resource
            .body()
            .get("displayName")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        user_id: call.capture(0).to_owned(),
        creation_time: parse_instant(&group.record.created).map(seconds).unwrap_or_default(),
    });
    page.answer(&shown.collect::<Vec<_>>(), total)
}
