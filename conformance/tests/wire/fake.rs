//! A server that gives prepared answers and remembers what it was sent.
//!
//! Invariant: what it remembers is byte for byte what came over the wire.

use muster_conformance::{Flow, FlowReport, Subject, replay};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) const TOKEN: &str = "s3cret-t0ken";

pub(crate) struct Fake {
    pub(crate) subject: Subject,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Fake {
    /// Answers the first request with the first answer, and so on.
    pub(crate) fn answering(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/scim/v2", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                notes.lock().unwrap().push(request(&stream));
                stream.write_all(&answer).unwrap();
            }
        });
        Self { subject: Subject { base, token: TOKEN.to_owned() }, seen }
    }

    pub(crate) fn replay(&self, steps: Value) -> FlowReport {
        replay(&self.subject, &flow(steps))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

pub(crate) fn flow(steps: Value) -> Flow {
    let flow = json!({"client": "Test IdP", "flow": "Talk", "source": "invented", "steps": steps});
    Flow::parse("test-01-talk.json", &flow.to_string()).unwrap()
}

pub(crate) fn answer(status: u16, body: &Value) -> Vec<u8> {
    raw(status, &["Content-Type: application/scim+json"], body.to_string().as_bytes())
}

pub(crate) fn empty(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} Empty\r\nConnection: close\r\n\r\n").into_bytes()
}

pub(crate) fn raw(status: u16, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Something\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

fn request(stream: &TcpStream) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end_matches("\r\n");
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let length =
        lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let headers = lines.split_off(1.min(lines.len()));
    Seen { line: lines.remove(0), headers, body: String::from_utf8(body).unwrap() }
}
