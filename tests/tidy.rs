//! Holds the source against ARCHITECTURE.md and docs/readings.md: the tables there are read, not repeated here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the layers are.
const MAP: &str = "ARCHITECTURE.md";
/// Where the numbers are explained.
const READINGS: &str = "docs/readings.md";

#[test]
fn modules_use_only_what_the_layer_table_allows() {
    let allowed = layers();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        let may_use =
            allowed.get(&module).unwrap_or_else(|| panic!("{module} is missing in the layer table"));
        for used in crate_paths(&text) {
            if used != module && allowed.contains_key(&used) && !may_use.contains(&used) {
                wrong.push(format!("{}: {module} may not use {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_is_in_the_layer_table_and_exists() {
    let allowed = layers();
    let lib = fs::read_to_string("src/lib.rs").unwrap();
    let mut modules: Vec<String> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    let mut listed: Vec<String> = allowed.into_keys().collect();
    modules.sort();
    listed.sort();
    assert_eq!(modules, listed);
}

#[test]
fn foreign_crates_stay_behind_their_fences() {
    let fences =
        table(MAP, "crate").into_iter().map(|row| (row[0].clone(), list(&row[1]))).collect::<Vec<_>>();
    assert!(!fences.is_empty());
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let inside = path.strip_prefix("src").unwrap();
        for (name, places) in &fences {
            let uses = code_lines(&text).any(|line| line.contains(&format!("{name}::")));
            if uses && !places.iter().any(|place| inside.starts_with(place)) {
                wrong.push(format!("{}: {name} stays in {}", path.display(), places.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_its_purpose_and_can_be_read_in_one_sitting() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: the first line must say what the module is for", path.display()));
        }
        if text.lines().count() > 600 {
            wrong.push(format!("{}: longer than 600 lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_reading_and_deviation_that_is_cited_is_explained() {
    let numbers = |heading| table(READINGS, heading).into_iter().map(|row| row[0].clone());
    let explained: HashSet<String> = numbers("reading").chain(numbers("deviation")).collect();
    let mut texts = Vec::new();
    for folder in ["src", "tests", "docs", "conformance"] {
        collect(Path::new(folder), &["rs", "txt", "json", "md"], &mut texts);
    }
    let mut cited = 0;
    let mut wrong = Vec::new();
    for (path, text) in texts {
        for number in text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| is_number(word)) {
            cited += 1;
            if !explained.contains(number) {
                wrong.push(format!("{}: {number} is not in {READINGS}", path.display()));
            }
        }
    }
    assert!(cited > 100, "the citations were not found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether it is the number of a reading, `A7` or `A16`, or of a deviation, `D04`.
fn is_number(word: &str) -> bool {
    let deviation = || word.strip_prefix('D').filter(|digits| digits.len() == 2);
    let digits = word.strip_prefix('A').or_else(deviation).unwrap_or_default();
    matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Module → modules that it may use.
fn layers() -> HashMap<String, Vec<String>> {
    let rows = table(MAP, "module");
    assert!(rows.len() > 5, "the layer table was not found");
    rows.into_iter().map(|row| (row[0].clone(), list(&row[2]))).collect()
}

/// The rows of the table in a document whose first heading is `heading`.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(document).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    text.lines()
        .skip_while(|line| !line.starts_with('|') || cells(line)[0] != heading)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

fn list(cell: &str) -> Vec<String> {
    cell.split(',').map(|name| name.trim().to_owned()).filter(|name| name != "nothing").collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    collect(Path::new("src"), &["rs"], &mut out);
    assert!(out.len() > 20, "the sources were not found");
    out
}

/// Every file below a folder that has one of these extensions.
fn collect(folder: &Path, extensions: &[&str], out: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extensions, out);
        } else if path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted)) {
            let text = fs::read_to_string(&path).unwrap();
            out.push((path, text));
        }
    }
}

/// The top-level module of a file; none for the crate roots.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix("src").unwrap();
    let first = Path::new(inside.components().next()?.as_os_str()).with_extension("");
    let name = first.to_str()?.to_owned();
    (name != "lib" && name != "main").then_some(name)
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
}

/// What follows `crate::`, up to the next `::`.
fn crate_paths(text: &str) -> Vec<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    code_lines(text)
        .flat_map(|line| line.split("crate::").skip(1).map(name).collect::<Vec<String>>())
        .collect()
}
