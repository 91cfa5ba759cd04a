//! `muster tenant …`.

use chrono::{DateTime, Utc};
use clap::Subcommand;

use crate::access::Overrides;
use crate::cli::{Database, Opened, Refused, say, table};

/// Make, list, change and delete tenants.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a tenant
    #[command(after_help = "Example:\n  muster tenant create acme --set unique-group-names=on")]
    Create {
        /// The new tenant's name: letters, digits, hyphens, dots and underscores
        name: String,
        /// What the tenant does otherwise than its clients' profiles; can be repeated
        #[arg(long = "set", value_name = "NAME=VALUE")]
        set: Vec<String>,
        #[command(flatten)]
        database: Database,
    },
    /// List the tenants
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Change what a tenant does otherwise than its clients' profiles
    #[command(after_help = "Example:\n  muster tenant set acme unique-group-names=on patch-no-content=off")]
    Set {
        /// The tenant
        name: String,
        /// The policies and settings to set
        #[arg(required = true, value_name = "NAME=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        database: Database,
    },
    /// Delete a tenant with all its resources and tokens
    Delete {
        /// The tenant
        name: String,
        /// Do it
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        database: Database,
    },
}

impl Command {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        match self {
            Self::Create { name, set, database } => {
                let overrides = with(Overrides::default(), &set)?;
                let Opened { access, .. } = database.open().await?;
                let tenant = access.create_tenant(&name, now).await?;
                if !overrides.is_empty() {
                    access.set_overrides(tenant, &overrides).await?;
                }
                say(format_args!(
                    "made tenant {name}; give it a client with `muster token create --tenant {name}`"
                ))
            }
            Self::List { database } => {
                let tenants = database.open().await?.access.tenants().await?;
                let rows: Vec<_> = tenants
                    .iter()
                    .map(|tenant| {
                        [tenant.name.clone(), table::day(tenant.created), tenant.overrides.to_string()]
                    })
                    .collect();
                say(table::render(["NAME", "CREATED", "POLICIES"], &rows))
            }
            Self::Set { name, settings, database } => {
                let Opened { access, .. } = database.open().await?;
                let tenant = access.tenant(&name).await?;
                let overrides = with(tenant.overrides, &settings)?;
                access.set_overrides(tenant.id, &overrides).await?;
                say(format_args!("{name}: {overrides}"))
            }
            Self::Delete { name, yes, database } => {
                let Opened { access, .. } = database.open().await?;
                let tenant = access.tenant(&name).await?;
                if !yes {
                    return Err(Refused(format!(
                        "this deletes every resource and token of {name} for good; add --yes to do it"
                    )));
                }
                access.delete_tenant(tenant.id).await?;
                say(format_args!("deleted tenant {name}"))
            }
        }
    }
}

fn with(mut overrides: Overrides, settings: &[String]) -> Result<Overrides, Refused> {
    for setting in settings {
        overrides.set(setting)?;
    }
    Ok(overrides)
}
