//! Keys of users' devices: what the application's server registers, and the one that a user sees.
//!
//! Invariant: Muster keeps keys for the application and uses none: who may be let in is decided where signatures are
//! checked. A public key goes in and never comes out, as the vendor's answers have no place for it.

use actix_web::HttpResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::http::api::{Call, answer};
use crate::http::transmit::refusal::Refusal;
use crate::http::transmit::{Done, result};
use crate::identity::{Bag, Draft, Error, User};

/// The bag of the keys of a user's devices, by their ids.
pub(super) const DEVICES: &str = "default.devices";
/// The longest id of a key and the longest name of a device, in characters.
const ID_LIMIT: usize = 256;
/// How long the token is with which messages are pushed to a device.
const PUSH_TOKEN: std::ops::RangeInclusive<usize> = 32..=255;

/// How messages are pushed to a device.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
struct Push {
    device_token: String,
    /// `FCM` or `APN`.
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_id: Option<String>,
}

/// What is said of a device, and can be said anew.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(super) struct Device {
    /// What the user calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_config: Option<Push>,
}

/// A key that is to be registered.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewKey {
    key_id: String,
    /// In base64.
    public_key: String,
    #[serde(flatten)]
    device: Device,
}

/// A key as it is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Kept {
    public_key: String,
    blocked: bool,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
    #[serde(flatten)]
    device: Device,
}

/// A key as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
struct DeviceKey {
    key_id: String,
    /// `Active` or `Blocked`.
    status: &'static str,
    #[serde(flatten)]
    device: Device,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// An answer with a key in it.
#[derive(Serialize, JsonSchema)]
pub(super) struct KeyResult {
    /// The key.
    result: DeviceKey,
}

impl Device {
    fn check(&self) -> Result<(), Refusal> {
        let mut wrong = Vec::new();
        if self.display_name.as_ref().is_some_and(|name| name.chars().count() > ID_LIMIT) {
            wrong.push(format!("display_name must be shorter than or equal to {ID_LIMIT} characters"));
        }
        if let Some(push) = &self.push_config {
            if !PUSH_TOKEN.contains(&push.device_token.chars().count()) {
                let (least, most) = PUSH_TOKEN.into_inner();
                wrong.push(format!("push_config.device_token must have {least} to {most} characters"));
            }
            if !["FCM", "APN"].contains(&push.kind.as_str()) {
                wrong.push("push_config.type must be one of FCM, APN".into());
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Refusal::bad_for(&wrong)) }
    }

    /// Puts what is given in the place of what is there.
    fn merge(&mut self, other: &Self) {
        let Self { display_name, custom_data, push_config } = other.clone();
        self.display_name = display_name.or(self.display_name.take());
        self.custom_data = custom_data.or(self.custom_data.take());
        self.push_config = push_config.or(self.push_config.take());
    }
}

fn bag() -> Bag {
    Bag::App(DEVICES.into())
}

fn missing() -> Refusal {
    Refusal::says(404, "Device key not found")
}

/// The key with this id. What anybody else put into the bag is none.
fn key(user: &User, id: &str) -> Option<Kept> {
    serde_json::from_value(user.bag(&bag())?.get(id)?.clone()).ok()
}

/// A user's keys, the first one first.
fn keys(user: &User) -> Vec<(String, Kept)> {
    let ids = user.bag(&bag()).into_iter().flat_map(Map::keys);
    let mut keys: Vec<_> = ids.filter_map(|id| Some((id.clone(), key(user, id)?))).collect();
    keys.sort_by_key(|(_, key)| key.created);
    keys
}

fn shown(id: &str, key: Kept) -> DeviceKey {
    let Kept { blocked, created, updated, device, .. } = key;
    let status = if blocked { "Blocked" } else { "Active" };
    DeviceKey { key_id: id.to_owned(), status, device, created_at: created, updated_at: updated }
}

fn keep(draft: &mut Draft<'_>, id: &str, key: Option<&Kept>) -> Result<(), Error> {
    draft.merge_bag(&bag(), Map::from_iter([(id.to_owned(), json!(key))]))
}

/// Changes the key that stands behind the user in the path, or takes it away.
async fn change(call: &Call, change: impl Fn(Kept) -> Option<Kept>) -> Result<(), Refusal> {
    let id = call.capture(1);
    let command = |draft: &mut Draft<'_>| -> Result<Result<(), Refusal>, Error> {
        let Some(key) = key(draft.user(), id) else { return Ok(Err(missing())) };
        let changed = change(key).map(|key| Kept { updated: draft.now(), ..key });
        keep(draft, id, changed.as_ref()).map(Ok)
    };
    let (_, done) = call.app.identity.change(&call.context, call.capture(0), command).await?;
    done
}

fn one(id: &str, key: Kept) -> Done {
    Ok(answer(200, &KeyResult { result: shown(id, key) })?)
}

pub(super) async fn add(mut call: Call) -> Done {
    let NewKey { key_id, public_key, device } = call.json().await?;
    device.check()?;
    if !(1..=ID_LIMIT).contains(&key_id.chars().count()) {
        return Err(Refusal::bad(format!("key_id must have 1 to {ID_LIMIT} characters")));
    }
    if public_key.is_empty() || STANDARD.decode(&public_key).is_err() {
        return Err(Refusal::bad("public_key must be a key in base64"));
    }
    let command = |draft: &mut Draft<'_>| -> Result<Result<(), Refusal>, Error> {
        if key(draft.user(), &key_id).is_some() {
            return Ok(Err(Refusal::says(409, "Device key already exists")));
        }
        let (created, public_key, device) = (draft.now(), public_key.clone(), device.clone());
        let key = Kept { public_key, blocked: false, created, updated: created, device };
        keep(draft, &key_id, Some(&key)).map(Ok)
    };
    let (_, done) = call.app.identity.change(&call.context, call.capture(0), command).await?;
    done?;
    Ok(HttpResponse::Created().finish())
}

pub(super) async fn list(call: Call) -> Done {
    let user = call.app.identity.user(&call.context, call.capture(0)).await?;
    let shown = keys(&user).into_iter().map(|(id, key)| shown(&id, key));
    result(200, shown.collect::<Vec<_>>())
}

pub(super) async fn get(call: Call) -> Done {
    let user = call.app.identity.user(&call.context, call.capture(0)).await?;
    let id = call.capture(1);
    one(id, key(&user, id).ok_or_else(missing)?)
}

pub(super) async fn update(mut call: Call) -> Done {
    let given: Device = call.json().await?;
    given.check()?;
    let merged = |mut key: Kept| {
        key.device.merge(&given);
        Some(key)
    };
    change(&call, merged).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(super) async fn delete(call: Call) -> Done {
    change(&call, |_| None).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn block(call: Call) -> Done {
    change(&call, |key| Some(Kept { blocked: true, ..key })).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(super) async fn unblock(call: Call) -> Done {
    change(&call, |key| Some(Kept { blocked: false, ..key })).await?;
    Ok(HttpResponse::Ok().finish())
}

/// One's own: the key that was added last, as the vendor's answer has one key in it and no list.
pub(super) async fn own(call: Call) -> Done {
    let user = call.app.identity.user(&call.context, call.subject()?).await?;
    let last = keys(&user).pop();
    let (id, key) =
        last.ok_or_else(|| Refusal::says(404, format!("User {} has no device keys", user.id())))?;
    one(&id, key)
}
