//! What goes wrong between a server and PostgreSQL.

use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{Client, user};
use crate::cluster::{self, Cluster};
use crate::server::{Server, TOKEN, muster, pause};

/// A server on a database that is away, and where it will listen.
fn spawn_on(database: &str) -> (Server, String) {
    let folder = TempDir::new().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = muster(&folder, database);
    command.args(["serve", "--listen", &address]);
    (Server::spawn(command, folder, database), format!("http://{address}"))
}

/// Asks until the answer has that status.
fn until(url: &str, status: u16) {
    let (client, began) = (Client::new(TOKEN), Instant::now());
    while client.try_send("GET", url, None, None).is_none_or(|answer| answer.status != status) {
        assert!(began.elapsed() < Duration::from_secs(30), "{url} does not answer {status}");
        pause(50);
    }
}

#[test]
fn a_server_that_is_started_before_its_database_waits_for_it_and_says_so() {
    let Some(mut cluster) = Cluster::start() else { return };
    let database = cluster.database();
    cluster.stop_server();
    let (mut server, url) = spawn_on(&database);
    until(&format!("{url}/healthz"), 200);
    let client = Client::new(TOKEN);
    for path in ["/readyz", "/scim/v2/Users", "/scim/v2/Schemas"] {
        assert!(client.get(&format!("{url}{path}")).asks_to_come_back().contains("the database is away"));
    }
    server.logs("the database cannot be reached; trying again");
    cluster.start_server();
    server.listens();
    until(&format!("{url}/readyz"), 200);
    assert_eq!(client.send("POST", &format!("{url}/scim/v2/Users"), Some(&user("jane"))).status, 201);
}

#[test]
fn a_server_that_waits_for_its_database_can_be_stopped() {
    let (server, url) = spawn_on("postgres://muster@127.0.0.1:1/muster");
    until(&format!("{url}/readyz"), 503);
    assert!(Command::new("kill").arg(server.pid().to_string()).status().unwrap().success());
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("refused"), "{log}");
}

#[test]
fn a_server_that_its_database_does_not_let_in_says_so_and_ends() {
    let Some(cluster) = Cluster::shared() else { return };
    let nobody = cluster.url("postgres").replace("muster@", "nobody@");
    for (database, why) in
        [(cluster.url("nowhere"), "\"nowhere\" does not exist"), (nobody, "\"nobody\" does not exist")]
    {
        let (server, _) = spawn_on(&database);
        let (code, log) = server.ended();
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("the database refused the connection") && log.contains(why), "{log}");
    }
}

/// A server with few connections, whose table of resources somebody keeps locked while `test` runs.
fn while_locked(arguments: &[&str], options: &str, test: impl FnOnce(&Server, &Client, &str) + Send) {
    let Some(cluster) = Cluster::shared() else { return };
    let plain = cluster.database();
    let server = Server::start_with(TempDir::new().unwrap(), &format!("{plain}?{options}"), arguments);
    let client = Client::new(TOKEN);
    let users = format!("{}/Users", server.base());
    assert_eq!(client.send("POST", &users, Some(&user("jane"))).status, 201);
    cluster::with_client(&plain, async |other| {
        other.batch_execute("BEGIN; LOCK TABLE resource").await.unwrap();
        test(&server, &client, &plain);
        other.batch_execute("ROLLBACK").await.unwrap();
    });
    let began = Instant::now();
    assert_eq!(client.get(&users).json()["totalResults"], 1, "nothing was written");
    assert_eq!(client.send("POST", &users, Some(&user("john"))).status, 201);
    assert!(began.elapsed() < Duration::from_secs(5), "no restart is needed");
}

#[test]
fn a_request_that_outlives_its_time_limit_is_stopped_in_the_database_too() {
    while_locked(&["--request-timeout", "1"], "pool_size=2", |server, client, plain| {
        // More than there are connections: each gets one, because the one before gave it back.
        for _ in 0..4 {
            let began = Instant::now();
            let answer = client.get(&format!("{}/Users?filter=userName+eq+%22jane%22", server.base()));
            let detail = answer.asks_to_come_back();
            assert!(detail.contains("within 1 seconds") && !detail.contains("may have happened"), "{detail}");
            assert!(began.elapsed() < Duration::from_secs(4));
        }
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'muster' \
                       AND datname = current_database() AND wait_event_type = 'Lock'";
        let began = Instant::now();
        while cluster::query(plain, waiting) != ["0"] {
            assert!(began.elapsed() < Duration::from_secs(5), "statements that nobody waits for go on");
        }
    });
}

#[test]
fn requests_that_get_no_connection_are_told_to_come_back() {
    while_locked(&[], "pool_size=1", |server, client, _| {
        let users = format!("{}/Users", server.base());
        let began = Instant::now();
        thread::scope(|scope| {
            for number in 0..6 {
                let (client, users) = (client.clone(), users.clone());
                scope.spawn(move || {
                    let late = client.send("POST", &users, Some(&user(&format!("u{number}"))));
                    late.asks_to_come_back();
                });
            }
        });
        assert!(began.elapsed() < Duration::from_secs(35), "{:?}", began.elapsed());
        server.logs("the database is not available: ");
    });
}
