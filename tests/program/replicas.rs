//! Three servers on one PostgreSQL, which loses one of them and then itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client, GROUP, patch, user};
use crate::cluster::{self, Cluster};
use crate::races::at_once;
use crate::server::{Server, TOKEN, pause};

const REPLICAS: usize = 3;

/// Longer than any request may take: its time limit, and some for a machine that has much to do.
const HANGS: Duration = Duration::from_secs(35);

/// How soon a token that one replica revokes must stop on all.
const REVOKED: Duration = Duration::from_secs(5);

/// The replicas, and where they listen now.
struct Fleet {
    database: String,
    servers: Mutex<BTreeMap<usize, Server>>,
    bases: RwLock<Vec<String>>,
}

impl Fleet {
    /// Starts all of them at the same time on an empty database.
    fn start(database: String) -> Self {
        let servers: Vec<Server> = thread::scope(|scope| {
            let starting: Vec<_> = (0..REPLICAS).map(|_| scope.spawn(|| replica(&database))).collect();
            starting.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let bases = servers.iter().map(Server::base).collect();
        let servers = servers.into_iter().enumerate().collect();
        Self { database, servers: Mutex::new(servers), bases: RwLock::new(bases) }
    }

    /// Where the replica with that number listens; they are counted round and round.
    fn base(&self, number: usize) -> String {
        self.bases.read().unwrap()[number % REPLICAS].clone()
    }

    fn kill(&self, number: usize) {
        self.servers.lock().unwrap().remove(&number).unwrap().kill();
    }

    fn restart(&self, number: usize) {
        let server = replica(&self.database);
        self.bases.write().unwrap()[number] = server.base();
        self.servers.lock().unwrap().insert(number, server);
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.servers.lock().unwrap()[&0].run(arguments)
    }
}

fn replica(database: &str) -> Server {
    Server::start_with(TempDir::new().unwrap(), database, &[])
}

/// What the writers of the load have in common.
struct Load<'a> {
    fleet: &'a Fleet,
    over: AtomicBool,
    refused: AtomicUsize,
    /// What each writer got acknowledged.
    progress: Vec<AtomicUsize>,
}

/// Ends the load, also when the test fails half-way.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One of them: it asks a replica until that fails, and then the next.
struct Writer<'a> {
    load: &'a Load<'a>,
    number: usize,
    at: usize,
    client: Client,
}

impl Writer<'_> {
    fn is_over(&self) -> bool {
        self.load.over.load(Ordering::Relaxed)
    }

    fn done(&self) {
        self.load.progress[self.number].fetch_add(1, Ordering::Relaxed);
    }

    /// The answer; none if nobody knows what became of the request.
    fn ask(&mut self, method: &str, path: &str, tag: Option<&str>, body: Option<&Value>) -> Option<Answer> {
        let url = format!("{}{path}", self.load.fleet.base(self.at));
        let began = Instant::now();
        let answer = self.client.try_send(method, &url, tag, body);
        assert!(began.elapsed() < HANGS, "{method} {path} took {:?}", began.elapsed());
        let Some(answer) = answer else {
            self.at += 1;
            return None;
        };
        assert!(answer.status < 500 || answer.status == 503, "{method} {path}: {answer:?}");
        if answer.status != 503 {
            return Some(answer);
        }
        answer.asks_to_come_back();
        self.load.refused.fetch_add(1, Ordering::Relaxed);
        self.at += 1;
        pause(50);
        None
    }

    /// Creates users until the load is over; answers the names that are there for sure.
    fn create(mut self) -> Vec<String> {
        let mut names = Vec::new();
        while !self.is_over() {
            let name = format!("w{}-{}", self.number, names.len());
            let mut is_unsure = false;
            loop {
                match self.ask("POST", "/Users", None, Some(&user(&name))) {
                    Some(answer) if answer.status == 201 => break,
                    Some(answer) => {
                        assert!(answer.status == 409 && is_unsure, "{answer:?}");
                        break;
                    }
                    None if self.is_over() => return names,
                    None => is_unsure = true,
                }
            }
            names.push(name);
            self.done();
        }
        names
    }

    /// Counts in an attribute that others count in too; answers how often for sure, and how often perhaps.
    fn count(mut self, path: &str) -> (usize, usize) {
        let (mut sure, mut perhaps) = (0, 0);
        while !self.is_over() {
            let Some(answer) = self.ask("GET", path, None, None) else { continue };
            let count: u64 = answer.json()["title"].as_str().unwrap().parse().unwrap();
            let tag = answer.header("etag").unwrap().to_owned();
            let body = patch("replace", "title", json!((count + 1).to_string()));
            match self.ask("PATCH", path, Some(&tag), Some(&body)).map(|answer| answer.status) {
                Some(412) => {}
                Some(status) => {
                    assert_eq!(status, 200);
                    sure += 1;
                    self.done();
                }
                None => perhaps += 1,
            }
        }
        (sure, perhaps)
    }

    /// Adds values to an attribute until the load is over; answers those that are there for sure.
    fn add(mut self, path: &str, attribute: &str) -> Vec<String> {
        let mut values = Vec::new();
        while !self.is_over() {
            let value = format!("v{}-{}", self.number, values.len());
            let body = patch("add", attribute, json!([{"value": value}]));
            let is_added = |answer: Answer| matches!(answer.status, 200 | 204);
            while !self.ask("PATCH", path, None, Some(&body)).is_some_and(is_added) {
                if self.is_over() {
                    return values;
                }
            }
            values.push(value);
            self.done();
        }
        values
    }
}

#[test]
fn three_replicas_lose_nothing_when_one_of_them_and_the_database_crash() {
    let Some(mut cluster) = Cluster::start() else { return };
    let fleet = Fleet::start(cluster.database());
    race(&fleet);
    let client = Client::new(TOKEN);
    let create = |path: &str, body: &Value| {
        let answer = client.send("POST", &format!("{}{path}", fleet.base(0)), Some(body));
        assert_eq!(answer.status, 201, "{answer:?}");
        format!("{path}/{}", answer.json()["id"].as_str().unwrap())
    };
    let mut body = user("counter");
    body["title"] = json!("0");
    let counter = create("/Users", &body);
    let holder = create("/Users", &user("holder"));
    let group = create("/Groups", &json!({"schemas": [GROUP], "displayName": "g"}));

    let load = Load {
        fleet: &fleet,
        over: AtomicBool::new(false),
        refused: AtomicUsize::new(0),
        progress: (0..12).map(|_| AtomicUsize::new(0)).collect(),
    };
    let writer = |number: usize| Writer { load: &load, number, at: number, client: Client::new(TOKEN) };
    let (names, counts, members, roles) = thread::scope(|scope| {
        let creators: Vec<_> = (0..3).map(|n| scope.spawn(move || writer(n).create())).collect();
        let ending = Ending(&load.over);
        let (counter, group, holder) = (&counter, &group, &holder);
        let counters: Vec<_> = (3..6).map(|n| scope.spawn(move || writer(n).count(counter))).collect();
        let joiners: Vec<_> = (6..9).map(|n| scope.spawn(move || writer(n).add(group, "members"))).collect();
        let givers: Vec<_> = (9..12).map(|n| scope.spawn(move || writer(n).add(holder, "roles"))).collect();

        let progress =
            || -> Vec<usize> { load.progress.iter().map(|writer| writer.load(Ordering::Relaxed)).collect() };
        let everybody_goes_on = || {
            let (before, began) = (progress(), Instant::now());
            while progress().iter().zip(&before).any(|(now, before)| now < &(before + 3)) {
                assert!(began.elapsed() < Duration::from_secs(90), "{before:?} {:?}", progress());
                pause(20);
            }
        };
        everybody_goes_on();
        fleet.kill(1);
        everybody_goes_on();
        fleet.restart(1);
        everybody_goes_on();
        // One that many writers want may be refused at times; nobody else is.
        let before = load.refused.load(Ordering::Relaxed);
        cluster.crash_server();
        pause(2000);
        assert!(load.refused.load(Ordering::Relaxed) > before + 12, "everybody is told to come back");
        cluster.start_server();
        everybody_goes_on();
        drop(ending);
        let joined = |threads: Vec<thread::ScopedJoinHandle<'_, Vec<String>>>| -> Vec<String> {
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        };
        let counts: Vec<_> = counters.into_iter().map(|thread| thread.join().unwrap()).collect();
        (joined(creators), counts, joined(joiners), joined(givers))
    });

    for replica in 0..REPLICAS {
        let get = |path: &str| client.get(&format!("{}{path}", fleet.base(replica))).json();
        let (there, mut start) = (&mut HashSet::new(), 1);
        loop {
            let page = get(&format!("/Users?attributes=userName&count=500&startIndex={start}"));
            let users = page["Resources"].as_array().unwrap();
            if users.is_empty() {
                break;
            }
            start += users.len();
            for user in users {
                let name = user["userName"].as_str().unwrap().to_owned();
                assert!(there.insert(name), "twice: {user}");
            }
        }
        let lost: Vec<&String> = names.iter().filter(|name| !there.contains(*name)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        let found = get(&format!("/Users?filter=userName+eq+%22{}%22", names[replica]));
        assert_eq!(found["totalResults"], 1, "{found}");
        let counted: usize = get(&counter)["title"].as_str().unwrap().parse().unwrap();
        let (sure, perhaps) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        assert!((sure..=sure + perhaps).contains(&counted), "{sure} <= {counted} <= {sure} + {perhaps}");
        for (path, attribute, wanted) in [(&group, "members", &members), (&holder, "roles", &roles)] {
            let values = get(path)[attribute].as_array().unwrap().clone();
            let there: HashSet<&str> = values.iter().map(|value| value["value"].as_str().unwrap()).collect();
            assert_eq!(there.len(), values.len(), "{attribute} are there once");
            let lost: Vec<&String> = wanted.iter().filter(|value| !there.contains(value.as_str())).collect();
            assert!(lost.is_empty(), "{attribute}: {lost:?}");
        }
    }
    let twice = "SELECT label FROM resource GROUP BY label HAVING COUNT(*) > 1";
    assert_eq!(cluster::query(&fleet.database, twice), Vec::<String>::new());
    assert!(fleet.run(&["verify"]).contains("everything agrees"));
    revoke(&fleet);
}

/// Creates, updates and membership edits of the same things, through all replicas at once.
fn race(fleet: &Fleet) {
    let client = Client::new(TOKEN);
    let all = |count: usize, request: &(dyn Fn(usize, &str) -> Answer + Sync)| {
        let mut statuses = at_once(count, |number| request(number, &fleet.base(number)).status);
        statuses.sort_unstable();
        statuses
    };
    let created = all(30, &|_, base| client.send("POST", &format!("{base}/Users"), Some(&user("Race"))));
    assert_eq!(created, [vec![201], vec![409; 29]].concat());
    let made = client.send("POST", &format!("{}/Users", fleet.base(0)), Some(&user("busy"))).json();
    let id = made["id"].as_str().unwrap();
    let given = all(30, &|number, base| {
        let role = patch("add", "roles", json!([{"value": format!("r{number}")}]));
        client.send("PATCH", &format!("{base}/Users/{id}"), Some(&role))
    });
    assert_eq!(given, [200; 30]);
    let busy = client.get(&format!("{}/Users/{id}", fleet.base(1))).json();
    assert_eq!(busy["roles"].as_array().unwrap().len(), 30);
    let tag = busy["meta"]["version"].as_str().unwrap();
    let matched = all(12, &|number, base| {
        let title = patch("replace", "title", json!(number.to_string()));
        client.try_send("PATCH", &format!("{base}/Users/{id}"), Some(tag), Some(&title)).unwrap()
    });
    assert_eq!(matched, [vec![200], vec![412; 11]].concat());
    let body = json!({"schemas": [GROUP], "displayName": "race"});
    let made = client.send("POST", &format!("{}/Groups", fleet.base(2)), Some(&body)).json();
    let id = made["id"].as_str().unwrap();
    let joined = all(30, &|number, base| {
        let member = patch("add", "members", json!([{"value": format!("m{number}")}]));
        client.send("PATCH", &format!("{base}/Groups/{id}"), Some(&member))
    });
    assert_eq!(joined, [200; 30]);
    let members = client.get(&format!("{}/Groups/{id}", fleet.base(0))).json()["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 30);
}

/// A token that is revoked beside one replica stops on all of them.
fn revoke(fleet: &Fleet) {
    let token = fleet.run(&["token", "create", "--tenant", "default", "--name", "short-lived"]);
    let client = Client::new(token.lines().last().unwrap().trim());
    let statuses = || -> Vec<u16> {
        (0..REPLICAS).map(|n| client.get(&format!("{}/Users?count=0", fleet.base(n))).status).collect()
    };
    assert_eq!(statuses(), [200; REPLICAS]);
    let listed = fleet.run(&["token", "list", "--tenant", "default"]);
    let line = listed.lines().find(|line| line.contains("short-lived")).unwrap();
    let id = line.split_whitespace().find(|word| word.parse::<u32>().is_ok()).unwrap().to_owned();
    fleet.run(&["token", "revoke", &id, "--tenant", "default"]);
    let began = Instant::now();
    while statuses() != [401; REPLICAS] {
        assert!(began.elapsed() < REVOKED, "{:?}", statuses());
        pause(50);
    }
}
