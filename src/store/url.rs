//! Where the database is: the text after `--database`.
//!
//! Invariant: no error shows the text, which may hold a password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::store::postgres::PostgresUrl;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite; it is created where there is none.
    Sqlite(PathBuf),
    /// A database of PostgreSQL, which must be there.
    Postgres(PostgresUrl),
}

impl FromStr for DatabaseUrl {
    type Err = BadDatabaseUrl;

    /// Reads `sqlite:PATH` and `postgres://…`.
    fn from_str(text: &str) -> Result<Self, BadDatabaseUrl> {
        if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return PostgresUrl::parse(text).map(Self::Postgres);
        }
        let path = text.strip_prefix("sqlite:").ok_or(BadDatabaseUrl::Engine)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            "" => Err(BadDatabaseUrl::NoPath),
            ":memory:" => Err(BadDatabaseUrl::Memory),
            path => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}

/// Why a text is no [`DatabaseUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadDatabaseUrl {
    /// Another engine, or none.
    Engine,
    /// Nothing after the colon.
    NoPath,
    /// A database in memory.
    Memory,
    /// What follows `postgres://` cannot be read.
    Postgres,
    /// An unknown `sslmode`.
    SslMode,
    /// `sslrootcert` without `sslmode=verify-full`.
    UnusedRoot,
    /// A `pool_size` that is no number from 1 to 1000.
    PoolSize,
}

impl fmt::Display for BadDatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Engine => {
                "the database must be given as sqlite:PATH, as in sqlite:/var/lib/muster/muster.db, \
                 or as postgres://USER:PASSWORD@HOST/DATABASE"
            }
            Self::NoPath => "sqlite: must be followed by the path of a file",
            Self::Memory => "a database in memory would be lost at every restart; give the path of a file",
            Self::Postgres => {
                "the URL of the database cannot be read; it looks like \
                 postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full, with anything but letters and \
                 digits in USER and PASSWORD percent-encoded, and docs/postgresql.md lists the options"
            }
            Self::SslMode => "sslmode must be disable, prefer, require or verify-full",
            Self::UnusedRoot => "sslrootcert needs sslmode=verify-full: no other mode looks at certificates",
            Self::PoolSize => "pool_size must be a number from 1 to 1000",
        })
    }
}

impl std::error::Error for BadDatabaseUrl {}
