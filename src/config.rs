//! Settings: flags over environment over `muster.toml` over defaults.
//!
//! Invariant: [`Given`] is the one list of settings, read the same from all three places; [`Settings`] is
//! checked as a whole before anything starts, and a refusal says what to write instead.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;

use crate::courier::{BadCourier, Setup, Way};
use crate::store::{BadDatabaseUrl, DatabaseUrl};

/// The file that is read when none is named and it is there.
pub const DEFAULT_FILE: &str = "muster.toml";

/// The settings as one place gives them: all may be missing, none is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Given {
    /// The address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "MUSTER_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where the data is kept [default: sqlite:muster.db]
    #[arg(long, env = "MUSTER_DATABASE", value_name = "URL")]
    pub database: Option<String>,
    /// A directory of *.json files: schemas and resource types beyond the built-in ones
    #[arg(long, env = "MUSTER_SCHEMAS", value_name = "DIR")]
    pub schemas: Option<PathBuf>,
    /// What clients see before /scim/v2, as in https://scim.example.com [default: what the request names]
    #[arg(long, env = "MUSTER_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Believe X-Forwarded-Proto, -Host and -Prefix; for use behind a proxy that sets them
    #[arg(long, env = "MUSTER_TRUST_FORWARDED", value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub trust_forwarded: Option<bool>,
    /// Which pages in browsers may use the API: their origins, as in https://admin.example.com, with blanks between
    /// [default: none]
    #[arg(long, env = "MUSTER_CORS_ORIGINS", value_name = "ORIGINS")]
    pub cors_origins: Option<String>,
    /// The largest request body that is read, in bytes [default: 4194304]
    #[arg(long, env = "MUSTER_MAX_BODY", value_name = "BYTES")]
    pub max_body: Option<usize>,
    /// How long a request may take, in seconds [default: 30]
    #[arg(long, env = "MUSTER_REQUEST_TIMEOUT", value_name = "SECONDS")]
    pub request_timeout: Option<u64>,
    /// How log lines on stderr look [default: text]
    #[arg(long, env = "MUSTER_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// How many threads answer requests [default: one a processor]
    #[arg(long, env = "MUSTER_WORKERS", value_name = "N")]
    pub workers: Option<usize>,
    /// How codes and links reach users: file:DIR, smtp://HOST:PORT, smtps://USER:PASSWORD@HOST, https://HOST/PATH, or
    /// several with blanks between [default: not at all]
    #[arg(long, env = "MUSTER_COURIER", value_name = "WAYS", hide_env_values = true)]
    pub courier: Option<String>,
    /// Who e-mails are from, as in no-reply@example.com
    #[arg(long, env = "MUSTER_COURIER_FROM", value_name = "ADDRESS")]
    pub courier_from: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the data is.
    pub database: DatabaseUrl,
    /// The directory of additional schemas.
    pub schemas: Option<PathBuf>,
    /// Scheme, host and perhaps path of the URLs that clients see, without a slash at the end.
    pub public_url: Option<String>,
    /// Whether forwarding headers count.
    pub trust_forwarded: bool,
    /// The origins of the pages in browsers that may use the API.
    pub cors_origins: Vec<String>,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The number of worker threads, where it is set.
    pub workers: Option<usize>,
    /// How messages reach users.
    pub courier: Setup,
}

/// Settings that cannot be: a sentence that says what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Given {
    /// Reads a settings file: the one that is named, else [`DEFAULT_FILE`] if it is there.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be read, is not TOML, or has a setting that does not exist.
    pub fn from_file(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_toml(&text, path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                Ok(Self::default())
            }
            Err(error) => Err(ConfigError(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            ConfigError(format!("{} line {line}: {}", path.display(), error.message().replace('\n', ", ")))
        })
    }

    /// These settings, and those of `below` where these say nothing. An empty text says nothing.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let text = |above: Option<String>, below| above.filter(|text| !text.is_empty()).or(below);
        let path = |above: Option<PathBuf>, below| above.filter(|path| path != Path::new("")).or(below);
        Self {
            listen: text(self.listen, below.listen),
            database: text(self.database, below.database),
            schemas: path(self.schemas, below.schemas),
            public_url: text(self.public_url, below.public_url),
            trust_forwarded: self.trust_forwarded.or(below.trust_forwarded),
            cors_origins: text(self.cors_origins, below.cors_origins),
            max_body: self.max_body.or(below.max_body),
            request_timeout: self.request_timeout.or(below.request_timeout),
            log_format: self.log_format.or(below.log_format),
            workers: self.workers.or(below.workers),
            courier: text(self.courier, below.courier),
            courier_from: text(self.courier_from, below.courier_from),
        }
    }

    /// Where the data is.
    ///
    /// # Errors
    /// [`ConfigError`] if that is no database that Muster knows.
    pub fn database_url(&self) -> Result<DatabaseUrl, ConfigError> {
        let url = self.database.as_deref().unwrap_or("sqlite:muster.db");
        url.parse().map_err(|error: BadDatabaseUrl| ConfigError(error.to_string()))
    }

    /// Checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting that cannot be.
    pub fn resolve(self) -> Result<Settings, ConfigError> {
        Ok(Settings {
            listen: address(self.listen.as_deref().unwrap_or("127.0.0.1:8080"))?,
            database: self.database_url()?,
            schemas: self.schemas.map(directory).transpose()?,
            public_url: self.public_url.as_deref().map(public_url).transpose()?,
            trust_forwarded: self.trust_forwarded.unwrap_or(false),
            cors_origins: origins(self.cors_origins.as_deref().unwrap_or_default())?,
            max_body: match self.max_body.unwrap_or(4 << 20) {
                small @ 0..1024 => {
                    return refuse("max-body", small, "a number of bytes from 1024 on, as in 4194304");
                }
                enough => enough,
            },
            request_timeout: match self.request_timeout.unwrap_or(30) {
                odd @ (0 | 3601..) => {
                    return refuse("request-timeout", odd, "a number of seconds from 1 to 3600");
                }
                seconds => Duration::from_secs(seconds),
            },
            log_format: self.log_format.unwrap_or_default(),
            workers: match self.workers {
                Some(count @ (0 | 1025..)) => {
                    return refuse("workers", count, "a number of threads from 1 to 1024, or leave it out");
                }
                count => count,
            },
            courier: Setup {
                ways: ways(self.courier.as_deref().unwrap_or_default())?,
                from: self.courier_from,
                secret: courier_secret(),
            },
        })
    }
}

/// The token that the operator set through the environment, if any. It has no flag, because other users of a
/// machine can read the flags of a process.
#[expect(clippy::disallowed_methods, reason = "the one variable that is not also a flag")]
pub fn bootstrap_token() -> Option<String> {
    std::env::var("MUSTER_BOOTSTRAP_TOKEN").ok().filter(|text| !text.is_empty())
}

/// The secret that the courier signs with, if there is one. It has no flag for the same reason.
#[expect(clippy::disallowed_methods, reason = "a variable that is not also a flag")]
fn courier_secret() -> Option<String> {
    std::env::var("MUSTER_COURIER_SECRET").ok().filter(|text| !text.is_empty())
}

fn ways(text: &str) -> Result<Vec<Way>, ConfigError> {
    let ways = text.split_whitespace().map(str::parse);
    ways.collect::<Result<_, BadCourier>>().map_err(|error| ConfigError(error.to_string()))
}

/// The filter of log lines: `MUSTER_LOG`, else `RUST_LOG`, in the syntax of tracing-subscriber.
#[expect(clippy::disallowed_methods, reason = "variables that decide about log lines and have no flag")]
pub fn log_filter() -> Option<String> {
    let read = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    read("MUSTER_LOG").or_else(|| read("RUST_LOG"))
}

fn refuse<T>(setting: &str, given: impl fmt::Display, wanted: &str) -> Result<T, ConfigError> {
    Err(ConfigError(format!("{setting} is {given}; write {wanted}")))
}

fn address(text: &str) -> Result<SocketAddr, ConfigError> {
    let resolved = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    match resolved {
        Some(address) => Ok(address),
        None => refuse("listen", text, "an address and a port, as in 127.0.0.1:8080 or [::1]:8080"),
    }
}

fn directory(path: PathBuf) -> Result<PathBuf, ConfigError> {
    if path.is_dir() {
        return Ok(path);
    }
    refuse("schemas", path.display(), "the path of a directory with *.json files that Muster may read")
}

/// As browsers send them: no path, no slash at the end, no capitals.
fn origins(text: &str) -> Result<Vec<String>, ConfigError> {
    let is_origin = |text: &str| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b);
        !host.is_empty() && host.bytes().all(fits)
    };
    match text.split_whitespace().find(|text| !is_origin(text)) {
        None => Ok(text.split_whitespace().map(str::to_owned).collect()),
        Some(odd) => refuse(
            "cors-origins",
            odd,
            "scheme and host of pages, in small letters, as in https://admin.example.com",
        ),
    }
}

fn public_url(text: &str) -> Result<String, ConfigError> {
    let wanted = "what stands before /scim/v2 in the URLs that clients see, \
                  as in https://scim.example.com or https://example.com/muster";
    let url = text.trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
    let host_is_plain = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'));
    let path_is_plain = path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'~' | b'/' | b'%'));
    let has_base = url.ends_with("/scim") || url.ends_with("/scim/v2");
    if host_is_plain && path_is_plain && !has_base {
        Ok(url.to_owned())
    } else {
        refuse("public-url", text, wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Given {
        Given::from_toml(text, Path::new("muster.toml")).unwrap()
    }

    fn refusal(text: &str) -> String {
        given(text).resolve().unwrap_err().to_string()
    }

    #[test]
    fn without_settings_the_defaults_count() {
        let settings = Given::default().resolve().unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.database, DatabaseUrl::Sqlite("muster.db".into()));
        assert_eq!(settings.max_body, 4 * 1024 * 1024);
        assert_eq!(settings.request_timeout, Duration::from_secs(30));
        assert_eq!(settings.log_format, LogFormat::Text);
        assert!(!settings.trust_forwarded && settings.cors_origins.is_empty());
        assert_eq!((settings.schemas, settings.public_url, settings.workers), (None, None, None));
    }

    #[test]
    fn every_setting_can_stand_in_the_file() {
        let settings = given(
            r#"
            listen = "[::1]:0"
            database = "sqlite:/tmp/x.db"
            schemas = "/"
            public-url = "https://example.com/muster/"
            trust-forwarded = true
            cors-origins = "https://a.example http://localhost:3000"
            max-body = 1024
            request-timeout = 5
            log-format = "json"
            workers = 3
            "#,
        )
        .resolve()
        .unwrap();
        assert_eq!(settings.listen.to_string(), "[::1]:0");
        assert_eq!(settings.cors_origins, ["https://a.example", "http://localhost:3000"]);
        assert_eq!(settings.database, DatabaseUrl::Sqlite("/tmp/x.db".into()));
        assert_eq!(settings.schemas.as_deref(), Some(Path::new("/")));
        assert_eq!(settings.public_url.as_deref(), Some("https://example.com/muster"));
        assert!(settings.trust_forwarded);
        assert_eq!((settings.max_body, settings.workers), (1024, Some(3)));
        assert_eq!(settings.request_timeout, Duration::from_secs(5));
        assert_eq!(settings.log_format, LogFormat::Json);
    }

    #[test]
    fn what_stands_above_counts_and_an_empty_text_says_nothing() {
        let above = given("listen = \"\"\ndatabase = \"sqlite:above.db\"\nworkers = 1");
        let below = given("listen = \"127.0.0.1:1\"\ndatabase = \"sqlite:below.db\"\nmax-body = 2000");
        let settings = above.over(below).resolve().unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:1");
        assert_eq!(settings.database, DatabaseUrl::Sqlite("above.db".into()));
        assert_eq!((settings.workers, settings.max_body), (Some(1), 2000));
    }

    #[test]
    fn a_setting_that_does_not_exist_is_named_with_its_line() {
        let error =
            Given::from_toml("listen = \"a:1\"\nlisten-on = 5\n", Path::new("muster.toml")).unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.starts_with("muster.toml line 2: unknown field `listen-on`"), "{sentence}");
        assert!(sentence.contains("`listen`") && !sentence.contains('\n'), "{sentence}");
    }

    #[test]
    fn a_setting_that_cannot_be_says_what_to_write() {
        let cases = [
            ("listen = \"8080\"", "as in 127.0.0.1:8080"),
            ("listen = \"127.0.0.1:70000\"", "as in 127.0.0.1:8080"),
            ("schemas = \"/no/such/directory\"", "the path of a directory"),
            ("max-body = 10", "from 1024 on"),
            ("workers = 0", "from 1 to 1024"),
            ("request-timeout = 0", "from 1 to 3600"),
            ("public-url = \"scim.example.com\"", "as in https://scim.example.com"),
            ("public-url = \"ftp://scim.example.com\"", "as in https://"),
            ("public-url = \"https://\"", "as in https://"),
            ("public-url = \"https://a?b\"", "as in https://"),
            ("public-url = \"https://a/b#c\"", "as in https://"),
            ("public-url = \"https://u@a\"", "as in https://"),
            ("public-url = \"https://a/scim/v2\"", "what stands before /scim/v2"),
        ];
        for (text, hint) in cases {
            let sentence = refusal(text);
            let setting = text.split(' ').next().unwrap();
            assert!(sentence.starts_with(&format!("{setting} is ")) && sentence.contains(hint), "{sentence}");
        }
    }
}
