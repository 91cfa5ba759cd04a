//! Scenarios: short conversations that prove requirements, as the files in `scenarios/` describe them.
//!
//! Invariant: a scenario that was read can be carried out as written. Unknown keys, checks that cannot be
//! read, bodies that are no JSON and placeholders that nothing captures are errors.

use crate::check::Check;
use crate::entries::Entries;
use crate::placeholder::{names, texts};
use crate::requirement::Level;
use crate::server::{self, Attribute};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

/// File name and text of every file in `scenarios/`.
const BUNDLED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// A conversation that proves some requirements.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file it was read from.
    #[serde(skip)]
    pub file: String,
    /// What it proves, as a sentence about the server.
    pub name: String,
    /// The requirements it proves.
    pub covers: Vec<String>,
    /// Lowers the level of the requirements, where only a part of them is proven that binds less.
    pub level: Option<Level>,
    /// Features, resource types (`Group`) and attributes (`User.emails.type`) that the server must have.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Features that the server must not have.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Attributes to look for in the server's schemas: a name and what it is to be like.
    #[serde(default)]
    pub(crate) find: Entries<Attribute>,
    /// The requests, in order.
    pub(crate) steps: Vec<Action>,
}

/// One request and what its answer must look like.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Action {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Entries<String>,
    pub(crate) credentials: Credentials,
    pub(crate) content: Content,
    pub(crate) without: Vec<String>,
    /// The name under which the answer is kept for later steps.
    pub(crate) keep: Option<String>,
    /// Only carried out if that holds of an earlier answer.
    pub(crate) only_if: Option<Condition>,
    pub(crate) expected: Expected,
    pub(crate) repeat: Repeat,
    /// The requirements that fail with this step; without any, all of the scenario.
    pub(crate) proves: Vec<String>,
    pub(crate) note: Option<String>,
}

/// What must hold of an earlier answer: that it had one of some statuses (`made 201 200`), that there is a
/// value (`made/meta/version`), or that it had a header (`made#etag`).
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Status(String, Vec<u16>),
    Kept(String),
}

/// Whose token goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Credentials {
    /// The token of the examined tenant.
    #[default]
    Own,
    /// No header `Authorization` at all.
    None,
    /// A token that nobody has.
    Wrong,
    /// The token of another tenant.
    Other,
    /// A token that may only read.
    Reader,
}

/// What the body is made from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    None,
    /// A new, complete user or group with these members added.
    Fresh(&'static server::Core, Value),
    Json(Value),
    /// The operations of a PATCH.
    Patch(Value),
    Search(Value),
    /// The operations of a bulk request, or an object with `Operations`.
    Bulk(Value),
    Text(String),
    Octets(Vec<u8>),
}

/// What is expected of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) status: Vec<u16>,
    pub(crate) errors: Vec<ExpectedError>,
    pub(crate) checks: Vec<Check>,
    /// Whether the scenario says so itself. A step without expectations of its own only prepares.
    pub(crate) said: bool,
}

/// `409 uniqueness`: a status and the `scimType` with it. In parentheses it may be missing.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ExpectedError {
    pub(crate) status: u16,
    pub(crate) kind: Option<String>,
    pub(crate) optional: bool,
}

/// How often a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Once,
    /// That many times at once; the answer tells how many of them succeeded.
    AtOnce(usize),
    /// Page after page by `startIndex`; the answer has all resources.
    ByIndex,
    /// Page after page by `cursor`.
    ByCursor,
}

/// A step as it is written.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "GET")]
    get: Option<String>,
    #[serde(rename = "POST")]
    post: Option<String>,
    #[serde(rename = "PUT")]
    put: Option<String>,
    #[serde(rename = "PATCH")]
    patch_at: Option<String>,
    #[serde(rename = "DELETE")]
    delete: Option<String>,
    #[serde(rename = "HEAD")]
    head: Option<String>,
    #[serde(rename = "OPTIONS")]
    options: Option<String>,
    user: Option<String>,
    group: Option<String>,
    body: Option<String>,
    patch: Option<String>,
    search: Option<String>,
    bulk: Option<String>,
    text: Option<String>,
    octets: Option<Vec<u8>>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    headers: Entries<String>,
    #[serde(default, rename = "as_whom")]
    credentials: Credentials,
    #[serde(rename = "as")]
    keep: Option<String>,
    only_if: Option<String>,
    #[serde(default)]
    status: OneOrMany<u16>,
    #[serde(default)]
    error: OneOrMany<ExpectedError>,
    #[serde(default)]
    expect: OneOrMany<Check>,
    at_once: Option<usize>,
    walk: Option<Walk>,
    #[serde(default)]
    proves: OneOrMany<String>,
    note: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Walk {
    Index,
    Cursor,
}

/// A list, of which one may be written without brackets.
#[derive(Debug)]
struct OneOrMany<T>(Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData)).map(Self)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value or a list of values")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(text.into_deserializer())?])
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(number.into_deserializer())?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(all)
    }
}

impl TryFrom<String> for ExpectedError {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (status, kind) = text.split_once(' ').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
        let bare = kind.and_then(|kind| kind.strip_prefix('(')?.strip_suffix(')'));
        Ok(Self {
            status: status.parse().map_err(|_| format!("`{text}` does not begin with a status"))?,
            kind: bare.or(kind).map(str::to_owned),
            optional: bare.is_some(),
        })
    }
}

impl TryFrom<Written> for Action {
    type Error = String;

    fn try_from(mut written: Written) -> Result<Self, String> {
        let target = target(&mut written)?;
        let content = content(&written)?;
        let (method, path) = target.or_else(|| usual_target(&content)).ok_or("a step has no method")?;
        let (status, errors) = (written.status.0, written.error.0);
        let checks = written.expect.0;
        let said = !(status.is_empty() && errors.is_empty() && checks.is_empty());
        let usual = if errors.is_empty() { usual_status(&method, &path) } else { Vec::new() };
        let status = if status.is_empty() { usual } else { status };
        let repeat = match (written.at_once, written.walk) {
            (None, None) => Repeat::Once,
            (Some(times), None) => Repeat::AtOnce(times),
            (None, Some(Walk::Index)) => Repeat::ByIndex,
            (None, Some(Walk::Cursor)) => Repeat::ByCursor,
            (Some(_), Some(_)) => return Err("a step cannot both walk and be sent at once".to_owned()),
        };
        Ok(Self {
            only_if: written.only_if.as_deref().map(condition).transpose()?,
            expected: Expected { status, errors, checks, said },
            proves: written.proves.0,
            headers: written.headers,
            credentials: written.credentials,
            without: written.without,
            keep: written.keep,
            note: written.note,
            method,
            path,
            content,
            repeat,
        })
    }
}

fn target(written: &mut Written) -> Result<Option<(String, String)>, String> {
    let given = [
        ("GET", written.get.take()),
        ("POST", written.post.take()),
        ("PUT", written.put.take()),
        ("PATCH", written.patch_at.take()),
        ("DELETE", written.delete.take()),
        ("HEAD", written.head.take()),
        ("OPTIONS", written.options.take()),
    ];
    let mut given = given.into_iter().filter_map(|(method, path)| Some((method.to_owned(), path?)));
    let target = given.next();
    match given.next() {
        Some((method, _)) => Err(format!("a step has a second method, {method}")),
        None => Ok(target),
    }
}

fn usual_target(content: &Content) -> Option<(String, String)> {
    let path = match content {
        Content::Fresh(core, _) => core.endpoint,
        Content::Bulk(_) => "/Bulk",
        _ => return None,
    };
    Some(("POST".to_owned(), path.to_owned()))
}

fn usual_status(method: &str, path: &str) -> Vec<u16> {
    match method {
        "POST" if path.ends_with("/.search") || path == "/Bulk" => vec![200],
        "POST" => vec![201],
        "PATCH" => vec![200, 204],
        "DELETE" => vec![204],
        _ => vec![200],
    }
}

fn content(written: &Written) -> Result<Content, String> {
    let json = |text: &Option<String>| -> Result<Option<Value>, String> {
        let Some(text) = text else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| format!("`{text}` is no JSON: {error}"))
    };
    let mut all = vec![
        json(&written.user)?.map(|value| Content::Fresh(&server::USER, value)),
        json(&written.group)?.map(|value| Content::Fresh(&server::GROUP, value)),
        json(&written.body)?.map(Content::Json),
        json(&written.patch)?.map(Content::Patch),
        json(&written.search)?.map(Content::Search),
        json(&written.bulk)?.map(Content::Bulk),
        written.text.clone().map(Content::Text),
        written.octets.clone().map(Content::Octets),
    ]
    .into_iter()
    .flatten();
    let first = all.next();
    if all.next().is_some() {
        return Err("a step has two bodies".to_owned());
    }
    Ok(first.unwrap_or(Content::None))
}

fn condition(text: &str) -> Result<Condition, String> {
    let mut words = text.split(' ');
    let name = words.next().unwrap_or_default().to_owned();
    let statuses: Vec<u16> = words
        .map(|word| word.parse().map_err(|_| format!("`{text}` must be a name and statuses")))
        .collect::<Result<_, _>>()?;
    Ok(if statuses.is_empty() { Condition::Kept(name) } else { Condition::Status(name, statuses) })
}

impl Condition {
    fn name(&self) -> &str {
        match self {
            Self::Status(name, _) | Self::Kept(name) => kept_name(name),
        }
    }
}

/// The name of the answer that a placeholder is about.
fn kept_name(name: &str) -> &str {
    name.split(['/', '#', '.']).next().unwrap_or_default()
}

/// The scenarios that the examiner carries inside.
///
/// # Errors
/// When one of them could not be carried out as written; the examiner's own tests rule that out.
pub fn scenarios() -> Result<Vec<Scenario>, String> {
    let mut all = Vec::new();
    for (file, text) in BUNDLED {
        all.extend(Scenario::parse(file, text)?);
    }
    Ok(all)
}

impl Scenario {
    /// Reads the scenarios of a file.
    ///
    /// # Errors
    /// When the text has an unknown key or could not be carried out as written.
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, String> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            scenario: Vec<Scenario>,
        }
        let read: File = toml::from_str(text).map_err(|error| format!("{file}: {error}"))?;
        let mut scenarios = read.scenario;
        for scenario in &mut scenarios {
            file.clone_into(&mut scenario.file);
            scenario.inspect().map_err(|reason| format!("{file}, `{}`: {reason}", scenario.name))?;
        }
        Ok(scenarios)
    }

    fn inspect(&self) -> Result<(), String> {
        if self.covers.is_empty() || self.steps.is_empty() {
            return Err("a scenario covers requirements and has steps".to_owned());
        }
        if !self.steps.iter().any(|step| step.expected.said) {
            return Err("no step expects anything".to_owned());
        }
        let mut known: BTreeSet<&str> = server::CONSTANTS.iter().map(|(name, _)| *name).collect();
        known.extend(server::GENERATED);
        known.extend(self.find.iter().map(|(name, _)| name));
        for step in &self.steps {
            for name in step.names()? {
                let whole = kept_name(name);
                if !known.contains(whole) {
                    return Err(format!("nothing keeps `{whole}` before it is used"));
                }
            }
            if let Some(id) = step.proves.iter().find(|id| !self.covers.contains(id)) {
                return Err(format!("a step proves {id}, which the scenario does not cover"));
            }
            if let Some(name) = step.only_if.as_ref().map(Condition::name)
                && !known.contains(name)
            {
                return Err(format!("nothing keeps `{name}` before a step depends on it"));
            }
            known.extend(step.keep.as_deref());
        }
        Ok(())
    }
}

impl Action {
    /// Every name that a placeholder of the step has.
    fn names(&self) -> Result<Vec<&str>, String> {
        let mut all = vec![self.path.as_str()];
        all.extend(self.headers.iter().map(|(_, value)| value.as_str()));
        match &self.content {
            Content::Fresh(_, value)
            | Content::Json(value)
            | Content::Patch(value)
            | Content::Search(value)
            | Content::Bulk(value) => all.extend(texts(value)),
            Content::Text(text) => all.push(text),
            Content::None | Content::Octets(_) => {}
        }
        all.extend(self.expected.checks.iter().flat_map(Check::texts));
        let mut found = Vec::new();
        for text in all {
            found.extend(names(text)?);
        }
        Ok(found)
    }
}
