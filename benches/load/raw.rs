//! The reference of the writing requests: the same rows straight into the database, without anything around it. On
//! PostgreSQL it is the reference of the reading requests, too.
//!
//! Invariant: tables and indexes are those of a copy of the server's own database, rows of new people are copies of
//! rows that the server's own code wrote, and the pragmas are the server's. Only executing the statements and
//! committing them is timed; making their values is not.

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params_from_iter};

use crate::Failure;
use crate::client::Slice;
use crate::clients::Clients;

/// A value of a column.
pub(crate) use rusqlite::types::Value;

/// A statement and its values; the parameters are `$1`, `$2`, … in the order in which they first appear.
pub(crate) type Statement = (Rc<str>, Vec<Value>);

/// A copy of the server's database, open for writing.
pub(crate) struct Raw {
    engine: Engine,
    next_pk: i64,
}

enum Engine {
    Sqlite(Connection),
    Postgres(Clients),
}

impl Raw {
    /// Opens a copy of a database file that nobody has open.
    pub(crate) fn sqlite(file: &Path, copy: &Path) -> Result<Self, Failure> {
        fs::copy(file, copy)?;
        // Else the disk is still busy with them while the first rows are measured.
        File::open(file)?.sync_all()?;
        File::open(copy)?.sync_all()?;
        let connection = Connection::open(copy)?;
        connection.set_prepared_statement_cache_capacity(128);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 50_000)?;
        connection.pragma_update(None, "cache_size", -48 * 1024)?;
        Self::of(Engine::Sqlite(connection))
    }

    /// Opens a database that is a copy, with so many connections.
    pub(crate) fn postgres(url: &str, connections: usize) -> Result<Self, Failure> {
        Self::of(Engine::Postgres(Clients::connect(url, connections)?))
    }

    fn of(engine: Engine) -> Result<Self, Failure> {
        let mut raw = Self { engine, next_pk: 0 };
        let last = raw.select("SELECT max(pk) FROM resource", &[])?;
        let Some([(_, Value::Integer(last))]) = last.first().map(Vec::as_slice) else {
            return Err("there is no resource".into());
        };
        raw.next_pk = last + 1;
        Ok(raw)
    }

    /// A row key that is new.
    pub(crate) fn next_pk(&mut self) -> i64 {
        self.next_pk += 1;
        self.next_pk - 1
    }

    /// Rows with the names of their columns.
    pub(crate) fn select(&self, sql: &str, values: &[Value]) -> Result<Vec<Vec<(String, Value)>>, Failure> {
        let connection = match &self.engine {
            Engine::Sqlite(connection) => connection,
            Engine::Postgres(clients) => return clients.select(sql, values),
        };
        let mut select = connection.prepare(sql)?;
        let names: Vec<String> = select.column_names().map(str::to_owned).collect();
        let rows = select.query_map(params_from_iter(values), |row| {
            names.iter().enumerate().map(|(index, name)| Ok((name.clone(), row.get(index)?))).collect()
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Runs what `make` makes for that long: on SQLite `batch` requests a transaction, on PostgreSQL a transaction each on
    /// all connections.
    pub(crate) fn run(
        &mut self,
        time: Duration,
        batch: usize,
        make: &mut dyn FnMut(&mut Self) -> Vec<Statement>,
    ) -> Result<Slice, Failure> {
        let batch = match &self.engine {
            Engine::Sqlite(_) => batch,
            Engine::Postgres(clients) => clients.count() * 8,
        };
        let began = Instant::now();
        let mut slice = Slice::default();
        while began.elapsed() < time {
            let requests: Vec<Vec<Statement>> = (0..batch).map(|_| make(self)).collect();
            slice.join(self.timed(&requests)?);
        }
        Ok(slice)
    }

    /// Runs requests, which is all that is timed.
    pub(crate) fn timed(&self, requests: &[Vec<Statement>]) -> Result<Slice, Failure> {
        let (start, cpu) = (Instant::now(), thread_cpu()?);
        self.write(requests)?;
        let elapsed = start.elapsed();
        Ok(Slice {
            requests: requests.len() as u64,
            elapsed,
            latencies: vec![elapsed],
            cpu: thread_cpu()?.saturating_sub(cpu),
            ..Slice::default()
        })
    }

    /// Runs requests.
    pub(crate) fn write(&self, requests: &[Vec<Statement>]) -> Result<(), Failure> {
        let connection = match &self.engine {
            Engine::Sqlite(connection) => connection,
            Engine::Postgres(clients) => return clients.write(requests),
        };
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for (sql, values) in requests.iter().flatten() {
            connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Runs a reading statement with one value for that long, on all connections of PostgreSQL.
    pub(crate) fn read(
        &self,
        time: Duration,
        sql: &str,
        value: &mut dyn FnMut() -> Value,
    ) -> Result<Slice, Failure> {
        let Engine::Postgres(clients) = &self.engine else {
            return Err("SQLite has another reference".into());
        };
        let cpu = thread_cpu()?;
        let slice = clients.read(time, sql, value)?;
        Ok(Slice { cpu: thread_cpu()?.saturating_sub(cpu), ..slice })
    }

    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }
}

/// The processor time of this thread.
fn thread_cpu() -> Result<Duration, Failure> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?))
}

/// How often a database has committed since its write-ahead log began: the log's age, and the number of frames
/// that end a transaction (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>). None without a log.
pub(crate) fn commits(database: &Path) -> Option<([u8; 8], u64)> {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    let mut wal = BufReader::with_capacity(32, fs::File::open(path).ok()?);
    let mut header = [0; 32];
    wal.read_exact(&mut header).ok()?;
    let page = u32::from_be_bytes(header.get(8..12)?.try_into().ok()?);
    let age: [u8; 8] = header.get(16..24)?.try_into().ok()?;
    let mut frame = [0; 24];
    let mut count = 0;
    while wal.read_exact(&mut frame).is_ok() && frame.get(8..16) == Some(&age) {
        count += u64::from(frame.get(4..8) != Some(&[0; 4]));
        wal.seek(SeekFrom::Current(page.into())).ok()?;
    }
    Some((age, count))
}
