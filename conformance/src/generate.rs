//! Values that the runner makes for each scenario.
//!
//! Invariant: `run` is in no other scenario and no other run, so names made from it are nobody else's.

use crate::placeholder::Captured;
use crate::replay::Subject;
use crate::scenario::Scenario;
use crate::server::Server;
use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::SystemTime;

/// The largest body that is sent to find a limit.
const LARGEST: u64 = 32 * 1024 * 1024;
/// The longest list that is sent to find a limit.
const LONGEST: u64 = 100_000;

/// Captures them; a reason why the scenario cannot be carried out.
pub(crate) fn into(
    captured: &mut Captured,
    subject: &Subject,
    server: &Server,
    scenario: &Scenario,
    number: usize,
) -> Result<(), String> {
    let now = now();
    captured.insert("run", format!("x{:x}n{number:x}", now.timestamp_millis()));
    captured.insert("base", subject.base.trim_end_matches('/'));
    captured.insert("config", server.config.clone().unwrap_or_default());
    // As text, an hour ago looks later than now, and an hour ahead earlier: only who compares instants is right.
    captured.insert("ago", written(now - TimeDelta::hours(1), 14)?);
    captured.insert("ahead", written(now + TimeDelta::hours(1), -12)?);
    let uses = |name: &str| scenario.needs.iter().any(|need| need == name);
    let limit =
        |name: &str| server.config.as_ref().and_then(|config| config.pointer("/bulk")?.get(name)?.as_u64());
    if uses("many") {
        let most = limit("maxOperations").filter(|most| *most < LONGEST);
        let most = most.ok_or("bulk.maxOperations is not stated, or too large to be exceeded in a test")?;
        let one = json!({"method": "DELETE", "path": "/Users/0"});
        captured.insert("many", Value::Array(vec![one; usize::try_from(most).unwrap_or(0) + 1]));
    }
    if uses("large") {
        let most = limit("maxPayloadSize").filter(|most| *most < LARGEST);
        let most = most.ok_or("bulk.maxPayloadSize is not stated, or too large to be exceeded in a test")?;
        captured.insert("large", "x".repeat(usize::try_from(most).unwrap_or(0) + 1));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the examiner's one look at the clock")]
fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

fn written(time: DateTime<Utc>, hours: i32) -> Result<String, String> {
    let offset = FixedOffset::east_opt(hours * 3600).ok_or("no such offset")?;
    Ok(time.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, true))
}
