//! The schemas and resource types that a server has beyond the built-in ones: a directory of JSON files.
//!
//! Invariant: files are read in the order of their names, and what is wrong with one is said with its path.

use std::path::Path;

use serde_json::Value;

use crate::cli::Refused;
use crate::scim::registry::Registry;

/// The built-in documents and those in the directory, in the order of their names.
pub(super) fn registry(directory: Option<&Path>) -> Result<Registry, Refused> {
    let mut documents = Vec::new();
    if let Some(directory) = directory {
        let entries = std::fs::read_dir(directory).map_err(|error| unreadable(directory, error))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|error| unreadable(directory, error))?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        for path in paths {
            documents.push((path.display().to_string(), document(&path)?));
        }
    }
    Registry::with(&documents).map_err(|error| Refused(error.to_string()))
}

/// The JSON in a file.
pub(super) fn document(path: &Path) -> Result<Value, Refused> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    serde_json::from_str(&text).map_err(|error| Refused(format!("{} is no JSON: {error}", path.display())))
}

fn unreadable(path: &Path, error: std::io::Error) -> Refused {
    Refused(format!("{} cannot be read: {error}", path.display()))
}
