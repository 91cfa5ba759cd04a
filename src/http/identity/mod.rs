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

use crate::http::api::{Api, Operation};
use crate::http::{auth, problem};

/// The API.
pub(super) const API: Api = Api {
    name: "Identity",
    mounts: &["/identity/v1"],
    operations: &OPERATIONS,
    token: auth::bearer,
    key: None,
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
