//! Other SCIM servers under the load that Muster gets: those that can be installed by name.
//!
//! Invariant: every server gets the same requests from the same client in the same run, each with its own users; the
//! peers keep theirs in memory, Muster on the disk.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

use crate::Failure;
use crate::directory::{label, person, user_name};
use crate::server::{Server, TOKEN};

/// How many clients ask at once: the servers in Python take one at a time.
const CLIENTS: usize = 8;

const SCIMMY: &str = include_str!("peers/scimmy.mjs");

/// A server and the base of its URLs.
struct Peer {
    name: &'static str,
    base: String,
    /// It ends with this.
    _process: Process,
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Measures Muster and its peers and prints a table. They are installed into a folder under the target directory.
pub(crate) fn measure(folder: &Path, seed: u64, users: usize, time: Duration) -> Result<(), Failure> {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    std::fs::create_dir_all(&installed)?;
    println!("| server       |   POST/s | p50 ms |  GET/s | p50 ms | userName eq/s | p50 ms | errors |");
    println!("|--------------|----------|--------|--------|--------|---------------|--------|--------|");
    let database = format!("sqlite:{}", folder.join("peers.db").display());
    let muster = Server::muster(&database, folder)?;
    row("muster", &format!("http://{}/scim/v2", muster.address), seed, users, time)?;
    drop(muster);
    for start in [scim2_server, scimmy] {
        let peer = start(&installed)?;
        row(peer.name, &peer.base, seed, users, time)?;
    }
    Ok(())
}

/// scim2-server, from PyPI.
fn scim2_server(installed: &Path) -> Result<Peer, Failure> {
    let home = installed.join("scim2-server");
    if !home.join("bin/scim2-server").exists() {
        done(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        done(Command::new(home.join("bin/pip")).args(["install", "--quiet", "scim2-server"]))?;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(home.join("bin/scim2-server"));
    command.args(["--bearer-token", TOKEN, "--port", &port.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let process = Process(command.spawn()?);
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(30) {
            return Err("scim2-server does not listen".into());
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Ok(Peer { name: "scim2-server", base: format!("http://127.0.0.1:{port}/v2"), _process: process })
}

/// scimmy with scimmy-routers and express, from npm.
fn scimmy(installed: &Path) -> Result<Peer, Failure> {
    let home = installed.join("scimmy");
    std::fs::create_dir_all(&home)?;
    std::fs::write(home.join("scimmy.mjs"), SCIMMY)?;
    if !home.join("node_modules/scimmy-routers").exists() {
        let packages = ["install", "--silent", "scimmy", "scimmy-routers", "express"];
        done(Command::new("npm").args(packages).arg("--prefix").arg(&home))?;
    }
    let mut command = Command::new("node");
    command.args(["scimmy.mjs", TOKEN]).current_dir(&home).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let out = child.stdout.take().ok_or("no stdout")?;
    let process = Process(child);
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let port = port.ok_or("scimmy ended before it listened")?;
    Ok(Peer { name: "scimmy", base: format!("http://127.0.0.1:{port}/v2"), _process: process })
}

fn done(command: &mut Command) -> Result<(), Failure> {
    if command.stdin(Stdio::null()).status()?.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed").into())
}

/// What came of one kind of request.
#[derive(Default)]
struct Measured {
    latencies: Vec<Duration>,
    errors: usize,
    elapsed: Duration,
}

impl Measured {
    fn text(&mut self) -> (f64, f64) {
        self.latencies.sort_unstable();
        let p50 = self.latencies.get(self.latencies.len() / 2).copied().unwrap_or_default();
        (self.latencies.len() as f64 / self.elapsed.as_secs_f64().max(1e-9), p50.as_secs_f64() * 1e3)
    }
}

/// Creates users, then reads and finds them.
fn row(name: &str, base: &str, seed: u64, users: usize, time: Duration) -> Result<(), Failure> {
    let ids = Mutex::new(vec![String::new(); users]);
    let until =
        |count: usize, time: Duration| move |n: usize, began: Instant| n < count && began.elapsed() < time;
    let endless = Duration::from_secs(120);
    let mut post = run(until(users, endless), &|agent, number| {
        let body = person(seed, number, &label(number)).to_string();
        let request = request("POST", &format!("{base}/Users")).body(body)?;
        let text = agent.run(request)?.into_body().read_to_string()?;
        let id = serde_json::from_str::<Value>(&text)?["id"].as_str().ok_or(text)?.to_owned();
        ids.lock().map_err(|_| "a client panicked")?[number] = id;
        Ok(())
    });
    let ids = ids.into_inner()?;
    let known: Vec<usize> = (0..users).filter(|&number| !ids[number].is_empty()).collect();
    if known.is_empty() {
        return Err(format!("{name} creates nobody").into());
    }
    let mut get = run(until(usize::MAX, time), &|agent, n| {
        let id = &ids[known[n * 7919 % known.len()]];
        let text = agent.run(request("GET", &format!("{base}/Users/{id}")).body(())?)?;
        expect(&text.into_body().read_to_string()?, id)
    });
    let mut find = run(until(usize::MAX, time), &|agent, n| {
        let wanted = user_name(&label(known[n * 7919 % known.len()]));
        let filter = format!("userName%20eq%20%22{wanted}%22");
        let text = agent.run(request("GET", &format!("{base}/Users?filter={filter}")).body(())?)?;
        let text = text.into_body().read_to_string()?;
        let total = serde_json::from_str::<Value>(&text)?["totalResults"].clone();
        if total == 1 { expect(&text, &wanted) } else { Err(format!("{total} results").into()) }
    });
    let errors = post.errors + get.errors + find.errors;
    let ((posts, p1), (gets, p2), (finds, p3)) = (post.text(), get.text(), find.text());
    println!(
        "| {name:<12} | {posts:>8.0} | {p1:>6.2} | {gets:>6.0} | {p2:>6.2} | {finds:>13.0} | {p3:>6.2} | {errors:>6} |"
    );
    Ok(())
}

fn expect(text: &str, part: &str) -> Result<(), Failure> {
    if text.contains(part) { Ok(()) } else { Err(format!("no {part} in {text}").into()) }
}

fn request(method: &str, url: &str) -> ureq::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(url)
        .header("Authorization", format!("Bearer {TOKEN}"))
        .header("Content-Type", "application/scim+json")
}

/// Lets the clients send requests with rising numbers as long as `goes_on` says so.
fn run(
    goes_on: impl Fn(usize, Instant) -> bool + Sync,
    send: &(dyn Fn(&Agent, usize) -> Result<(), Failure> + Sync),
) -> Measured {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let client = || {
        let agent: Agent =
            Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
        let mut own = Measured::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !goes_on(number, began) {
                return own;
            }
            let start = Instant::now();
            match send(&agent, number) {
                Ok(()) => own.latencies.push(start.elapsed()),
                Err(_) => own.errors += 1,
            }
        }
    };
    let mut all = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let mut all = Measured::default();
        for client in clients {
            // A client that panicked has measured nothing.
            let own = client.join().unwrap_or_default();
            all.latencies.extend(own.latencies);
            all.errors += own.errors;
        }
        all
    });
    all.elapsed = began.elapsed();
    all
}
