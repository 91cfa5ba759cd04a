//! Scripts: the requests of one client in order, and the answers that it gets.
//!
//! A file has cases, each with a sentence for a title:
//!
//! ```text
//! == a number that is set again is not changed
//! > PUT /management/v1/users/${jane}/phone [x-zitadel-orgid: default] {"phone": "+41 79 123 45 67"}
//! < 400 {"code": 9, "message": "*"}
//! ```
//!
//! Lines that begin with blanks go on with the line before. `${name}` is what was captured before under that name, or
//! `${tenant}`, `${number}` and `${token}` of the case. In an answer `"*"` is any value that is not null, `"<name>"`
//! captures a text, and a member `"..."` says that there may be others. Where an answer has no body, none may come; one
//! that is no JSON is a text. `[NAME: VALUE]` before the body is a header that must be there. A line
//! `$ name to ADDRESS` captures the code that was sent there, or the target of the link: one message after the other.
//!
//! The token is sent as the API at the path takes it; `[as: NAME]` takes one with the scope of that name instead, or
//! `none`, or `stranger` for one of another tenant, and `[as: me ID]` one that is about this user, in a case always the
//! same. `[times: N]` sends the request N times, of which the last answer counts; `[after: N]` waits for N milliseconds
//! before. `[policy: NAME=VALUE]` sets a policy of the tenant before the request. Any other `[NAME: VALUE]` is a header. A
//! body is JSON unless `[Content-Type: VALUE]` says otherwise, which is also sent where there is none; with
//! `[Transfer-Encoding: chunked]` it comes in two pieces.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::Value;

use crate::kit::{Answer, App};

/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks at a request and its answer.
pub(crate) type Look<'a> = dyn FnMut(&str, &str, &Answer) -> Result<(), String> + 'a;

/// Runs every script in a folder; `look` sees every answer.
pub(crate) fn run(app: &App, folder: &str, look: &mut Look<'_>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    let (mut seen, mut failures) = (BTreeMap::new(), Vec::new());
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let cases = cases(&text);
        assert!(!cases.is_empty(), "{}", file.display());
        for case in cases {
            if let Err(failure) = Run::begin(app, &mut seen).play(&case, look) {
                failures.push(format!("{}: {}\n{failure}", file.display(), case.title));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

struct Case {
    title: String,
    steps: Vec<Step>,
}

struct Step {
    line: usize,
    request: String,
    answer: String,
    /// What to call the code that was sent, and where it was sent.
    code: Option<(String, String)>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut is_answer = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            cases.push(Case { title: title.to_owned(), steps: Vec::new() });
            continue;
        }
        let steps = &mut cases.last_mut().unwrap_or_else(|| panic!("line {}: no case", index + 1)).steps;
        if let Some(request) = line.strip_prefix("> ") {
            steps.push(Step {
                line: index + 1,
                request: request.to_owned(),
                answer: String::new(),
                code: None,
            });
            is_answer = false;
        } else if let Some(answer) = line.strip_prefix("< ") {
            answer.clone_into(&mut steps.last_mut().unwrap().answer);
            is_answer = true;
        } else if let Some(wanted) = line.strip_prefix("$ ") {
            let (name, address) = wanted.split_once(" to ").unwrap();
            steps.last_mut().unwrap().code = Some((name.to_owned(), address.to_owned()));
        } else {
            assert!(line.starts_with(' '), "line {}: {line}", index + 1);
            let step = steps.last_mut().unwrap();
            let part = if is_answer { &mut step.answer } else { &mut step.request };
            part.push(' ');
            part.push_str(line.trim());
        }
    }
    cases
}

/// Name and value in the brackets that a text begins with, and what stands behind them.
fn bracketed(text: &str) -> Option<(&str, &str, &str)> {
    let (header, behind) = text.strip_prefix('[')?.split_once(']')?;
    let (name, value) = header.split_once(": ")?;
    name.starts_with(char::is_alphabetic).then(|| (name, value, behind.trim_start()))
}

#[expect(clippy::disallowed_methods, reason = "a test has nothing else to do while it waits")]
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// A body in two pieces.
fn chunked(body: &str) -> String {
    let (first, second) = body.split_at(body.len() / 2);
    [first, second, ""].map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).concat()
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

struct Run<'a> {
    app: &'a App,
    /// How many messages to an address were looked at, in all cases.
    seen: &'a mut BTreeMap<String, usize>,
    tenant: TenantId,
    known: BTreeMap<String, String>,
    /// The tokens that are about a user, by its id.
    own: BTreeMap<String, String>,
}

impl<'a> Run<'a> {
    fn begin(app: &'a App, seen: &'a mut BTreeMap<String, usize>) -> Self {
        let name = format!("case-{}", uuid::Uuid::now_v7().simple());
        let tenant = app.new_tenant(&name);
        let token = app.new_token(tenant, Scope::Full, "default");
        let known = [("tenant", name), ("number", tenant.to_string()), ("token", token)];
        let known = known.map(|(name, value)| (name.to_owned(), value)).into();
        Self { app, seen, tenant, known, own: BTreeMap::new() }
    }

    fn play(mut self, case: &Case, look: &mut Look<'_>) -> Result<(), String> {
        for Step { line, request, answer, code } in &case.steps {
            let sent = self.filled(request);
            let answered = self.send(&sent);
            let (status, mut rest) = answer.split_once(' ').unwrap_or((answer.trim(), ""));
            let mut problem =
                (answered.status.to_string() != status).then(|| format!("the status is not {status}"));
            while let Some((name, value, behind)) = bracketed(rest) {
                let given = json_or_text(answered.header(name).unwrap_or_default());
                let compared = self.compare(name, &json_or_text(&self.filled(value)), &given);
                problem = problem.or(compared.err());
                rest = behind;
            }
            let body = self.filled(rest);
            let compared = match body.is_empty() {
                true if answered.body.is_empty() => Ok(()),
                true => Err("there is a body".to_owned()),
                false => {
                    let expected =
                        serde_json::from_str(&body).unwrap_or_else(|error| panic!("line {line}: {error}"));
                    self.compare("", &expected, &json_or_text(&answered.body))
                }
            };
            let problem = problem.or(compared.err());
            let mut words = sent.split(' ');
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            let problem = problem.or_else(|| look(method, target, &answered).err());
            if let Some(problem) = problem {
                return Err(format!(
                    "line {line}: {problem}\n{request}\n{} {}",
                    answered.status, answered.body
                ));
            }
            if let Some((name, address)) = code {
                let sent = self.delivered(address);
                self.known.insert(name.clone(), sent);
            }
        }
        Ok(())
    }

    /// The code that was delivered to an address after those that were seen, or the target of the link. It comes soon.
    fn delivered(&mut self, address: &str) -> String {
        let seen = self.seen.entry(address.to_owned()).or_default();
        let begun = std::time::Instant::now();
        loop {
            let messages = self.app.messages();
            let mut messages = messages.iter().filter(|message| message["to"] == address);
            if let Some(message) = messages.nth(*seen) {
                *seen += 1;
                let link = |link: &str| link[link.find("/identity").unwrap()..].to_owned();
                let code = message["code"].as_str().map(str::to_owned);
                return code.unwrap_or_else(|| link(message["link"].as_str().unwrap()));
            }
            assert!(begun.elapsed() < PATIENCE, "nothing came to {address}");
            pause(20);
        }
    }

    fn filled(&self, text: &str) -> String {
        let fill =
            |text: String, (name, value): (&String, &String)| text.replace(&format!("${{{name}}}"), value);
        let filled = self.known.iter().fold(text.to_owned(), fill);
        assert!(!filled.contains("${"), "{filled}");
        filled
    }

    fn send(&mut self, text: &str) -> Answer {
        let (method, rest) = text.split_once(' ').unwrap();
        let (target, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut request = self.app.request(method, target);
        let mut token = Some(self.known["token"].clone());
        let (mut media_type, mut times, mut is_chunked) = (None, 1_usize, false);
        while let Some((name, value, behind)) = bracketed(rest) {
            match (name, value.split_once(' ')) {
                ("as", _) if value == "none" => token = None,
                ("as", _) if value == "stranger" => token = Some(self.stranger()),
                ("as", Some(("me", subject))) => token = Some(self.token_about(subject)),
                ("as", _) => token = Some(self.app.new_token(self.tenant, value.parse().unwrap(), "default")),
                ("policy", _) => self.app.set_policies(self.tenant, &[value]),
                ("times", _) => times = value.parse().unwrap(),
                ("after", _) => pause(value.parse().unwrap()),
                ("Content-Type", _) => media_type = Some(value),
                _ => request = request.header(name, value),
            }
            is_chunked |= name == "Transfer-Encoding";
            rest = behind;
        }
        if let Some(token) = token {
            request = match target.split('/').skip(1).take(2).collect::<Vec<_>>()[..] {
                ["api", ..] => request.header("X-API-KEY", &token),
                ["v1" | "v2", "mgmt"] => request.token(&format!("{}:{token}", self.known["tenant"])),
                _ => request.token(&token),
            };
        }
        if let Some(media_type) = media_type.or((!rest.is_empty()).then_some("application/json")) {
            let body = if is_chunked { chunked(rest) } else { rest.to_owned() };
            request = request.header("Content-Type", media_type).body(body);
        }
        (1..times).for_each(|_| drop(request.clone().send()));
        request.send()
    }

    /// A token that may do everything in another tenant.
    fn stranger(&self) -> String {
        let tenant = self.app.new_tenant(&format!("stranger-{}", uuid::Uuid::now_v7().simple()));
        self.app.new_token(tenant, Scope::Full, "default")
    }

    fn token_about(&mut self, user: &str) -> String {
        let make = || self.app.token_about(self.tenant, Scope::Me, Some(user));
        self.own.entry(user.to_owned()).or_insert_with(make).clone()
    }

    /// Says where two values differ.
    fn compare(&mut self, place: &str, expected: &Value, given: &Value) -> Result<(), String> {
        match (expected, given) {
            (Value::String(any), given) if any == "*" && !given.is_null() => Ok(()),
            (Value::String(text), Value::String(given)) => {
                match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
                    Some(name) => drop(self.known.insert(name.to_owned(), given.clone())),
                    None if text != given => return Err(format!("{place}: {given:?} instead of {text:?}")),
                    None => {}
                }
                Ok(())
            }
            (Value::Object(expected), Value::Object(given)) => {
                for (name, expected) in expected.iter().filter(|(name, _)| *name != "...") {
                    let given = given.get(name).ok_or_else(|| format!("{place}: there is no {name}"))?;
                    self.compare(&format!("{place}.{name}"), expected, given)?;
                }
                let more = given.keys().find(|name| !expected.contains_key(*name));
                match more {
                    Some(name) if !expected.contains_key("...") => Err(format!("{place}: there is {name}")),
                    _ => Ok(()),
                }
            }
            (Value::Array(expected), Value::Array(given)) if expected.len() == given.len() => {
                let mut pairs = expected.iter().zip(given).enumerate();
                pairs.try_for_each(|(index, (expected, given))| {
                    self.compare(&format!("{place}[{index}]"), expected, given)
                })
            }
            _ if expected == given => Ok(()),
            _ => Err(format!("{place}: {given} instead of {expected}")),
        }
    }
}
