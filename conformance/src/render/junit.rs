//! JUnit's XML, which continuous integration reads.

use super::escaped;
use super::table::trouble;
use crate::verdict::{Examination, Verdict};
use std::fmt::Write as _;

pub(super) fn junit(all: &Examination) -> String {
    let troubles = all.troubles();
    let failed = all.count(Verdict::Fail) + all.count(Verdict::NotReached);
    let skipped = all.count(Verdict::NotApplicable) + all.count(Verdict::NotTestable);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let tests = all.requirements.len();
    let base = escaped(&all.base);
    let _ = writeln!(
        out,
        "<testsuite name=\"SCIM {base}\" tests=\"{tests}\" failures=\"{failed}\" skipped=\"{skipped}\">"
    );
    for one in &all.requirements {
        let (id, source, text) = (&one.requirement.id, &one.source, escaped(&one.requirement.text));
        let _ = write!(out, "  <testcase classname=\"{source}\" name=\"{id} {text}\"");
        let reasons = escaped(&one.reasons.join("; "));
        let details = || {
            let own =
                troubles.iter().filter(|(_, broken)| broken.iter().any(|other| other.requirement.id == *id));
            let own: Vec<String> = own.map(|(scenario, broken)| trouble(scenario, broken)).collect();
            escaped(&own.join("\n\n"))
        };
        let _ = match one.verdict {
            Verdict::Pass => writeln!(out, "/>"),
            Verdict::Fail => writeln!(out, "><failure>{}</failure></testcase>", details()),
            Verdict::NotReached => writeln!(out, "><failure message=\"{reasons}\"/></testcase>"),
            Verdict::Warning => writeln!(out, "><system-out>{}</system-out></testcase>", details()),
            Verdict::NotApplicable | Verdict::NotTestable => {
                writeln!(out, "><skipped message=\"{reasons}\"/></testcase>")
            }
        };
    }
    out.push_str("</testsuite>");
    out
}
