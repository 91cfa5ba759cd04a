//! `muster schema …`: the schemas and resource types that one tenant has of its own.
//!
//! Invariant: the files of one command count together or not at all.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use crate::access::{SchemaEdit, TenantSchemas};
use crate::cli::{Database, Refused, say, schemas, table};
use crate::scim::registry::DocumentKey;

/// List, add, show and remove the schemas and resource types of a tenant's own.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what the tenant has, with what it has from the server
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Print a schema or resource type as it was added
    Show {
        /// The URN of the schema, or the name of the resource type
        #[arg(value_name = "URN|TYPE")]
        name: String,
        #[command(flatten)]
        of: Of,
    },
    /// Add schemas and resource types, or put them in the place of those with the same id
    #[command(after_help = "Example:
  muster schema add --tenant acme badge.json user.type.json

The files count together. A change that stored resources contradict is refused, and the resources are named.")]
    Add {
        /// Files with a Schema or a ResourceType, as in RFC 7643
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        of: Of,
    },
    /// Remove schemas and resource types of the tenant's own; what the server has in their place counts again
    #[command(after_help = "Example:
  muster schema remove --tenant acme User urn:example:params:scim:schemas:Badge")]
    Remove {
        /// URNs of schemas, or names of resource types
        #[arg(required = true, value_name = "URN|TYPE")]
        names: Vec<String>,
        #[command(flatten)]
        of: Of,
    },
}

/// Whose they are, and where.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// Whose directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,
    #[command(flatten)]
    database: Database,
}

impl Command {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        match self {
            Self::List { of } => list(of).await,
            Self::Show { name, of } => {
                let access = of.database.open_existing().await?.access;
                let there = access.schemas(access.tenant(&of.tenant).await?.id).await?;
                let keys = [DocumentKey::resource_type(&name), DocumentKey::schema(&name)];
                let document = keys.iter().find_map(|key| there.registry.document(key));
                let missing = || {
                    Refused(format!("there is no schema or resource type {name}; see `muster schema list`"))
                };
                say(format_args!("{:#}", document.ok_or_else(missing)?))
            }
            Self::Add { files, of } => {
                let read = |path: &PathBuf| Ok(SchemaEdit::Put(schemas::document(path)?));
                let edits = files.iter().map(read).collect::<Result<Vec<_>, Refused>>()?;
                change(of, now, |_| Ok(edits)).await
            }
            Self::Remove { names, of } => {
                let edit = |there: &TenantSchemas, name: &String| {
                    let keys = [DocumentKey::resource_type(name), DocumentKey::schema(name)];
                    let own = keys.into_iter().find(|key| there.own(key).is_some());
                    own.map(SchemaEdit::Remove).ok_or_else(|| {
                        Refused(format!("the tenant has no schema or resource type {name} of its own"))
                    })
                };
                change(of, now, |there| names.iter().map(|name| edit(there, name)).collect()).await
            }
        }
    }
}

async fn list(of: Of) -> Result<(), Refused> {
    let access = of.database.open_existing().await?.access;
    let there = access.schemas(access.tenant(&of.tenant).await?.id).await?;
    let whose = |key: DocumentKey| if there.own(&key).is_some() { "tenant" } else { "server" }.to_owned();
    let schemas =
        there.registry.schemas().iter().map(|schema| {
            ["schema".to_owned(), schema.id.to_string(), whose(DocumentKey::schema(&schema.id))]
        });
    let types = there.registry.types().iter().map(|kind| {
        ["resource type".to_owned(), kind.name.clone(), whose(DocumentKey::resource_type(&kind.name))]
    });
    let rows: Vec<_> = schemas.chain(types).collect();
    say(table::render(["KIND", "ID", "OF THE"], &rows))
}

async fn change(
    of: Of,
    now: DateTime<Utc>,
    edits: impl FnOnce(&TenantSchemas) -> Result<Vec<SchemaEdit>, Refused>,
) -> Result<(), Refused> {
    let access = of.database.open_existing().await?.access;
    let tenant = access.tenant(&of.tenant).await?.id;
    let edits = edits(&access.schemas(tenant).await?)?;
    let there = access.change_schemas(tenant, &edits, now).await?;
    say(format_args!("{} has {} schemas and resource types of its own", of.tenant, there.documents.len()))?;
    match there.is_indexing {
        true => say(format_args!(
            "the running server, or the next one, rebuilds its index; `muster reindex --tenant {}` does it now",
            of.tenant
        )),
        false => Ok(()),
    }
}
