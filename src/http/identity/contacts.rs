//! Contacts: added, removed, made primary, and said to be verified or not.
//!
//! A path names a contact by its id or by its value, percent-encoded.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::contact::{Add, Demotion, Primary, Select, SetPrimary, Source, Truth};
use crate::context::Permission;
use crate::http::api::{Answer, Call, Operation, Run, answer, schema};
use crate::http::error::Failure;
use crate::http::identity::failing::refuse;
use crate::http::identity::view::{Kind, ShownContact, ShownUser, kind_in, named};
use crate::identity::{Draft, Error};
use crate::scim::schema::ContactKind;

const USER: Answer = Answer(200, "The user", Some(schema::<ShownUser>));
const MISSING: Answer = Answer(404, "There is no such user or contact", None);
const TAKEN: Answer = Answer(409, "Another user has the value", None);

pub(super) const ADD: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/contacts",
    summary: "Add an e-mail address or phone number",
    takes: Some(schema::<NewContact>),
    answers: &[Answer(201, "The user", Some(schema::<ShownUser>)), MISSING, TAKEN],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(add(call))),
};

pub(super) const GET: Operation = Operation {
    method: "GET",
    path: "/identity/v1/users/{id}/contacts/{contact}",
    summary: "Get a contact by its id or value",
    takes: None,
    answers: &[Answer(200, "The contact", Some(schema::<ShownContact>)), MISSING],
    run: Run::For(Permission::ReadIdentity, |call| Box::pin(get(call))),
};

pub(super) const REMOVE: Operation = Operation {
    method: "DELETE",
    path: "/identity/v1/users/{id}/contacts/{contact}",
    summary: "Remove a contact; of the others the one that was verified first becomes primary, else the oldest",
    takes: None,
    answers: &[USER, MISSING],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(remove(call))),
};

pub(super) const MAKE_PRIMARY: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/contacts/{contact}/primary",
    summary: "Make a contact the primary one of its kind",
    takes: None,
    answers: &[USER, MISSING, TAKEN],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(make_primary(call))),
};

pub(super) const VERIFY: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/contacts/{contact}/verify",
    summary: "Say that a contact is known to be the user's",
    takes: None,
    answers: &[USER, MISSING, TAKEN],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(set_verified(call, Some(Source::Admin)))),
};

pub(super) const UNVERIFY: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/contacts/{contact}/unverify",
    summary: "Say that a contact is not known to be the user's",
    takes: None,
    answers: &[USER, MISSING],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(set_verified(call, None))),
};

pub(super) const SET_PRIMARY: Operation = Operation {
    method: "PUT",
    path: "/identity/v1/users/{id}/primary/{kind}",
    summary: "Set the primary email or phone",
    takes: Some(schema::<PrimaryValue>),
    answers: &[USER, MISSING, TAKEN],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(set_primary(call))),
};

pub(super) const REMOVE_PRIMARY: Operation = Operation {
    method: "DELETE",
    path: "/identity/v1/users/{id}/primary/{kind}",
    summary: "Remove the primary email or phone",
    takes: None,
    answers: &[USER, MISSING],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(remove_primary(call))),
};

/// An address or number that is to be added.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AddedContact")]
#[serde(deny_unknown_fields)]
struct NewContact {
    /// What it is.
    kind: Kind,
    /// The address or number.
    value: String,
    /// What sort it is, such as `work`.
    #[serde(rename = "type")]
    label: Option<String>,
    /// Whether it is known to be the user's.
    #[serde(default)]
    verified: bool,
    /// Whether it becomes the primary one; the first of its kind does anyway.
    #[serde(default)]
    primary: bool,
}

/// A primary address or number.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PrimaryValue {
    /// The address or number.
    value: String,
    /// Whether it is known to be the user's; if it is missing, a value that the user has stays what it is.
    verified: Option<bool>,
    /// Whether the one that was primary stays as a secondary one.
    #[serde(default)]
    keep_old: bool,
}

async fn add(mut call: Call) -> Result<HttpResponse, Failure> {
    let new: NewContact = call.json().await?;
    let add = Add {
        kind: new.kind.into(),
        value: new.value,
        label: new.label,
        truth: if new.verified { Truth::Verified(Source::Admin) } else { Truth::Unverified },
        primary: if new.primary { Primary::Yes } else { Primary::Auto },
    };
    change(&call, 201, |draft| {
        let now = draft.now();
        draft.contacts_mut().add(&add, now).map(drop).map_err(Error::from)
    })
    .await
}

async fn get(call: Call) -> Result<HttpResponse, Failure> {
    let user = match call.app.identity.user(&call.context, call.capture(0)).await {
        Ok(user) => user,
        Err(error) => return refuse(error),
    };
    let found = named(&user, call.capture(1)).and_then(|(kind, select)| user.contacts().find(kind, &select));
    match found {
        Some(contact) => {
            let primary = user.primary(contact.kind).is_some_and(|primary| primary.id == contact.id);
            answer(200, &ShownContact::of(contact, primary))
        }
        None => refuse(Error::NoContact(ContactKind::Email)),
    }
}

async fn remove(call: Call) -> Result<HttpResponse, Failure> {
    on_contact(&call, |draft, kind, select| Ok(draft.contacts_mut().remove(kind, select, true).map(drop)?))
        .await
}

async fn make_primary(call: Call) -> Result<HttpResponse, Failure> {
    on_contact(&call, |draft, kind, select| Ok(draft.contacts_mut().make_primary(kind, select).map(drop)?))
        .await
}

async fn set_verified(call: Call, source: Option<Source>) -> Result<HttpResponse, Failure> {
    on_contact(&call, |draft, kind, select| {
        let now = draft.now();
        Ok(draft.contacts_mut().set_verified(kind, select, source.clone(), false, now).map(drop)?)
    })
    .await
}

async fn set_primary(mut call: Call) -> Result<HttpResponse, Failure> {
    let kind = kind_in(&call, 1)?;
    let given: PrimaryValue = call.json().await?;
    let set = SetPrimary {
        kind,
        value: Some(given.value),
        truth: match given.verified {
            None => Truth::Keep,
            Some(true) => Truth::Verified(Source::Admin),
            Some(false) => Truth::Unverified,
        },
        old: if given.keep_old { Demotion::Keep } else { Demotion::Drop },
        only_if_other: false,
    };
    change(&call, 200, |draft| {
        let now = draft.now();
        draft.contacts_mut().set_primary(&set, now).map(drop).map_err(Error::from)
    })
    .await
}

async fn remove_primary(call: Call) -> Result<HttpResponse, Failure> {
    let kind = kind_in(&call, 1)?;
    change(&call, 200, |draft| Ok(draft.contacts_mut().remove(kind, &Select::Primary, true).map(drop)?)).await
}

/// Does something with the contact that the path names.
async fn on_contact(
    call: &Call,
    edit: impl Fn(&mut Draft<'_>, ContactKind, &Select) -> Result<(), Error>,
) -> Result<HttpResponse, Failure> {
    change(call, 200, |draft| {
        let found = named(draft.user(), call.capture(1));
        let (kind, select) = found.ok_or(Error::NoContact(ContactKind::Email))?;
        edit(draft, kind, &select)
    })
    .await
}

/// Changes the user that the path names, and shows it.
async fn change(
    call: &Call,
    status: u16,
    edit: impl Fn(&mut Draft<'_>) -> Result<(), Error>,
) -> Result<HttpResponse, Failure> {
    match call.app.identity.change(&call.context, call.capture(0), edit).await {
        Ok((user, ())) => answer(status, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}
