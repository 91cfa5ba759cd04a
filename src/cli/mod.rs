//! The command line: the server, and the commands that work on its database beside it.
//!
//! Invariant: answers go to stdout, refusals as one sentence to stderr; the exit code is 0, 1 for a refusal,
//! or 2 for wrong usage.

mod backup;
mod deleted;
mod explain;
mod export;
mod import;
mod log;
mod progress;
mod schema;
mod schemas;
mod serve;
mod table;
mod tenant;
mod token;
mod verify;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};

use crate::access::{Access, AccessError};
use crate::config::{ConfigError, Given};
use crate::directory::{Directory, Failure};
use crate::http;
use crate::store::{DatabaseUrl, Store, StoreError};

/// A SCIM 2.0 provisioning server: identity providers push users and groups in, applications read them.
#[derive(Debug, Parser)]
#[command(name = "muster", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  muster serve
  muster tenant create acme
  muster token create --tenant acme --name okta

Settings come from flags, then MUSTER_… environment variables, then muster.toml.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Make, list, change and delete tenants: one directory for each
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Make, list and revoke the tokens that clients present
    #[command(subcommand)]
    Token(token::Command),
    /// List, add, show and remove the schemas and resource types of a tenant's own
    #[command(subcommand)]
    Schema(schema::Command),
    /// List and restore what was deleted, where the tenant keeps it
    #[command(subcommand)]
    Deleted(deleted::Command),
    /// Write a tenant's users, groups and memberships as lines of JSON
    Export(export::Export),
    /// Read users, groups and memberships from lines of JSON, or from CSV
    Import(import::Import),
    /// Copy the database of a running server into a file
    Backup(backup::Backup),
    /// Check that indexes, contacts, memberships and counters agree with the documents
    Verify(verify::Verify),
    /// Write indexes, contacts and counters anew where they do not agree with the documents
    Reindex(verify::Reindex),
    /// Show how a filter is understood and how it will run
    Explain(explain::Explain),
    Check(muster_conformance::Check),
}

/// Which database a command works on.
#[derive(Clone, Debug, Args)]
struct Database {
    /// The settings file [default: muster.toml, if it is there]
    #[arg(long, env = "MUSTER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the data is kept [default: sqlite:muster.db]
    #[arg(long, env = "MUSTER_DATABASE", value_name = "URL")]
    database: Option<String>,
    /// The directory of schemas that the server is given, if it is given one
    #[arg(long, env = "MUSTER_SCHEMAS", value_name = "DIR")]
    schemas: Option<PathBuf>,
}

/// An open database.
struct Opened {
    store: Store,
    access: Access,
}

impl Opened {
    /// The resources in it.
    fn directory(&self) -> Directory {
        Directory::new(self.store.clone())
    }
}

impl Database {
    async fn open(self) -> Result<Opened, Refused> {
        let flags = Given { database: self.database, schemas: self.schemas, ..Given::default() };
        let given = flags.over(Given::from_file(self.config.as_deref())?);
        let registry = Arc::new(schemas::registry(given.schemas.as_deref())?);
        let store = Store::open(&given.database_url()?, &registry).await?;
        Ok(Opened { access: Access::new(store.clone(), registry), store })
    }

    /// Where the database is.
    fn url(&self) -> Result<DatabaseUrl, Refused> {
        let flags = Given { database: self.database.clone(), ..Given::default() };
        Ok(flags.over(Given::from_file(self.config.as_deref())?).database_url()?)
    }

    /// Opens a database for a command that would be pointless on an empty one.
    async fn open_existing(self) -> Result<Opened, Refused> {
        if let DatabaseUrl::Sqlite(path) = self.url()?
            && !path.exists()
        {
            let path = path.display();
            return Err(Refused(format!("there is no database {path}; name it with --database sqlite:PATH")));
        }
        self.open().await
    }
}

/// Why a command did nothing: the sentence for stderr.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ConfigError> for Refused {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl From<AccessError> for Refused {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Store(error) => error.into(),
            other => Self(other.to_string()),
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(http::with_causes(&error))
    }
}

impl From<Failure> for Refused {
    fn from(error: Failure) -> Self {
        match error {
            Failure::Store(error) => error.into(),
            other => Self(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let system = actix_web::rt::System::new();
    match system.block_on(dispatch(cli.command)) {
        Ok(code) => code,
        Err(refused) => {
            // Where stderr is closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "muster: {refused}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> Result<ExitCode, Refused> {
    match command {
        Command::Serve(serve) => serve.run(clock()).await,
        Command::Tenant(command) => command.run(clock()).await,
        Command::Token(command) => command.run(clock()).await,
        Command::Schema(command) => command.run(clock()).await,
        Command::Deleted(command) => command.run(clock()).await,
        Command::Export(export) => export.run().await,
        Command::Import(import) => import.run(clock()).await,
        Command::Backup(backup) => backup.run().await,
        Command::Verify(verify) => verify.run(clock()).await,
        Command::Reindex(reindex) => reindex.run(clock()).await,
        Command::Explain(explain) => explain.run().await,
        // It is a client of some server, and has exit codes of its own.
        Command::Check(check) => return Ok(check.run()),
    }?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "the one read of the clock in a command")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}

fn say(text: impl fmt::Display) -> Result<(), Refused> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
