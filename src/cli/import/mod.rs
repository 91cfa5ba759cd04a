//! `muster import`: batches of rows through the directory, and what became of each.
//!
//! Invariant: rows are read and admitted while the batch before them is written; a refused row is reported before the
//! position moves past it, unless it is refused because somebody took its value in between. Memory holds two batches.

mod jsonl;
mod report;
mod table;

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::cli::import::jsonl::Lines;
use crate::cli::import::report::Report;
use crate::cli::import::table::{Mapping, Table};
use crate::cli::{Database, Refused, progress};
use crate::context::Context;
use crate::directory::{Directory, Import as Running, Line, NewMembers, Newcomer, Outcome};
use crate::identity::Bag;
use crate::scim::registry::ResourceType;

/// How many rows a batch has at most.
const ROWS: usize = 2000;

/// How many bytes of input a batch has, but for its last row.
const BYTES: u64 = 2 << 20;

/// How much of a file's beginning tells it from others.
const HEAD: u64 = 64 * 1024;

/// Read users, groups and memberships from lines of JSON, or resources of one type from CSV.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  muster import acme.jsonl --tenant acme
  muster import acme.jsonl --dry-run
  muster import acme.jsonl --resume --rejects refused.txt
  muster import people.csv --map userName=login,emails.work=mail,phoneNumbers.mobile=cell

A line of JSON is what `muster export` writes: {\"type\": \"User\", \"resource\": {…}} or
{\"membership\": {\"group\": \"ID\", \"members\": [\"ID\", …]}}. A resource is admitted as in a POST, but keeps an id,
meta, hashed passwords (\"secrets\") and data beside it (\"bags\"). What is there already with the same content stays as it is.
The first line of a CSV file names the columns. A column whose name is an attribute's, such as userName, name.givenName,
emails.work or addresses.work.locality, needs no --map; one that is no attribute is left out, and named.
A refused row is named with its line and the reason, and the rest is imported; the exit code is 1 then.")]
pub(super) struct Import {
    /// The file, or - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,
    /// Name refused rows in this file instead of on stderr
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// What the file holds [default: csv if its name ends in .csv or .tsv, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Of a CSV file: which column is which attribute
    #[arg(long, value_name = "ATTRIBUTE=COLUMN", value_delimiter = ',')]
    map: Vec<String>,
    /// Of a CSV file: the type of its rows
    #[arg(long = "type", default_value = "User", value_name = "TYPE")]
    kind: String,
    /// Check every row and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on where an import of this file was interrupted
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Begin again, although an import of this file was interrupted
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    database: Database,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines of JSON.
    Jsonl,
    /// A table.
    Csv,
}

/// An input, row by row.
enum Input {
    Lines(Lines),
    Table(Box<Table>),
}

impl Input {
    /// Reads the next row; answers whether there is one.
    fn advance(&mut self) -> std::io::Result<bool> {
        match self {
            Self::Lines(lines) => lines.advance(),
            Self::Table(table) => table.advance(),
        }
    }

    /// The line of the row that was read.
    fn line(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.line,
            Self::Table(table) => table.line,
        }
    }

    /// How many bytes were read.
    fn bytes(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.bytes,
            Self::Table(table) => table.bytes(),
        }
    }

    /// The row that was read.
    fn row(&self, admission: &Admission) -> Result<Row, String> {
        match self {
            Self::Lines(lines) => lines.row(admission),
            Self::Table(table) => table.row(admission),
        }
    }
}

/// A row that was admitted.
enum Row {
    Resource(Box<Newcomer>),
    Members(NewMembers),
}

/// What decides about a row before the database does.
struct Admission {
    directory: Directory,
    cx: Context,
}

impl Admission {
    fn resource(
        &self,
        kind: &str,
        body: Map<String, Value>,
        secrets: Option<Map<String, Value>>,
        bags: Map<String, Value>,
    ) -> Result<Row, String> {
        let kind = type_named(&self.cx, kind)?;
        bags.iter().try_for_each(|(name, content)| check_bag(name, content))?;
        let admitted = self.directory.admit_row(&self.cx, kind, body, secrets);
        let newcomer = admitted.map_err(|error| error.detail)?;
        Ok(Row::Resource(Box::new(newcomer.with_bags(bags))))
    }
}

fn check_bag(name: &str, content: &Value) -> Result<(), String> {
    let bag = Bag::named(name).ok_or_else(|| format!("there is no bag {name:?}"))?;
    let content = content.as_object().ok_or_else(|| format!("bags.{name} must be an object"))?;
    bag.text(content).map(drop).map_err(|reason| format!("bags.{name}: {reason}"))
}

fn type_named<'a>(cx: &'a Context, name: &str) -> Result<&'a Arc<ResourceType>, String> {
    let registry = &cx.caller.registry;
    registry.type_named(name).ok_or_else(|| {
        let names: Vec<&str> = registry.types().iter().map(|kind| kind.name.as_str()).collect();
        format!("there is no type {name:?}; the types are {}", names.join(", "))
    })
}

/// The rows of an input.
struct Rows {
    input: Input,
    admission: Arc<Admission>,
    /// The last line that an earlier import dealt with.
    after: u64,
    /// The row that did not fit into the batch before.
    pending: Option<Line<Result<Row, String>>>,
}

/// Rows that are written together: resources or memberships.
#[derive(Default)]
struct Batch {
    resources: Vec<Line<Newcomer>>,
    members: Vec<Line<NewMembers>>,
    refused: Vec<Line<Outcome>>,
    /// The last line.
    end: u64,
    /// How many bytes were read so far.
    bytes: u64,
}

impl Batch {
    /// Takes a row, or gives it back if it is of the other kind.
    fn take(&mut self, (line, row): Line<Result<Row, String>>) -> Option<Line<Result<Row, String>>> {
        match row {
            Ok(Row::Resource(_)) if !self.members.is_empty() => return Some((line, row)),
            Ok(Row::Members(_)) if !self.resources.is_empty() => return Some((line, row)),
            Ok(Row::Resource(newcomer)) => self.resources.push((line, *newcomer)),
            Ok(Row::Members(members)) => self.members.push((line, members)),
            Err(reason) => self.refused.push((line, Outcome::Refused(reason))),
        }
        self.end = line;
        None
    }

    fn len(&self) -> usize {
        self.resources.len() + self.members.len() + self.refused.len()
    }
}

impl Rows {
    /// The next batch; none at the end.
    fn batch(&mut self) -> std::io::Result<Option<Batch>> {
        let begin = self.input.bytes();
        let mut batch = Batch::default();
        while batch.len() < ROWS && (batch.len() == 0 || self.input.bytes() - begin < BYTES) {
            let row = match self.pending.take() {
                Some(row) => row,
                None if self.input.advance()? => {
                    if self.input.line() <= self.after {
                        continue;
                    }
                    (self.input.line(), self.input.row(&self.admission))
                }
                None => break,
            };
            self.pending = batch.take(row);
            if self.pending.is_some() {
                break;
            }
        }
        batch.bytes = self.input.bytes();
        Ok((batch.len() > 0).then_some(batch))
    }
}

impl Import {
    pub(super) async fn run(self, now: DateTime<Utc>) -> Result<(), Refused> {
        let (input, length) = open(&self.file)?;
        let opened = self.database.clone().open().await?;
        let directory = opened.directory();
        let caller = opened.access.operator(&self.tenant, "import").await?;
        let cx = Context { caller, now, request: "import".to_owned() };
        let input = self.input(input, &cx)?;
        let source = match length {
            Some(_) if !self.dry_run => Some(fingerprint(&self.file)?),
            _ => None,
        };
        let after = match &source {
            Some(source) => self.begin(directory.import_mark(&cx, source).await?)?,
            None => 0,
        };
        let bar = progress::bar(length.unwrap_or_default(), "bytes");
        let mut report = Report::new(bar, self.rejects.as_deref(), after > 0)?;
        let admission = Arc::new(Admission { directory: directory.clone(), cx: cx.clone() });
        let rows = Rows { input, admission, after, pending: None };
        let mut running = directory.import(cx.clone(), self.dry_run);
        import(rows, &mut running, source.as_deref(), &mut report).await?;
        if let Some(source) = &source {
            directory.end_import(&cx, source).await?;
        }
        report.finish(self.dry_run)
    }

    /// The rows, and a word on what is not among them.
    fn input(&self, input: Box<dyn BufRead + Send>, cx: &Context) -> Result<Input, Refused> {
        if self.format() == Format::Jsonl {
            if !self.map.is_empty() {
                return Err(Refused("--map is for CSV; name the format with --format csv".to_owned()));
            }
            return Ok(Input::Lines(Lines::new(input)));
        }
        let kind = type_named(cx, &self.kind).map_err(Refused)?;
        let (table, ignored) = Table::open(input, &Mapping { given: &self.map, kind })?;
        if !ignored.is_empty() {
            let names = ignored.join(", ");
            writeln!(std::io::stderr(), "not imported, because no attribute of {}: {names}", kind.name)?;
        }
        Ok(Input::Table(Box::new(table)))
    }

    fn format(&self) -> Format {
        let is_table = |ending: &str| ["csv", "tsv"].iter().any(|table| ending.eq_ignore_ascii_case(table));
        let ending = self.file.extension().and_then(|ending| ending.to_str());
        self.format.unwrap_or(if ending.is_some_and(is_table) { Format::Csv } else { Format::Jsonl })
    }

    /// After which line to begin.
    fn begin(&self, mark: Option<u64>) -> Result<u64, Refused> {
        match mark {
            Some(line) if self.resume => Ok(line),
            Some(line) if !self.restart => Err(Refused(format!(
                "an import of {} was interrupted after line {line}; add --resume to go on from there, \
                 or --restart to begin again",
                self.file.display()
            ))),
            _ => Ok(0),
        }
    }
}

/// Reads ahead by one batch while another is being written.
async fn import(
    rows: Rows,
    running: &mut Running,
    source: Option<&str>,
    report: &mut Report,
) -> Result<(), Refused> {
    let read = |mut rows: Rows| {
        spawn_blocking(move || {
            let batch = rows.batch();
            (rows, batch)
        })
    };
    let mut next = read(rows);
    loop {
        let (rows, batch) = next.await.map_err(|error| Refused(error.to_string()))?;
        let Some(batch) = batch? else { return Ok(()) };
        next = read(rows);
        write(batch, running, source, report).await?;
    }
}

async fn write(
    batch: Batch,
    running: &mut Running,
    source: Option<&str>,
    report: &mut Report,
) -> Result<(), Refused> {
    let position = source.map(|source| (source, batch.end));
    let mut refused = batch.refused;
    if !batch.resources.is_empty() {
        let screened = running.screen(batch.resources).await?;
        refused.extend(screened.outcomes);
        report.add(std::mem::take(&mut refused))?;
        report.add(running.store(&screened.fit, position).await?)?;
    }
    if !batch.members.is_empty() {
        let screened = running.screen_members(batch.members).await?;
        refused.extend(screened.outcomes);
        report.add(std::mem::take(&mut refused))?;
        report.add(running.store_members(&screened.fit, position).await?)?;
    }
    report.add(refused)?;
    report.at(batch.bytes);
    Ok(())
}

/// The input, and how many bytes it has if that is known.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Refused> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(std::io::stdin())), None));
    }
    let unreadable = |error| Refused(format!("{} cannot be read: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    // What is no file, such as a pipe, cannot be read twice and has no length.
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(1 << 20, file)), length))
}

/// What tells a file from others: where it is, how long it is, and how it begins.
fn fingerprint(path: &Path) -> Result<String, Refused> {
    let mut head = Vec::new();
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    file.take(HEAD).read_to_end(&mut head)?;
    let mut hash = Sha256::new();
    hash.update(path.canonicalize()?.as_os_str().as_encoded_bytes());
    hash.update(length.to_be_bytes());
    hash.update(&head);
    Ok(hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect())
}
