//! `muster explain`.

use clap::Args;

use crate::cli::{Database, Opened, Refused, say};
use crate::quirks;
use crate::scim::filter::Filter;
use crate::store::{Scope, Search, Start};

/// How many matches a client that does not say how many gets at most.
const PAGE: u64 = 100;

/// Show how a filter is understood and how it will run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  muster explain 'userName eq \"bjensen@example.com\"'
  muster explain 'members[value eq \"0199f9c2\"]' --type Group")]
pub(super) struct Explain {
    /// The filter, as a client sends it
    #[arg(value_name = "FILTER")]
    filter: String,
    /// What is searched
    #[arg(long = "type", default_value = "User", value_name = "TYPE")]
    kind: String,
    /// Whose directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,
    #[command(flatten)]
    database: Database,
}

impl Explain {
    pub(super) async fn run(self) -> Result<(), Refused> {
        let Opened { store, access } = self.database.open_existing().await?;
        let caller = access.operator(&self.tenant, "explain").await?;
        let registry = &caller.registry;
        let kind = registry.type_named(&self.kind).cloned().ok_or_else(|| {
            let names: Vec<&str> = registry.types().iter().map(|kind| kind.name.as_str()).collect();
            Refused(format!("there is no type {}; the types are {}", self.kind, names.join(", ")))
        })?;
        let kinds = [kind];
        let (text, fired) = quirks::rewrite_filter(&caller.profile, &kinds, &self.filter);
        let [kind] = &kinds;
        let filter = Filter::parse(&text, kind).map_err(|error| Refused(error.detail))?;
        say(format_args!("Understood as\n  {filter}"))?;
        if !fired.is_empty() {
            say(format_args!(
                "after the quirks {}, which clients of the profile strict do not have",
                fired.join(", ")
            ))?;
        }
        let start = store.start(caller.tenant, kind, &filter)?;
        let total = store.count(caller.tenant, kind).await?;
        let scope = Scope { kind: kind.clone(), filter: Some(filter), sort: None };
        let search = Search { scopes: vec![scope], descending: false, offset: 0, limit: PAGE, group: None };
        let plan = store.explain(caller.tenant, &search).await?;
        say(format_args!("The database's plan\n  {}", plan.join("\n  ")))?;
        say(format_args!("In short\n  {}", sentence(start, &kind.name, total)))
    }
}

fn sentence(start: Start, kind: &str, total: u64) -> String {
    match start {
        Start::Resource => "An index leads to the one resource with this id.".to_owned(),
        Start::Value => "An index leads to the resources with one value, and only those are read.".to_owned(),
        Start::Prefix => {
            "An index leads to the values that begin like this, and only their resources are read.".to_owned()
        }
        Start::Range => {
            "An index leads to the values on one side of this one; their resources are read, which may be many.".to_owned()
        }
        Start::Class => {
            "An index leads to the resources with this value; where many share it, many are read.".to_owned()
        }
        Start::Values => {
            "All values of the attribute are read, which lie together in an index, and then the resources that match.".to_owned()
        }
        Start::Everything => format!("No index helps: all {total} resources of the type {kind} are tested, one by one."),
    }
}
