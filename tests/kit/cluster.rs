//! PostgreSQL to test on: a server of our own in a temporary folder, one for a test binary, one database for a test.
//!
//! A shell runs beside the tests, as another user if they run as root, because PostgreSQL refuses to be root. It
//! starts the server, and stops it and removes the folder when its standard input ends: that happens when the test
//! binary ends, however it ends.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Arguments: a port. Reads `stop`, `crash` and `start`; answers a line when it is done.
const KEEPER: &str = r#"
set -eu
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/muster-postgres.XXXXXX")
server=
start() {
    postgres -D "$dir/data" -k "$dir" -p "$1" -c listen_addresses=127.0.0.1 -c max_connections=300 \
        -c fsync=off -c full_page_writes=off -c log_line_prefix='%d '  -c ssl=on -c ssl_cert_file="$dir/crt" -c ssl_key_file="$dir/key" \
        >>"$dir/log" 2>&1 &
    server=$!
    until pg_isready -q -h "$dir" -p "$1"; do
        kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
        sleep 0.05
    done
}
stop() { if [ -n "$server" ]; then kill -"$1" "$server" || :; wait "$server" || :; server=; fi; }
trap 'stop INT; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
printf %s "$MUSTER_CRT" >"$dir/crt"
printf %s "$MUSTER_KEY" >"$dir/key"
init() { initdb -D "$dir/data" -U muster -A trust -N -E UTF8 "$@" >>"$dir/log" 2>&1; }
# Text must compare byte by byte whatever the database's own order is; this order makes that show.
init --locale=C.UTF-8 --locale-provider=icu --icu-locale=en || { rm -rf "$dir/data"; init --no-locale; } ||
    { cat "$dir/log" >&2; exit 1; }
start "$1"
echo "$dir"
while read -r command; do
    case "$command" in stop) stop INT ;; crash) stop QUIT ;; start) start "$1" ;; esac
    echo done
done
"#;

/// A server. It ends with the value, and at the latest with the test binary.
pub struct Cluster {
    keeper: Child,
    answers: BufReader<ChildStdout>,
    folder: String,
    port: u16,
    /// The authority that signed the server's certificate, in PEM; the certificate is for `localhost`.
    pub authority: String,
}

impl Cluster {
    /// The server that the tests of this binary share; none where PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        // Never dropped: the keeper's input ends with this process.
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A server of one's own; none where PostgreSQL is not installed, which is a failure in CI.
    pub fn start() -> Option<Self> {
        let Some(path) = path_with_initdb() else {
            assert!(!is_required(), "PostgreSQL is not installed: initdb was not found");
            // Not eprintln, which the test harness keeps to itself while all is well.
            io::stderr().write_all(b"PostgreSQL is not installed (no initdb): left out\n").unwrap();
            return None;
        };
        let (authority, certificate, key) = certificate();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut keeper = if fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        keeper.args(["-c", KEEPER, "keeper", &port.to_string()]).current_dir("/").env("PATH", path);
        keeper.env("MUSTER_CRT", certificate).env("MUSTER_KEY", key).env_remove("TMPDIR");
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(keeper.stdout.take().unwrap());
        let mut cluster = Self { keeper, answers, folder: String::new(), port, authority };
        cluster.folder = cluster.answer();
        Some(cluster)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the server did not start; what it said is above");
        line.trim_end().to_owned()
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.keeper.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.answer();
    }

    /// Stops the server, which ends every connection.
    pub fn stop_server(&mut self) {
        self.tell("stop");
    }

    /// Ends the server as a crash would: it has no time to put anything in order.
    pub fn crash_server(&mut self) {
        self.tell("crash");
    }

    /// The statements that a database logged so far; it logs them after [`Cluster::log_statements`].
    pub fn statements(&self, database: &str) -> Vec<String> {
        let log = fs::read_to_string(format!("{}/log", self.folder)).unwrap();
        let prefix = format!("{database} LOG:  ");
        let statement = |line: &str| {
            let rest = line.strip_prefix(&prefix)?;
            let (how, sql) = rest.split_once(": ")?;
            (how == "statement" || how.starts_with("execute")).then(|| sql.to_owned())
        };
        log.lines().filter_map(statement).collect()
    }

    /// Makes a database log what its sessions from now on are asked to run.
    pub fn log_statements(&self, database: &str) {
        query(&self.url("postgres"), &format!("ALTER DATABASE {database} SET log_statement = 'all'"));
    }

    /// Starts the server again.
    pub fn start_server(&mut self) {
        self.tell("start");
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        query(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database, by way of the socket in the server's folder.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.replace('/', "%2F");
        format!("postgres://muster@{folder}:{}/{database}", self.port)
    }

    /// The URL of a database, by way of the network.
    pub fn tcp_url(&self, host: &str, options: &str) -> String {
        format!("postgres://muster@{host}:{}/postgres?{options}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.stdin = None;
        self.keeper.wait().unwrap();
    }
}

/// A search path that has `initdb`: Debian keeps it where no search path leads.
fn path_with_initdb() -> Option<OsString> {
    let mut folders: Vec<PathBuf> = env::split_paths(&variable("PATH").unwrap_or_default()).collect();
    for parent in ["/usr/lib/postgresql", "/usr"] {
        let versions = fs::read_dir(parent).into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    let folder = folders.iter().find(|folder| folder.join("initdb").exists())?.clone();
    folders.insert(0, folder);
    Some(env::join_paths(folders).unwrap())
}

fn is_required() -> bool {
    variable("CI").is_some() || variable("MUSTER_TEST_POSTGRES").is_some_and(|value| value == "required")
}

#[allow(clippy::disallowed_methods, reason = "tests are told by the environment where they run")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// The certificate of an authority, and one of a server with its key, in PEM.
fn certificate() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (authority, server.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

/// The rows of some statements; columns are joined with bars.
pub fn query(url: &str, sql: &str) -> Vec<String> {
    with_client(url, async |client| {
        let messages = client.simple_query(sql).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let text = |row: &tokio_postgres::SimpleQueryRow| {
            let columns: Vec<&str> = (0..row.len()).map(|index| row.get(index).unwrap_or("-")).collect();
            columns.join("|")
        };
        rows.map(text).collect()
    })
}

/// Runs something on a connection of its own, in a thread of its own: the caller may be asynchronous.
pub fn with_client<T: Send>(url: &str, run: impl AsyncFnOnce(Client) -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
                tokio::spawn(connection);
                run(client).await
            })
        });
        thread.join().unwrap()
    })
}
