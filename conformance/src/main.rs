//! The command `muster-examiner`.
//!
//! Invariant: exit code 0 means that everything asked for was examined and passed; 1 that something
//! failed; 2 that the examination could not be carried out.

use clap::{Parser, Subcommand, ValueEnum};
use muster_conformance::{
    Check, Flow, FlowReport, RunReport, Subject, base_url, bundled, from_path, replay, tidy,
};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP_AFTER: &str = "\
Example:
  muster-examiner flows --base https://scim.example.com/scim/v2 --token \"$TOKEN\"
  muster-examiner check https://scim.example.com/scim/v2 --token \"$TOKEN\"

Exit codes: 0 everything passed, 1 something failed, 2 the examination could not be carried out.";

/// Examines a SCIM 2.0 server from outside, knowing only a base URL and a token
#[derive(Parser)]
#[command(version, after_help = HELP_AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replay what identity providers really send
    ///
    /// Reports every answer that a recorded client could not live with. Use a tenant without users and
    /// groups: some flows count all of them. What a flow creates is deleted after it.
    #[command(after_help = HELP_AFTER)]
    Flows(Flows),
    Check(Check),
}

#[derive(clap::Args)]
struct Flows {
    /// Flow files, or folders of them; without any, the flows carried inside
    paths: Vec<PathBuf>,
    /// SCIM base URL of the server
    #[arg(long, value_name = "URL", value_parser = base_url)]
    base: String,
    /// Bearer token of an empty tenant
    #[arg(long, value_name = "TOKEN", env = "MUSTER_EXAMINER_TOKEN", hide_env_values = true)]
    token: String,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Leave what the flows create on the server
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// One line for each flow, and details of what failed
    Table,
    /// One JSON document at the end
    Json,
}

fn main() -> ExitCode {
    let options = match Cli::parse().command {
        Command::Check(check) => return check.run(),
        Command::Flows(options) => options,
    };
    match run(&options) {
        Ok(report) if report.passed() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(message) => {
            complain(&message);
            ExitCode::from(2)
        }
    }
}

fn run(options: &Flows) -> Result<RunReport, String> {
    let flows = chosen(&options.paths)?;
    let subject = Subject { base: options.base.clone(), token: options.token.clone() };
    let mut report = RunReport::default();
    for flow in &flows {
        examine(&subject, flow, options, &mut report)?;
    }
    let last = match options.format {
        Format::Table => report.summary(),
        Format::Json => serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?,
    };
    print(&last)?;
    Ok(report)
}

fn chosen(paths: &[PathBuf]) -> Result<Vec<Flow>, String> {
    if paths.is_empty() {
        return bundled().map_err(|error| error.to_string());
    }
    let mut flows = Vec::new();
    for path in paths {
        flows.extend(from_path(path).map_err(|error| error.to_string())?);
    }
    Ok(flows)
}

fn examine(subject: &Subject, flow: &Flow, options: &Flows, all: &mut RunReport) -> Result<(), String> {
    let report = replay(subject, flow);
    if options.format == Format::Table {
        print(&report.to_string())?;
    }
    if !report.answered() {
        return Err(no_answer(subject, &report));
    }
    if !options.keep {
        tidy(subject, &report).iter().for_each(|left| complain(left));
    }
    all.flows.push(report);
    Ok(())
}

fn no_answer(subject: &Subject, report: &FlowReport) -> String {
    let reasons: Vec<String> =
        report.steps.iter().flat_map(|step| &step.unmet).map(ToString::to_string).collect();
    let base = &subject.base;
    format!(
        "nothing came from {base} (expected {}); check --base and that the server runs",
        reasons.join(", ")
    )
}

fn print(text: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{text}").map_err(|error| format!("cannot write the report: {error}"))
}

/// Best effort: there is nowhere to report that standard error is closed.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "muster-examiner: {message}");
}
