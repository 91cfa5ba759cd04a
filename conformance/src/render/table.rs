//! The report on a terminal: every requirement in a line, then what to repair, then the count.

use crate::examine::{Finding, Outcome, ScenarioReport};
use crate::requirement::Level;
use crate::verdict::{Examination, Judgement, Verdict};
use std::fmt::Write as _;

/// How many characters of a requirement fit into its line.
const WIDTH: usize = 96;

pub(super) fn table(all: &Examination) -> String {
    let mut out = String::new();
    for one in &all.requirements {
        let Judgement { requirement, verdict, .. } = one;
        line(
            &mut out,
            &format!(
                "{verdict:<12}  {:<16}  {:<6}  {}",
                requirement.id,
                requirement.level,
                cut(&requirement.text)
            ),
        );
        if *verdict != Verdict::NotTestable {
            one.reasons.iter().for_each(|reason| line(&mut out, &format!("{:12}  {:16}  {reason}", "", "")));
        }
    }
    for (scenario, broken) in all.troubles() {
        line(&mut out, "");
        line(&mut out, &trouble(scenario, &broken));
    }
    line(&mut out, "");
    all.left_behind.iter().for_each(|left| line(&mut out, left));
    out.push_str(&all.summary());
    out
}

/// What is wrong, for the author of the server.
pub(super) fn trouble(scenario: &ScenarioReport, broken: &[&Judgement]) -> String {
    let mut out = String::new();
    let binding = broken.iter().any(|one| scenario.binds(&one.requirement));
    let mark = match (&scenario.outcome, binding) {
        (Outcome::NotReached(_), _) => "not reached",
        (_, true) => "FAIL",
        (_, false) => "warning",
    };
    line(&mut out, &format!("{mark}  {}", scenario.name));
    for one in broken {
        let says = if one.requirement.level == Level::May { "if done: " } else { "" };
        line(
            &mut out,
            &format!("      {} ({}): {says}{}", one.requirement.id, one.source, one.requirement.text),
        );
    }
    if let Outcome::NotReached(reason) = &scenario.outcome {
        line(&mut out, &format!("      {reason}"));
    }
    scenario.findings.iter().for_each(|finding| line(&mut out, &details(finding)));
    out.truncate(out.trim_end().len());
    out
}

pub(super) fn details(finding: &Finding) -> String {
    let note = finding.note.as_deref().unwrap_or_default();
    let mut out = format!("      step {}  {note}", finding.step);
    out.truncate(out.trim_end().len());
    let _ = write!(out, "\n{}", finding.exchange);
    for unmet in &finding.expected {
        let _ = write!(out, "\n      expected  {unmet}");
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
