//! What a replay found, for people and for programs.
//!
//! Invariant: a failed step shows the request line, both bodies, the status and what was expected;
//! no request header is shown, so a report never holds the token.

use crate::flow::Role;
use crate::unmet::Unmet;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;
use std::fmt;

/// How much of a body the text form shows; the JSON form has all of it.
const SHOWN_CHARS: usize = 2000;

/// The result of one flow.
#[derive(Debug, Clone)]
pub struct FlowReport {
    /// The file of the flow.
    pub file: String,
    /// The client it imitates.
    pub client: String,
    /// What it does.
    pub flow: String,
    /// How many steps the flow has.
    pub total: usize,
    /// The steps that were run, in order.
    pub steps: Vec<StepReport>,
    /// Why the rest was not run.
    pub stopped: Option<String>,
    /// URLs of the resources that the flow created, whether or not it deleted them.
    pub created: Vec<String>,
}

/// The result of one step.
#[derive(Debug, Clone, serde::Serialize)]
pub struct StepReport {
    /// Its number, from one.
    pub number: usize,
    /// Whose step it is, when not the client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Why the step is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was sent and answered.
    pub exchange: Exchange,
    /// What the answer lacks; empty when the step passed.
    pub unmet: Vec<Unmet>,
}

/// What was sent and answered.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Exchange {
    /// The request line as sent.
    pub request: String,
    /// The request body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<Value>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The body of the answer; a text when it is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<Value>,
}

/// The results of several flows.
#[derive(Debug, Clone, Default)]
pub struct RunReport {
    /// One report for each flow.
    pub flows: Vec<FlowReport>,
}

impl StepReport {
    /// Whether the answer was as expected.
    pub fn passed(&self) -> bool {
        self.unmet.is_empty()
    }
}

impl FlowReport {
    /// Whether every step was run and every answer was as expected.
    pub fn passed(&self) -> bool {
        self.steps.len() == self.total && self.steps.iter().all(StepReport::passed)
    }

    /// Whether the server answered at least once.
    pub fn answered(&self) -> bool {
        self.steps.iter().any(|step| step.exchange.status.is_some())
    }
}

impl RunReport {
    /// Whether every flow passed.
    pub fn passed(&self) -> bool {
        self.failures() == 0
    }

    /// How many flows did not pass.
    pub fn failures(&self) -> usize {
        self.flows.iter().filter(|flow| !flow.passed()).count()
    }
}

impl fmt::Display for FlowReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.passed() { "pass" } else { "FAIL" };
        let good = self.steps.iter().filter(|step| step.passed()).count();
        let name = self.file.trim_end_matches(".json");
        write!(out, "{mark}  {name:<40}  {good:>2} of {:>2}  {}: {}", self.total, self.client, self.flow)?;
        for step in self.steps.iter().filter(|step| !step.passed()) {
            write!(out, "\n{step}")?;
        }
        match &self.stopped {
            Some(reason) => write!(out, "\n      stopped   {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for StepReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "      step {}", self.number)?;
        match self.role {
            Some(Role::Setup) => write!(out, " (setup)")?,
            Some(Role::Check) => write!(out, " (check)")?,
            None => {}
        }
        if let Some(note) = &self.note {
            write!(out, "  {note}")?;
        }
        write!(out, "\n{}", self.exchange)?;
        self.unmet.iter().try_for_each(|unmet| write!(out, "\n      expected  {unmet}"))
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "      request   {}", self.request)?;
        if let Some(body) = &self.request_body {
            write!(out, "\n                {}", shortened(body))?;
        }
        let Some(status) = self.status else { return Ok(()) };
        write!(out, "\n      answer    {status}")?;
        match &self.response_body {
            Some(body) => write!(out, "\n                {}", shortened(body)),
            None => write!(out, " without a body"),
        }
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flows.iter().try_for_each(|flow| writeln!(out, "{flow}"))?;
        write!(out, "{}", self.summary())
    }
}

impl RunReport {
    /// How many flows passed and failed, in one line.
    pub fn summary(&self) -> String {
        let failed = self.failures();
        let passed = self.flows.len().saturating_sub(failed);
        format!("{passed} of {} flows passed, {failed} failed", self.flows.len())
    }
}

fn shortened(body: &Value) -> String {
    let text = match body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

impl Serialize for FlowReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("FlowReport", 7)?;
        object.serialize_field("file", &self.file)?;
        object.serialize_field("client", &self.client)?;
        object.serialize_field("flow", &self.flow)?;
        object.serialize_field("passed", &self.passed())?;
        object.serialize_field("total_steps", &self.total)?;
        object.serialize_field("steps", &self.steps)?;
        object.serialize_field("stopped", &self.stopped)?;
        object.end()
    }
}

impl Serialize for RunReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("RunReport", 3)?;
        object.serialize_field("passed", &self.flows.len().saturating_sub(self.failures()))?;
        object.serialize_field("failed", &self.failures())?;
        object.serialize_field("flows", &self.flows)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{Exchange, FlowReport, SHOWN_CHARS, StepReport, shortened};
    use serde_json::Value;

    #[test]
    fn a_flow_that_was_not_run_to_its_end_has_not_passed() {
        let exchange =
            Exchange { request: String::new(), request_body: None, status: Some(200), response_body: None };
        let step = StepReport { number: 1, role: None, note: None, exchange, unmet: Vec::new() };
        let mut report = FlowReport {
            file: String::new(),
            client: String::new(),
            flow: String::new(),
            total: 1,
            steps: vec![step],
            stopped: None,
            created: Vec::new(),
        };
        assert!(report.passed());
        report.total = 2;
        assert!(!report.passed());
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let text = "ü".repeat(SHOWN_CHARS);
        assert_eq!(shortened(&Value::String(text.clone())), text);
        assert_eq!(shortened(&Value::String(text.clone() + "x")), text + "…");
    }
}
