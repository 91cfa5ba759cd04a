//! The processes that are measured: `muster serve` on a database of its own, and the bare handler beside it.
//!
//! Invariant: both are processes of their own, with as many workers, and die with the benchmark.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Failure, bare};

/// The token of the tenant `default`.
pub(crate) const TOKEN: &str = "load-token-of-the-default-tenant";

/// A process that listens.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start until it listened.
    pub(crate) started: Duration,
}

impl Server {
    /// Starts the real program. Its log lines are made and written, and nobody keeps them.
    pub(crate) fn muster(database: &str, folder: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--database", database, "--max-body", "67108864"])
            .current_dir(folder)
            .env("MUSTER_BOOTSTRAP_TOKEN", TOKEN)
            .env("MUSTER_LOG", "info")
            .stdin(Stdio::null());
        Self::start(command, "muster listening on http://", &[])
    }

    /// Starts a handler that answers every request with these octets.
    pub(crate) fn bare(body: &[u8]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(bare::ARGUMENT).stdin(Stdio::piped());
        Self::start(command, bare::ANNOUNCEMENT, body)
    }

    fn start(mut command: Command, announcement: &str, input: &[u8]) -> Result<Self, Failure> {
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input)?;
        }
        let lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(announcement).map(str::to_owned))
            .ok_or("the server ended before it listened")?;
        Ok(Self { child, address: address.parse()?, started: began.elapsed() })
    }

    /// The processor time that the process has used, to 10 ms.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Ok(Duration::from_millis((ticks(11) + ticks(12)) * 10))
    }

    /// Forgets the peak so far.
    pub(crate) fn reset_peak(&self) {
        // Where the kernel refuses, the peak is that of the whole run.
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").ok();
    }

    /// The most memory that the process has held, in MB.
    pub(crate) fn peak(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1000.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
