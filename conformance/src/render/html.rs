//! One page without scripts or anything from elsewhere, to be kept or sent.

use super::escaped;
use super::table::trouble;
use crate::verdict::Examination;
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:left;vertical-align:top;\
border-bottom:1px solid #ddd}pre{background:#f6f6f6;padding:1rem;overflow-x:auto;white-space:pre-wrap}\
.pass{color:#0a6b2d}.fail,.not.reached{color:#b00020;font-weight:600}.warning{color:#8a5a00}small{color:#555}";

pub(super) fn html(all: &Examination) -> String {
    let base = escaped(&all.base);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>SCIM conformance of {base}</title>\n\
         <style>{STYLE}</style>\n<h1>SCIM conformance of {base}</h1>\n<p>{}</p>\n",
        escaped(&all.summary())
    );
    let troubles = all.troubles();
    if !troubles.is_empty() {
        out.push_str("<h2>What to repair</h2>\n");
    }
    for (scenario, broken) in troubles {
        let _ = writeln!(out, "<pre>{}</pre>", escaped(&trouble(scenario, &broken)));
    }
    out.push_str("<h2>All requirements</h2>\n<table><tr><th>Result<th>Requirement<th>Level<th>Text\n");
    for one in &all.requirements {
        let verdict = one.verdict.to_string();
        let (id, source, level) = (&one.requirement.id, &one.source, one.requirement.level);
        let (class, text) = (verdict.to_lowercase(), escaped(&one.requirement.text));
        let reasons: String =
            one.reasons.iter().map(|why| format!("<br><small>{}</small>", escaped(why))).collect();
        let _ = writeln!(
            out,
            "<tr><td class=\"{class}\">{verdict}<td>{id}<br><small>{source}</small><td>{level}<td>{text}{reasons}"
        );
    }
    out.push_str("</table></html>");
    out
}
