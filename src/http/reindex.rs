//! What the server does between requests: after a tenant's schemas have changed, it writes facts anew, and judges the
//! changes whose makers have died.
//!
//! Invariant: one process works at a tenant at a time. One that dies is followed by another, which begins again: what is
//! right already is only read.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::access::{Access, AccessError, HOLD, Reindexing};
use crate::context::Context;
use crate::directory::{Directory, Failure};
use crate::http::error::with_causes;

/// How often the store is asked whether there is something to do.
const PAUSE: Duration = Duration::from_secs(2);

/// Works until it is dropped.
pub(super) async fn run(access: Access, directory: Directory) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Err(cause) = judge(&access).await {
            tracing::warn!(cause, "a change of schemas could not be judged; it is tried again");
        }
        if let Err(cause) = all(&access, &directory).await {
            tracing::warn!(cause, "facts could not be written anew; it is tried again");
        }
    }
}

/// Lets the changes stand that stored resources do not contradict, and undoes the others.
async fn judge(access: &Access) -> Result<(), String> {
    let told = |error: AccessError| with_causes(&error);
    for mut change in access.unjudged(clock()).await.map_err(told)? {
        if !access.hold_unjudged(&mut change, clock() + HOLD).await.map_err(told)? {
            continue;
        }
        let (tenant, version) = (change.tenant.0, change.version);
        match access.judge(&change, clock()).await {
            Ok(()) => tracing::info!(tenant, version, "a change of schemas stands that nobody had judged"),
            Err(AccessError::InTheWay(why)) => {
                tracing::warn!(tenant, version, %why, "a change of schemas was undone that nobody had judged");
            }
            Err(error) => return Err(told(error)),
        }
    }
    Ok(())
}

async fn all(access: &Access, directory: &Directory) -> Result<(), String> {
    let told = |error: AccessError| with_causes(&error);
    for mut reindexing in access.reindexings(clock()).await.map_err(told)? {
        if access.hold_reindexing(&mut reindexing, clock() + HOLD).await.map_err(told)? {
            one(access, directory, reindexing).await?;
        }
    }
    Ok(())
}

async fn one(access: &Access, directory: &Directory, mut reindexing: Reindexing) -> Result<(), String> {
    let told = |error: AccessError| with_causes(&error);
    let caller = access.operator(&reindexing.name, "reindex").await.map_err(told)?;
    let tenant = caller.tenant_name.clone();
    tracing::info!(tenant, "writing facts anew, as the schemas have changed");
    let mut walk = directory.check(Context { caller, now: clock(), request: "reindex".to_owned() }, true);
    let (mut mended, mut left) = (0, 0);
    while let Some(findings) = walk.next().await.map_err(|error: Failure| with_causes(&error))? {
        mended += findings.wrong.len() as u64 - findings.left;
        left += findings.left;
        if !access.hold_reindexing(&mut reindexing, clock() + HOLD).await.map_err(told)? {
            return Ok(());
        }
    }
    tracing::info!(tenant, mended, left, "facts are as the schemas have them");
    access.end_reindexing(&reindexing).await.map_err(told)
}

#[expect(
    clippy::disallowed_methods,
    reason = "what runs between requests has no request to take the time from"
)]
fn clock() -> DateTime<Utc> {
    Utc::now()
}
