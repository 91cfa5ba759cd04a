//! A running server for tests, and a client that sends what it is told, byte by byte.
//!
//! Invariant: every [`App`] has a database and a port of its own, so tests run side by side and in any order.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use muster::access::{Access, NewClient, Overrides, Scope};
use muster::courier::{self, Courier, Setup, Way};
use muster::directory::Directory;
use muster::http::{self, Settings};
use muster::id::{ClientId, ResourceId, TenantId};
use muster::identity::Identity;
use muster::scim::registry::Registry;
use muster::store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// How long a test waits for an answer before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process with an empty database.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its tenants and tokens.
    pub access: Access,
    /// A token of the tenant `default` with the scope `scim` and the profile `default`; [`App::get`] and its
    /// like use it.
    pub token: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    directory: TempDir,
}

/// The time at which a test makes something.
#[expect(clippy::disallowed_methods, reason = "a test has no request to take the time from")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Runs what is asynchronous.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

impl App {
    /// A server with the default settings.
    pub fn start() -> Self {
        Self::with(Settings::default(), Registry::built_in().unwrap())
    }

    /// A server with these settings and schemas.
    pub fn with(settings: Settings, registry: Registry) -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite:{}", directory.path().join("muster.db").display());
        Self::on(&url, directory, settings, registry)
    }

    /// A server on the database with this URL, which may be in that directory.
    pub fn on(url: &str, directory: TempDir, settings: Settings, registry: Registry) -> Self {
        let registry = Arc::new(registry);
        let outbox = directory.path().join("outbox");
        let url = url.parse().unwrap();
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let store = Store::open(&url, &registry).await.unwrap();
                let access = Access::new(store.clone(), registry);
                let stop = async { drop(stopped.await) };
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                ready.send((listener.local_addr().unwrap(), access.clone())).unwrap();
                let settings = Settings { workers: settings.workers.or(Some(2)), ..settings };
                let directory = Directory::new(store.clone());
                let courier =
                    Courier::new(&Setup { ways: vec![Way::File(outbox)], ..Setup::default() }).unwrap();
                let identity = Identity::new(directory.clone(), store.clone(), courier.channels());
                let (ended, end) = oneshot::channel::<()>();
                let delivery =
                    actix_web::rt::spawn(courier::deliver(store, courier, async { drop(end.await) }));
                http::serve(listener, settings, directory, access, identity, stop).await.unwrap();
                drop(ended);
                delivery.await.unwrap();
            });
        });
        let (address, access) = started.recv().unwrap();
        let mut app =
            Self { address, access, token: String::new(), stop: Some(stop), thread: Some(thread), directory };
        app.token = app.new_token(TenantId::DEFAULT, Scope::Scim, "default");
        app
    }

    /// Where its database is, unless it is elsewhere, and what it delivers.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The messages that were delivered so far, the first one first.
    pub fn messages(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.directory.path().join("outbox")).unwrap();
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        paths
            .iter()
            .map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
            .collect()
    }

    /// Waits until so many messages were delivered.
    pub fn wait_for_messages(&self, count: usize) -> Vec<Value> {
        let patience = std::time::Instant::now();
        loop {
            let messages = self.messages();
            if messages.len() >= count {
                return messages;
            }
            assert!(patience.elapsed() < PATIENCE, "{messages:?}");
            wait(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
    }

    /// Makes a tenant.
    pub fn new_tenant(&self, name: &str) -> TenantId {
        wait(self.access.create_tenant(name, now())).unwrap()
    }

    /// Sets policies of a tenant, as in `unique-group-names=on`.
    pub fn set_policies(&self, tenant: TenantId, settings: &[&str]) {
        let set = |own: &mut Overrides| {
            *own = Overrides::default();
            settings.iter().try_for_each(|setting| own.set(setting))
        };
        wait(self.access.change_overrides(tenant, set)).unwrap();
    }

    /// Makes a token that counts for an hour.
    pub fn new_token(&self, tenant: TenantId, scope: Scope, profile: &str) -> String {
        self.token_made_at(now(), tenant, scope, profile)
    }

    /// Makes a token that counts for an hour and is about a user.
    pub fn token_about(&self, tenant: TenantId, scope: Scope, subject: Option<&str>) -> String {
        let client = NewClient {
            tenant,
            name: "test".into(),
            profile: "default".into(),
            scopes: vec![scope],
            subject: subject.map(|id| ResourceId::from_text(id.to_owned())),
            lifetime: Some(TimeDelta::hours(1)),
        };
        wait(self.access.create_token(&client, now())).unwrap().reveal().to_owned()
    }

    /// Makes a token that counts for an hour from `made` on.
    pub fn token_made_at(
        &self,
        made: DateTime<Utc>,
        tenant: TenantId,
        scope: Scope,
        profile: &str,
    ) -> String {
        let lifetime = Some(TimeDelta::hours(1));
        let (name, profile, scopes) = ("test".into(), profile.into(), vec![scope]);
        let client = NewClient { tenant, name, profile, scopes, subject: None, lifetime };
        wait(self.access.create_token(&client, made)).unwrap().reveal().to_owned()
    }

    /// Revokes the newest token of a tenant.
    pub fn revoke_newest_token(&self, tenant: TenantId) {
        let newest: ClientId = wait(self.access.tokens(tenant, now())).unwrap().last().unwrap().id;
        wait(self.access.revoke_token(tenant, newest, now())).unwrap();
    }

    /// A request with this target, which goes out as it stands: no base, no token.
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request {
            address: self.address,
            line: format!("{method} {target} HTTP/1.1"),
            headers: Vec::new(),
            body: None,
        }
    }

    /// A request under `/scim/v2` with the token [`App::token`].
    pub fn scim(&self, method: &str, path: &str) -> Request {
        self.request(method, &format!("/scim/v2{path}")).token(&self.token)
    }

    /// GET under `/scim/v2`.
    pub fn get(&self, path: &str) -> Answer {
        self.scim("GET", path).send()
    }

    /// POST under `/scim/v2`.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.scim("POST", path).json(body).send()
    }

    /// PUT under `/scim/v2`.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.scim("PUT", path).json(body).send()
    }

    /// PATCH under `/scim/v2` with these operations.
    pub fn patch(&self, path: &str, operations: &Value) -> Answer {
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        self.scim("PATCH", path).json(&json!({"schemas": schemas, "Operations": operations})).send()
    }

    /// DELETE under `/scim/v2`.
    pub fn delete(&self, path: &str) -> Answer {
        self.scim("DELETE", path).send()
    }

    /// Makes a user with nothing but a name; answers with the id.
    pub fn new_user(&self, user_name: &str) -> String {
        let answer = self.post("/Users", &user(user_name));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has already failed the test that saw it.
            let _ = thread.join();
        }
    }
}

/// The smallest user there is.
pub fn user(user_name: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name})
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    line: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Adds a header. `Host` and `Content-Length` are there unless they are set.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Presents a token instead of the one before.
    pub fn token(mut self, token: &str) -> Self {
        self.headers.retain(|(name, _)| name != "Authorization");
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Presents no token.
    pub fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "Authorization");
        self
    }

    /// Sends these bytes as the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends this JSON as the body, with its media type.
    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/scim+json").body(body.to_string())
    }

    /// Sends it and waits for the answer.
    pub fn send(self) -> Answer {
        let has = |wanted: &str| self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let mut head = format!("{}\r\nConnection: close\r\n", self.line);
        if !has("host") {
            write!(head, "Host: {}\r\n", self.address).unwrap();
        }
        if let Some(body) = self.body.as_ref().filter(|_| !has("content-length") && !has("transfer-encoding"))
        {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.unwrap_or_default());
        exchange(self.address, &bytes)
    }
}

/// Sends bytes to a server and reads one answer, or until it closes the connection.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut sender = stream.try_clone().unwrap();
    let bytes = bytes.to_vec();
    // A server that has heard enough answers before it has read everything; then sending fails and the answer
    // counts.
    let sending = std::thread::spawn(move || drop(sender.write_all(&bytes)));
    let mut received = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !is_whole(&received) {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => received.extend_from_slice(&buffer[..count]),
            end => {
                assert!(!received.is_empty(), "no answer: {end:?}");
                break;
            }
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    sending.join().unwrap();
    Answer::parse(&received)
}

/// Whether an answer has come with as much body as it announces. One to HEAD never has.
fn is_whole(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Self { status, headers: headers.collect(), body: body.to_owned() }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks that it is the SCIM Error message of this status and `scimType`, and returns its detail.
    #[track_caller]
    pub fn error(&self, status: u16, scim_type: Option<&str>) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/scim+json"), "{self:?}");
        let body = self.json();
        assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{self:?}");
        assert_eq!(body["status"], json!(status.to_string()), "{self:?}");
        assert_eq!(body.get("scimType").and_then(Value::as_str), scim_type, "{self:?}");
        body["detail"].as_str().unwrap().to_owned()
    }
}
