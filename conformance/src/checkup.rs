//! Examining a server: discovery, the scenarios one after another, the verdicts.
//!
//! Invariant: nothing but the scenarios' own resources is written or deleted.

use crate::client::{Client, Outgoing};
use crate::compose::Tokens;
use crate::examine::Examiner;
use crate::replay::Subject;
use crate::requirement::{Requirement, belongs};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::verdict::{Examination, verdict};
use serde_json::Value;

/// What to examine, and with what.
#[derive(Clone, Default)]
pub struct Scope {
    /// Requirements, sections or documents: `7644-3.5.2-08`, `7644-3.5.2`, `IPSIE`. Without any, all.
    pub only: Vec<String>,
    /// A token of another tenant of the same server.
    pub other_token: Option<String>,
    /// A token of the same tenant that may only read.
    pub reader_token: Option<String>,
}

/// Examines a server and calls `progress` before each scenario.
///
/// # Errors
/// When the server cannot be reached, or does not accept the token.
pub fn check(
    subject: &Subject,
    scope: &Scope,
    scenarios: &[Scenario],
    requirements: Vec<Requirement>,
    mut progress: impl FnMut(&Scenario),
) -> Result<Examination, String> {
    let asked = |id: &str| scope.only.is_empty() || scope.only.iter().any(|asked| belongs(id, asked));
    let requirements: Vec<Requirement> = requirements.into_iter().filter(|one| asked(&one.id)).collect();
    if requirements.is_empty() {
        return Err(format!("no requirement is called {}; see docs/conformance.md", scope.only.join(", ")));
    }
    let chosen: Vec<&Scenario> =
        scenarios.iter().filter(|scenario| scenario.covers.iter().any(|id| asked(id))).collect();
    let client = Client::new();
    let server = discover(&client, subject, scope)?;
    let tokens = Tokens { other: scope.other_token.clone(), reader: scope.reader_token.clone() };
    let examiner = Examiner { subject, tokens: &tokens, server: &server, client };
    let (mut reports, mut left_behind) = (Vec::new(), Vec::new());
    for (scenario, number) in chosen.iter().zip(0..) {
        progress(scenario);
        let (report, left) = examiner.carry_out(scenario, number);
        reports.push(report);
        left_behind.extend(left);
    }
    let requirements = requirements.into_iter().map(|one| verdict(one, &reports)).collect();
    Ok(Examination { base: subject.base.clone(), requirements, scenarios: reports, left_behind })
}

/// Reads the discovery documents, as far as there are any.
fn discover(client: &Client, subject: &Subject, scope: &Scope) -> Result<Server, String> {
    let (status, _) = get(client, subject, "/Users?count=1")?;
    if matches!(status, 401 | 403) {
        return Err(format!("{} does not accept the token (status {status})", subject.base));
    }
    let list = |path| -> Result<Option<Vec<Value>>, String> {
        let (_, body) = get(client, subject, path)?;
        let resources = body.as_ref().and_then(|body| body.get("Resources")).and_then(Value::as_array);
        Ok(resources.cloned().filter(|all| !all.is_empty()))
    };
    let (status, config) = get(client, subject, "/ServiceProviderConfig")?;
    let mut given: Vec<String> = ["IOP", "IPSIE"]
        .into_iter()
        .filter(|profile| scope.only.iter().any(|asked| belongs(&asked.to_uppercase(), profile)))
        .map(str::to_owned)
        .collect();
    given.extend(scope.other_token.as_ref().map(|_| "other-tenant".to_owned()));
    given.extend(scope.reader_token.as_ref().map(|_| "reader".to_owned()));
    Ok(Server {
        config: config.filter(|_| status == 200),
        schemas: list("/Schemas")?,
        types: list("/ResourceTypes")?,
        given,
    })
}

fn get(client: &Client, subject: &Subject, path: &str) -> Result<(u16, Option<Value>), String> {
    let outgoing = Outgoing {
        method: "GET".to_owned(),
        url: subject.url(path),
        headers: vec![
            ("Authorization".to_owned(), format!("Bearer {}", subject.token)),
            ("Accept".to_owned(), "application/scim+json".to_owned()),
        ],
        body: None,
    };
    let answer = client.send(&outgoing).map_err(|error| {
        format!("nothing came from {} ({error}); check the URL and that the server runs", subject.base)
    })?;
    Ok((answer.status, serde_json::from_slice(&answer.body).ok()))
}
