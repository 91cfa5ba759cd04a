//! The administration of the caller's own tenant, under `/admin/v1`.
//!
//! Invariant: nothing here names another tenant, so nothing here can reach one.

mod deleted;
mod schemas;
mod settings;
mod tokens;

use crate::http::api::{Api, Operation, Parameter, schema};
use crate::http::auth;
use crate::http::problem::{self, Problem};

/// The API.
pub(super) const API: Api = Api {
    name: "Administration",
    mounts: &["/admin/v1"],
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

const OPERATIONS: [Operation; 18] = {
    let [a, b, c] = tokens::OPERATIONS;
    let [d, e, f, g, h, i, j, k] = schemas::OPERATIONS;
    let [l, m, n] = deleted::OPERATIONS;
    let [o, p, q, r] = settings::OPERATIONS;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r]
};

const PARAMETERS: [Parameter; 6] = [
    Parameter("id", "string", "The number of the token"),
    Parameter("urn", "string", "The URN of the schema"),
    Parameter("name", "string", "The name of the resource type"),
    Parameter("setting", "string", "The name of the setting"),
    Parameter("resource", "string", "The id of the resource"),
    Parameter("after", "string", "The `next` of the page before"),
];
