//! Groups with very many members: what they cost to read and to write.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client, GROUP};
use crate::cluster::{self, Cluster};
use crate::server::{Server, TOKEN, file_in, pause};

const MEMBERS: usize = 100_000;

/// How much memory an answer of 11 MB may cost, in kB, with the 8 MB that the cache of each connection to the database may
/// take meanwhile: two that answer short reads and two that answer long ones. Held as JSON it takes 80 MB.
const FLAT: u64 = 40_000;

/// Gives the only group a hundred thousand members, past the server: making them by requests is what others test.
const FILL: &str = "
    INSERT INTO resource (tenant, kind, id, pk, version, created, modified, label, label_key, document)
    SELECT 1, d.id, 'user-' || n, 1000000 + n, 1, '2026-01-02T03:04:05', '2026-01-02T03:04:05', 'User ' || n, 'user ' || n, '{}'
    FROM {numbers} JOIN dictionary d ON d.name = 'User';
    INSERT INTO membership (tenant, grp, member)
    SELECT 1, g.pk, 'user-' || n FROM {numbers} JOIN resource g ON g.label = 'Everybody'
";

/// Makes that group; the answer is of when it had no members yet.
fn make_large_group(server: &Server, client: &Client, fill: impl FnOnce(&str)) -> Answer {
    let body = json!({"schemas": [GROUP], "displayName": "Everybody", "externalId": "e"});
    let made = client.send("POST", &format!("{}/Groups", server.base()), Some(&body));
    assert_eq!(made.status, 201, "{made:?}");
    fill(FILL);
    made
}

fn fill_postgres(database: &str, sql: &str) {
    cluster::query(database, &sql.replace("{numbers}", "generate_series(1, 100000) n"));
    cluster::query(database, "ANALYZE");
}

fn with_a_large_group(server: &Server, fill: impl FnOnce(&str)) {
    let client = Client::new(TOKEN);
    let made = make_large_group(server, &client, fill);
    let url = made.header("location").unwrap().to_owned();
    let etag = made.header("etag").unwrap().to_owned();

    let small = client.get(&format!("{url}?excludedAttributes=members"));
    assert!(small.header("content-length").is_some() && small.text.len() < 500, "{small:?}");
    server.peak();
    let before = server.peak();
    let whole = client.get(&url);
    let grown = server.peak().saturating_sub(before);
    assert!(whole.text.len() > 11_000_000, "{}", whole.text.len());
    assert!(grown < FLAT, "the answer of {} octets cost {grown} kB", whole.text.len());
    check_head(&whole, &url, &etag);
    let group = whole.json();
    assert_eq!((group["displayName"].as_str(), group["externalId"].as_str()), (Some("Everybody"), Some("e")));
    assert_eq!(group["meta"]["version"], etag.as_str());
    let members = group["members"].as_array().unwrap();
    let ids: HashSet<&str> = members.iter().map(|member| member["value"].as_str().unwrap()).collect();
    assert_eq!((members.len(), ids.len()), (MEMBERS, MEMBERS));
    let first = json!({
        "value": "user-1", "$ref": format!("{}/Users/user-1", server.base()), "type": "User", "display": "User 1"
    });
    assert!(members.contains(&first), "{:?}", members.first());

    let head = client.send("HEAD", &url, None);
    check_head(&head, &url, &etag);
    assert_eq!(head.text, "");

    let only = client.get(&format!("{url}?attributes=members.value")).json();
    assert_eq!(only.get("displayName"), None);
    let members = only["members"].as_array().unwrap();
    assert_eq!(members.len(), MEMBERS);
    assert!(members.iter().all(|member| member.as_object().unwrap().keys().eq(["value"])), "{}", members[0]);
    assert_eq!(only["members"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["value"]);

    let listed =
        client.get(&format!("{}/Groups?filter=displayName+eq+%22everybody%22", server.base())).json();
    assert_eq!((listed["totalResults"].as_u64(), listed["itemsPerPage"].as_u64()), (Some(1), Some(1)));
    assert_eq!(listed["Resources"][0], group);
    assert!(server.peak() < before + FLAT, "lists are streamed too");
}

#[track_caller]
fn check_head(answer: &Answer, url: &str, etag: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    assert_eq!((answer.header("etag"), answer.header("content-location")), (Some(etag), Some(url)));
    assert_eq!(answer.header("content-length"), None);
}

#[test]
fn a_hundred_thousand_members_are_read_from_sqlite_with_flat_memory() {
    let server = Server::start();
    with_a_large_group(&server, |sql| {
        let numbers = "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT n FROM c)";
        let database = rusqlite::Connection::open(server.folder().join("muster.db")).unwrap();
        database.execute_batch(&sql.replace("{numbers}", numbers)).unwrap();
    });
}

#[test]
fn a_hundred_thousand_members_are_read_from_postgresql_with_flat_memory() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let server = Server::start_with(TempDir::new().unwrap(), &database, &[]);
    with_a_large_group(&server, |sql| fill_postgres(&database, sql));
}

#[test]
fn an_answer_whose_database_goes_away_breaks_off_and_does_not_end_as_if_it_were_whole() {
    let Some(mut cluster) = Cluster::start() else { return };
    let database = cluster.database();
    let server = Server::start_with(TempDir::new().unwrap(), &database, &[]);
    let client = Client::new(TOKEN);
    let made = make_large_group(&server, &client, |sql| fill_postgres(&database, sql));
    let url = made.header("location").unwrap();
    let host = server.url().trim_start_matches("http://");
    let path = url.trim_start_matches(server.url());
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").unwrap();
    let mut answer = vec![0; 1000];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    cluster.crash_server();
    // The connection may be closed or reset.
    stream.read_to_end(&mut answer).ok();
    assert!(!answer.ends_with(b"0\r\n\r\n"), "{} octets seem to be all", answer.len());
    server.logs("an answer broke off");
    cluster.start_server();
    let whole = loop {
        match client.get(url) {
            answer if answer.status == 200 => break answer,
            _ => pause(100),
        }
    };
    assert_eq!(members(&whole).len(), MEMBERS);
}

#[test]
fn a_put_may_bring_as_many_members_as_a_body_holds() {
    let folder = TempDir::new().unwrap();
    let mut databases = vec![file_in(&folder)];
    databases.extend(Cluster::shared().map(Cluster::database));
    for database in databases {
        let server = Server::start_with(TempDir::new().unwrap(), &database, &["--max-body", "2000000"]);
        let client = Client::new(TOKEN);
        let group = |ids: std::ops::Range<u32>| {
            let members: Vec<Value> = ids.map(|n| json!({"value": format!("member-{n:05}")})).collect();
            json!({"schemas": [GROUP], "displayName": "g", "members": members})
        };
        let groups = format!("{}/Groups", server.base());
        let made = client.send("POST", &groups, Some(&group(0..70_000)));
        assert_eq!((made.status, members(&made).len()), (201, 70_000));
        let url = made.header("location").unwrap();
        let replaced = client.send("PUT", url, Some(&group(100..70_100)));
        assert_eq!(replaced.status, 200);
        assert_eq!(members(&replaced), group(100..70_100)["members"].as_array().unwrap().clone());
        assert_eq!(client.send("PUT", url, Some(&group(0..90_000))).status, 413);
    }
}

fn members(answer: &Answer) -> Vec<Value> {
    answer.json()["members"].as_array().cloned().unwrap_or_default()
}
