//! The native identity API, under `/identity/v1`: users, their contacts, verification, data and passwords.
//!
//! Invariant: it translates and decides nothing; every rule is in [`crate::identity`]. What a [`User`] shows is one shape,
//! whatever the request.

mod contacts;
mod data;
mod failing;
mod links;
mod users;
mod verifications;
mod view;

use crate::http::api::{Api, Operation, Parameter, schema};
use crate::http::auth;
use crate::http::problem::{self, Problem};

/// The API.
pub(super) const API: Api = Api {
    name: "Identity",
    mounts: &["/identity/v1"],
    operations: &OPERATIONS,
    parameters: &PARAMETERS,
    refusal: schema::<Problem>,
    refuses: &[],
    token: auth::bearer,
    key: None,
    headers: &[],
    shows: &[],
    spelling: problem::spell,
};

const OPERATIONS: [Operation; 27] = [
    users::LIST,
    users::COUNT,
    users::CREATE,
    users::FIND,
    users::GET,
    users::UPDATE,
    users::DELETE,
    users::GROUPS,
    contacts::ADD,
    contacts::GET,
    contacts::REMOVE,
    contacts::MAKE_PRIMARY,
    contacts::VERIFY,
    contacts::UNVERIFY,
    contacts::SET_PRIMARY,
    contacts::REMOVE_PRIMARY,
    verifications::START,
    verifications::RESEND,
    verifications::COMPLETE,
    links::OPEN,
    data::GET,
    data::MERGE,
    data::REPLACE,
    data::SET_PASSWORD,
    data::CREATE_PASSWORD,
    data::REMOVE_PASSWORD,
    data::CHANGE_PASSWORD,
];

const PARAMETERS: [Parameter; 13] = [
    Parameter("id", "string", "The user's id, which is also SCIM's"),
    Parameter("filter", "string", "A SCIM filter (RFC 7644 §3.4.2.2)"),
    Parameter("sort", "string", "The attribute to sort by, as SCIM names it"),
    Parameter("order", "string", "`ascending`, which it is if it is missing, or `descending`"),
    Parameter("offset", "integer", "How many matches to pass over"),
    Parameter("limit", "integer", "How many users to show: 100 if it is missing, 1000 at most"),
    Parameter(
        "name",
        "string",
        "What to find it by: `email`, `phone`, `user-name`, `login-id` or `external-id`",
    ),
    Parameter("value", "string", "The address, number, name or id"),
    Parameter(
        "primary",
        "boolean",
        "Whether only primary addresses and numbers count; `false` if it is missing",
    ),
    Parameter("contact", "string", "The contact's id, or its value"),
    Parameter("kind", "string", "`email` or `phone`"),
    Parameter("bag", "string", "`custom`, `public`, `private`, `claims`, `attributes`, or `app:NAME`"),
    Parameter("link", "string", "What stands at the end of the link in the message"),
];
