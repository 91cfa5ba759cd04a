//! The reference of the writing requests: the same rows straight through SQLite, without anything around it.
//!
//! Invariant: tables and indexes are those of a copy of the server's own file, rows of new people are copies of
//! rows that the server's own code wrote, and the pragmas are the server's. Only executing the statements and
//! committing them is timed; making their values is not.

use std::fs;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use crate::Failure;
use crate::client::Slice;
use crate::request::LABEL;

/// A statement and its values.
pub(crate) type Statement = (Rc<str>, Vec<Value>);

/// A copy of the server's database, open for writing.
pub(crate) struct Raw {
    connection: Connection,
    next_pk: i64,
}

impl Raw {
    /// Opens a copy of a database file that nobody has open.
    pub(crate) fn copy(file: &Path, copy: &Path) -> Result<Self, Failure> {
        fs::copy(file, copy)?;
        let connection = Connection::open(copy)?;
        connection.set_prepared_statement_cache_capacity(128);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 50_000)?;
        connection.pragma_update(None, "cache_size", -64 * 1024)?;
        let next_pk = connection.query_row("SELECT 1 + max(pk) FROM resource", [], |row| row.get(0))?;
        Ok(Self { connection, next_pk })
    }

    /// A row key that is new.
    pub(crate) fn next_pk(&mut self) -> i64 {
        self.next_pk += 1;
        self.next_pk - 1
    }

    /// Runs what `make` makes, `batch` requests a transaction, for that long.
    pub(crate) fn run(
        &mut self,
        time: Duration,
        batch: usize,
        make: &mut dyn FnMut(&mut Self) -> Vec<Statement>,
    ) -> Result<Slice, Failure> {
        let began = Instant::now();
        let mut slice = Slice::default();
        while began.elapsed() < time {
            let requests: Vec<Vec<Statement>> = (0..batch).map(|_| make(self)).collect();
            slice.join(self.timed(&requests)?);
        }
        Ok(slice)
    }

    /// Runs requests in one transaction, which is all that is timed.
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

    /// Runs statements in one transaction.
    pub(crate) fn write(&self, requests: &[Vec<Statement>]) -> Result<(), Failure> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for (sql, values) in requests.iter().flatten() {
            self.connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

/// The processor time of this thread.
fn thread_cpu() -> Result<Duration, Failure> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?))
}

/// The rows of one person, with gaps for what is its own.
pub(crate) struct Rows {
    rows: Vec<Row>,
}

struct Row {
    insert: Rc<str>,
    columns: Vec<Column>,
}

enum Column {
    Same(Value),
    /// The row key.
    Pk,
    /// The resource's id.
    Id,
    /// An id that nothing refers to.
    Fresh,
    /// A text with gaps for the label.
    Labelled(String),
    /// A text with gaps for the label, and for the id.
    Document {
        text: String,
        id: String,
    },
}

impl Rows {
    /// Reads the rows of the person with that id and label.
    pub(crate) fn of(raw: &Raw, id: &str, label: &str) -> Result<Self, Failure> {
        let pk = "SELECT pk FROM resource WHERE id = $1";
        let places = [("resource", "pk"), ("fact", "resource"), ("contact", "resource")];
        let mut rows = Vec::new();
        for (table, key) in places {
            let select = format!("SELECT * FROM {table} WHERE {key} = ({pk})");
            rows.extend(Self::read(raw, table, &select, id, label, key)?);
        }
        let change = "SELECT tenant, kind, resource, version, what, at, who FROM change WHERE resource = $1";
        rows.extend(Self::read(raw, "change", change, id, label, "")?);
        Ok(Self { rows })
    }

    fn read(
        raw: &Raw,
        table: &str,
        select: &str,
        id: &str,
        label: &str,
        key: &str,
    ) -> Result<Vec<Row>, Failure> {
        let mut select = raw.connection.prepare(select)?;
        let names: Vec<String> = select.column_names().map(str::to_owned).collect();
        let places: Vec<String> = (1..=names.len()).map(|n| format!("?{n}")).collect();
        let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
        let insert: Rc<str> = insert.into();
        let mut cursor = select.query([id])?;
        let mut rows = Vec::new();
        while let Some(row) = cursor.next()? {
            let mut columns = Vec::with_capacity(names.len());
            for (index, name) in names.iter().enumerate() {
                columns.push(match row.get::<_, Value>(index)? {
                    Value::Integer(_) if name == key => Column::Pk,
                    Value::Text(text) if text == id => Column::Id,
                    Value::Text(_) if name == "id" => Column::Fresh,
                    Value::Text(text) if text.contains(id) => {
                        Column::Document { text: text.replace(label, LABEL), id: id.replace(label, LABEL) }
                    }
                    Value::Text(text) if text.contains(label) => Column::Labelled(text.replace(label, LABEL)),
                    value => Column::Same(value),
                });
            }
            rows.push(Row { insert: Rc::clone(&insert), columns });
        }
        Ok(rows)
    }

    /// The statements that store another such person.
    pub(crate) fn insert(&self, raw: &mut Raw, label: &str) -> Vec<Statement> {
        let pk = raw.next_pk();
        let id = Uuid::now_v7().hyphenated().to_string();
        let value = |column: &Column| match column {
            Column::Same(value) => value.clone(),
            Column::Pk => pk.into(),
            Column::Id => id.clone().into(),
            Column::Fresh => Uuid::now_v7().hyphenated().to_string().into(),
            Column::Labelled(text) => text.replace(LABEL, label).into(),
            Column::Document { text, id: old } => {
                text.replace(old.as_str(), &id).replace(LABEL, label).into()
            }
        };
        let insert = |row: &Row| (Rc::clone(&row.insert), row.columns.iter().map(value).collect());
        let mut statements: Vec<Statement> = self.rows.iter().map(insert).collect();
        let count = "UPDATE counter SET n = n + 1 WHERE tenant = 1 AND slot = ?1 \
                     AND kind = (SELECT id FROM dictionary WHERE name = 'User')";
        statements.push((count.into(), vec![(pk % 8).into()]));
        statements
    }
}

/// A person whose `displayName` is changed again and again.
pub(crate) struct Renamed {
    pk: i64,
    id: String,
    version: i64,
    name: String,
    document: String,
    /// The number of `displayName` among the paths.
    path: i64,
}

impl Renamed {
    pub(crate) fn read(raw: &Raw, id: &str) -> Result<Self, Failure> {
        let sql = "SELECT r.pk, r.version, r.label, r.document, d.id FROM resource r, dictionary d \
                   WHERE r.id = ?1 AND d.name = 'User/displayName'";
        Ok(raw.connection.query_row(sql, [id], |row| {
            let (pk, version, name) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Self { pk, id: id.to_owned(), version, name, document: row.get(3)?, path: row.get(4)? })
        })?)
    }

    /// The statements that give the person that name.
    pub(crate) fn rename(&mut self, name: String) -> Vec<Statement> {
        let member = |name: &str| format!("\"displayName\":\"{name}\"");
        self.document = self.document.replace(&member(&self.name), &member(&name));
        self.version += 1;
        let update = "UPDATE resource SET version = ?3, modified = ?4, label = ?5, label_key = ?6, document = ?7, \
                      secret = NULL WHERE tenant = 1 AND pk = ?1 AND version = ?2";
        let delete =
            "DELETE FROM fact WHERE tenant = 1 AND path = ?1 AND key = ?2 AND resource = ?3 AND element = 0";
        let insert = "INSERT INTO fact (tenant, path, key, resource, element, leads, uniq) \
                      VALUES (1, ?1, ?2, ?3, 0, 1, 0)";
        let key = name.to_lowercase();
        let earlier = std::mem::replace(&mut self.name, name);
        vec![
            (
                update.into(),
                vec![
                    self.pk.into(),
                    (self.version - 1).into(),
                    self.version.into(),
                    NOW.to_owned().into(),
                    self.name.clone().into(),
                    key.clone().into(),
                    self.document.clone().into(),
                ],
            ),
            (delete.into(), vec![self.path.into(), earlier.to_lowercase().into(), self.pk.into()]),
            (insert.into(), vec![self.path.into(), key.into(), self.pk.into()]),
            change(&self.id, self.version),
        ]
    }
}

const NOW: &str = "2026-01-01T00:00:00.000";

fn change(id: &str, version: i64) -> Statement {
    let sql = "INSERT INTO change (tenant, kind, resource, version, what, at, who) VALUES (1, 1, ?1, ?2, 'patch', ?3, ?4)";
    (
        sql.into(),
        vec![id.to_owned().into(), version.into(), NOW.to_owned().into(), "bootstrap".to_owned().into()],
    )
}

/// A group that gains and loses one member again and again.
pub(crate) struct Grouped {
    pk: i64,
    id: String,
    version: i64,
}

impl Grouped {
    /// Stores a group with these members.
    pub(crate) fn store(raw: &mut Raw, members: &[String]) -> Result<Self, Failure> {
        let (group, mut statements) = Self::new(raw);
        statements.extend(members.iter().map(|member| group.add(member)));
        raw.write(&[statements])?;
        Ok(group)
    }

    /// A group, and the statements that store it.
    pub(crate) fn new(raw: &mut Raw) -> (Self, Vec<Statement>) {
        let group = Self { pk: raw.next_pk(), id: Uuid::now_v7().hyphenated().to_string(), version: 1 };
        let insert = "INSERT INTO resource (tenant, kind, id, pk, version, created, modified, document) \
                      SELECT 1, id, ?1, ?2, 1, ?3, ?3, '{}' FROM dictionary WHERE name = 'Group'";
        let values = vec![group.id.clone().into(), group.pk.into(), NOW.to_owned().into()];
        (group, vec![(insert.into(), values)])
    }

    /// The statements that add members.
    pub(crate) fn join<'a>(&mut self, members: impl Iterator<Item = &'a str>) -> Vec<Statement> {
        let mut statements = vec![self.touch()];
        statements.extend(members.map(|member| self.add(member)));
        statements.push(change(&self.id, self.version));
        statements
    }

    /// The statement that gives the group its next version.
    fn touch(&mut self) -> Statement {
        let update = "UPDATE resource SET version = ?2, modified = ?3 WHERE tenant = 1 AND pk = ?1";
        self.version += 1;
        (update.into(), vec![self.pk.into(), self.version.into(), NOW.to_owned().into()])
    }

    fn add(&self, member: &str) -> Statement {
        let sql = "INSERT INTO membership (tenant, grp, member) VALUES (1, ?1, ?2)";
        (sql.into(), vec![self.pk.into(), member.to_owned().into()])
    }

    /// The statements that add that member, or remove it.
    pub(crate) fn change(&mut self, member: &str, add: bool) -> Vec<Statement> {
        let touch = self.touch();
        let edit = if add {
            self.add(member)
        } else {
            let sql = "DELETE FROM membership WHERE tenant = 1 AND grp = ?1 AND member = ?2";
            (sql.into(), vec![self.pk.into(), member.to_owned().into()])
        };
        vec![touch, edit, change(&self.id, self.version)]
    }
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
