//! Bare connections to PostgreSQL, each with one request outstanding.
//!
//! Invariant: nothing is done for a request but to send its statements and to read their answers; those of a transaction
//! do not wait for each other.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::future::{join_all, try_join_all};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Row, Statement as Prepared};

use crate::Failure;
use crate::client::Slice;
use crate::raw::{Statement, Value};

/// How many statements are on their way at once: of more, no order is promised.
const AT_ONCE: usize = 30;

/// The connections, and what each has prepared.
pub(crate) struct Clients {
    runtime: Runtime,
    all: Vec<Connection>,
}

struct Connection {
    client: Client,
    prepared: RefCell<HashMap<String, Prepared>>,
}

impl Clients {
    pub(crate) fn connect(url: &str, count: usize) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let all = runtime.block_on(try_join_all((0..count).map(async |_| {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(Connection { client, prepared: RefCell::default() })
        })))?;
        Ok(Self { runtime, all })
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Rows with the names of their columns.
    pub(crate) fn select(&self, sql: &str, values: &[Value]) -> Result<Vec<Vec<(String, Value)>>, Failure> {
        let first = self.all.first().ok_or("no connection")?;
        let rows = self.runtime.block_on(first.run(sql, values))?;
        let named = |row: &Row| {
            let columns = row.columns().iter().enumerate();
            columns.map(|(index, column)| Ok((column.name().to_owned(), read(row, index)?))).collect()
        };
        rows.iter().map(named).collect()
    }

    /// Runs requests, a transaction each.
    pub(crate) fn write(&self, requests: &[Vec<Statement>]) -> Result<(), Failure> {
        let queue = RefCell::new(requests.iter());
        self.runtime.block_on(try_join_all(self.all.iter().map(async |connection| {
            loop {
                let next = queue.borrow_mut().next();
                let Some(request) = next else { return Ok::<_, tokio_postgres::Error>(()) };
                connection.transact(request).await?;
            }
        })))?;
        Ok(())
    }

    /// Runs a statement with one value again and again for that long.
    pub(crate) fn read(
        &self,
        time: Duration,
        sql: &str,
        value: &mut dyn FnMut() -> Value,
    ) -> Result<Slice, Failure> {
        let began = Instant::now();
        let (slice, value) = (RefCell::new(Slice::default()), RefCell::new(value));
        let read = self.all.iter().map(async |connection| {
            while began.elapsed() < time {
                let next = (value.borrow_mut())();
                let start = Instant::now();
                let rows = connection.run(sql, &[next]).await?;
                let mut slice = slice.borrow_mut();
                slice.requests += 1;
                slice.latencies.push(start.elapsed());
                for row in &rows {
                    slice.bytes += row.try_get::<_, &str>(0)?.len() as u64;
                }
            }
            Ok::<_, tokio_postgres::Error>(())
        });
        self.runtime.block_on(try_join_all(read))?;
        Ok(Slice { elapsed: began.elapsed(), ..slice.into_inner() })
    }
}

impl Connection {
    async fn prepare(&self, sql: &str) -> Result<Prepared, tokio_postgres::Error> {
        let known = self.prepared.borrow().get(sql).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let prepared = self.client.prepare(sql).await?;
        self.prepared.borrow_mut().insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }

    async fn run(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, tokio_postgres::Error> {
        let prepared = self.prepare(sql).await?;
        let bound: Vec<Bound<'_>> = values.iter().map(Bound).collect();
        let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|bound| bound as _).collect();
        self.client.query(&prepared, &bound).await
    }

    async fn transact(&self, request: &[Statement]) -> Result<(), tokio_postgres::Error> {
        for (sql, _) in request {
            self.prepare(sql).await?;
        }
        // Polled in their order, which is that in which they are sent.
        let begin = async { self.client.batch_execute("BEGIN").await };
        let (first, rest) = request.split_at(request.len().min(AT_ONCE));
        let statements = join_all(first.iter().map(|(sql, values)| self.run(sql, values)));
        let (begun, done) = tokio::join!(biased; begin, statements);
        begun?;
        done.into_iter().try_for_each(|done| done.map(drop))?;
        for part in rest.chunks(AT_ONCE) {
            try_join_all(part.iter().map(|(sql, values)| self.run(sql, values))).await?;
        }
        self.client.batch_execute("COMMIT").await
    }
}

/// A value on its way to the server.
#[derive(Debug)]
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Value::Integer(number) => number.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Blob(octets) => octets.to_sql(ty, out),
            Value::Null => Ok(IsNull::Yes),
            Value::Real(_) => Err("no column has a number with a fraction".into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column of an answer: each is a number, a text or nothing.
fn read(row: &Row, index: usize) -> Result<Value, Failure> {
    let is_number = row.columns().get(index).is_some_and(|column| *column.type_() == Type::INT8);
    let value = if is_number {
        row.try_get::<_, Option<i64>>(index)?.map(Value::Integer)
    } else {
        row.try_get::<_, Option<String>>(index)?.map(Value::Text)
    };
    Ok(value.unwrap_or(Value::Null))
}
