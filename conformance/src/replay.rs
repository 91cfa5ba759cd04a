//! Replaying one flow against a server.
//!
//! Invariant: the steps are sent in order, each one as written, and nothing else is sent; the replay
//! stops only where going on would mean nothing: no answer, or a value that a later step needs.

use crate::client::{Answer, Client, Outgoing};
use crate::flow::{Flow, Step};
use crate::inspect::needed;
use crate::placeholder::Captured;
use crate::report::{Exchange, FlowReport, StepReport};
use crate::tidy::created_url;
use crate::unmet::Unmet;
use crate::verify::Judged;
use serde_json::Value;

/// All that the examiner knows of the server it examines.
#[derive(Clone)]
pub struct Subject {
    /// The SCIM base URL, such as `https://scim.example.com/scim/v2`; a final slash does not matter.
    pub base: String,
    /// The bearer token.
    pub token: String,
}

impl Subject {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.trim_end_matches('/'))
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Subject").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Replays a flow and reports every answer that is not as expected.
///
/// Some flows count all users or groups: give each flow an empty tenant.
pub fn replay(subject: &Subject, flow: &Flow) -> FlowReport {
    let mut replay = Replay {
        subject,
        client: Client::new(),
        captured: Captured::new(&subject.token),
        report: FlowReport {
            file: flow.file.clone(),
            client: flow.client.clone(),
            flow: flow.flow.clone(),
            total: flow.steps.len(),
            steps: Vec::new(),
            stopped: None,
            created: Vec::new(),
        },
    };
    let mut rest = flow.steps.as_slice();
    while let Some((step, later)) = rest.split_first() {
        replay.step(step, later);
        if replay.report.stopped.is_some() {
            break;
        }
        rest = later;
    }
    replay.report
}

struct Replay<'a> {
    subject: &'a Subject,
    client: Client,
    captured: Captured,
    report: FlowReport,
}

impl Replay<'_> {
    fn step(&mut self, step: &Step, later: &[Step]) {
        let (exchange, outcome) = match self.prepare(step) {
            Ok((outgoing, body)) => self.send(step, &outgoing, body, later),
            Err(reason) => (unsent(step), Err(reason)),
        };
        let unmet = outcome.unwrap_or_else(|reason| {
            self.report.stopped = Some("there is no answer to go on with".to_owned());
            vec![Unmet::NoAnswer { reason }]
        });
        self.report.steps.push(StepReport {
            number: self.report.steps.len() + 1,
            role: step.role,
            note: step.note.clone(),
            exchange,
            unmet,
        });
    }

    fn prepare(&self, step: &Step) -> Result<(Outgoing, Option<Value>), String> {
        let body = step.body.as_ref().map(|body| self.captured.fill_json(body)).transpose()?;
        let headers = step
            .headers
            .iter()
            .map(|(name, value)| Ok((name.to_owned(), self.captured.fill(value)?)))
            .collect::<Result<_, String>>()?;
        let outgoing = Outgoing {
            method: step.method.clone(),
            url: self.subject.url(&self.captured.fill_path(&step.path)?),
            headers,
            body: body.as_ref().map(|body| body.to_string().into_bytes()),
        };
        Ok((outgoing, body))
    }

    fn send(
        &mut self,
        step: &Step,
        outgoing: &Outgoing,
        request_body: Option<Value>,
        later: &[Step],
    ) -> (Exchange, Result<Vec<Unmet>, String>) {
        let mut exchange =
            Exchange { request: outgoing.line(), request_body, status: None, response_body: None };
        let answer = match self.client.send(outgoing) {
            Ok(answer) => answer,
            Err(error) => return (exchange, Err(error.to_string())),
        };
        let judged = Judged::new(&step.method, &answer);
        exchange.status = Some(answer.status);
        exchange.response_body = judged.shown();
        self.remember_created(step, &answer, &judged);
        let outcome = judged.unmet(&step.expect, &self.captured).map(|mut unmet| {
            unmet.extend(self.capture(step, &judged, later));
            unmet
        });
        (exchange, outcome)
    }

    fn capture(&mut self, step: &Step, judged: &Judged<'_>, later: &[Step]) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        for (name, pointer) in step.capture.iter() {
            if let Some(value) = judged.capture(pointer) {
                self.captured.insert(name, value);
                continue;
            }
            let (got, pointer) = (judged.at(pointer).cloned(), pointer.clone());
            unmet.push(Unmet::Capture { name: name.to_owned(), pointer, got });
            self.stop_if_needed(name, later);
        }
        unmet
    }

    fn stop_if_needed(&mut self, name: &str, later: &[Step]) {
        if later.iter().any(|step| needed(step).is_ok_and(|names| names.contains(name))) {
            self.report.stopped = Some(format!("later steps need {name}"));
        }
    }

    fn remember_created(&mut self, step: &Step, answer: &Answer, judged: &Judged<'_>) {
        if step.method == "POST" && answer.status == 201 {
            let id = judged.capture("/id");
            self.report.created.extend(id.map(|id| created_url(self.subject, &step.path, id)));
        }
    }
}

fn unsent(step: &Step) -> Exchange {
    Exchange {
        request: format!("{} {} (not sent)", step.method, step.path),
        request_body: step.body.clone(),
        status: None,
        response_body: None,
    }
}
