//! `muster token …`.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;

use crate::access::{NewClient, Scope, TokenSummary};
use crate::cli::{Database, Opened, Refused, say, table};
use crate::id::{ClientId, ResourceId};
use crate::quirks::Profile;

/// Make, list and revoke tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print it, once
    #[command(after_help = "Example:\n  muster token create --tenant acme --name okta --expires 90d")]
    Create {
        /// Whose directory it opens
        #[arg(long)]
        tenant: String,
        /// How lenient the server is to the client
        #[arg(long, default_value = "default", value_parser = Profile::NAMES)]
        profile: String,
        /// What to call the client in lists and logs
        #[arg(long, default_value = "client")]
        name: String,
        /// What it may do: one scope or several between commas
        #[arg(long, default_value = "scim", value_delimiter = ',')]
        #[arg(value_parser = Scope::NAMES.map(|(name, _)| name))]
        scope: Vec<String>,
        /// The id of the user that it is about, as in /Me
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
        /// For how long it counts: days or hours, as in 90d or 12h, or never
        #[arg(long, default_value = "365d", value_name = "TIME", value_parser = lifetime)]
        expires: Lifetime,
        #[command(flatten)]
        database: Database,
    },
    /// List the tokens; their text is not kept
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        database: Database,
    },
    /// Take a token back: the next request with it is refused
    #[command(after_help = "Example:\n  muster token revoke 7 --tenant acme")]
    Revoke {
        /// The token's number in `muster token list`
        id: i64,
        /// The tenant that it belongs to
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        database: Database,
    },
}

/// How long a token counts; none for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime(Option<TimeDelta>);

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime(None));
    }
    let number = |digits: &str| digits.parse::<u32>().ok().filter(|number| *number > 0).map(i64::from);
    let span = match text.strip_suffix('d') {
        Some(days) => number(days).and_then(TimeDelta::try_days),
        None => text.strip_suffix('h').and_then(number).and_then(TimeDelta::try_hours),
    };
    span.map(|span| Lifetime(Some(span)))
        .ok_or_else(|| "write days or hours, as in 90d or 12h, or never".to_owned())
}

impl Command {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        match self {
            Self::Create { tenant, profile, name, scope, subject, expires, database } => {
                let Opened { access, .. } = database.open().await?;
                let tenant = access.tenant(&tenant).await?.id;
                let scopes = scope.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
                let subject = subject.map(ResourceId::from_text);
                let client = NewClient { tenant, name, profile, scopes, subject, lifetime: expires.0 };
                say(access.create_token(&client, now).await?.reveal())
            }
            Self::List { tenant, database } => {
                let Opened { access, .. } = database.open().await?;
                let tenants = match tenant {
                    Some(name) => vec![access.tenant(&name).await?],
                    None => access.tenants().await?,
                };
                let mut rows = Vec::new();
                for tenant in tenants {
                    let tokens = access.tokens(tenant.id, now).await?;
                    rows.extend(tokens.iter().map(|token| row(&tenant.name, token)));
                }
                let headings =
                    ["TENANT", "ID", "NAME", "PROFILE", "SCOPES", "SUBJECT", "CREATED", "EXPIRES", "STATE"];
                say(table::render(headings, &rows))
            }
            Self::Revoke { id, tenant, database } => {
                let Opened { access, .. } = database.open().await?;
                let tenant = access.tenant(&tenant).await?.id;
                access.revoke_token(tenant, ClientId(id), now).await?;
                say(format_args!("revoked token {id}"))
            }
        }
    }
}

fn row(tenant: &str, token: &TokenSummary) -> [String; 9] {
    [
        tenant.to_owned(),
        token.id.to_string(),
        token.name.clone(),
        token.profile.clone(),
        token.scopes.clone(),
        token.subject.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        table::day(token.created),
        token.expires.map_or_else(|| "never".to_owned(), |end| table::day(Some(end))),
        token.state.name().to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_days_or_hours_or_never() {
        assert_eq!(lifetime("90d"), Ok(Lifetime(Some(TimeDelta::days(90)))));
        assert_eq!(lifetime("12h"), Ok(Lifetime(Some(TimeDelta::hours(12)))));
        assert_eq!(lifetime("never"), Ok(Lifetime(None)));
        for wrong in ["", "90", "d", "0d", "-1d", "1.5d", "1w", "99999999999d", "Never"] {
            assert!(lifetime(wrong).unwrap_err().contains("90d"), "{wrong}");
        }
    }
}
