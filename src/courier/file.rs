//! Messages as files, for development and tests: one JSON file a message.
//!
//! Invariant: a file is there as a whole or not at all; its name sorts by when the message was made.

use std::fs;
use std::path::{Path, PathBuf};

use crate::courier::Undelivered;
use crate::message::Message;

pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn open(directory: &Path) -> Result<Self, String> {
        fs::create_dir_all(directory)
            .map_err(|error| format!("courier file:{} cannot be used: {error}", directory.display()))?;
        Ok(Self { directory: directory.to_owned() })
    }

    pub(super) fn write(&self, id: &str, message: &Message) -> Result<(), Undelivered> {
        let text = serde_json::to_string_pretty(message).map_err(Undelivered::lasting)?;
        let (part, whole) =
            (self.directory.join(format!(".{id}")), self.directory.join(format!("{id}.json")));
        fs::write(&part, text + "\n").and_then(|()| fs::rename(&part, &whole)).map_err(Undelivered::passing)
    }
}
