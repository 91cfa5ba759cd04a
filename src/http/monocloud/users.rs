//! Users: made, read, listed, disabled and deleted, and their names.
//!
//! Invariant: a user who is made has a name, an address or a number, and takes effect as a whole.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::contact::Add;
use crate::http::api::Call;
use crate::http::monocloud::credentials::Given;
use crate::http::monocloud::data::Claims;
use crate::http::monocloud::identifiers::new;
use crate::http::monocloud::refusal::Refusal;
use crate::http::monocloud::view::ShownUser;
use crate::http::monocloud::{Done, change, message, required, search, whole};
use crate::identity::{Draft, State};
use crate::scim::schema::ContactKind;

/// A user that is to be made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct NewUser {
    /// The name to log in by.
    username: Option<String>,
    email: Option<String>,
    /// Whether the address is known to be the user's.
    email_verified: Option<bool>,
    /// The number, with + and its country code.
    phone_number: Option<String>,
    /// Whether the number is known to be the user's.
    phone_number_verified: Option<bool>,
    password: Option<String>,
    /// The hash of the password, in its place.
    password_hash: Option<String>,
    /// Whether the password has to be changed at the first login.
    is_temporary_password: Option<bool>,
    /// What the user is called as a whole; in its parts below.
    name: Option<String>,
    given_name: Option<String>,
    middle_name: Option<String>,
    family_name: Option<String>,
    /// What friends say.
    nickname: Option<String>,
    /// Where a picture of the user is.
    picture: Option<String>,
}

impl NewUser {
    /// What is said in claims.
    fn claims(&self) -> Claims {
        let Self { name, given_name, middle_name, family_name, nickname, picture, .. } = self;
        let given = [name, given_name, middle_name, family_name, nickname, picture].map(Option::clone);
        Claims::new(given.map(|value| value.map(Some)))
    }
}

/// A name to log in by.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewName {
    username: Option<String>,
}

pub(super) async fn create(mut call: Call) -> Done {
    let new_user: NewUser = message(&mut call).await?;
    let password = Given::of(new_user.password.clone(), new_user.password_hash.clone())?;
    let claims = new_user.claims();
    let NewUser { username, email, phone_number, .. } = &new_user;
    if username.is_none() && email.is_none() && phone_number.is_none() {
        let reason = "A user has a username, an email or a phone number.";
        return Err(Refusal::Rule("IdentifierRequired", reason.into()));
    }
    let email = email.clone().map(|email| new(ContactKind::Email, email, new_user.email_verified));
    let phone =
        phone_number.clone().map(|phone| new(ContactKind::Phone, phone, new_user.phone_number_verified));
    let identifiers: Vec<Add> = email.into_iter().chain(phone).collect();
    let made = |draft: &mut Draft<'_>| {
        draft.set_user_name(username.as_deref())?;
        let now = draft.now();
        for identifier in &identifiers {
            draft.contacts_mut().add(identifier, now)?;
        }
        claims.apply(draft)?;
        match &password {
            Some(password) => password.apply(draft, new_user.is_temporary_password),
            None => Ok(()),
        }
    };
    let (user, ()) = call.app.identity.create(&call.context, made).await?;
    whole(201, &user)
}

pub(super) async fn get(call: Call) -> Done {
    whole(200, &call.app.identity.user(&call.context, call.capture(0)).await?)
}

pub(super) async fn list(call: Call) -> Done {
    let page = search::Page::of(&call)?;
    let found = call.app.identity.search(&call.context, &search::query(&call, &page)?).await?;
    page.answer(&found.users.iter().map(ShownUser::brief).collect::<Vec<_>>(), found.total)
}

pub(super) async fn delete(call: Call) -> Done {
    call.app.identity.delete(&call.context, call.capture(0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn enable(call: Call) -> Done {
    change(&call, |draft| {
        draft.restore();
        Ok(())
    })
    .await
}

pub(super) async fn disable(call: Call) -> Done {
    change(&call, |draft| {
        draft.set_state(State::Suspended);
        Ok(())
    })
    .await
}

/// Nobody is blocked here: Muster does not see who fails to log in.
pub(super) async fn unblock(call: Call) -> Done {
    get(call).await
}

pub(super) async fn set_name(mut call: Call) -> Done {
    let NewName { username } = message(&mut call).await?;
    let name = required("username", username.filter(|name| !name.trim().is_empty()))?;
    change(&call, |draft| draft.set_user_name(Some(&name))).await
}

pub(super) async fn remove_name(call: Call) -> Done {
    change(&call, |draft| draft.set_user_name(None)).await
}
