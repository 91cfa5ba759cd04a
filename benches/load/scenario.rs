//! The rows of the table: what is asked, how often, and what it is compared with.
//!
//! Invariant: subject and reference take turns in short slices on the same connections' worth of load, and each
//! rests while the other runs.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::Failure;
use crate::client::{Client, NextRequest, Slice};
use crate::databases::Databases;
use crate::directory::{Chance, Filled, SMALL_GROUP, group, label, person};
use crate::raw::{Raw, Statement, Value};
use crate::report::{Row, Side};
use crate::request::{ID, LABEL, Template};
use crate::rows::{Grouped, Renamed, Rows};
use crate::server::Server;
use crate::sync::first_sync;

/// How many times subject and reference take turns.
const TURNS: u32 = 10;

/// How many groups of a size are changed, each by one connection.
const GROUPS: usize = 8;

/// How many people POST has as models, and PUT and PATCH as targets.
pub(crate) const MODELS: usize = 256;
const TARGETS: usize = 1024;

/// How many different values the reading statements of PostgreSQL's reference have.
const KEYS: usize = 4096;

/// A reading request, and the statement that reads as much.
pub(crate) struct Reading<'a> {
    name: &'a str,
    template: Template,
    /// A part of each answer.
    expected: &'a str,
    /// The statement, with one value.
    sql: &'a str,
    /// The value that a text in the gaps stands for.
    key: &'a dyn Fn(&str) -> String,
}

/// What all rows share.
pub(crate) struct Bench {
    pub(crate) muster: Server,
    pub(crate) databases: Rc<Databases>,
    /// The name of the server's database.
    pub(crate) database: String,
    pub(crate) raw: Raw,
    pub(crate) filled: Filled,
    pub(crate) seed: u64,
    pub(crate) connections: usize,
    /// How many people a first synchronisation brings.
    pub(crate) newcomers: usize,
    pub(crate) time: Duration,
    pub(crate) chance: Chance,
    /// The last number of a person who was made.
    pub(crate) people: usize,
}

/// The writing requests on one resource.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    Put,
    Patch,
}

impl Bench {
    fn slice(&self) -> Duration {
        self.time / (2 * TURNS)
    }

    fn any_user(&mut self) -> usize {
        self.chance.below(self.filled.users.len())
    }

    /// A reading request whose gaps `text` fills, beside its reference.
    pub(crate) fn reading(
        &mut self,
        Reading { name, template, expected, sql, key }: &Reading<'_>,
        text: &dyn Fn(&mut Self) -> String,
    ) -> Result<Row, Failure> {
        let example = Client::connect(self.muster.address, 1)?.ask(&template.filled(&text(self)))?;
        if !String::from_utf8_lossy(&example).contains(expected) {
            return Err(format!("the answer has no {expected}").into());
        }
        let mut beside = match &self.raw {
            raw if raw.is_postgres() => None,
            _ => {
                let server = Server::bare(&example)?;
                let client = Client::connect(server.address, self.connections)?;
                Some((server, client))
            }
        };
        let mut client = Client::connect(self.muster.address, self.connections)?;
        let slice = self.slice();
        let (mut subject, mut reference) = (Side::default(), Side::default());
        self.muster.reset_peak();
        // No server waits long for the first request of a connection.
        client.send(self.connections as u64, &mut |_, out| template.fill(&text(self), out))?;
        for turn in 0..=TURNS {
            // The first turn warms up, and is short.
            let time = if turn == 0 { slice / 4 } else { slice };
            let alone = match &mut beside {
                Some((server, client)) => {
                    timed(server, client, time, &mut |_, out| template.fill(&text(self), out))?
                }
                None => {
                    let keys: Vec<Value> = (0..KEYS).map(|_| key(&text(self)).into()).collect();
                    let mut keys = keys.iter().cycle();
                    self.raw.read(time, sql, &mut || keys.next().cloned().unwrap_or(Value::Null))?
                }
            };
            let muster = self.muster_cpu()?;
            let mut measured = client.run(time, &mut |_, out| template.fill(&text(self), out))?;
            measured.cpu = self.muster_cpu()?.saturating_sub(muster);
            if turn > 0 || measured.errors > 0 {
                subject.slices.push(measured);
                reference.slices.push(alone);
            }
        }
        let (name, peak) = ((*name).to_owned(), self.muster.peak()?);
        let reference_name = if self.raw.is_postgres() { "raw read" } else { "bare" };
        Ok(Row { name, subject, reference_name, reference, peak, batch: None })
    }

    fn muster_cpu(&self) -> Result<Duration, Failure> {
        self.muster.cpu()
    }

    /// `GET /Users/{id}`.
    pub(crate) fn get(&mut self) -> Result<Row, Failure> {
        let reading = Reading {
            name: "GET user by id",
            template: Template::new("GET", &format!("/Users/{ID}"), None, ID),
            expected: "\"userName\"",
            sql: "SELECT document FROM resource WHERE tenant = 1 AND id = $1",
            key: &str::to_owned,
        };
        self.reading(&reading, &|bench| {
            let user = bench.any_user();
            bench.filled.users[user].clone()
        })
    }

    /// `GET /Users?filter=…`, where the filter finds the person with the label in its gap; `sql` does, with the value that
    /// the filter names.
    pub(crate) fn filter(
        &mut self,
        name: &str,
        filter: &str,
        sql: &str,
        value: &str,
    ) -> Result<Row, Failure> {
        let reading = Reading {
            name,
            template: filtered("Users", filter, LABEL),
            expected: "\"totalResults\":1,",
            sql,
            key: &|label| value.replace(LABEL, label),
        };
        self.reading(&reading, &|bench| label(bench.any_user()))
    }

    /// `GET /Groups?filter=members.value eq …`, which finds the groups of one person.
    pub(crate) fn groups_of(&mut self) -> Result<Row, Failure> {
        let reading = Reading {
            name: "members.value eq",
            template: filtered("Groups", &format!("members.value eq \"{ID}\""), ID),
            expected: "\"totalResults\":",
            sql: "SELECT r.document FROM membership m JOIN resource r ON r.tenant = 1 AND r.pk = m.grp \
                  WHERE m.tenant = 1 AND m.member = $1",
            key: &str::to_owned,
        };
        self.reading(&reading, &|bench| {
            let members = (bench.filled.groups.len() * SMALL_GROUP).min(bench.filled.users.len());
            let user = bench.chance.below(members);
            bench.filled.users[user].clone()
        })
    }

    /// `GET /Users?count=100`, the first page or any.
    pub(crate) fn page(&mut self, any: bool) -> Result<Row, Failure> {
        let reading = Reading {
            name: if any { "GET any page of 100" } else { "GET first page of 100" },
            template: Template::new("GET", &format!("/Users?count=100&startIndex={LABEL}"), None, LABEL),
            expected: "\"itemsPerPage\":100,",
            sql: "SELECT r.document FROM resource r WHERE r.tenant = 1 \
                  AND r.kind = (SELECT id FROM dictionary WHERE name = 'User') \
                  ORDER BY r.pk LIMIT 100 OFFSET CAST(CAST($1 AS TEXT) AS BIGINT) - 1",
            key: &str::to_owned,
        };
        self.reading(&reading, &|bench| {
            let pages = if any { (bench.filled.users.len() / 100).max(1) } else { 1 };
            (bench.chance.below(pages) * 100 + 1).to_string()
        })
    }

    /// `GET /Users?count=100&cursor=…` in the middle of the directory.
    pub(crate) fn page_by_cursor(&mut self) -> Result<Row, Failure> {
        let template = Template::new("GET", &format!("/Users?count=100&cursor={LABEL}"), None, LABEL);
        let mut client = Client::connect(self.muster.address, 1)?;
        let mut cursor = String::new();
        for _ in 0..(self.filled.users.len() / 200).max(1) {
            let page: Json = serde_json::from_slice(&client.ask(&template.filled(&cursor))?)?;
            cursor = page["nextCursor"].as_str().ok_or("a page without a cursor to the next")?.to_owned();
        }
        let middle = (self.filled.users.len() / 2).to_string();
        let reading = Reading {
            name: "GET a page of 100 by cursor",
            template,
            expected: "\"itemsPerPage\":100,",
            sql: "SELECT r.document FROM resource r WHERE r.tenant = 1 \
                  AND r.kind = (SELECT id FROM dictionary WHERE name = 'User') \
                  AND r.pk > CAST(CAST($1 AS TEXT) AS BIGINT) ORDER BY r.pk LIMIT 100",
            key: &|_| middle.clone(),
        };
        self.reading(&reading, &|_| cursor.clone())
    }

    /// Lets the server and the database alone take turns at writing; `make` is one request's rows.
    fn writing(
        &mut self,
        name: String,
        connections: usize,
        next: &mut NextRequest<'_>,
        make: &mut dyn FnMut(&mut Raw) -> Vec<Statement>,
    ) -> Result<Row, Failure> {
        let mut client = Client::connect(self.muster.address, connections)?;
        let slice = self.slice();
        let (mut subject, mut reference) = (Side::default(), Side::default());
        let mut batch = connections as f64;
        self.muster.reset_peak();
        for turn in 0..=TURNS {
            // The first turn warms up.
            let time = if turn == 0 { slice / 4 } else { slice };
            let log = self.databases.commits(&self.database);
            let cpu = self.muster_cpu()?;
            let mut measured = client.run(time, next)?;
            measured.cpu = self.muster_cpu()?.saturating_sub(cpu);
            if let (Some((age, before)), Some((same, after))) = (log, self.databases.commits(&self.database))
                && age == same
                && after > before
            {
                batch = measured.requests as f64 / (after - before) as f64;
            }
            let alone = self.raw.run(time, (batch.round() as usize).max(1), make)?;
            if turn > 0 || measured.errors > 0 {
                subject.slices.push(measured);
                reference.slices.push(alone);
            }
        }
        let peak = self.muster.peak()?;
        let batch = (!self.raw.is_postgres()).then_some(batch);
        Ok(Row { name, subject, reference_name: "raw write", reference, peak, batch })
    }

    /// `POST /Users`.
    pub(crate) fn post(&mut self) -> Result<Row, Failure> {
        let models = MODELS.min(self.filled.users.len());
        let template =
            |number| Template::new("POST", "/Users", Some(&person(self.seed, number, LABEL)), LABEL);
        let templates: Vec<Template> = (0..models).map(template).collect();
        let rows = (0..models).map(|number| Rows::of(&self.raw, &self.filled.users[number], &label(number)));
        let rows: Vec<Rows> = rows.collect::<Result<_, _>>()?;
        let (mut people, mut copies) = (self.people, self.people);
        let row = self.writing(
            "POST user".to_owned(),
            self.connections,
            &mut |_, out| {
                people += 1;
                templates[people % models].fill(&label(people), out);
            },
            &mut |raw| {
                copies += 1;
                rows[copies % models].insert(raw, &label(copies))
            },
        );
        self.people = people.max(copies);
        row
    }

    /// `PUT` or `PATCH` of a user's displayName.
    pub(crate) fn edit(&mut self, edit: Edit) -> Result<Row, Failure> {
        let targets = TARGETS.min(self.filled.users.len());
        let new_name = |label: &str| format!("Renamed {label}");
        let template = |number: usize| {
            let path = format!("/Users/{}", self.filled.users[number]);
            let (method, body) = match edit {
                Edit::Put => {
                    let mut body = person(self.seed, number, &label(number));
                    body["displayName"] = Json::String(new_name(LABEL));
                    ("PUT", body)
                }
                Edit::Patch => (
                    "PATCH",
                    patch(&json!({
                        "op": "replace", "path": "displayName", "value": new_name(LABEL),
                    })),
                ),
            };
            Template::new(method, &path, Some(&body), LABEL)
        };
        let templates: Vec<Template> = (0..targets).map(template).collect();
        let people = self.filled.users[..targets].iter().map(|id| Renamed::read(&self.raw, id));
        let mut people: Vec<Renamed> = people.collect::<Result<_, _>>()?;
        let (mut sent, mut written) = (self.people, self.people);
        let (mut chance, mut other) = (Chance::new(self.seed), Chance::new(self.seed));
        let name = if edit == Edit::Put { "PUT user" } else { "PATCH user" };
        let row = self.writing(
            name.to_owned(),
            self.connections,
            &mut |_, out| {
                sent += 1;
                templates[chance.below(targets)].fill(&label(sent), out);
            },
            &mut |_| {
                written += 1;
                people[other.below(targets)].rename(new_name(&label(written)))
            },
        );
        self.people = sent.max(written);
        row
    }

    /// `PATCH` of one member of a group of that size: added, then removed, then the next.
    pub(crate) fn member(&mut self, size: usize) -> Result<Row, Failure> {
        let known = self.filled.users.iter().take(size.min(self.filled.users.len() / 2)).cloned();
        let unknown = (0..).map(|number| format!("00000000-0000-7000-8000-{number:012}"));
        let members: Vec<String> = known.chain(unknown).take(size).collect();
        let candidates = self.filled.users[self.filled.users.len() / 2..].to_vec();
        let mut client = Client::connect(self.muster.address, 1)?;
        let mut templates = Vec::new();
        let mut groups = Vec::new();
        for number in 0..GROUPS {
            let body = group(&format!("Group of {size} number {number}"), &members);
            let create =
                Template::new("POST", "/Groups?attributes=displayName", Some(&body), LABEL).filled("");
            let answer: Json = serde_json::from_slice(&client.ask(&create)?)?;
            let path = format!("/Groups/{}", answer["id"].as_str().ok_or("a group without an id")?);
            let add = patch(&json!({"op": "add", "path": "members", "value": [{"value": ID}]}));
            let remove = patch(&json!({"op": "remove", "path": format!("members[value eq \"{ID}\"]")}));
            templates.push([add, remove].map(|body| Template::new("PATCH", &path, Some(&body), ID)));
            groups.push(Grouped::store(&mut self.raw, &members)?);
        }
        let mut steps = [0; GROUPS];
        let mut raw_step = 0;
        self.writing(
            format!("PATCH member of {size}"),
            GROUPS,
            &mut |connection, out| {
                let step = steps[connection];
                steps[connection] += 1;
                templates[connection][step % 2].fill(&candidates[step / 2 % candidates.len()], out);
            },
            &mut |_| {
                let (group, step) = (raw_step % GROUPS, raw_step / GROUPS);
                raw_step += 1;
                groups[group].change(&candidates[step / 2 % candidates.len()], step % 2 == 0)
            },
        )
    }

    /// Everything that a provider has, into an empty directory.
    pub(crate) fn first_sync(&mut self) -> Result<Row, Failure> {
        let name = format!("{}_sync", self.database);
        first_sync(self.newcomers, self.seed, self.connections, &self.databases, &name)
    }

    /// The sizes of groups whose members are changed.
    pub(crate) fn group_sizes(huge: bool) -> Vec<usize> {
        let mut sizes = vec![SMALL_GROUP, 10_000];
        sizes.extend(huge.then_some(100_000));
        sizes
    }
}

/// A query with a filter, whose gaps are where `mark` is.
fn filtered(endpoint: &str, filter: &str, mark: &str) -> Template {
    let encoded: String = filter
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' => char::from(byte).to_string(),
            // The marks are made of these.
            b'#' | b'@' if mark.as_bytes().contains(&byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    Template::new("GET", &format!("/{endpoint}?filter={encoded}"), None, mark)
}

pub(crate) fn patch(operation: &Json) -> Json {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]})
}

/// A slice of the bare handler with its processor time.
fn timed(
    server: &Server,
    client: &mut Client,
    time: Duration,
    next: &mut NextRequest<'_>,
) -> Result<Slice, Failure> {
    let cpu = server.cpu()?;
    let mut slice = client.run(time, next)?;
    slice.cpu = server.cpu()?.saturating_sub(cpu);
    Ok(slice)
}
