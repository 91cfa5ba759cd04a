//! Carrying out one scenario.
//!
//! Invariant: what the scenario creates is deleted when it ends, however it ends. A step that only prepares
//! never makes a requirement fail: without it, the requirement was not reached.

use crate::client::{Answer, Client, Outgoing};
use crate::compose::{Composer, Tokens};
use crate::judge::judge;
use crate::needs::{clash, needs};
use crate::placeholder::Captured;
use crate::replay::Subject;
use crate::report::Exchange;
use crate::requirement::Level;
use crate::scenario::{Action, Condition, Repeat, Scenario};
use crate::server::{CONSTANTS, Server};
use crate::tidy::{created_url, delete};
use crate::unmet::Unmet;
use crate::value::is_unassigned;
use crate::verify::Judged;
use crate::{generate, walk};
use serde::Serialize;
use serde_json::{Value, json};
use std::thread;

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "reason")]
pub enum Outcome {
    /// Every answer was as expected.
    Passed,
    /// Some answer was not.
    Failed,
    /// What it needed beforehand could not be had.
    NotReached(String),
    /// The server says that it lacks what the scenario needs.
    NotApplicable(String),
}

/// What became of one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioReport {
    /// What the scenario proves.
    pub name: String,
    /// Its file.
    pub file: String,
    /// The requirements it covers.
    pub covers: Vec<String>,
    /// The level that it lowers its requirements to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The steps whose answers were not as expected.
    pub findings: Vec<Finding>,
    /// Whether steps were left out behind a finding.
    #[serde(skip)]
    pub(crate) stopped: bool,
}

/// A step whose answer was not as expected.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Its number, from one.
    pub step: usize,
    /// The requirements that fail with it; all of the scenario, if none.
    pub proves: Vec<String>,
    /// Why the step is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was sent and answered.
    pub exchange: Exchange,
    /// What was expected instead.
    #[serde(serialize_with = "told")]
    pub expected: Vec<Unmet>,
}

fn told<S: serde::Serializer>(unmet: &[Unmet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(unmet.iter().map(ToString::to_string))
}

/// A server that is being examined.
pub(crate) struct Examiner<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) tokens: &'a Tokens,
    pub(crate) server: &'a Server,
    pub(crate) client: Client,
}

/// A scenario that is being carried out.
struct Run<'a> {
    examiner: &'a Examiner<'a>,
    captured: Captured,
    created: Vec<String>,
    findings: Vec<Finding>,
}

/// What a step led to.
enum Next {
    Go,
    Stop,
    NotReached(String),
}

impl Examiner<'_> {
    /// Carries out a scenario and tidies up; the sentences say what could not be deleted.
    pub(crate) fn carry_out(&self, scenario: &Scenario, number: usize) -> (ScenarioReport, Vec<String>) {
        let mut report = ScenarioReport {
            name: scenario.name.clone(),
            file: scenario.file.clone(),
            covers: scenario.covers.clone(),
            level: scenario.level,
            outcome: Outcome::Passed,
            findings: Vec::new(),
            stopped: false,
        };
        let lacking = needs(scenario).into_iter().find_map(|need| self.server.lacks(&need));
        if let Some(reason) = lacking.or_else(|| clash(scenario, self.server)) {
            report.outcome = Outcome::NotApplicable(reason);
            return (report, Vec::new());
        }
        let mut run =
            Run { examiner: self, captured: Captured::new(""), created: Vec::new(), findings: Vec::new() };
        report.outcome = match run.prepare(scenario, number) {
            Err(reason) => Outcome::NotApplicable(reason),
            Ok(()) => {
                let (outcome, stopped) = run.steps(scenario);
                report.stopped = stopped;
                outcome
            }
        };
        report.findings = run.findings;
        let left = run.created.iter().rev().filter_map(|url| delete(&self.client, self.subject, url).err());
        (report, left.collect())
    }
}

impl Run<'_> {
    /// Captures what scenarios may use; a reason why the scenario does not apply.
    fn prepare(&mut self, scenario: &Scenario, number: usize) -> Result<(), String> {
        for (name, value) in CONSTANTS {
            self.captured.insert(name, *value);
        }
        let server = self.examiner.server;
        for (name, like) in scenario.find.iter() {
            let found = server.find(like)?;
            self.captured.insert(&format!("{name}.path"), found.path());
            self.captured.insert(&format!("{name}.at"), found.pointer());
            self.captured.insert(&format!("{name}.name"), found.name);
        }
        generate::into(&mut self.captured, self.examiner.subject, server, scenario, number)
    }

    fn steps(&mut self, scenario: &Scenario) -> (Outcome, bool) {
        for (action, number) in scenario.steps.iter().zip(1..) {
            if !self.is_due(action) {
                continue;
            }
            match self.step(action, number) {
                Next::Go => {}
                Next::Stop => return (Outcome::Failed, number < scenario.steps.len()),
                Next::NotReached(_) if self.findings.iter().any(|finding| !finding.expected.is_empty()) => {
                    return (Outcome::Failed, true);
                }
                Next::NotReached(reason) => return (Outcome::NotReached(reason), true),
            }
        }
        (if self.findings.is_empty() { Outcome::Passed } else { Outcome::Failed }, false)
    }

    fn is_due(&self, action: &Action) -> bool {
        match &action.only_if {
            None => true,
            Some(Condition::Kept(name)) => self.captured.value(name).is_ok_and(|value| !is_unassigned(value)),
            Some(Condition::Status(name, statuses)) => {
                let status = self.captured.value(&format!("{name}#status")).ok().and_then(Value::as_u64);
                status.is_some_and(|status| statuses.iter().any(|one| u64::from(*one) == status))
            }
        }
    }

    fn step(&mut self, action: &Action, number: usize) -> Next {
        let examiner = self.examiner;
        let composer =
            Composer { subject: examiner.subject, tokens: examiner.tokens, server: examiner.server };
        let (outgoing, body) = match composer.compose(action, &self.captured, number) {
            Ok(composed) => composed,
            Err(reason) => return Next::NotReached(format!("step {number} could not be sent: {reason}")),
        };
        let mut exchange =
            Exchange { request: outgoing.line(), request_body: body, status: None, response_body: None };
        let answer = match self.send(action.repeat, &outgoing) {
            Ok(answer) => answer,
            Err(reason) => {
                return self.found(action, number, exchange, vec![Unmet::NoAnswer { reason }]);
            }
        };
        let judged = Judged::new(&action.method, &answer);
        exchange.status = Some(answer.status);
        exchange.response_body = judged.shown();
        self.remember(action, &answer, judged.json());
        match judge(&action.expected, &answer, &judged, &self.captured) {
            Err(reason) => Next::NotReached(format!("step {number} could not be judged: {reason}")),
            Ok(unmet) => {
                let next = self.found(action, number, exchange, unmet);
                self.keep(action, &answer, judged.json());
                next
            }
        }
    }

    fn found(&mut self, action: &Action, number: usize, exchange: Exchange, unmet: Vec<Unmet>) -> Next {
        if unmet.is_empty() {
            return Next::Go;
        }
        let told: Vec<String> = unmet.iter().map(ToString::to_string).collect();
        let reason = format!("step {number} only prepares, and went wrong: expected {}", told.join(", "));
        let hopeless = !matches!(action.method.as_str(), "GET" | "HEAD")
            && unmet.iter().any(|one| {
                matches!(one, Unmet::Status { .. } | Unmet::Refusal { .. } | Unmet::NoAnswer { .. })
            });
        self.findings.push(Finding {
            step: number,
            proves: action.proves.clone(),
            note: action.note.clone(),
            exchange,
            expected: if action.expected.said { unmet } else { Vec::new() },
        });
        match (action.expected.said, hopeless) {
            (false, _) => Next::NotReached(reason),
            (true, true) => Next::Stop,
            (true, false) => Next::Go,
        }
    }

    fn send(&self, repeat: Repeat, outgoing: &Outgoing) -> Result<Answer, String> {
        let client = &self.examiner.client;
        let send = |outgoing: &Outgoing| client.send(outgoing).map_err(|error| error.to_string());
        match repeat {
            Repeat::Once => send(outgoing),
            Repeat::AtOnce(times) => at_once(outgoing, times),
            Repeat::ByIndex => walk::by_index(outgoing, &send),
            Repeat::ByCursor => walk::by_cursor(outgoing, &send),
        }
    }

    fn keep(&mut self, action: &Action, answer: &Answer, body: Option<&Value>) {
        let Some(name) = &action.keep else { return };
        self.captured.insert(name, body.cloned().unwrap_or_default());
        self.captured.insert(&format!("{name}#status"), answer.status);
        if let Some(id) = body.and_then(|body| body.get("id")).and_then(Value::as_str)
            && let Some(flipped) = flipped(id)
        {
            self.captured.insert(&format!("{name}#flipped"), flipped);
        }
        for (header, value) in &answer.headers {
            self.captured.insert(&format!("{name}#{}", header.to_lowercase()), value.as_str());
        }
    }

    fn remember(&mut self, action: &Action, answer: &Answer, body: Option<&Value>) {
        if action.method != "POST" || !(200..300).contains(&answer.status) {
            return;
        }
        let subject = self.examiner.subject;
        let id = body.and_then(|body| body.get("id")).and_then(Value::as_str).filter(|id| !id.is_empty());
        if let Some(id) = id.filter(|_| !action.path.contains("/.search")) {
            self.created.extend(captured_path(&action.path).map(|path| created_url(subject, path, id)));
        }
        let operations = body.and_then(|body| body.get("Operations")).and_then(Value::as_array);
        for operation in operations.into_iter().flatten() {
            let text = |name| operation.get(name).and_then(Value::as_str);
            let location = text("location").filter(|location| location.starts_with(&subject.base));
            if text("method").is_some_and(|method| method.eq_ignore_ascii_case("POST")) {
                self.created.extend(location.map(str::to_owned));
            }
        }
    }
}

/// The id in the other letter case, if it has letters.
fn flipped(id: &str) -> Option<String> {
    let upper = id.to_uppercase();
    if upper != id { Some(upper) } else { Some(id.to_lowercase()).filter(|lower| lower != id) }
}

/// The path of a collection; none for a path that has placeholders, where nothing can be created.
fn captured_path(path: &str) -> Option<&str> {
    (!path.contains("{{")).then_some(path)
}

/// Sends a request several times at once and tells how often it succeeded.
fn at_once(outgoing: &Outgoing, times: usize) -> Result<Answer, String> {
    let statuses: Vec<Result<u16, String>> = thread::scope(|scope| {
        let one =
            || Client::new().send(outgoing).map(|answer| answer.status).map_err(|error| error.to_string());
        let all: Vec<_> = (0..times).map(|_| scope.spawn(one)).collect();
        all.into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a request was lost".to_owned())))
            .collect()
    });
    let statuses = statuses.into_iter().collect::<Result<Vec<u16>, String>>()?;
    let succeeded = statuses.iter().filter(|status| (200..300).contains(*status)).count();
    let body = json!({"statuses": statuses, "succeeded": succeeded});
    Ok(Answer { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() })
}
