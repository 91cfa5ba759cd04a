//! Reading `postgres://…`: what libpq reads too, and `pool_size`.
//!
//! Invariant: what an operator does not say is set so that a dead server is noticed and no statement runs for ever.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::store::url::BadDatabaseUrl;

/// Connections that a process opens at most.
const POOL_SIZE: usize = 16;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the network may say nothing to what was sent before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(15);

/// Settings of every session; `options` in the URL comes after them and so prevails. Sessions only read unless
/// a transaction says that it writes: should its BEGIN ever fail, what follows cannot be half a batch. Compiling
/// a statement (`jit`) takes longer than the statements here.
const SETTINGS: [(&str, &str); 5] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("jit", "off"),
];

/// A database of PostgreSQL, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresUrl {
    pub(super) config: Box<Config>,
    pub(super) trust: Trust,
    pub(super) pool_size: usize,
}

/// Which servers are believed to be who they say, where TLS is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// All.
    Anybody,
    /// Those whose certificate is for the host in the URL and comes from an authority in this file, or without
    /// a file from one that the machine trusts.
    Verified(Option<PathBuf>),
}

impl PostgresUrl {
    /// Reads a URL.
    pub(in crate::store) fn parse(text: &str) -> Result<Self, BadDatabaseUrl> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut root, mut pool_size) = (SslMode::Prefer, None, POOL_SIZE);
        let mut is_verified = false;
        let mut others = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", name)) => {
                    is_verified = name == "verify-full";
                    mode = match name {
                        "disable" => SslMode::Disable,
                        "prefer" => SslMode::Prefer,
                        "require" | "verify-full" => SslMode::Require,
                        _ => return Err(BadDatabaseUrl::SslMode),
                    };
                }
                Some(("sslrootcert", path)) => root = Some(PathBuf::from(decoded(path)?)),
                Some(("pool_size", size)) => {
                    let size = size.parse().ok().filter(|size| (1..=1000).contains(size));
                    pool_size = size.ok_or(BadDatabaseUrl::PoolSize)?;
                }
                _ => others.push(option),
            }
        }
        if root.is_some() && !is_verified {
            return Err(BadDatabaseUrl::UnusedRoot);
        }
        let rest = format!("{address}?{}", others.join("&"));
        let mut config: Config = rest.trim_end_matches('?').parse().map_err(|_| BadDatabaseUrl::Postgres)?;
        config.ssl_mode(mode);
        complete(&mut config);
        let trust = if is_verified { Trust::Verified(root) } else { Trust::Anybody };
        Ok(Self { config: Box::new(config), trust, pool_size })
    }
}

/// Fills in what the URL does not say.
fn complete(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    if config.get_application_name().is_none() {
        config.application_name("muster");
    }
    let mut options = String::new();
    for (name, value) in SETTINGS {
        // Writing to a String cannot fail.
        write!(options, "-c {name}={value} ").ok();
    }
    options.push_str(config.get_options().unwrap_or_default());
    config.options(options.trim_end());
}

/// The text that a percent-encoded one stands for.
fn decoded(text: &str) -> Result<String, BadDatabaseUrl> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            octets.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit(), digit());
        octets.push(high.zip(low).map(|(high, low)| high * 16 + low).ok_or(BadDatabaseUrl::Postgres)?);
    }
    String::from_utf8(octets).map_err(|_| BadDatabaseUrl::Postgres)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PostgresUrl, BadDatabaseUrl> {
        PostgresUrl::parse(text)
    }

    #[test]
    fn what_the_url_does_not_say_has_a_sensible_value() {
        let url = parse("postgres://muster:s%40cret@db.example/directory").unwrap();
        assert_eq!(url.config.get_user(), Some("muster"));
        assert_eq!(url.config.get_password(), Some(&b"s@cret"[..]));
        assert_eq!(url.config.get_dbname(), Some("directory"));
        assert_eq!(url.config.get_ssl_mode(), SslMode::Prefer);
        assert_eq!(url.config.get_connect_timeout(), Some(&CONNECT));
        assert_eq!((url.trust, url.pool_size), (Trust::Anybody, POOL_SIZE));
        assert!(url.config.get_options().unwrap().contains("-c statement_timeout=30s"));
    }

    #[test]
    fn what_the_url_says_prevails() {
        let url = parse(
            "postgresql://h1,h2:5433/d?sslmode=verify-full&sslrootcert=/etc/a%20b.pem&pool_size=3&connect_timeout=1\
             &options=-c%20statement_timeout%3D1s&target_session_attrs=read-write",
        )
        .unwrap();
        assert_eq!(url.config.get_ports(), [5432, 5433]);
        assert_eq!(url.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(url.config.get_connect_timeout(), Some(&Duration::from_secs(1)));
        assert_eq!((url.trust, url.pool_size), (Trust::Verified(Some("/etc/a b.pem".into())), 3));
        assert!(url.config.get_options().unwrap().ends_with("-c statement_timeout=1s"));
    }

    #[test]
    fn a_bad_url_is_refused_and_not_repeated() {
        for (text, error) in [
            ("postgres://u:secret@h/d?sslmode=verify-ca", BadDatabaseUrl::SslMode),
            ("postgres://u:secret@h/d?sslmode=require&sslrootcert=/r.pem", BadDatabaseUrl::UnusedRoot),
            ("postgres://u:secret@h/d?pool_size=0", BadDatabaseUrl::PoolSize),
            ("postgres://u:secret@h/d?secret=1", BadDatabaseUrl::Postgres),
            ("postgres://u:secret@h:port/d", BadDatabaseUrl::Postgres),
            ("postgres://u:secret@h/d?sslmode=verify-full&sslrootcert=%zz", BadDatabaseUrl::Postgres),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
            assert!(!error.to_string().contains("secret"));
        }
        assert!(!format!("{:?}", parse("postgres://u:secret@h/d")).contains("secret"));
    }
}
