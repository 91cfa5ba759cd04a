//! The table of results in docs/conformance.md.

use muster_conformance::{Examination, Verdict};

const DOCUMENT: &str = "docs/conformance.md";
const BEGIN: &str = "<!-- results: written by `UPDATE_EXPECT=1 cargo test --test conformance` -->\n";

/// Compares the document with the results, or writes them into it.
pub(crate) fn compare(results: &[(&'static str, Vec<Examination>)]) {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (prose, old) = document.split_once(BEGIN).unwrap();
    let new = table(results);
    #[expect(clippy::disallowed_methods, reason = "a test is told by the environment to write")]
    if std::env::var("UPDATE_EXPECT").is_ok() {
        std::fs::write(DOCUMENT, format!("{prose}{BEGIN}{new}")).unwrap();
        return;
    }
    let differing = new.lines().zip(old.lines()).find(|(new, old)| new != old);
    assert!(new == old, "{DOCUMENT} is stale: {differing:?}\nUPDATE_EXPECT=1 writes it anew");
}

fn table(results: &[(&'static str, Vec<Examination>)]) -> String {
    let profiles: Vec<&str> = results.iter().map(|(profile, _)| *profile).collect();
    let mut out = format!("\n| requirement | level | {} | what it asks |\n", profiles.join(" | "));
    out.push_str(&format!("|---|---|{}---|\n", "---|".repeat(profiles.len())));
    let (_, first) = &results[0];
    for one in &first[0].requirements {
        let id = &one.requirement.id;
        let mut cells = Vec::new();
        let mut reasons: Vec<String> = Vec::new();
        for (_, examinations) in results {
            cells.push(cell(examinations, id));
            for found in examinations
                .iter()
                .flat_map(|all| &all.requirements)
                .filter(|other| other.requirement.id == *id)
            {
                reasons.extend(found.reasons.clone());
            }
        }
        reasons.sort();
        reasons.dedup();
        let mut text = one.requirement.text.clone();
        if !reasons.is_empty() {
            text.push_str(&format!(" *{}*", reasons.join("; ")));
        }
        let row = format!(
            "| {id} | {} | {} | {} |\n",
            one.requirement.level,
            cells.join(" | "),
            text.replace('|', "\\|")
        );
        out.push_str(&row);
    }
    out
}

/// The verdict on every database, in one word where they agree.
fn cell(examinations: &[Examination], id: &str) -> String {
    let verdict = |all: &Examination| -> Option<Verdict> {
        all.requirements.iter().find(|one| one.requirement.id == id).map(|one| one.verdict)
    };
    let mut words: Vec<String> = examinations
        .iter()
        .map(|all| verdict(all).map_or_else(|| "–".to_owned(), |one| one.to_string()))
        .collect();
    words.dedup();
    words.join(" / ")
}
