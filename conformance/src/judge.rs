//! Comparing an answer with what a step of a scenario expects.
//!
//! Invariant: contents are judged only where the status is as expected; a wrong status says it all.

use crate::check::Seen;
use crate::client::Answer;
use crate::placeholder::Captured;
use crate::scenario::{Expected, ExpectedError};
use crate::unmet::Unmet;
use crate::verify::Judged;
use serde_json::Value;

/// The unmet expectations; an error when a placeholder cannot be filled.
pub(crate) fn judge(
    expected: &Expected,
    answer: &Answer,
    judged: &Judged<'_>,
    captured: &Captured,
) -> Result<Vec<Unmet>, String> {
    let good = expected.status.contains(&answer.status);
    if !good && !expected.errors.is_empty() {
        let kind = judged.json().and_then(|body| body.get("scimType")).and_then(Value::as_str);
        if !expected.errors.iter().any(|error| error.fits(answer.status, kind)) {
            let mut all: Vec<String> = expected.errors.iter().map(ToString::to_string).collect();
            all.extend(expected.status.iter().map(u16::to_string));
            let got = (answer.status, kind.map(str::to_owned));
            return Ok(vec![Unmet::Refusal { expected: all, got }]);
        }
        if !expected.status.is_empty() {
            return Ok(Vec::new());
        }
    } else if !good {
        return Ok(vec![Unmet::Status { expected: expected.status.clone(), got: answer.status }]);
    }
    checks(expected, answer, judged, captured)
}

fn checks(
    expected: &Expected,
    answer: &Answer,
    judged: &Judged<'_>,
    captured: &Captured,
) -> Result<Vec<Unmet>, String> {
    let seen = Seen { status: answer.status, headers: &answer.headers, body: judged.json() };
    let mut unmet = Vec::new();
    for check in &expected.checks {
        if check.needs_body() && seen.body.is_none() {
            if let Some(reason) = judged.reason() {
                return Ok(vec![Unmet::NotJson { reason: reason.to_owned() }]);
            }
            continue;
        }
        if let Some(got) = check.failing(&seen, captured)? {
            unmet.push(Unmet::Check { check: check.told(captured), got });
        }
    }
    Ok(unmet)
}

impl ExpectedError {
    fn fits(&self, status: u16, kind: Option<&str>) -> bool {
        let fitting = match (&self.kind, kind) {
            (None, _) => true,
            (Some(_), None) => self.optional,
            (Some(wanted), Some(kind)) => wanted == kind,
        };
        self.status == status && fitting
    }
}

impl std::fmt::Display for ExpectedError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.status)?;
        self.kind.iter().try_for_each(|kind| write!(out, " with scimType {kind}"))
    }
}
