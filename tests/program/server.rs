//! The real program on a database of its own, for tests that need a process.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The bootstrap token of every test server.
pub(crate) const TOKEN: &str = "test-token-of-the-default-tenant";

/// A running `muster serve`, killed when dropped.
pub(crate) struct Server {
    child: Child,
    url: String,
    database: String,
    folder: TempDir,
}

impl Server {
    /// Starts a server on an empty database.
    pub(crate) fn start() -> Self {
        Self::start_in(TempDir::new().unwrap())
    }

    /// Starts a server on the database in that folder.
    pub(crate) fn start_in(folder: TempDir) -> Self {
        let database = file_in(&folder);
        Self::start_with(folder, &database, &[])
    }

    /// Starts a server on a database, with more arguments.
    pub(crate) fn start_with(folder: TempDir, database: &str, arguments: &[&str]) -> Self {
        let mut command = muster(&folder, database);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut server = Self::spawn(command, folder, database);
        server.listens();
        server
    }

    /// Starts a server that may not listen yet.
    pub(crate) fn spawn(mut command: Command, folder: TempDir, database: &str) -> Self {
        let log = File::create(folder.path().join("log")).unwrap();
        command.env("MUSTER_BOOTSTRAP_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn().unwrap();
        Self { child, url: String::new(), database: database.to_owned(), folder }
    }

    /// Waits until it says where it listens.
    pub(crate) fn listens(&mut self) {
        let lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        self.url = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("muster listening on ").map(str::to_owned))
            .unwrap_or_else(|| panic!("the server does not listen: {}", self.log()));
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Checks that it logs this, now or in a moment: lines are written by a thread of their own.
    #[track_caller]
    pub(crate) fn logs(&self, part: &str) {
        for _ in 0..100 {
            if self.log().contains(part) {
                return;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
        panic!("it does not log {part:?}: {}", self.log());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Without the path of any API.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.log())
    }

    /// Waits until it ends by itself, and keeps its database.
    pub(crate) fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// The most memory that it has held, in kB, since that was last asked.
    pub(crate) fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
        peak
    }

    /// The SCIM base URL.
    pub(crate) fn base(&self) -> String {
        format!("{}/scim/v2", self.url)
    }

    /// Makes a tenant beside the running server and returns a token of it.
    pub(crate) fn new_tenant(&self, name: &str, policy: Option<&str>) -> String {
        let mut create = vec!["tenant", "create", name];
        create.extend(policy.into_iter().flat_map(|policy| ["--set", policy]));
        self.run(&create);
        let printed = self.run(&["token", "create", "--tenant", name]);
        printed.lines().last().unwrap().trim().to_owned()
    }

    /// Runs another command on the same database and returns what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = muster(&self.folder, &self.database).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "muster {}: {said}", arguments.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Kills the server without warning and keeps its database.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The URL of a file in the folder.
pub(crate) fn file_in(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("muster.db").display())
}

/// The program, to be run in a folder on a database.
pub(crate) fn muster(folder: &TempDir, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.current_dir(folder.path()).env("MUSTER_DATABASE", database);
    command
}

#[expect(clippy::disallowed_methods, reason = "nothing tells a test how far another process is")]
pub(crate) fn pause(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}
