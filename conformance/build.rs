//! Lists the files of `flows/` so that the examiner carries them inside.
//!
//! Invariant: every `flows/*.json` is in the list, in name order; adding a file needs no other edit.

use std::env;
use std::fs;
use std::io;
use std::path::Path;

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script its output folder this way only")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=flows");
    let mut names: Vec<String> = fs::read_dir("flows")?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("flows.rs"), listing(&names))
}

fn listing(names: &[String]) -> String {
    let entries: String = names
        .iter()
        .map(|name| {
            format!(
                "({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/flows/\", {name:?}))),\n"
            )
        })
        .collect();
    format!("&[\n{entries}]\n")
}
