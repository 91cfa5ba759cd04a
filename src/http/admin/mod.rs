//! The administration of the caller's own tenant, under `/admin/v1`.
//!
//! Invariant: nothing here names another tenant, so nothing here can reach one.

mod tokens;

use crate::http::api::Api;
use crate::http::{auth, problem};

/// The API.
pub(super) const API: Api = Api {
    name: "Administration",
    mounts: &["/admin/v1"],
    operations: &tokens::OPERATIONS,
    token: auth::bearer,
    spelling: problem::spell,
};
