//! `muster export`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;

use crate::cli::{Database, Refused, progress};
use crate::context::Caller;
use crate::directory::{Directory, Export as Walk};

/// Write a tenant's users, groups and memberships as lines of JSON.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  muster export --output acme.jsonl --tenant acme
  muster export | zstd > backup.jsonl.zst

The lines hold everything that `muster import` needs to make the same directory again, ids and hashed
passwords included: keep the file as safe as the database.")]
pub(super) struct Export {
    /// Whose directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,
    /// The new file to write, or - for stdout
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    database: Database,
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Refused> {
        let opened = self.database.open_existing().await?;
        let caller = opened.access.operator(&self.tenant, "export").await?;
        let directory = opened.directory();
        if self.output == Path::new("-") {
            let out = std::io::stdout().lock();
            return write(directory.export(caller), &mut BufWriter::new(out), &ProgressBar::hidden()).await;
        }
        let bar = progress::bar(directory.count(&caller).await?, "lines");
        let mut out = BufWriter::new(new_file(&self.output)?);
        let written = to_file(&directory, caller, &mut out, &bar).await;
        if written.is_err() {
            // Half of a directory would pass for all of it.
            std::fs::remove_file(&self.output)?;
        }
        written
    }
}

async fn to_file(
    directory: &Directory,
    caller: Arc<Caller>,
    out: &mut BufWriter<File>,
    bar: &ProgressBar,
) -> Result<(), Refused> {
    write(directory.export(caller), out, bar).await?;
    Ok(out.get_ref().sync_all()?)
}

async fn write(mut walk: Walk, out: &mut impl Write, bar: &ProgressBar) -> Result<(), Refused> {
    while let Some(lines) = walk.next().await? {
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        bar.inc(lines.len() as u64);
    }
    bar.finish_and_clear();
    Ok(out.flush()?)
}

/// A file that was not there before and that only its owner may read.
fn new_file(path: &Path) -> Result<File, Refused> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "; choose another name, or remove it first",
            _ => "",
        };
        Refused(format!("{} cannot be made: {error}{hint}", path.display()))
    })
}
