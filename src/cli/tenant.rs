//! `muster tenant …`.

use chrono::{DateTime, Utc};
use clap::Subcommand;

use crate::access::{AccessError, Overrides, Setting};
use crate::cli::{Database, Opened, Refused, say, table};
use crate::quirks::Profile;

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
    /// Leave settings to the clients' profiles again
    #[command(after_help = "Example:\n  muster tenant unset acme patch-no-content")]
    Unset {
        /// The tenant
        name: String,
        /// The policies and settings to leave
        #[arg(required = true, value_name = "NAME")]
        settings: Vec<String>,
        #[command(flatten)]
        database: Database,
    },
    /// List what can be set, with what each profile has and what a tenant has set
    Settings {
        /// The tenant
        name: Option<String>,
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
                with(&mut Overrides::default(), &set)?;
                let Opened { access, .. } = database.open().await?;
                let tenant = access.create_tenant(&name, now).await?;
                if !set.is_empty() {
                    access.change_overrides(tenant, |overrides| with(overrides, &set)).await?;
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
                let tenant = access.tenant(&name).await?.id;
                let overrides = access.change_overrides(tenant, |own| with(own, &settings)).await?;
                say(format_args!("{name}: {overrides}"))
            }
            Self::Unset { name, settings, database } => {
                let Opened { access, .. } = database.open().await?;
                let tenant = access.tenant(&name).await?.id;
                let unset = |own: &mut Overrides| settings.iter().try_for_each(|name| own.unset(name));
                let overrides = access.change_overrides(tenant, unset).await?;
                say(format_args!("{name}: {overrides}"))
            }
            Self::Settings { name: None, .. } => say(settings(&Overrides::default())),
            Self::Settings { name: Some(name), database } => {
                let tenant = database.open().await?.access.tenant(&name).await?;
                say(settings(&tenant.overrides))
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

/// All settings, a row each.
fn settings(own: &Overrides) -> String {
    let rows: Vec<_> = Setting::all()
        .into_iter()
        .map(|setting| {
            let [a, b, c, d] = setting.defaults.map(|(_, value)| value);
            let own = own.get(setting.name).unwrap_or_default();
            [setting.name.to_owned(), own, a, b, c, d, setting.about.to_owned()]
        })
        .collect();
    let [a, b, c, d] = Profile::NAMES;
    table::render(["NAME", "TENANT", a, b, c, d, "MEANING"], &rows)
}

fn with(overrides: &mut Overrides, settings: &[String]) -> Result<(), AccessError> {
    settings.iter().try_for_each(|setting| overrides.set(setting))
}
