//! Lists the files of `flows/` and `scenarios/` so that the examiner carries them inside.
//!
//! Invariant: every file is in its list, in name order; adding a file needs no other edit.

use std::env;
use std::fs;
use std::io;
use std::path::Path;

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script its output folder this way only")]
fn main() -> io::Result<()> {
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    for (folder, ending) in [("flows", ".json"), ("scenarios", ".toml")] {
        println!("cargo::rerun-if-changed={folder}");
        let mut names: Vec<String> = fs::read_dir(folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(ending))
            .collect();
        names.sort();
        fs::write(Path::new(&out).join(folder).with_extension("rs"), listing(folder, &names))?;
    }
    Ok(())
}

fn listing(folder: &str, names: &[String]) -> String {
    let entries: String = names
        .iter()
        .map(|name| {
            let path = format!("/{folder}/{name}");
            format!("({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),\n")
        })
        .collect();
    format!("&[\n{entries}]\n")
}
