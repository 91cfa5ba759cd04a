//! `muster serve`: the first token, the log, the end.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::program::Home;

const CHOSEN: &str = "a-token-that-was-chosen";

#[test]
fn the_first_start_prints_a_token_once() {
    let home = Home::new();
    let first = home.serve("", &[]);
    let token = first.before.lines().find(|line| line.starts_with("muster_1_")).unwrap().to_owned();
    let curl = format!("curl -H 'Authorization: Bearer {token}' http://{}/scim/v2/Users", first.address);
    assert!(first.before.contains(&curl), "{}", first.before);
    assert_eq!(first.users(&token), 200);
    assert!(!first.stop().stderr.contains(&token), "the log has no token");
    let second = home.serve("", &[]);
    assert_eq!((second.before.as_str(), second.users(&token)), ("", 200));
    assert!(home.run("token list").done().contains("bootstrap"));
}

#[test]
fn a_chosen_first_token_counts_until_another_is_chosen() {
    let home = Home::new();
    for _ in 0..2 {
        let server = home.serve("", &[("MUSTER_BOOTSTRAP_TOKEN", CHOSEN)]);
        assert_eq!((server.before.as_str(), server.users(CHOSEN)), ("", 200));
        assert_eq!(server.stop().code, Some(0));
    }
    let other = "another-token-that-was-chosen";
    let server = home.serve("", &[("MUSTER_BOOTSTRAP_TOKEN", other)]);
    assert_eq!((server.users(CHOSEN), server.users(other)), (401, 200));
    server.stop();
    let refused = |token: &str| {
        let mut command = home.command("serve --listen 127.0.0.1:0");
        let output = command.env("MUSTER_BOOTSTRAP_TOKEN", token).output().unwrap();
        crate::program::Ended::from(output)
    };
    assert!(refused("too-short").refused().contains("at least 16"));
    assert!(refused(CHOSEN).refused().contains("choose another text"));
    let without = home.serve("", &[("MUSTER_BOOTSTRAP_TOKEN", "")]);
    assert_eq!((without.before.as_str(), without.users(other)), ("", 200));
}

#[test]
fn what_cannot_be_sent_is_said_at_the_start() {
    let home = Home::new();
    let log = |courier: &str| home.serve(courier, &[("MUSTER_BOOTSTRAP_TOKEN", CHOSEN)]).stop().stderr;
    let said = "no courier is set for";
    assert!(log("").contains(&format!("{said} e-mails and texts")));
    let mail = log("--courier smtp://127.0.0.1:2525 --courier-from muster@example.com");
    assert!(mail.contains(&format!("{said} texts")) && !mail.contains("e-mails"), "{mail}");
    let file = log("--courier file:outbox");
    assert!(!file.contains(said), "{file}");
}

#[test]
fn a_request_is_one_line_in_the_log_and_shows_no_one() {
    let home = Home::new();
    let server = home.serve("--log-format json", &[("MUSTER_BOOTSTRAP_TOKEN", CHOSEN)]);
    let target = "/scim/v2/Users/some-persons-id?filter=userName+eq+%22some-person%22";
    assert_eq!(server.request("GET", target, CHOSEN).status, 200);
    assert_eq!(server.users("a-token-that-is-unknown"), 401);
    let log = server.stop().stderr;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<&Value> = lines.iter().filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), 2, "{log}");
    let first = requests[0];
    assert_eq!(first["route"], "/{type}/{id}", "{log}");
    assert_eq!((first["method"].as_str(), first["status"].as_u64()), (Some("GET"), Some(200)));
    assert_eq!((first["tenant"].as_str(), first["client"].as_str()), (Some("default"), Some("bootstrap")));
    assert!(
        first["duration_ms"].as_f64().is_some()
            && first["request_id"].as_str().is_some_and(|id| !id.is_empty())
    );
    assert!(!log.contains("some-person") && !log.contains(CHOSEN) && !log.contains("a-token"), "{log}");
}

#[test]
fn the_log_can_be_filtered() {
    let home = Home::new();
    let server = home.serve("", &[("MUSTER_LOG", "error")]);
    server.users("x");
    assert_eq!(server.stop().stderr, "");
    let output = home.command("serve").env("MUSTER_LOG", "a=b=c").output().unwrap();
    assert!(crate::program::Ended::from(output).refused().contains("write info or debug"));
}

#[test]
fn both_signals_end_it_after_the_requests_that_were_begun() {
    for signal in ["TERM", "INT"] {
        let home = Home::new();
        let server = home.serve("", &[("MUSTER_BOOTSTRAP_TOKEN", CHOSEN)]);
        let idle = TcpStream::connect(server.address).unwrap();
        let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"last"}"#;
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = format!(
            "POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {CHOSEN}\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // `100 Continue` says that the request has begun.
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100");
        server.signal(signal);
        stream.write_all(body.as_bytes()).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("201 Created"), "{rest}");
        let ended = server.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        drop(idle);
        let again = home.serve("", &[("MUSTER_BOOTSTRAP_TOKEN", CHOSEN)]);
        assert_eq!(again.request("GET", "/scim/v2/Users", CHOSEN).json()["totalResults"], 1);
    }
}

#[test]
fn a_port_in_use_is_refused_with_a_sentence_and_costs_no_first_token() {
    let server = Home::new().serve("", &[]);
    let home = Home::new();
    let sentence = home.run(&format!("serve --listen {}", server.address)).refused();
    assert!(sentence.contains("choose another --listen"), "{sentence}");
    assert!(home.serve("", &[]).before.contains("muster_1_"));
}
