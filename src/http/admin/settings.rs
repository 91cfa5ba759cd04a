//! What the tenant decides for itself: the policies and settings, by their names.
//!
//! Invariant: what is not set is the profile's to say. A value that stored resources contradict is not taken.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Overrides, Setting};
use crate::context::Permission;
use crate::http::api::{Answer, Call, Operation, Run, answer, schema};
use crate::http::error::Failure;
use crate::scim::error::{ErrorKind, ScimError};

const ONE: Answer = Answer(200, "The setting", Some(schema::<SettingItem>));
const CONTRADICTED: Answer = Answer(409, "Stored resources contradict it", None);

pub(super) const OPERATIONS: [Operation; 4] = [
    Operation {
        method: "GET",
        path: "/admin/v1/settings",
        summary: "List what the tenant can decide for itself, and what it has decided",
        takes: None,
        answers: &[Answer(200, "The settings", Some(schema::<SettingList>))],
        run: Run::For(Permission::Administer, |call| Box::pin(list(call))),
    },
    Operation {
        method: "GET",
        path: "/admin/v1/settings/{setting}",
        summary: "Get a setting",
        takes: None,
        answers: &[ONE],
        run: Run::For(Permission::Administer, |call| Box::pin(get(call))),
    },
    Operation {
        method: "PUT",
        path: "/admin/v1/settings/{setting}",
        summary: "Decide it for all clients of the tenant, whatever their profile says",
        takes: Some(schema::<NewValue>),
        answers: &[ONE, CONTRADICTED],
        run: Run::For(Permission::Administer, |call| Box::pin(set(call))),
    },
    Operation {
        method: "DELETE",
        path: "/admin/v1/settings/{setting}",
        summary: "Leave it to the profiles of the clients again",
        takes: None,
        answers: &[Answer(204, "The tenant no longer decides it", None), CONTRADICTED],
        run: Run::For(Permission::Administer, |call| Box::pin(unset(call))),
    },
];

/// The settings of a tenant.
#[derive(Serialize, JsonSchema)]
struct SettingList {
    /// The settings.
    settings: Vec<SettingItem>,
}

/// A setting.
#[derive(Serialize, JsonSchema)]
struct SettingItem {
    /// Its name.
    name: String,
    /// What it decides.
    about: &'static str,
    /// What its value may be, in words.
    values: &'static str,
    /// What the tenant has decided; missing if it leaves that to the profiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Whether the tenant has decided it.
    overridden: bool,
    /// What is so otherwise, for a client with the profile of that name.
    defaults: BTreeMap<&'static str, String>,
}

/// What a setting shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewValue {
    /// `on` or `off` for a policy, a text for another setting.
    value: String,
}

impl SettingItem {
    fn of(name: &str, own: &Overrides) -> Option<Self> {
        let Setting { values, about, defaults, .. } = Setting::named(name)?;
        let value = own.get(name);
        let overridden = value.is_some();
        Some(Self { name: name.to_owned(), about, values, value, overridden, defaults: defaults.into() })
    }
}

async fn list(call: Call) -> Result<HttpResponse, Failure> {
    let own = overrides(&call).await?;
    let all = Setting::all();
    let names = all.iter().map(|setting| setting.name);
    let more = own.names().filter(|name| all.iter().all(|setting| setting.name != *name));
    let settings = names.chain(more).filter_map(|name| SettingItem::of(name, &own)).collect();
    answer(200, &SettingList { settings })
}

async fn get(call: Call) -> Result<HttpResponse, Failure> {
    show(call.capture(0), &overrides(&call).await?)
}

async fn set(mut call: Call) -> Result<HttpResponse, Failure> {
    let NewValue { value } = call.json().await?;
    let (name, tenant) = (call.capture(0), call.context.caller.tenant);
    let Setting { values, .. } = known(name)?;
    let assignment = format!("{name}={value}");
    if Overrides::default().set(&assignment).is_err() {
        return Err(ScimError::value(format!("value: {name} is {values}")).into());
    }
    let own = call.app.access.change_overrides(tenant, |own| own.set(&assignment)).await?;
    show(name, &own)
}

async fn unset(call: Call) -> Result<HttpResponse, Failure> {
    let (name, tenant) = (call.capture(0), call.context.caller.tenant);
    known(name)?;
    call.app.access.change_overrides(tenant, |own| own.unset(name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn overrides(call: &Call) -> Result<Overrides, Failure> {
    Ok(call.app.access.overrides(call.context.caller.tenant).await?)
}

fn show(name: &str, own: &Overrides) -> Result<HttpResponse, Failure> {
    match SettingItem::of(name, own) {
        Some(item) => answer(200, &item),
        None => Err(unknown(name)),
    }
}

fn known(name: &str) -> Result<Setting, Failure> {
    Setting::named(name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Failure {
    ScimError::new(ErrorKind::NotFound, format!("there is no setting {name}")).into()
}
