//! Where flows come from: files, folders and the examiner itself.
//!
//! Invariant: flows come in the order of their file names, and one unusable file is an error for all.

use crate::error::FlowError;
use crate::flow::Flow;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// File name and text of every file in `flows/`.
const BUNDLED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/flows.rs"));

/// The flows that the examiner carries inside.
///
/// # Errors
/// When one of them could not be replayed as written; the examiner's own tests rule that out.
pub fn bundled() -> Result<Vec<Flow>, FlowError> {
    BUNDLED.iter().map(|(file, text)| Flow::parse(file, text)).collect()
}

/// The flow in a file, or every flow of a folder (`*.json`, without its subfolders).
///
/// # Errors
/// When something cannot be read, a file is not a usable flow, or the folder has none.
pub fn from_path(path: &Path) -> Result<Vec<Flow>, FlowError> {
    if !path.is_dir() {
        return Ok(vec![Flow::from_file(path)?]);
    }
    let shown = path.display().to_string();
    let files = json_files(path).map_err(|error| FlowError::unreadable(&shown, error))?;
    if files.is_empty() {
        return Err(FlowError::refused(shown, None, "no *.json in this folder; name another".to_owned()));
    }
    files.iter().map(|file| Flow::from_file(file)).collect()
}

fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
