//! `muster backup`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Database, Refused, say};
use crate::store::DatabaseUrl;

/// Copy the database of a running server into a file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  muster backup /backup/muster-2026-01-02.db
  muster serve --database sqlite:/backup/muster-2026-01-02.db

The copy is one moment of all tenants, tokens included, and a database by itself: to restore it, stop the
server, put the file in the place of the old one, remove the old -wal and -shm files, and start again.")]
pub(super) struct Backup {
    /// The new file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

impl Backup {
    pub(super) async fn run(self) -> Result<(), Refused> {
        if let DatabaseUrl::Postgres(_) = self.database.url()? {
            return Err(Refused(
                "muster backup is for SQLite; copy a database of PostgreSQL with pg_dump".to_owned(),
            ));
        }
        let file = self.file.display();
        if self.file.exists() {
            return Err(Refused(format!("{file} is there already; choose another name, or remove it first")));
        }
        self.database.open_existing().await?.store.backup(&self.file).await?;
        say(format_args!("copied the database into {file}, {} bytes", std::fs::metadata(&self.file)?.len()))
    }
}
