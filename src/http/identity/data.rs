//! Data beside SCIM's, in bags, and passwords.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::context::Permission;
use crate::http::api::{Answer, Call, Operation, Run, answer, schema};
use crate::http::error::Failure;
use crate::http::identity::failing::refuse;
use crate::http::identity::view::ShownUser;
use crate::identity::{Bag, Draft, Error};
use crate::scim::error::ScimError;

const CONTENT: Answer = Answer(200, "What is in the bag", Some(schema::<Map<String, Value>>));
const USER: Answer = Answer(200, "The user", Some(schema::<ShownUser>));
const MISSING: Answer = Answer(404, "There is no such user", None);

pub(super) const GET: Operation = Operation {
    method: "GET",
    path: "/identity/v1/users/{id}/data/{bag}",
    summary: "Get a user's data",
    takes: None,
    answers: &[CONTENT, MISSING],
    run: Run::For(Permission::ReadIdentity, |call| Box::pin(get(call))),
};

pub(super) const MERGE: Operation = Operation {
    method: "PATCH",
    path: "/identity/v1/users/{id}/data/{bag}",
    summary: "Merge into a user's data: members are replaced, null removes one",
    takes: Some(schema::<Map<String, Value>>),
    answers: &[CONTENT, MISSING],
    run: Run::For(Permission::WriteIdentity, |call| {
        Box::pin(write(call, |draft, bag, values| draft.merge_bag(bag, values)))
    }),
};

pub(super) const REPLACE: Operation = Operation {
    method: "PUT",
    path: "/identity/v1/users/{id}/data/{bag}",
    summary: "Replace a user's data",
    takes: Some(schema::<Map<String, Value>>),
    answers: &[CONTENT, MISSING],
    run: Run::For(Permission::WriteIdentity, |call| {
        Box::pin(write(call, |draft, bag, values| draft.replace_bag(bag, values)))
    }),
};

pub(super) const CREATE_PASSWORD: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/password",
    summary: "Give a password to a user who has none",
    takes: Some(schema::<Password>),
    answers: &[USER, MISSING, Answer(409, "The user has one", None)],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(create_password(call))),
};

pub(super) const SET_PASSWORD: Operation = Operation {
    method: "PUT",
    path: "/identity/v1/users/{id}/password",
    summary: "Set a user's password",
    takes: Some(schema::<Password>),
    answers: &[USER, MISSING],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(set_password(call))),
};

pub(super) const REMOVE_PASSWORD: Operation = Operation {
    method: "DELETE",
    path: "/identity/v1/users/{id}/password",
    summary: "Take a user's password away",
    takes: None,
    answers: &[USER, MISSING, Answer(409, "The user has none", None)],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(remove_password(call))),
};

pub(super) const CHANGE_PASSWORD: Operation = Operation {
    method: "POST",
    path: "/identity/v1/users/{id}/password/change",
    summary: "Change a user's password, with the old one",
    takes: Some(schema::<PasswordChange>),
    answers: &[
        USER,
        MISSING,
        Answer(400, "The old password is wrong", None),
        Answer(409, "The user has none", None),
    ],
    run: Run::For(Permission::WriteIdentity, |call| Box::pin(change_password(call))),
};

/// A password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Password {
    /// The password.
    password: String,
    /// Whether it has to be changed at the next login.
    #[serde(default)]
    temporary: bool,
}

/// A new password in the place of an old one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password that counts now.
    old_password: String,
    /// The one that shall count.
    new_password: String,
}

/// The bag that the path names; what is known of the account is none of them.
fn bag(call: &Call) -> Result<Bag, Failure> {
    let name = call.capture(1);
    Bag::named(name).filter(|bag| *bag != Bag::Account).ok_or_else(|| {
        let known = "custom, public, private, claims, attributes and app:NAME";
        ScimError::value(format!("{name:?} names no data; there are {known}")).into()
    })
}

async fn get(call: Call) -> Result<HttpResponse, Failure> {
    let bag = bag(&call)?;
    match call.app.identity.user(&call.context, call.capture(0)).await {
        Ok(user) => answer(200, &user.bag(&bag).cloned().unwrap_or_default()),
        Err(error) => refuse(error),
    }
}

/// What is done with a bag and what a request brings for it.
type Edit = fn(&mut Draft<'_>, &Bag, Map<String, Value>) -> Result<(), Error>;

async fn write(mut call: Call, edit: Edit) -> Result<HttpResponse, Failure> {
    let bag = bag(&call)?;
    let values: Map<String, Value> = call.json().await?;
    let change = |draft: &mut Draft<'_>| edit(draft, &bag, values.clone());
    match call.app.identity.change(&call.context, call.capture(0), change).await {
        Ok((user, ())) => answer(200, &user.bag(&bag).cloned().unwrap_or_default()),
        Err(error) => refuse(error),
    }
}

async fn create_password(mut call: Call) -> Result<HttpResponse, Failure> {
    let given: Password = call.json().await?;
    change(&call, |draft| match draft.user().has_password() {
        true => Err(Error::HasPassword),
        false => draft.set_password(&given.password, given.temporary),
    })
    .await
}

async fn set_password(mut call: Call) -> Result<HttpResponse, Failure> {
    let given: Password = call.json().await?;
    change(&call, |draft| draft.set_password(&given.password, given.temporary)).await
}

async fn remove_password(call: Call) -> Result<HttpResponse, Failure> {
    change(&call, |draft| match draft.user().has_password() {
        false => Err(Error::NoPassword),
        true => {
            draft.remove_password();
            Ok(())
        }
    })
    .await
}

async fn change_password(mut call: Call) -> Result<HttpResponse, Failure> {
    let given: PasswordChange = call.json().await?;
    let (identity, id) = (&call.app.identity, call.capture(0));
    match identity.change_password(&call.context, id, &given.old_password, &given.new_password).await {
        Ok(user) => answer(200, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}

async fn change(
    call: &Call,
    edit: impl Fn(&mut Draft<'_>) -> Result<(), Error>,
) -> Result<HttpResponse, Failure> {
    match call.app.identity.change(&call.context, call.capture(0), edit).await {
        Ok((user, ())) => answer(200, &ShownUser::from(&user)),
        Err(error) => refuse(error),
    }
}
