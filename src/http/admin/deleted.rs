//! What was deleted and can be restored: listing it, restoring it, and removing it for good.
//!
//! Invariant: nothing of a resource is shown but what it was and what it was called.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Permission;
use crate::directory::Deleted;
use crate::http::api::{Answer, Call, Operation, Run, answer, schema};
use crate::http::error::Failure;
use crate::scim::error::ScimError;
use crate::scim::key::parse_instant;

/// How many a page has.
const PAGE: u32 = 500;

pub(super) const OPERATIONS: [Operation; 3] = [
    Operation {
        method: "GET",
        path: "/admin/v1/deleted{?after}",
        summary: "List what was deleted and can be restored",
        takes: None,
        answers: &[Answer(
            200,
            "A page, in the order in which the resources were made",
            Some(schema::<Page>),
        )],
        run: Run::For(Permission::Administer, |call| Box::pin(list(call))),
    },
    Operation {
        method: "POST",
        path: "/admin/v1/deleted/{resource}/restore",
        summary: "Restore a resource, also as a member of its groups",
        takes: None,
        answers: &[
            Answer(204, "It is there again", None),
            Answer(404, "Nothing that can be restored has this id", None),
            Answer(409, "Another resource has a value that must be unique by now", None),
        ],
        run: Run::For(Permission::Administer, |call| Box::pin(restore(call))),
    },
    Operation {
        method: "DELETE",
        path: "/admin/v1/deleted/{resource}",
        summary: "Remove a deleted resource for good",
        takes: None,
        answers: &[
            Answer(204, "It is gone", None),
            Answer(404, "Nothing that can be restored has this id", None),
        ],
        run: Run::For(Permission::Administer, |call| Box::pin(purge(call))),
    },
];

/// A page of deleted resources.
#[derive(Serialize, JsonSchema)]
struct Page {
    /// The resources.
    deleted: Vec<Shown>,
    /// What to send as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A deleted resource.
#[derive(Serialize, JsonSchema)]
struct Shown {
    /// Its id.
    id: String,
    /// The name of its resource type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// What it was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// When it was deleted.
    at: Option<DateTime<Utc>>,
    /// Until when it can be restored.
    until: Option<DateTime<Utc>>,
    /// The client that deleted it.
    by: String,
}

impl From<Deleted> for Shown {
    fn from(deleted: Deleted) -> Self {
        Self {
            id: deleted.record.id.to_string(),
            kind: deleted.kind,
            name: deleted.label,
            at: parse_instant(&deleted.at),
            until: parse_instant(&deleted.until),
            by: deleted.who,
        }
    }
}

async fn list(call: Call) -> Result<HttpResponse, Failure> {
    let wrong = |_| ScimError::value("after must be the next of the page before");
    let after = call.parameter("after")?.map_or(Ok(0), |after| after.parse().map_err(wrong))?;
    let found = call.app.directory.deleted(&call.context, after, PAGE).await?;
    let is_full = found.len() as u64 >= u64::from(PAGE);
    let next = found.last().filter(|_| is_full).map(|last| last.record.pk.to_string());
    answer(200, &Page { deleted: found.into_iter().map(Shown::from).collect(), next })
}

async fn restore(call: Call) -> Result<HttpResponse, Failure> {
    call.app.directory.restore(&call.context, call.capture(0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn purge(call: Call) -> Result<HttpResponse, Failure> {
    call.app.directory.purge(&call.context, call.capture(0)).await?;
    Ok(HttpResponse::NoContent().finish())
}
