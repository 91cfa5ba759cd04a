//! The load benchmark: the real program over HTTP, each figure beside a reference of the same run.
//!
//! `cargo bench --bench load -- --help` lists the options, and docs/performance.md says what is measured.
//! Invariant: a figure is only worth its ratio to the reference beside it, because the machine is never quiet.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and may fail loudly"
)]

mod bare;
mod client;
mod directory;
mod peers;
mod raw;
mod report;
mod request;
mod scenario;
mod server;
mod sync;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use directory::Chance;
use raw::Raw;
use report::Row;
use request::LABEL;
use scenario::{Bench, Edit};
use server::Server;

/// Why the benchmark could not be run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures `muster serve` beside bare handlers and raw writes.
#[derive(Parser)]
#[command(name = "load")]
struct Options {
    /// How many users the directory has
    #[arg(long, default_value_t = 1000)]
    users: usize,
    /// How many groups of 10 [default: a tenth of the users]
    #[arg(long)]
    groups: Option<usize>,
    /// How long a row takes
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Connections, each with one request outstanding
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Only rows whose name contains one of these
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    only: Vec<String>,
    /// An empty database to use instead of a temporary one, as in sqlite:/var/tmp/load.db
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the figures go as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What the directory is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Change members of groups of 100,000 too
    #[arg(long)]
    huge_groups: bool,
    /// How many users a first synchronisation brings, with a group of 200 for every hundred
    #[arg(long, default_value_t = 100_000)]
    sync: usize,
    /// Measure Muster beside scim2-server and scimmy instead, which are installed from PyPI and npm
    #[arg(long)]
    peers: bool,
    /// A few hundred users and 0.3 seconds a row, to see that everything works
    #[arg(long)]
    smoke: bool,
    /// Cargo says this
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some(bare::ARGUMENT) => bare::serve(),
        _ => run(&Options::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("load-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    if options.peers {
        let time = Duration::from_secs_f64(options.seconds);
        return peers::measure(folder.path(), options.seed, options.users, time);
    }
    let mut bench = prepare(options, folder.path())?;
    println!(
        "{} users and {} groups; {} connections; {} s a row\n\n{}",
        bench.filled.users.len(),
        bench.filled.groups.len(),
        bench.connections,
        bench.time.as_secs_f64(),
        report::head()
    );
    let mut rows: Vec<Row> = Vec::new();
    for (name, row) in scenarios(options.huge_groups) {
        let name_is = |wanted: &String| name.to_lowercase().contains(&wanted.to_lowercase());
        if options.only.is_empty() || options.only.iter().any(name_is) {
            let row = row(&mut bench).map_err(|failure| format!("{name}: {failure}"))?;
            println!("{}", row.line());
            rows.push(row);
        }
    }
    println!(
        "\nThe server listened {:.0} ms after it was started.",
        bench.muster.started.as_secs_f64() * 1e3
    );
    notes(&rows);
    if let Some(path) = &options.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        let whole = json!({
            "users": bench.filled.users.len(), "groups": bench.filled.groups.len(),
            "connections": bench.connections, "seconds_a_row": bench.time.as_secs_f64(), "rows": rows,
        });
        std::fs::write(path, format!("{whole:#}\n"))?;
    }
    match rows.iter().find(|row| row.has_errors()) {
        None => Ok(()),
        Some(row) => Err(format!("{}: {}", row.name, row.first_error().unwrap_or_default()).into()),
    }
}

/// Fills the database, copies it for the raw writes, and starts the server.
fn prepare(options: &Options, folder: &Path) -> Result<Bench, Failure> {
    let (users, seconds) = if options.smoke { (300, 0.3) } else { (options.users, options.seconds) };
    let groups = options.groups.unwrap_or(users / 10);
    let database = match &options.database {
        Some(url) => url.clone(),
        None => format!("sqlite:{}", folder.join("muster.db").display()),
    };
    let filled = directory::fill(&database, options.seed, users, groups)?;
    if filled.users.len() < 2 {
        return Err("a directory needs at least two users".into());
    }
    let file = PathBuf::from(database.strip_prefix("sqlite:").ok_or("raw writes need sqlite:PATH")?);
    let raw = Raw::copy(&file, &folder.join("raw.db"))?;
    Ok(Bench {
        muster: Server::muster(&database, folder)?,
        database: file,
        raw,
        filled,
        seed: options.seed,
        folder: folder.to_owned(),
        newcomers: if options.smoke { users } else { options.sync.max(1) },
        connections: options.connections,
        time: Duration::from_secs_f64(seconds),
        chance: Chance::new(options.seed),
        people: users,
    })
}

type Scenario = Box<dyn Fn(&mut Bench) -> Result<Row, Failure>>;

/// All rows in the order of the table: what reads, then what changes the directory.
fn scenarios(huge: bool) -> Vec<(String, Scenario)> {
    let mut all: Vec<(String, Scenario)> = vec![("get".into(), Box::new(Bench::get))];
    for (name, filter) in [
        ("userName eq", format!("userName eq \"{}\"", directory::user_name(LABEL))),
        ("externalId eq", format!("externalId eq \"{}\"", directory::external_id(LABEL))),
        ("emails.value eq", format!("emails.value eq \"{}\"", directory::user_name(LABEL))),
        (
            "emails[type eq and value eq]",
            format!("emails[type eq \"work\" and value eq \"{}\"]", directory::user_name(LABEL)),
        ),
    ] {
        all.push((name.into(), Box::new(move |bench| bench.filter(name, &filter))));
    }
    all.push(("members.value eq".into(), Box::new(Bench::groups_of)));
    all.push(("page first".into(), Box::new(|bench| bench.page(false))));
    all.push(("page any".into(), Box::new(|bench| bench.page(true))));
    all.push(("put".into(), Box::new(|bench| bench.edit(Edit::Put))));
    all.push(("patch user".into(), Box::new(|bench| bench.edit(Edit::Patch))));
    for size in Bench::group_sizes(huge) {
        all.push((format!("patch member of {size}"), Box::new(move |bench| bench.member(size))));
    }
    all.push(("post".into(), Box::new(Bench::post)));
    all.push(("first sync".into(), Box::new(Bench::first_sync)));
    all
}

/// What the table does not say.
fn notes(rows: &[Row]) {
    println!();
    for row in rows.iter().filter(|row| row.batch.is_some()) {
        println!("{}: {:.1} requests shared a commit", row.name, row.batch.unwrap_or_default());
    }
    for row in rows.iter().filter(|row| row.name.starts_with("first sync")) {
        println!("{}", sync::note(row));
    }
    let members: Vec<&Row> = rows.iter().filter(|row| row.name.starts_with("PATCH member")).collect();
    if let [small, larger @ ..] = members.as_slice() {
        for row in larger {
            println!("{} / {}: {:.2}", row.name, small.name, row.subject.rate() / small.subject.rate());
        }
    }
}
