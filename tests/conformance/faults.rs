//! Faults planted between the examiner and Muster: each is found, and found under its own requirements.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use muster::access::Scope as Right;
use muster_conformance::{Scope, Subject, Verdict, check, requirements, scenarios};
use serde_json::{Value, json};

use Plant::{Back, There};

use crate::app;
use crate::kit::{Answer, exchange};

/// A request on its way to the server.
struct Sent {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// What goes wrong: what to call it, the requirements that it breaks, and requirements near them that it does not break.
struct Fault(&'static str, &'static [&'static str], &'static [&'static str], Plant);

/// Where it goes wrong.
enum Plant {
    /// On the way to the server.
    There(fn(&mut Sent)),
    /// On the way back.
    Back(fn(&Sent, &mut Answer)),
}

impl Sent {
    fn is(&self, method: &str, part: &str) -> bool {
        self.line.starts_with(method) && self.line.contains(part)
    }

    fn drop_header(&mut self, name: &str) {
        self.headers.retain(|header| !header.to_ascii_lowercase().starts_with(name));
    }
}

fn drop_header(answer: &mut Answer, name: &str) {
    answer.headers.retain(|(known, _)| known != name);
}

/// Changes every object in a body.
fn change(answer: &mut Answer, with: fn(&mut Value)) {
    fn walk(value: &mut Value, with: fn(&mut Value)) {
        if value.is_object() {
            with(value);
        }
        match value {
            Value::Object(members) => members.values_mut().for_each(|value| walk(value, with)),
            Value::Array(items) => items.iter_mut().for_each(|value| walk(value, with)),
            _ => {}
        }
    }
    if let Ok(mut body) = serde_json::from_str(&answer.body) {
        walk(&mut body, with);
        answer.body = body.to_string();
    }
}

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}

const FAULTS: &[Fault] = &[
    Fault(
        "a POST is answered 200",
        &["7644-3.3-04"],
        &["7644-3.4.1-02", "7644-2-01"],
        Back(|sent, answer| {
            if sent.is("POST", "/Users") && answer.status == 201 {
                answer.status = 200;
            }
        }),
    ),
    Fault(
        "there is no Location",
        &["7644-3.3-06"],
        &["7644-3.3-04", "7644-3.3-05"],
        Back(|_, answer| drop_header(answer, "location")),
    ),
    Fault(
        "there is no ETag",
        &["7643-3.1-18", "7644-3.14-02", "7644-3.14-03"],
        &["7643-3.1-17", "7644-3.14-01"],
        Back(|_, answer| drop_header(answer, "etag")),
    ),
    Fault(
        "the media type is that of pages",
        &["7644-3.1-01", "7644-3.8-02"],
        &["7644-3.4.2-02"],
        Back(|_, answer| {
            drop_header(answer, "content-type");
            answer.headers.push(("content-type".to_owned(), "text/html".to_owned()));
        }),
    ),
    Fault(
        "the status of an error is a number",
        &["7644-3.12-02"],
        &["7644-3.4.1-02"],
        Back(|_, answer| {
            if answer.status >= 400 {
                change(answer, |body| body["status"] = json!(400));
            }
        }),
    ),
    Fault(
        "an error is plain text",
        &["7644-3.12-01"],
        &["7644-3.4.1-02", "7644-3.12-04"],
        Back(|_, answer| {
            if answer.status >= 400 {
                answer.body = "sorry".to_owned();
            }
        }),
    ),
    Fault(
        "a conflict has no scimType",
        &["7644-3.3-09", "7643-4.1.1-02"],
        &["7644-3.5.1-08"],
        Back(|_, answer| {
            if answer.status == 409 {
                change(answer, |body| remove(body, "scimType"));
            }
        }),
    ),
    Fault(
        "passwords are shown",
        &["7643-4.1.1-10", "7643-7-12"],
        &["7643-4.1.1-01"],
        Back(|_, answer| {
            change(answer, |body| {
                if body.get("userName").is_some() {
                    body["password"] = json!("$argon2id$");
                }
            });
        }),
    ),
    Fault(
        "totalResults counts the page",
        &["7644-3.4.2-07"],
        &["7644-3.4.2-03"],
        Back(|_, answer| {
            change(answer, |body| {
                if let Some(size) = body.get("Resources").and_then(Value::as_array).map(Vec::len) {
                    body["totalResults"] = json!(size);
                }
            });
        }),
    ),
    Fault(
        "a page does not say where it begins",
        &["7644-3.4.2-05", "7644-3.4.2.4-06"],
        &["7644-3.4.2-06"],
        Back(|_, answer| change(answer, |body| remove(body, "startIndex"))),
    ),
    Fault(
        "views are not known",
        &["7644-3.9-01", "7644-3.9-04", "7643-7-13"],
        &["7644-3.4-01"],
        There(|sent| sent.line = sent.line.replace("attributes=", "x=")),
    ),
    Fault(
        "a filter finds everybody",
        &["7644-3.4.2.2-02", "7644-3.4.2-06"],
        &["7644-3.4.2.2-01"],
        There(|sent| sent.line = sent.line.replace("filter=", "x=")),
    ),
    Fault(
        "a malformed filter is a fault of the server",
        &["7644-3.4.2.2-30", "7644-3.4.2.2-25"],
        &["7644-3.4.2.2-02"],
        Back(|sent, answer| {
            if sent.is("GET", "filter=") && answer.status == 400 {
                answer.status = 500;
            }
        }),
    ),
    Fault(
        "nobody sorts",
        &["7644-3.4.2.3-02", "7644-3.4.2.3-05"],
        &["7644-3.4.2.3-01"],
        There(|sent| sent.line = sent.line.replace("sortBy=", "x=")),
    ),
    Fault(
        "preconditions are not known",
        &["7644-3.14-04", "7644-3.14-07"],
        &["7644-3.14-02"],
        There(|sent| sent.drop_header("if-match")),
    ),
    Fault(
        "a DELETE is answered 200",
        &["7644-3.6-01"],
        &["7644-3.4.1-01"],
        Back(|sent, answer| {
            if sent.is("DELETE", "/Users") && answer.status == 204 {
                answer.status = 200;
            }
        }),
    ),
    Fault(
        "add replaces",
        &["7644-3.5.2.1-05"],
        &["7644-3.5.2.1-06", "7644-3.5.2.3-03"],
        There(|sent| {
            let body = String::from_utf8_lossy(&sent.body).replace("\"op\":\"add\"", "\"op\":\"replace\"");
            sent.body = body.into_bytes();
        }),
    ),
    Fault(
        "the configuration says nothing of versions",
        &["7643-5-01", "7643-5-02"],
        &["7643-5-03"],
        Back(|_, answer| change(answer, |body| remove(body, "etag"))),
    ),
    Fault(
        "references do not say what they refer to",
        &["7643-2.3.7-04"],
        &["7643-2.3.7-02"],
        Back(|_, answer| change(answer, |body| remove(body, "referenceTypes"))),
    ),
    Fault(
        "users do not show their groups",
        &["7643-4.1.2-07"],
        &["7643-4.2-03"],
        Back(|_, answer| change(answer, |body| remove(body, "groups"))),
    ),
    Fault(
        "whoever comes is let in",
        &["7644-2-01", "7644-2-05", "7643-9.3-01"],
        &["7644-3.4.1-01"],
        There(|sent| {
            sent.drop_header("authorization");
            // The proxy puts in the token of the examined tenant.
            sent.headers.push("authorization: let in".to_owned());
        }),
    ),
    Fault(
        "a refusal does not say how to authenticate",
        &["7644-2-01"],
        &["7644-2-05"],
        Back(|_, answer| drop_header(answer, "www-authenticate")),
    ),
];

#[test]
fn every_planted_fault_is_found_under_its_requirements() {
    let app = app(None);
    let (own, other) = (app.new_tenant("own"), app.new_tenant("other"));
    let token = app.new_token(own, Right::Scim, "strict");
    let beside = app.new_token(other, Right::Scim, "strict");
    let mut wrong = Vec::new();
    for Fault(name, breaks, spares, plant) in FAULTS {
        let subject = Subject { base: proxy(app.address, plant, token.clone()), token: token.clone() };
        let asked: Vec<String> = breaks.iter().chain(*spares).map(|id| (*id).to_owned()).collect();
        let scope = Scope { only: asked, other_token: Some(beside.clone()), reader_token: None };
        let all = check(&subject, &scope, &scenarios().unwrap(), requirements().unwrap(), |_| {}).unwrap();
        for one in all.requirements {
            let id = one.requirement.id.as_str();
            let found = matches!(one.verdict, Verdict::Fail | Verdict::Warning);
            if found != breaks.contains(&id) {
                wrong.push(format!("{name}: {id} is {} {:?}", one.verdict, one.reasons));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A server before the server, with a fault; it stays until the test ends.
fn proxy(server: SocketAddr, plant: &'static Plant, token: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/scim/v2", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let token = token.clone();
            std::thread::spawn(move || pass(stream, server, plant, &token));
        }
    });
    base
}

fn pass(mut stream: TcpStream, server: SocketAddr, plant: &Plant, token: &str) {
    let Some(mut sent) = receive(&stream) else { return };
    if let There(change) = plant {
        change(&mut sent);
    }
    let mut head = format!("{}\r\nConnection: close\r\nContent-Length: {}\r\n", sent.line, sent.body.len());
    for header in &sent.headers {
        head.push_str(&header.replace("let in", &format!("Bearer {token}")));
        head.push_str("\r\n");
    }
    let mut answer = exchange(server, &[head.as_bytes(), b"\r\n", &sent.body].concat());
    if let Back(change) = plant {
        change(&sent, &mut answer);
    }
    let mut out = format!("HTTP/1.1 {} Something\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        if !["content-length", "connection", "transfer-encoding"].contains(&name.as_str()) {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if ![204, 304].contains(&answer.status) {
        out.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    }
    // A client that has gone away needs no answer.
    let _ = stream.write_all(format!("{out}\r\n{}", answer.body).as_bytes());
}

fn receive(stream: &TcpStream) -> Option<Sent> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let length = |line: &String| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok();
    let mut body = vec![0; lines.iter().find_map(length).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let line = lines.remove(0);
    let mut sent = Sent { line, headers: lines, body };
    sent.drop_header("content-length");
    sent.drop_header("connection");
    Some(sent)
}
