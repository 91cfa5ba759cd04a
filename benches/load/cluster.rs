//! PostgreSQL to measure on: a server of our own in a temporary folder, which writes as durably as any.
//!
//! Invariant: it ends with the benchmark, however that ends: a shell beside it stops it, and removes the folder, when its
//! standard input ends.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};

use tokio_postgres::NoTls;

use crate::Failure;

/// Argument: a port. As another user if the benchmark is root's, because PostgreSQL refuses to be root.
const KEEPER: &str = r#"
set -eu
umask 077
PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)"
dir=$(mktemp -d /var/tmp/muster-load.XXXXXX)
server=
trap '[ -z "$server" ] || { kill -INT "$server"; wait "$server" || :; }; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
initdb -D "$dir/data" -U muster -A trust -N -E UTF8 --no-locale >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
postgres -D "$dir/data" -k "$dir" -p "$1" -c listen_addresses= -c max_connections=200 \
    -c shared_buffers=512MB -c max_wal_size=4GB >>"$dir/log" 2>&1 &
server=$!
until pg_isready -q -h "$dir" -p "$1"; do kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }; sleep 0.1; done
echo "$dir"
cat >/dev/null
"#;

/// A server.
pub(crate) struct Cluster {
    keeper: Child,
    folder: String,
    port: u16,
}

impl Cluster {
    pub(crate) fn start() -> Result<Self, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut keeper = Command::new("sh");
        if std::fs::metadata("/proc/self")?.uid() == 0 {
            keeper = Command::new("setpriv");
            keeper.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
        }
        keeper.args(["-c", KEEPER, "keeper", &port.to_string()]).current_dir("/");
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut folder = String::new();
        BufReader::new(keeper.stdout.take().ok_or("no stdout")?).read_line(&mut folder)?;
        if folder.is_empty() {
            return Err("PostgreSQL did not start; what it said is above".into());
        }
        Ok(Self { keeper, folder: folder.trim_end().to_owned(), port })
    }

    /// The URL of a new database, empty or a copy of one that nobody uses.
    pub(crate) fn database(&self, name: &str, template: Option<&str>) -> Result<String, Failure> {
        let template = template.map(|of| format!(" TEMPLATE {of} STRATEGY file_copy")).unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url("postgres"), NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute(&format!("CREATE DATABASE {name}{template}")).await
        })?;
        Ok(self.url(name))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://muster@{}:{}/{database}", self.folder.replace('/', "%2F"), self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.stdin = None;
        // It may be dead already.
        self.keeper.wait().ok();
    }
}
