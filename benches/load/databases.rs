//! The databases of a run: those that servers use, and the copies that the raw writes use.
//!
//! Invariant: a copy is made of a database that nobody has open, and all of them go with the run.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::cluster::Cluster;
use crate::raw::{self, Raw};

/// How many connections the server has to PostgreSQL, and its reference.
const POOL: usize = 16;

/// Where the databases are.
pub(crate) struct Databases {
    folder: PathBuf,
    cluster: Option<Cluster>,
}

/// A database by its name.
pub(crate) struct Database {
    pub(crate) name: String,
    /// What the server is told.
    pub(crate) url: String,
}

impl Databases {
    /// In files in the folder, or in a cluster of their own.
    pub(crate) fn new(folder: &Path, in_postgres: bool) -> Result<Self, Failure> {
        let cluster = in_postgres.then(Cluster::start).transpose()?;
        Ok(Self { folder: folder.to_owned(), cluster })
    }

    /// The folder of the run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new, empty database.
    pub(crate) fn create(&self, name: &str) -> Result<Database, Failure> {
        let url = match &self.cluster {
            Some(cluster) => pooled(&cluster.database(name, None)?),
            None => format!("sqlite:{}", self.file(name).display()),
        };
        Ok(Database { name: name.to_owned(), url })
    }

    /// A copy for raw writes.
    pub(crate) fn copy(&self, of: &Database, name: &str) -> Result<Raw, Failure> {
        match &self.cluster {
            Some(cluster) => Raw::postgres(&cluster.database(name, Some(&of.name))?, POOL),
            None => Raw::sqlite(&self.file(&of.name), &self.file(name)),
        }
    }

    /// How often SQLite committed to that database, as far as its log tells.
    pub(crate) fn commits(&self, name: &str) -> Option<([u8; 8], u64)> {
        if self.cluster.is_some() { None } else { raw::commits(&self.file(name)) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("db")
    }
}

fn pooled(url: &str) -> String {
    format!("{url}?pool_size={POOL}")
}
