//! MonoCloud's users API, under `/api/users`: users, their e-mail addresses and phone numbers, passwords and data.
//!
//! Invariant: nearly every change answers with the whole user. What is not known of users here (sign-ins, passkeys,
//! providers) is shown as none.

mod credentials;
mod data;
mod identifiers;
mod refusal;
mod search;
mod table;
mod users;
mod view;

use actix_web::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::api::{Api, Call, Parameter, answer};
use crate::http::error::Failure;
use crate::identity::{Draft, Error, User};
use refusal::Refusal;
use view::ShownUser;

/// The API.
pub(super) const API: Api = Api {
    name: "MonoCloud",
    mounts: &["/api/users"],
    operations: &table::OPERATIONS,
    parameters: &PARAMETERS,
    refusal: refusal::schema,
    refuses: &[404, 422, 429],
    token: key,
    key: Some(KEY),
    headers: &[KEY],
    shows: &[search::PAGINATION],
    spelling: refusal::spell,
};

const PARAMETERS: [Parameter; 6] = [
    Parameter("user_id", "string", "The user's id"),
    Parameter("identifier_id", "string", "The id of the e-mail address or phone number"),
    Parameter("filter", "string", "Which users, as a query of Lucene"),
    Parameter("sort", "string", "`KEY:1` or `KEY:-1`; the key is a date or a part of the name"),
    Parameter("page", "integer", "Which page, 1 for the first"),
    Parameter("size", "integer", "How many entries a page has"),
];

/// The header that has the token.
const KEY: &str = "x-api-key";

/// What came of an operation.
type Done = Result<HttpResponse, Refusal>;

/// The token that a request presents. A header that is no text is a token that nobody has.
fn key(request: &HttpRequest) -> Option<&str> {
    let key = request.headers().get(KEY)?.to_str().unwrap_or("\u{fffd}").trim();
    (!key.is_empty()).then_some(key)
}

/// The answer, or the refusal in this API's words; the failures of every API are left to it.
async fn spelled(done: impl Future<Output = Done>) -> Result<HttpResponse, Failure> {
    match done.await {
        Ok(response) => Ok(response),
        Err(refusal) => refusal.response(),
    }
}

/// The body; none is as good as an empty object. A member of a wrong type is refused by its name.
async fn message<T: DeserializeOwned>(call: &mut Call) -> Result<T, Refusal> {
    let object: Map<String, Value> = call.json_if_any().await?;
    serde_path_to_error::deserialize(Value::Object(object))
        .map_err(|error| Refusal::Field(error.path().to_string(), error.inner().to_string()))
}

/// What must be given.
fn required<T>(field: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::Field(field.to_owned(), format!("The {field} field is required.")))
}

/// The user as it is shown, under a status.
fn whole(status: u16, user: &User) -> Done {
    Ok(answer(status, &ShownUser::whole(user))?)
}

/// Changes the user that the path names, and shows it.
async fn change(call: &Call, edit: impl Fn(&mut Draft<'_>) -> Result<(), Error>) -> Done {
    let (user, ()) = call.app.identity.change(&call.context, call.capture(0), edit).await?;
    whole(200, &user)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_token_is_the_key_and_nothing_else() {
        let request = |name: &'static str, value: &'static str| {
            TestRequest::default().insert_header((name, value)).to_http_request()
        };
        assert_eq!(key(&request("X-API-KEY", " abc ")), Some("abc"));
        assert_eq!(key(&request("X-API-KEY", "")), None);
        assert_eq!(key(&request("Authorization", "Bearer abc")), None);
    }
}
