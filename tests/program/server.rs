//! The real program on a database of its own, for tests that need a process.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The bootstrap token of every test server.
pub(crate) const TOKEN: &str = "test-token-of-the-default-tenant";

/// A running `muster serve`, killed when dropped.
pub(crate) struct Server {
    child: Child,
    url: String,
    folder: TempDir,
}

impl Server {
    /// Starts a server on an empty database.
    pub(crate) fn start() -> Self {
        Self::start_in(TempDir::new().unwrap())
    }

    /// Starts a server on the database in that folder.
    pub(crate) fn start_in(folder: TempDir) -> Self {
        let mut child = muster(&folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("MUSTER_BOOTSTRAP_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("muster listening on ").map(str::to_owned))
            .expect("the server says where it listens");
        Self { child, url, folder }
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
        let output = muster(&self.folder).args(arguments).output().unwrap();
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

fn muster(folder: &TempDir) -> Command {
    let database: PathBuf = folder.path().join("muster.db");
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.current_dir(folder.path()).env("MUSTER_DATABASE", format!("sqlite:{}", database.display()));
    command
}
