//! Users as identity APIs see them, on every engine: contacts, verification, data, and races.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use muster_kit::{harness, people, store_test};

mod users;
mod verification;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use muster::context::{Caller, Context, Scopes};
use muster::courier::Channels;
use muster::id::{ClientId, TenantId};
use muster::identity::{Identity, User};
use muster::quirks::Profile;
use muster::scim::schema::ContactKind;

use crate::harness::{Database, TENANT, time};

/// The users of a database, and the database.
struct World {
    identity: Identity,
    directory: harness::Directory,
}

impl World {
    /// The same users, as another replica sees them.
    fn replica(&self) -> Identity {
        let store = self.directory.store.clone();
        let whole = muster::directory::Directory::new(store.clone());
        Identity::new(whole, store, Channels { email: true, sms: true })
    }
}

async fn world(db: &Database) -> World {
    world_with(db, Channels { email: true, sms: true }).await
}

async fn world_with(db: &Database, channels: Channels) -> World {
    let directory = db.open().await;
    let whole = muster::directory::Directory::new(directory.store.clone());
    let identity = Identity::new(whole, directory.store.clone(), channels);
    World { identity, directory }
}

/// A request of the tenant `default`, so many seconds after the others.
fn at(seconds: i64) -> &'static Context {
    context(TENANT, time(0) + TimeDelta::seconds(seconds), &[])
}

fn context(tenant: TenantId, now: DateTime<Utc>, settings: &[(&str, &str)]) -> &'static Context {
    let mut profile = Profile::named("default").unwrap();
    for (name, value) in settings {
        assert!(profile.contacts.set(name, value) || profile.courier.set(name, value), "{name}");
    }
    let caller = Caller {
        tenant,
        tenant_name: "default".into(),
        client: ClientId(1),
        client_name: "test".into(),
        scopes: Scopes::ALL,
        subject: None,
        profile: Arc::new(profile),
        // What the databases of these tests were opened with.
        registry: Arc::new(people::registry()),
    };
    // It lives as long as the test, so that a request can be written in one expression.
    Box::leak(Box::new(Context { caller: caller.into(), now, request: String::new() }))
}

fn swiss() -> &'static Context {
    context(TENANT, time(0), &[("default-phone-region", "CH")])
}

/// What a user has of a kind: value, whether it is verified; the primary one first.
fn has(user: &User, kind: ContactKind) -> Vec<(String, bool)> {
    let primary = user.primary(kind).into_iter();
    let all = primary.chain(user.contacts().secondary(kind));
    all.map(|contact| (contact.shown().to_owned(), contact.verified.is_some())).collect()
}

fn pairs(of: &[(&str, bool)]) -> Vec<(String, bool)> {
    of.iter().map(|(value, verified)| ((*value).to_owned(), *verified)).collect()
}
