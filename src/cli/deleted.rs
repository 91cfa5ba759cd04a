//! `muster deleted …`.

use chrono::{DateTime, Utc};
use clap::Subcommand;

use crate::cli::{Database, Opened, Refused, say, table};
use crate::context::Context;
use crate::directory::Directory;
use crate::scim::key::parse_instant;
use crate::store::Deleted;

/// How many are read at once.
const PAGE: u32 = 1000;

/// List, restore and remove what was deleted.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what was deleted and can be restored
    List {
        /// Whose directory it was in
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        database: Database,
    },
    /// Put a resource back, also into its groups
    #[command(
        after_help = "Example:\n  muster deleted restore 01a21393-39b1-7559-abaa-e8757336ddb2 --tenant acme"
    )]
    Restore {
        /// The resource's id
        id: String,
        /// The tenant that it belongs to
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        database: Database,
    },
    /// Remove a deleted resource for good
    Purge {
        /// The resource's id
        id: String,
        /// The tenant that it belongs to
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        database: Database,
    },
}

impl Command {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        match self {
            Self::List { tenant, database } => {
                let (directory, context) = open(database, &tenant, now).await?;
                let (mut rows, mut after) = (Vec::new(), 0);
                loop {
                    let page = directory.deleted(&context, after, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after = last.record.pk;
                    rows.extend(page.iter().map(row));
                }
                say(table::render(["ID", "TYPE", "NAME", "DELETED", "UNTIL", "BY"], &rows))
            }
            Self::Restore { id, tenant, database } => {
                let (directory, context) = open(database, &tenant, now).await?;
                directory.restore(&context, &id).await?;
                say(format_args!("restored {id}"))
            }
            Self::Purge { id, tenant, database } => {
                let (directory, context) = open(database, &tenant, now).await?;
                directory.purge(&context, &id).await?;
                say(format_args!("removed {id} for good"))
            }
        }
    }
}

async fn open(database: Database, tenant: &str, now: DateTime<Utc>) -> Result<(Directory, Context), Refused> {
    let opened = database.open_existing().await?;
    let Opened { access, .. } = &opened;
    let caller = access.operator(tenant, "muster deleted").await?;
    Ok((opened.directory(), Context { caller, now, request: String::new() }))
}

fn row(deleted: &Deleted) -> [String; 6] {
    [
        deleted.record.id.to_string(),
        deleted.kind.clone().unwrap_or_else(|| "?".to_owned()),
        deleted.label.clone().unwrap_or_default(),
        table::day(parse_instant(&deleted.at)),
        table::day(parse_instant(&deleted.until)),
        deleted.who.clone(),
    ]
}
