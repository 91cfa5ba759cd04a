//! The first synchronisation: everything that an identity provider has, into an empty directory, request by request.
//!
//! Invariant: the raw write stores as many people, groups and memberships, with as many requests a commit as the
//! server reached while it created the first people.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Client, Slice};
use crate::databases::Databases;
use crate::directory::{self, group, label, person};
use crate::raw::Statement;
use crate::report::{Row, Side};
use crate::request::{LABEL, Template};
use crate::rows::{Grouped, Rows};
use crate::scenario::{MODELS, patch};
use crate::server::Server;

/// How many members a group gets, and how many of them a PATCH adds.
const MEMBERS: usize = 200;
const MEMBERS_A_PATCH: usize = 100;

/// How many people are created before the commits are counted; their log is not yet folded back.
const COUNTED: usize = 1000;

/// Creates `users` people and a group for a hundred of them, then gives each group its members, in a database of that
/// name.
pub(crate) fn first_sync(
    users: usize,
    seed: u64,
    connections: usize,
    databases: &Databases,
    name: &str,
) -> Result<Row, Failure> {
    let muster = Server::muster(&databases.create(name)?.url, databases.folder())?;
    let mut client = Client::connect(muster.address, connections)?;
    let groups = (users / 100).max(1);
    let models = MODELS.min(users);
    let template = |number| Template::new("POST", "/Users", Some(&person(seed, number, LABEL)), LABEL);
    let templates: Vec<Template> = (0..models).map(template).collect();
    let cpu = muster.cpu()?;
    let mut whole = Slice::default();

    let mut ids = Vec::with_capacity(users);
    let before = databases.commits(name);
    let counted = COUNTED.min(users);
    whole.join(create(&mut client, counted, &mut ids, &|number, out| {
        templates[number % models].fill(&label(number), out);
    })?);
    let batch = databases.commits(name).map(|(_, after)| {
        let before = before.map_or(0, |(_, count)| count);
        counted as f64 / (after - before).max(1) as f64
    });
    whole.join(create(&mut client, users - counted, &mut ids, &|number, out| {
        templates[number % models].fill(&label(number), out);
    })?);

    let mut group_ids = Vec::with_capacity(groups);
    whole.join(create(&mut client, groups, &mut group_ids, &|number, out| {
        let body = group(&format!("Group {number:06}"), &[]);
        Template::new("POST", "/Groups", Some(&body), LABEL).fill("", out);
    })?);
    let member = |number: usize| ids[number % users].as_str();
    let patches = groups * (MEMBERS / MEMBERS_A_PATCH);
    let mut sent = 0;
    whole.join(client.send(patches as u64, &mut |_, out| {
        // Group after group, so that no two requests on their way are for the same one.
        let (group, part) = (sent % groups, sent / groups);
        let first = group * MEMBERS + part * MEMBERS_A_PATCH;
        let members: Vec<Value> =
            (first..first + MEMBERS_A_PATCH).map(|number| json!({ "value": member(number) })).collect();
        let body = patch(&json!({"op": "add", "path": "members", "value": members}));
        let path = format!("/Groups/{}", group_ids[group]);
        Template::new("PATCH", &path, Some(&body), LABEL).fill("", out);
        sent += 1;
    })?);
    whole.cpu = muster.cpu()?.saturating_sub(cpu);
    let peak = muster.peak()?;
    drop(muster);
    let alone = raw_sync(
        (databases, name),
        seed,
        (users, groups),
        (batch.unwrap_or(1.0).round() as usize).max(1),
        &ids,
    )?;
    Ok(Row {
        name: format!("first sync of {users}"),
        subject: Side { slices: vec![whole] },
        reference_name: "raw write",
        reference: Side { slices: vec![alone] },
        peak,
        batch,
    })
}

/// Sends that many POSTs and adds the ids in the answers to `ids`, in the order of the requests.
fn create(
    client: &mut Client,
    count: usize,
    ids: &mut Vec<String>,
    request: &dyn Fn(usize, &mut Vec<u8>),
) -> Result<Slice, Failure> {
    let first = ids.len();
    ids.resize(first + count, String::new());
    let next = RefCell::new((first, Vec::new()));
    let missing = RefCell::new(None);
    let slice = client.send_and_see(
        count as u64,
        &mut |connection, out| {
            let (number, current) = &mut *next.borrow_mut();
            current.resize(current.len().max(connection + 1), 0);
            current[connection] = *number;
            request(*number, out);
            *number += 1;
        },
        &mut |connection, body| {
            let text = String::from_utf8_lossy(body);
            let id = text.split_once("\"id\":\"").and_then(|(_, rest)| rest.split_once('"'));
            match id {
                Some((id, _)) => ids[next.borrow().1[connection]] = id.to_owned(),
                None => drop(missing.borrow_mut().get_or_insert(text.into_owned())),
            }
        },
    )?;
    match slice.first_error.clone().or(missing.into_inner()) {
        Some(answer) => Err(answer.into()),
        None => Ok(slice),
    }
}

/// The same rows without a server.
fn raw_sync(
    (databases, name): (&Databases, &str),
    seed: u64,
    (users, groups): (usize, usize),
    batch: usize,
    ids: &[String],
) -> Result<Slice, Failure> {
    let models = MODELS.min(users);
    let database = databases.create(&format!("{name}_models"))?;
    let filled = directory::fill(&database.url, seed, models, 1)?;
    let mut raw = databases.copy(&database, &format!("{name}_raw"))?;
    let rows = filled.users.iter().enumerate().map(|(number, id)| Rows::of(&raw, id, &label(number)));
    let rows: Vec<Rows> = rows.collect::<Result<_, _>>()?;
    let mut whole = Slice::default();
    // Behind the models, who have the first labels.
    let numbers: Vec<usize> = (models..models + users).collect();
    for chunk in numbers.chunks(batch) {
        let insert = |&number: &usize| rows[number % models].insert(&mut raw, &label(number));
        let requests: Vec<Vec<Statement>> = chunk.iter().map(insert).collect();
        whole.join(raw.timed(&requests)?);
    }
    let mut stored = Vec::with_capacity(groups);
    let empties: Vec<usize> = (0..groups).collect();
    for chunk in empties.chunks(batch) {
        let requests = chunk.iter().map(|_| {
            let (group, statements) = Grouped::new(&mut raw);
            stored.push(group);
            statements
        });
        let requests: Vec<Vec<Statement>> = requests.collect();
        whole.join(raw.timed(&requests)?);
    }
    for part in 0..MEMBERS / MEMBERS_A_PATCH {
        let numbers: Vec<usize> = (0..groups).collect();
        for chunk in numbers.chunks(batch) {
            let requests = chunk.iter().map(|&group| {
                let first = group * MEMBERS + part * MEMBERS_A_PATCH;
                let members = (first..first + MEMBERS_A_PATCH).map(|number| ids[number % users].as_str());
                stored[group].join(members)
            });
            let requests: Vec<Vec<Statement>> = requests.collect();
            whole.join(raw.timed(&requests)?);
        }
    }
    Ok(whole)
}

/// What the table does not say.
pub(crate) fn note(row: &Row) -> String {
    let seconds = |side: &Side| side.slices.iter().map(|slice| slice.elapsed).sum::<Duration>().as_secs_f64();
    format!(
        "{}: {:.1} s, and {:.1} s the raw write",
        row.name,
        seconds(&row.subject),
        seconds(&row.reference)
    )
}
