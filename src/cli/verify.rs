//! `muster verify` and `muster reindex`.

use chrono::{DateTime, Utc};
use clap::Args;

use crate::cli::{Database, Refused, progress, say};
use crate::context::Context;

/// Check that indexes, contacts, memberships and counters agree with the documents.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  muster verify --tenant acme

It reads beside a running server and changes nothing. The exit code is 1 if anything disagrees.")]
pub(super) struct Verify {
    /// Whose directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,
    #[command(flatten)]
    database: Database,
}

/// Write indexes, contacts and counters anew where they do not agree with the documents.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  muster reindex --tenant acme

It works beside a running server. Contacts keep their ids and their verification. Run it with the --schemas
that the server has after you gave a schema attributes that stored resources already have values for.")]
pub(super) struct Reindex {
    /// Whose directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,
    #[command(flatten)]
    database: Database,
}

impl Verify {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        let tally = check(self.database, &self.tenant, now, false).await?;
        if tally.wrong == 0 {
            return say(format_args!("{} resources, and everything agrees with them", tally.looked_at));
        }
        Err(Refused(format!(
            "{} disagreements in {} resources; `muster reindex --tenant {}` puts them right",
            tally.wrong, tally.looked_at, self.tenant
        )))
    }
}

impl Reindex {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        let tally = check(self.database, &self.tenant, now, true).await?;
        let mended = tally.wrong - tally.left;
        say(format_args!("{} resources, {mended} disagreements put right", tally.looked_at))?;
        if tally.left == 0 {
            return Ok(());
        }
        Err(Refused(format!("{} disagreements are left; their lines say why", tally.left)))
    }
}

/// What a whole check came to.
#[derive(Default)]
struct Tally {
    looked_at: u64,
    wrong: u64,
    left: u64,
}

/// Looks at everything, and says what is wrong as it is found.
async fn check(database: Database, tenant: &str, now: DateTime<Utc>, mends: bool) -> Result<Tally, Refused> {
    let opened = database.open_existing().await?;
    let name = if mends { "reindex" } else { "verify" };
    let caller = opened.access.operator(tenant, name).await?;
    let directory = opened.directory();
    let bar = progress::bar(directory.count(&caller).await?, "resources");
    let mut walk = directory.check(Context { caller, now, request: name.to_owned() }, mends);
    let mut tally = Tally::default();
    while let Some(findings) = walk.next().await? {
        tally.looked_at += findings.looked_at;
        tally.wrong += findings.wrong.len() as u64;
        tally.left += findings.left;
        bar.set_position(tally.looked_at);
        findings.wrong.iter().try_for_each(|line| bar.suspend(|| say(line)))?;
    }
    bar.finish_and_clear();
    Ok(tally)
}
