//! The binary in a directory of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::app::{Answer, exchange};

/// The binary: cargo builds it for the tests of the package, beside the folder that they run from.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("muster")
}

/// A working directory for the program. No setting of the test's own environment gets in.
pub struct Home {
    directory: TempDir,
}

/// What a command that ended left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Checks that it did what it was asked, and returns what it said.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// Checks that it refused with one sentence, and returns that.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr
    }
}

impl Home {
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// The program with these arguments, to be run here.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments.split_whitespace()).current_dir(self.path()).env_clear();
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &str) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// Starts a server and waits until it says that it listens.
    pub fn serve(&self, arguments: &str, environment: &[(&str, &str)]) -> Server {
        let mut command = self.command(&format!("serve --workers 1 --listen 127.0.0.1:0 {arguments}"));
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut before = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(address) = line.strip_prefix("muster listening on http://") {
                let address = address.parse().unwrap();
                return Server { child, address, before };
            }
            before.push_str(&line);
            before.push('\n');
        }
        panic!("not listening: {:?}", Ended::from(child.wait_with_output().unwrap()));
    }
}

/// A server that runs.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// What it said before it listened.
    pub before: String,
}

impl Server {
    /// A request with a token and without a body.
    pub fn request(&self, method: &str, target: &str, token: &str) -> Answer {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: a\r\n\
             Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        exchange(self.address, head.as_bytes())
    }

    /// A request with a token and a JSON body.
    pub fn send(&self, method: &str, target: &str, token: &str, body: &serde_json::Value) -> Answer {
        let body = body.to_string();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/scim+json\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        exchange(self.address, head.as_bytes())
    }

    /// The status of a list of users.
    pub fn users(&self, token: &str) -> u16 {
        self.request("GET", "/scim/v2/Users", token).status
    }

    /// Waits until a token that another process took back is refused, which must be within seconds.
    pub fn refuses_soon(&self, token: &str) {
        let began = Instant::now();
        while self.users(token) != 401 {
            assert!(began.elapsed() < Duration::from_secs(4), "the token still counts");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Sends a signal, as in `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits until it ends by itself.
    pub fn ended(mut self) -> Ended {
        let code = self.child.wait().unwrap().code();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ended { code, stdout, stderr }
    }

    /// Asks it to stop and waits for that.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended unless the test failed half-way.
        let _ = self.child.kill();
    }
}
