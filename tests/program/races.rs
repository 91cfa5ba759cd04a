//! Concurrent writers and sudden death, against the real program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::client::{Client, USER};
use crate::server::{Server, TOKEN};
use serde_json::{Value, json};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

#[test]
fn of_many_writers_racing_for_one_user_name_exactly_one_wins() {
    let server = Server::start();
    let statuses = at_once(32, |number| {
        let body = json!({"schemas": [USER], "userName": "Race", "title": number.to_string()});
        send("POST", &format!("{}/Users", server.base()), None, Some(&body)).0
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 31, "{statuses:?}");
}

#[test]
fn sixty_four_clients_patch_one_user_and_no_update_is_lost() {
    let server = Server::start();
    let url = new_user(&server, "busy");
    let statuses = at_once(64, |number| {
        let role = json!([{"value": format!("role-{number}")}]);
        let operation = json!({"op": "add", "path": "roles", "value": role});
        send("PATCH", &url, None, Some(&json!({"schemas": [PATCH_OP], "Operations": [operation]}))).0
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let (_, user) = send("GET", &url, None, None);
    assert_eq!(user["roles"].as_array().unwrap().len(), 64);
    assert_eq!(user["meta"]["version"], "W/\"65\"");
}

#[test]
fn of_many_writers_with_the_same_if_match_exactly_one_wins() {
    let server = Server::start();
    let url = new_user(&server, "matched");
    let statuses = at_once(20, |number| {
        let operation = json!({"op": "replace", "path": "title", "value": number.to_string()});
        let body = json!({"schemas": [PATCH_OP], "Operations": [operation]});
        send("PATCH", &url, Some("W/\"1\""), Some(&body)).0
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 19, "{statuses:?}");
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let server = Server::start();
    let users = format!("{}/Users", server.base());
    let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (users, acknowledged, stop) = (users.clone(), Arc::clone(&acknowledged), Arc::clone(&stop));
            thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let body = json!({"schemas": [USER], "userName": format!("w{writer}-{number}")});
                    let Some((201, user)) = try_send("POST", &users, None, Some(&body)) else { return };
                    acknowledged.lock().unwrap().push(user["id"].as_str().unwrap().to_owned());
                }
            })
        })
        .collect();
    while acknowledged.lock().unwrap().len() < 200 {
        thread::yield_now();
    }
    let folder = server.kill();
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());

    let server = Server::start_in(folder);
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() >= 200);
    for id in acknowledged.iter() {
        let (status, _) = send("GET", &format!("{}/Users/{id}", server.base()), None, None);
        assert_eq!(status, 200, "{id} was acknowledged and is gone");
    }
    let (_, page) = send("GET", &format!("{}/Users?count=0", server.base()), None, None);
    let total = page["totalResults"].as_u64().unwrap();
    // A write may have been committed whose answer the kill cut off: at most one a writer.
    let sure = u64::try_from(acknowledged.len()).unwrap();
    assert!((sure..=sure + 8).contains(&total), "{total} users, {sure} acknowledged");
}

fn new_user(server: &Server, name: &str) -> String {
    let body = json!({"schemas": [USER], "userName": name});
    let (status, user) = send("POST", &format!("{}/Users", server.base()), None, Some(&body));
    assert_eq!(status, 201, "{user}");
    user["meta"]["location"].as_str().unwrap().to_owned()
}

/// Runs a request in many threads that begin together.
pub(crate) fn at_once(threads: usize, request: impl Fn(usize) -> u16 + Sync) -> Vec<u16> {
    let gate = std::sync::Barrier::new(threads);
    thread::scope(|scope| {
        let (gate, request) = (&gate, &request);
        let running: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    gate.wait();
                    request(number)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn send(method: &str, url: &str, if_match: Option<&str>, body: Option<&Value>) -> (u16, Value) {
    try_send(method, url, if_match, body).expect("an answer")
}

fn try_send(method: &str, url: &str, if_match: Option<&str>, body: Option<&Value>) -> Option<(u16, Value)> {
    let answer = Client::new(TOKEN).try_send(method, url, if_match, body)?;
    Some((answer.status, answer.json()))
}
