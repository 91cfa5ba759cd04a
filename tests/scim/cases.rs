//! The format of the text files: what is given, and behind `=> ` what comes out.
//!
//! ```text
//! # A remark.
//! == A sentence that says what holds (the requirement or reading that asks for it)
//! given
//!   more of the line before, because it is indented
//! => expected
//! given next
//! => expected next
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Runs every case of every file in `tests/scim/{folder}`, or writes down what came out.
pub(crate) fn check(folder: &str, run: impl Fn(&[String]) -> Vec<String>) {
    let mut files = files_of(folder);
    files.sort();
    assert!(!files.is_empty(), "there are no cases in {folder}");
    let mut complaints = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let written = rewrite(&text, &file, &run, &mut complaints);
        if wants_update() && written != text {
            fs::write(&file, written).unwrap();
        }
    }
    assert!(wants_update() || complaints.is_empty(), "{complaints}");
}

/// The path of something beside this file.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scim").join(name)
}

/// Reads a JSON object; the cases are ours, so anything else is a mistake in them.
pub(crate) fn object(text: &str) -> Map<String, Value> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        other => panic!("{text} is no JSON object: {other:?}"),
    }
}

/// Whether the run is to write down what comes out.
#[expect(clippy::disallowed_methods, reason = "the one switch of the runner")]
pub(crate) fn wants_update() -> bool {
    std::env::var("UPDATE_EXPECT").is_ok()
}

fn files_of(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect()
}

/// The text with the outcomes that came out; differences are added to `complaints`.
fn rewrite(
    text: &str,
    file: &Path,
    run: &impl Fn(&[String]) -> Vec<String>,
    complaints: &mut String,
) -> String {
    let mut out = String::new();
    let mut given: Vec<String> = Vec::new();
    let mut name = "";
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if let Some(sentence) = line.strip_prefix("== ") {
            name = sentence;
        } else if line.starts_with(' ') {
            let last = given.last_mut().unwrap_or_else(|| panic!("{name}: nothing to go on from: {line}"));
            last.push_str(line);
        } else if !line.is_empty() && !line.starts_with('#') {
            given.push(line.to_owned());
        }
        let ends = lines.peek().is_none_or(|next| next.is_empty() || next.starts_with(['=', '#']));
        if ends && !given.is_empty() {
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|next| next.starts_with("=> ")) {
                expected.push(line.trim_start_matches("=> ").to_owned());
            }
            let found = run(&given);
            if found != expected {
                let place = file.file_name().unwrap_or_default().display();
                let (given, expected) = (given.join("\n  "), expected.join("\n           "));
                let found = found.join("\n           ");
                writeln!(
                    complaints,
                    "\n{place}: {name}\n  {given}\n  expected {expected}\n  found    {found}"
                )
                .unwrap();
            }
            for line in found {
                writeln!(out, "=> {line}").unwrap();
            }
            given.clear();
        }
    }
    out
}
