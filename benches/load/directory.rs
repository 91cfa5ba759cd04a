//! The directory under test: people and groups made from a seed, and the fast way into an empty database.
//!
//! Invariant: the same seed and number make the same person, and what belongs to one person alone (user name,
//! addresses, numbers) holds its label, so that a request for another person is the same text with another label.

use std::io::Write as _;
use std::sync::Arc;

use chrono::Utc;
use muster::context::{Caller, Context, Scopes};
use muster::directory::{Directory, Line, Newcomer, Outcome};
use muster::id::{ClientId, TenantId};
use muster::quirks::Profile;
use muster::scim::registry::Registry;
use muster::store::{DatabaseUrl, Store};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::Failure;

/// How many resources are stored at a time.
const FILLING: usize = 2000;

/// How many members a small group has.
pub(crate) const SMALL_GROUP: usize = 10;

const GIVEN: [&str; 24] = [
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "Fatima",
    "Grace",
    "Hiro",
    "Inés",
    "Jan",
    "Katherine",
    "Linus",
    "Mary",
    "Niklaus",
    "Olga",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Thandi",
    "Ulla",
    "Viktor",
    "Wei",
    "Zoë",
];
const FAMILY: [&str; 32] = [
    "Abara",
    "Berg",
    "Castillo",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Hopper",
    "Ivanova",
    "Johnson",
    "Kowalski",
    "Lovelace",
    "Müller",
    "Nakamura",
    "Okafor",
    "Perlman",
    "Quispe",
    "Rossi",
    "Shannon",
    "Tanaka",
    "Ueda",
    "Vaughan",
    "Wirth",
    "Xu",
    "Yılmaz",
    "Zimmermann",
    "Olsen",
    "Hernández",
    "Kim",
    "Nguyen",
    "Patel",
    "Schwarzenegger",
];
const TITLES: [&str; 6] = ["Engineer", "Accountant", "Team Lead", "Nurse", "Buyer", "Director"];
const DEPARTMENTS: [&str; 8] =
    ["Sales", "Finance", "Research", "Support", "Legal", "Operations", "Marketing", "Tour Operations"];
const TOWNS: [(&str, &str, &str); 6] = [
    ("Zürich", "ZH", "CH"),
    ("Hollywood", "CA", "US"),
    ("Osaka", "OSA", "JP"),
    ("Lagos", "LA", "NG"),
    ("São Paulo", "SP", "BR"),
    ("Köln", "NW", "DE"),
];

/// A source of numbers that only look random (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// What only the person with this number has in it.
pub(crate) fn label(number: usize) -> String {
    format!("{number:08}")
}

pub(crate) fn user_name(label: &str) -> String {
    format!("person.{label}@example.com")
}

pub(crate) fn external_id(label: &str) -> String {
    format!("00u{label}Xq")
}

/// The body of a POST of one person: what an identity provider sends for a complete profile.
pub(crate) fn person(seed: u64, number: usize, label: &str) -> Value {
    let mut chance = Chance::new(seed ^ (number as u64).wrapping_mul(0x2545_F491_4F6C_DD1D));
    let (given, family) = (*chance.of(&GIVEN), *chance.of(&FAMILY));
    let (town, region, country) = *chance.of(&TOWNS);
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": external_id(label),
        "userName": user_name(label),
        "name": {"formatted": format!("{given} {family}"), "familyName": family, "givenName": given},
        "displayName": format!("{given} {family}"),
        "title": chance.of(&TITLES),
        "preferredLanguage": "en-US",
        "active": chance.below(20) != 0,
        "emails": [
            {"value": user_name(label), "type": "work", "primary": true},
            {"value": format!("home.{label}@mail.example.org"), "type": "home"},
        ],
        "phoneNumbers": [
            {"value": format!("+1555{label}"), "type": "work"},
            {"value": format!("+4479{label}"), "type": "mobile"},
        ],
        "addresses": [{
            "streetAddress": format!("{} Universal City Plaza", 1 + chance.below(999)),
            "locality": town, "region": region, "postalCode": format!("{:05}", chance.below(99999)),
            "country": country, "type": "work",
        }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": label,
            "costCenter": format!("{}", 4000 + chance.below(50)),
            "organization": "Universal Studios",
            "department": chance.of(&DEPARTMENTS),
        },
    })
}

/// The body of a POST of a group.
pub(crate) fn group(name: &str, members: &[String]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": members,
    })
}

/// The ids of a directory that was filled; `users[n]` is person n.
pub(crate) struct Filled {
    pub(crate) users: Vec<String>,
    pub(crate) groups: Vec<String>,
}

/// Fills an empty database with `users` people, and groups of [`SMALL_GROUP`] of them, as an import does.
pub(crate) fn fill(database: &str, seed: u64, users: usize, groups: usize) -> Result<Filled, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let registry = Arc::new(Registry::built_in()?);
        let store = Store::open(&database.parse::<DatabaseUrl>()?, &registry).await?;
        let filler = Filler { directory: Directory::new(store), context: context(registry)? };
        let people = (0..users).map(move |number| person(seed, number, &label(number)));
        let users: Arc<[String]> = filler.import("User", people).await?.into();
        let everybody = Arc::clone(&users);
        let groups =
            (0..groups).map(move |number| group(&format!("Group {number:06}"), &members(&everybody, number)));
        let groups = filler.import("Group", groups).await?;
        Ok(Filled { users: users.to_vec(), groups })
    })
}

/// The members of the group with that number: the next [`SMALL_GROUP`] people.
fn members(users: &[String], number: usize) -> Vec<String> {
    let first = number * SMALL_GROUP % users.len().max(1);
    users.iter().cycle().skip(first).take(SMALL_GROUP.min(users.len())).cloned().collect()
}

#[derive(Clone)]
struct Filler {
    directory: Directory,
    context: Context,
}

/// Resources that were admitted, by their numbers.
type Rows = Vec<Line<Newcomer>>;

impl Filler {
    /// Imports resources, a batch at a time; answers their ids in order. A batch is admitted while the one before it
    /// is stored, as `muster import` does it.
    async fn import<I>(&self, kind: &'static str, bodies: I) -> Result<Vec<String>, Failure>
    where
        I: ExactSizeIterator<Item = Value> + Send + 'static,
    {
        let count = bodies.len();
        let mut import = self.directory.import(self.context.clone(), false);
        let mut ids: Vec<String> = Vec::with_capacity(count);
        let mut next = spawn_blocking(self.clone().admit(kind, bodies, 0));
        loop {
            let (bodies, rows, new) = next.await??;
            if rows.is_empty() {
                eprintln!();
                return Ok(ids);
            }
            ids.extend(new);
            next = spawn_blocking(self.clone().admit(kind, bodies, ids.len() as u64));
            let screened = import.screen(rows).await.map_err(|failure| format!("{failure:?}"))?;
            let stored = import.store(&screened.fit, None).await.map_err(|failure| format!("{failure:?}"))?;
            let refused = screened.outcomes.into_iter().chain(stored).find(|(_, o)| *o != Outcome::Imported);
            if let Some((number, outcome)) = refused {
                return Err(format!("{kind} {number}: {outcome:?}").into());
            }
            eprint!("\rfilling: {}/{count} {kind}s ", ids.len());
            std::io::stderr().flush().ok();
        }
    }

    /// Admits the next batch; answers the bodies that are left, the batch and its ids.
    fn admit<I: Iterator<Item = Value>>(
        self,
        kind: &'static str,
        mut bodies: I,
        first: u64,
    ) -> impl FnOnce() -> Result<(I, Rows, Vec<String>), Failure> {
        move || {
            let kind = self.context.caller.registry.type_named(kind).ok_or("an unknown type")?;
            let (mut rows, mut ids) = (Rows::with_capacity(FILLING), Vec::with_capacity(FILLING));
            for (number, body) in (first..).zip(bodies.by_ref().take(FILLING)) {
                let Value::Object(mut body) = body else { return Err("not an object".into()) };
                let id = Uuid::now_v7().hyphenated().to_string();
                body.insert("id".to_owned(), Value::from(id.as_str()));
                rows.push((number, self.directory.admit_row(&self.context, kind, body, None)?));
                ids.push(id);
            }
            Ok((bodies, rows, ids))
        }
    }
}

/// A caller who may do everything.
fn context(registry: Arc<Registry>) -> Result<Context, Failure> {
    #[expect(clippy::disallowed_methods, reason = "there is no request that brings the time")]
    let now = Utc::now();
    let caller = Caller {
        tenant: TenantId::DEFAULT,
        tenant_name: "default".to_owned(),
        client: ClientId(1),
        client_name: "load".to_owned(),
        scopes: Scopes::ALL,
        subject: None,
        profile: Arc::new(Profile::named("default").ok_or("there is no default profile")?),
        registry,
    };
    Ok(Context { caller: caller.into(), now, request: String::new() })
}
