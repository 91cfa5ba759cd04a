//! The administration of the caller's own tenant, under `/admin/v1`.
//!
//! Invariant: nothing here names another tenant, so nothing here can reach one.

mod deleted;
mod schemas;
mod tokens;

use crate::http::api::{Api, Operation};
use crate::http::{auth, problem};

/// The API.
pub(super) const API: Api = Api {
    name: "Administration",
    mounts: &["/admin/v1"],
    operations: &OPERATIONS,
    token: auth::bearer,
    key: None,
    spelling: problem::spell,
};

const OPERATIONS: [Operation; 14] = {
    let [a, b, c] = tokens::OPERATIONS;
    let [d, e, f, g, h, i, j, k] = schemas::OPERATIONS;
    let [l, m, n] = deleted::OPERATIONS;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n]
};
