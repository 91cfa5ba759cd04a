//! A table for documents.

use crate::verdict::Examination;
use std::fmt::Write as _;

pub(super) fn markdown(all: &Examination) -> String {
    let mut out =
        format!("{}.\n\n| requirement | level | result | text |\n|---|---|---|---|\n", all.summary());
    for one in &all.requirements {
        let mut text = one.requirement.text.clone();
        if !one.reasons.is_empty() {
            let _ = write!(text, " *{}*", one.reasons.join("; "));
        }
        let (id, level, verdict) = (&one.requirement.id, one.requirement.level, one.verdict);
        let _ = writeln!(out, "| {id} | {level} | {verdict} | {} |", text.replace('|', "\\|"));
    }
    out.truncate(out.trim_end().len());
    out
}
