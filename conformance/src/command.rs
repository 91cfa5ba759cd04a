//! The command `check`, for every program that offers it.
//!
//! Invariant: the report goes to standard output, everything else to standard error; exit code 0 means that
//! no requirement is broken, 1 that some is, 2 that the examination could not be carried out.

use crate::checkup::{Scope, check};
use crate::render::Form;
use crate::replay::Subject;
use crate::requirement::requirements;
use crate::scenario::scenarios;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  check https://scim.example.com/scim/v2 --token \"$TOKEN\"
  check https://scim.example.com/scim/v2 --only 7644-3.5.2,7643-4.2-01
  check https://scim.example.com/scim/v2 --only IPSIE --format html >report.html

Exit codes: 0 no failure, 1 some requirement is broken, 2 the examination could not be carried out.
A SHOULD that is not met is a warning and no failure.";

/// Examine any SCIM server, requirement by requirement
///
/// Knows nothing of the server but the URL and a token. What it creates has names of its own and is deleted;
/// nothing else is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// SCIM base URL of the server
    #[arg(value_parser = base_url)]
    url: String,
    /// Bearer token that may read and write
    #[arg(long, env = "MUSTER_CHECK_TOKEN", hide_env_values = true)]
    token: String,
    /// Only these requirements, sections or documents, as in 7644-3.5.2-08,7643-4.1,IPSIE
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    only: Vec<String>,
    /// How to report
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Token of another tenant, to see that tenants are kept apart
    #[arg(long, value_name = "TOKEN", env = "MUSTER_CHECK_OTHER_TOKEN", hide_env_values = true)]
    other_token: Option<String>,
    /// Token of the same tenant that may only read
    #[arg(long, value_name = "TOKEN", env = "MUSTER_CHECK_READER_TOKEN", hide_env_values = true)]
    reader_token: Option<String>,
}

/// A base URL as the examiner takes it.
///
/// # Errors
/// When it is none.
pub fn base_url(text: &str) -> Result<String, String> {
    let web = text.starts_with("http://") || text.starts_with("https://");
    if web && !text.contains(['?', '#']) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err("give an http:// or https:// URL without query, such as https://scim.example.com/scim/v2".to_owned())
}

impl Check {
    /// Examines the server and reports.
    pub fn run(self) -> ExitCode {
        match self.examine() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(message) => {
                // Where stderr is closed there is nobody left to tell.
                let _ = writeln!(io::stderr(), "check: {message}");
                ExitCode::from(2)
            }
        }
    }

    fn examine(self) -> Result<bool, String> {
        let subject = Subject { base: self.url, token: self.token };
        let scope = Scope { only: self.only, other_token: self.other_token, reader_token: self.reader_token };
        let scenarios = scenarios()?;
        let bar = bar(scenarios.len());
        let progress = |scenario: &crate::Scenario| {
            bar.inc(1);
            bar.set_message(scenario.name.clone());
        };
        let examination = check(&subject, &scope, &scenarios, requirements()?, progress);
        bar.finish_and_clear();
        let examination = examination?;
        writeln!(io::stdout(), "{}", examination.told(self.format))
            .map_err(|error| format!("cannot write the report: {error}"))?;
        Ok(examination.passed())
    }
}

/// A bar on standard error, where that is a terminal.
fn bar(scenarios: usize) -> ProgressBar {
    // The template is right; where it were not, the bar would only look different.
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
    ProgressBar::new(scenarios as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
