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
mod clients;
mod cluster;
mod databases;
mod directory;
mod peers;
mod raw;
mod report;
mod request;
mod rows;
mod scenario;
mod server;
mod sync;

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use databases::Databases;
use directory::Chance;
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
    /// How many users the directory has; of several sizes, each has a table, and they are compared
    #[arg(long, value_delimiter = ',', default_value = "1000", value_name = "USERS,…")]
    users: Vec<usize>,
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
    /// Which database is measured, in files or in a cluster of its own
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    database: Engine,
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

fn run(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("load-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let sizes = if options.smoke { &[300][..] } else { &options.users };
    if options.peers {
        let (time, users) = (Duration::from_secs_f64(options.seconds), sizes.first().ok_or("no size")?);
        return peers::measure(folder.path(), options.seed, *users, time);
    }
    let databases = Rc::new(Databases::new(folder.path(), options.database == Engine::Postgres)?);
    let mut tables = Vec::new();
    for &users in sizes {
        tables.push((users, table(options, &databases, users)?));
    }
    if let [(few, small), .., (many, large)] = tables.as_slice() {
        report::compare((*few, &small.0), (*many, &large.0));
    }
    if let Some(path) = &options.json {
        let tables: Vec<&Value> = tables.iter().map(|(_, (_, json))| json).collect();
        std::fs::write(path, format!("{:#}\n", json!(tables)))?;
    }
    match tables.iter().flat_map(|(_, (rows, _))| rows).find(|row| row.has_errors()) {
        None => Ok(()),
        Some(row) => Err(format!("{}: {}", row.name, row.first_error().unwrap_or_default()).into()),
    }
}

/// Measures a directory of one size; answers the rows, and all of it as JSON.
fn table(options: &Options, databases: &Rc<Databases>, users: usize) -> Result<(Vec<Row>, Value), Failure> {
    let began = Instant::now();
    let mut bench = prepare(options, databases, users)?;
    let filled = began.elapsed();
    println!(
        "\n{} users and {} groups; {} connections; {} s a row\n\n{}",
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
    let started = bench.muster.started;
    println!(
        "\nFilled and copied in {:.1} s. The server listened {:.0} ms after it was started.",
        filled.as_secs_f64(),
        started.as_secs_f64() * 1e3
    );
    report::notes(&rows);
    let json = json!({
        "users": bench.filled.users.len(), "groups": bench.filled.groups.len(),
        "connections": bench.connections, "seconds_a_row": bench.time.as_secs_f64(),
        "filled_seconds": filled.as_secs_f64(), "started_ms": started.as_secs_f64() * 1e3,
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
    });
    Ok((rows, json))
}

/// Fills a database, copies it for the raw writes, and starts the server.
fn prepare(options: &Options, databases: &Rc<Databases>, users: usize) -> Result<Bench, Failure> {
    let groups = options.groups.unwrap_or(users / 10);
    let database = databases.create(&format!("users{users}"))?;
    let filled = directory::fill(&database.url, options.seed, users, groups)?;
    if filled.users.len() < 2 {
        return Err("a directory needs at least two users".into());
    }
    let raw = databases.copy(&database, &format!("users{users}_raw"))?;
    Ok(Bench {
        muster: Server::muster(&database.url, databases.folder())?,
        databases: Rc::clone(databases),
        database: database.name,
        raw,
        filled,
        seed: options.seed,
        newcomers: if options.smoke { users } else { options.sync.max(1) },
        connections: options.connections,
        time: Duration::from_secs_f64(if options.smoke { 0.3 } else { options.seconds }),
        chance: Chance::new(options.seed),
        people: users,
    })
}

type Scenario = Box<dyn Fn(&mut Bench) -> Result<Row, Failure>>;

/// All rows in the order of the table: what reads, then what changes the directory.
fn scenarios(huge: bool) -> Vec<(String, Scenario)> {
    let mut all: Vec<(String, Scenario)> = vec![("get".into(), Box::new(Bench::get))];
    let fact = |name: &str| {
        format!(
            "SELECT r.document FROM fact f JOIN resource r ON r.tenant = 1 AND r.pk = f.resource \
             WHERE f.tenant = 1 AND f.path = (SELECT id FROM dictionary WHERE name = 'User/{name}') AND f.key = $1"
        )
    };
    let email = "SELECT r.document FROM contact c JOIN resource r ON r.tenant = 1 AND r.pk = c.resource \
                 WHERE c.tenant = 1 AND c.kind = 1 AND c.key = $1"
        .to_owned();
    let (user_name, external_id) = (directory::user_name(LABEL), directory::external_id(LABEL));
    for (name, filter, sql, value) in [
        ("userName eq", format!("userName eq \"{user_name}\""), fact("userName"), &user_name),
        ("externalId eq", format!("externalId eq \"{external_id}\""), fact("externalId"), &external_id),
        ("emails.value eq", format!("emails.value eq \"{user_name}\""), email.clone(), &user_name),
        (
            "emails[type eq and value eq]",
            format!("emails[type eq \"work\" and value eq \"{user_name}\"]"),
            format!("{email} AND c.type_key = 'work'"),
            &user_name,
        ),
    ] {
        let value = value.clone();
        all.push((name.into(), Box::new(move |bench| bench.filter(name, &filter, &sql, &value))));
    }
    all.push(("members.value eq".into(), Box::new(Bench::groups_of)));
    all.push(("page first".into(), Box::new(|bench| bench.page(false))));
    all.push(("page any".into(), Box::new(|bench| bench.page(true))));
    all.push(("page by cursor".into(), Box::new(Bench::page_by_cursor)));
    all.push(("put".into(), Box::new(|bench| bench.edit(Edit::Put))));
    all.push(("patch user".into(), Box::new(|bench| bench.edit(Edit::Patch))));
    for size in Bench::group_sizes(huge) {
        all.push((format!("patch member of {size}"), Box::new(move |bench| bench.member(size))));
    }
    all.push(("post".into(), Box::new(Bench::post)));
    all.push(("first sync".into(), Box::new(Bench::first_sync)));
    all
}
