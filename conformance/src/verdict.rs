//! From scenarios to requirements: which are met.
//!
//! Invariant: a requirement fails only by an answer that was not as expected; one that nobody could test is
//! never called met.

use crate::examine::{Finding, Outcome, ScenarioReport};
use crate::requirement::{Level, Requirement};
use serde::Serialize;
use std::fmt;

/// What came out for a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every scenario of it that applies passed.
    Pass,
    /// The server breaks it.
    Fail,
    /// The server does not do what it should, or does an optional thing wrongly.
    Warning,
    /// What its scenarios needed beforehand went wrong.
    NotReached,
    /// The server says that it lacks what the requirement is about.
    NotApplicable,
    /// No client can test it.
    NotTestable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Warning => "warning",
            Self::NotReached => "not reached",
            Self::NotApplicable => "n/a",
            Self::NotTestable => "not testable",
        })
    }
}

/// A requirement and what came out for it.
#[derive(Debug, Clone, Serialize)]
pub struct Judgement {
    /// The requirement.
    #[serde(flatten)]
    pub requirement: Requirement,
    /// Where to read on.
    pub source: String,
    /// What came out.
    pub verdict: Verdict,
    /// Why, where it is neither met nor broken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// How many of its scenarios passed.
    pub passed: usize,
    /// The scenarios that broke it, by their place in the examination.
    #[serde(skip)]
    pub broken_by: Vec<usize>,
}

/// All that was found out about a server.
#[derive(Debug, Clone, Serialize)]
pub struct Examination {
    /// The base URL of the server.
    pub base: String,
    /// The requirements, in the order of documents and sections.
    pub requirements: Vec<Judgement>,
    /// The scenarios, in the order in which they were carried out.
    pub scenarios: Vec<ScenarioReport>,
    /// What could not be deleted.
    pub left_behind: Vec<String>,
}

impl Examination {
    /// Whether no requirement is broken or was not reached.
    pub fn passed(&self) -> bool {
        !self.requirements.iter().any(|one| matches!(one.verdict, Verdict::Fail | Verdict::NotReached))
    }

    /// How many requirements have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.requirements.iter().filter(|one| one.verdict == verdict).count()
    }

    /// The scenarios with findings or without an end, each with the requirements that it breaks.
    pub(crate) fn troubles(&self) -> Vec<(&ScenarioReport, Vec<&Judgement>)> {
        self.scenarios
            .iter()
            .enumerate()
            .filter(|(_, scenario)| matches!(scenario.outcome, Outcome::Failed | Outcome::NotReached(_)))
            .map(|(at, scenario)| {
                let broken = self.requirements.iter().filter(|one| one.broken_by.contains(&at)).collect();
                (scenario, broken)
            })
            .collect()
    }

    /// How many requirements have each verdict, in one line.
    pub fn summary(&self) -> String {
        let verdicts = [
            Verdict::Pass,
            Verdict::Fail,
            Verdict::Warning,
            Verdict::NotReached,
            Verdict::NotApplicable,
            Verdict::NotTestable,
        ];
        let counts = verdicts.map(|verdict| format!("{} {verdict}", self.count(verdict)).to_lowercase());
        format!("{} requirements: {}", self.requirements.len(), counts.join(", "))
    }
}

/// Judges a requirement by its scenarios.
pub(crate) fn verdict(requirement: Requirement, scenarios: &[ScenarioReport]) -> Judgement {
    let source = requirement.source();
    let mut judgement = Judgement {
        verdict: Verdict::NotTestable,
        reasons: requirement.untestable.clone().into_iter().collect(),
        passed: 0,
        broken_by: Vec::new(),
        source,
        requirement,
    };
    let own = scenarios.iter().enumerate();
    let own = own.filter(|(_, scenario)| scenario.covers.contains(&judgement.requirement.id));
    let (mut binding, mut unreached, mut inapplicable) = (false, Vec::new(), Vec::new());
    for (at, scenario) in own {
        let breaks = scenario.findings.iter().any(|finding| finding.breaks(&judgement.requirement.id));
        match &scenario.outcome {
            Outcome::Passed => judgement.passed += 1,
            Outcome::Failed if breaks => {
                binding |= scenario.binds(&judgement.requirement);
                judgement.broken_by.push(at);
            }
            Outcome::Failed if scenario.stopped => {
                unreached.push("an earlier step of its scenario failed".to_owned());
            }
            Outcome::Failed => judgement.passed += 1,
            Outcome::NotReached(reason) => unreached.push(format!("{}: {reason}", scenario.name)),
            Outcome::NotApplicable(reason) => inapplicable.push(reason.clone()),
        }
    }
    let (verdict, mut reasons) = match (judgement.broken_by.is_empty(), judgement.passed) {
        (false, _) if binding => (Verdict::Fail, Vec::new()),
        (false, _) => (Verdict::Warning, Vec::new()),
        (true, _) if !unreached.is_empty() => (Verdict::NotReached, unreached),
        (true, 1..) => (Verdict::Pass, Vec::new()),
        (true, 0) if !inapplicable.is_empty() => (Verdict::NotApplicable, inapplicable),
        (true, 0) => return judgement,
    };
    reasons.sort();
    reasons.dedup();
    Judgement { verdict, reasons, ..judgement }
}

impl ScenarioReport {
    /// Whether a finding breaks the requirement, or is only worth a warning.
    pub(crate) fn binds(&self, requirement: &Requirement) -> bool {
        self.level.unwrap_or(Level::Must).min(requirement.level) == Level::Must
    }
}

impl Finding {
    fn breaks(&self, id: &str) -> bool {
        !self.expected.is_empty() && (self.proves.is_empty() || self.proves.iter().any(|proven| proven == id))
    }
}
