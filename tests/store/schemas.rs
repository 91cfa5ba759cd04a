//! A tenant's own schemas, as several processes see them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use muster::access::{Access, AccessError, FRESH, NewClient, SchemaEdit, Scope};
use muster::id::{ResourceId, TenantId};
use muster::scim::filter::Filter;
use muster::scim::registry::ResourceType;
use muster::store::{Mutation, Record, Search, Sequel, Store, StoreError, Unique, Unjudged, What};
use serde_json::{Value, json};

use crate::harness::{Database, block_on, resource, time};

const BADGE: &str = "urn:example:Badge";

async fn process(db: &Database) -> (Store, Access) {
    let store = Store::open(&db.url(), &db.registry).await.unwrap();
    (store.clone(), Access::new(store, Arc::clone(&db.registry)))
}

fn documents() -> [SchemaEdit; 2] {
    let kind = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "name": "Badge", "endpoint": "/Badges", "schema": BADGE});
    [badge_with(&json!([{"name": "serial", "type": "string"}])), SchemaEdit::Put(kind)]
}

fn badge_with(attributes: &Value) -> SchemaEdit {
    schema(BADGE, attributes)
}

fn schema(id: &str, attributes: &Value) -> SchemaEdit {
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:Schema"]);
    SchemaEdit::Put(json!({"schemas": schemas, "id": id, "attributes": attributes}))
}

/// Writes a badge with a serial, as a process does that has not heard of a change.
async fn slip_in(store: &Store, access: &Access) {
    let registry = access.schemas(TenantId::DEFAULT).await.unwrap().registry;
    tokio::time::sleep(Duration::from_millis(500)).await;
    create(store, registry.type_named("Badge").unwrap()).await;
}

async fn create(store: &Store, kind: &Arc<ResourceType>) -> Record {
    let id = ResourceId::generate();
    let mutation = Mutation {
        tenant: TenantId::DEFAULT,
        kind,
        id: &id,
        now: time(1),
        who: "test",
        what: What::Create,
        also_unique: Unique::default(),
    };
    store.create(&mutation, &resource(json!({"id": id.as_str(), "serial": "S1"})), &[]).await.unwrap()
}

/// A process that takes the serial from badges, and dies before it has judged that.
fn dies_of_a_change(db: &Database) {
    let (url, registry) = (db.url(), Arc::clone(&db.registry));
    let change = async move {
        let access = Access::new(Store::open(&url, &registry).await.unwrap(), registry);
        let edits = [badge_with(&json!([{"name": "colour"}]))];
        let change = access.change_schemas(TenantId::DEFAULT, &edits, time(0));
        tokio::time::timeout(Duration::from_secs(1), change).await.unwrap_err();
    };
    std::thread::spawn(move || block_on(change)).join().unwrap();
}

fn anew(second: u32) -> Sequel<'static> {
    Sequel { reindex: Some(time(second)), ..Sequel::default() }
}

async fn has(access: &Access, attribute: &str) -> bool {
    let registry = access.schemas(TenantId::DEFAULT).await.unwrap().registry;
    registry.type_named("Badge").unwrap().attribute(attribute).is_some()
}

store_test! {
    async fn another_process_has_the_schemas_of_a_tenant_when_its_callers_are_read_again(db: Database) {
        let (_, here) = process(&db).await;
        let (store, there) = process(&db).await;
        let client = NewClient {
            tenant: TenantId::DEFAULT,
            name: "test".to_owned(),
            profile: "default".to_owned(),
            scopes: vec![Scope::Scim],
            subject: None,
            lifetime: None,
        };
        let token = here.create_token(&client, time(0)).await.unwrap();
        let before = there.authenticate(Some(token.reveal()), time(0)).await.unwrap();
        assert!(before.registry.type_named("Badge").is_none());
        here.change_schemas(TenantId::DEFAULT, &documents(), time(0)).await.unwrap();
        let after = there.authenticate(Some(token.reveal()), time(0) + FRESH).await.unwrap();
        let kind = after.registry.type_named("Badge").unwrap();
        let record = create(&store, kind).await;
        let filter = Filter::parse("serial eq \"s1\"", kind).unwrap();
        let scope = muster::store::Scope { kind: Arc::clone(kind), filter: Some(filter), sort: None };
        let search = Search { scopes: vec![scope], descending: false, offset: 0, limit: 9, group: None };
        let page = store.search(TenantId::DEFAULT, &search).await.unwrap();
        assert_eq!(page.records, [(0, record)]);

        let tenant = here.create_tenant("other", time(0)).await.unwrap();
        assert!(there.schemas(tenant).await.unwrap().registry.type_named("Badge").is_none());
    }

    async fn of_two_changes_at_once_the_second_sees_the_first(db: Database) {
        let (store, access) = process(&db).await;
        let [schema, kind] = documents();
        let (schema, kind) = ([schema], [kind]);
        access.change_schemas(TenantId::DEFAULT, &schema, time(0)).await.unwrap();
        let lost = store.set_tenant_documents(TenantId::DEFAULT, 0, &[], Sequel::default()).await;
        assert_eq!(lost, Err(StoreError::Conflict));
        access.change_schemas(TenantId::DEFAULT, &kind, time(0)).await.unwrap();
        let documents: Vec<Value> = access.schemas(TenantId::DEFAULT).await.unwrap().documents;
        assert_eq!(documents.len(), 2);
    }

    async fn what_contradicts_a_change_and_is_written_before_all_have_heard_of_it_undoes_it(db: Database) {
        let (store, access) = process(&db).await;
        access.change_schemas(TenantId::DEFAULT, &documents(), time(0)).await.unwrap();
        let edits = [badge_with(&json!([{"name": "colour"}]))];
        let other = [schema("urn:example:Other", &json!([{"name": "other"}]))];
        let (changed, (), other) = tokio::join!(
            access.change_schemas(TenantId::DEFAULT, &edits, time(0)),
            slip_in(&store, &access),
            async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert!(has(&access, "colour").await, "it counts until it is undone");
                access.change_schemas(TenantId::DEFAULT, &other, time(0)).await
            },
        );
        assert!(matches!(changed, Err(AccessError::InTheWay(_))), "{changed:?}");
        other.unwrap();
        assert!(has(&access, "serial").await && !has(&access, "colour").await);
        assert_eq!(access.schemas(TenantId::DEFAULT).await.unwrap().documents.len(), 3, "the other one stays");
    }

    async fn a_change_is_judged_to_the_end_also_if_whoever_asked_is_gone(db: Database) {
        let (store, access) = process(&db).await;
        access.change_schemas(TenantId::DEFAULT, &documents(), time(0)).await.unwrap();
        let edits = [badge_with(&json!([{"name": "colour"}]))];
        tokio::select! {
            changed = access.change_schemas(TenantId::DEFAULT, &edits, time(0)) => panic!("{changed:?}"),
            () = slip_in(&store, &access) => {}
        }
        let began = Instant::now();
        while !has(&access, "serial").await {
            assert!(began.elapsed() < Duration::from_secs(30), "nothing has undone the change");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn a_change_whose_maker_died_is_judged_by_another_and_undone_if_something_contradicts_it(db: Database) {
        let (store, access) = process(&db).await;
        access.change_schemas(TenantId::DEFAULT, &documents(), time(0)).await.unwrap();
        let before = access.schemas(TenantId::DEFAULT).await.unwrap();
        dies_of_a_change(&db);
        create(&store, before.registry.type_named("Badge").unwrap()).await;
        assert!(has(&access, "colour").await, "it counts until it is undone");

        assert_eq!(access.unjudged(time(12)).await.unwrap(), [], "whoever made it may still live");
        let mut change = access.unjudged(time(13)).await.unwrap().pop().unwrap();
        let mut late = change.clone();
        assert!(access.hold_unjudged(&mut change, time(43)).await.unwrap());
        assert!(!access.hold_unjudged(&mut late, time(44)).await.unwrap());
        let judged = access.judge(&change, time(13)).await;
        assert!(matches!(judged, Err(AccessError::InTheWay(_))), "{judged:?}");
        assert!(has(&access, "serial").await && !has(&access, "colour").await);
        assert_eq!(access.schemas(TenantId::DEFAULT).await.unwrap().documents, before.documents);
        assert_eq!(access.unjudged(time(59)).await.unwrap(), []);

        let version = store.tenant_documents(TenantId::DEFAULT).await.unwrap().version;
        let again = access.judge(&late, time(13)).await;
        assert!(matches!(again, Err(AccessError::InTheWay(_))), "{again:?}");
        assert_eq!(store.tenant_documents(TenantId::DEFAULT).await.unwrap().version, version, "it is undone once");
    }

    async fn a_change_whose_maker_died_stands_if_nothing_contradicts_it(db: Database) {
        let (store, access) = process(&db).await;
        access.change_schemas(TenantId::DEFAULT, &documents(), time(0)).await.unwrap();
        dies_of_a_change(&db);
        let change = access.unjudged(time(13)).await.unwrap().pop().unwrap();
        access.judge(&change, time(13)).await.unwrap();
        assert!(has(&access, "colour").await && !has(&access, "serial").await);
        assert_eq!(access.unjudged(time(59)).await.unwrap(), []);
        access.change_schemas(TenantId::DEFAULT, &documents()[..1], time(20)).await.unwrap();
        assert_eq!(access.unjudged(time(59)).await.unwrap(), [], "whoever lives judges its own");

        let tenant = store.create_tenant("other", time(0)).await.unwrap().id;
        let judge = Unjudged::new(tenant, 1, "[]".to_owned(), "[]".to_owned(), time(0));
        let sequel = Sequel { judge: Some(&judge), ..Sequel::default() };
        store.set_tenant_documents(tenant, 0, &[], sequel).await.unwrap();
        assert_eq!(store.unjudged(time(1)).await.unwrap(), [judge]);
        store.delete_tenant(tenant).await.unwrap();
        assert_eq!(store.unjudged(time(1)).await.unwrap(), []);
    }

    async fn one_process_at_a_time_writes_facts_anew_and_another_follows_one_that_died(db: Database) {
        let (store, _) = process(&db).await;
        store.set_tenant_documents(TenantId::DEFAULT, 0, &[], anew(5)).await.unwrap();
        assert_eq!(store.reindexings(time(4)).await.unwrap(), []);
        let mut first = store.reindexings(time(5)).await.unwrap().pop().unwrap();
        let mut second = first.clone();
        assert!(store.hold_reindexing(&mut first, time(15)).await.unwrap());
        assert!(!store.hold_reindexing(&mut second, time(16)).await.unwrap());
        assert_eq!(store.reindexings(time(14)).await.unwrap(), []);
        let mut next = store.reindexings(time(15)).await.unwrap().pop().unwrap();
        assert!(store.hold_reindexing(&mut next, time(15) + TimeDelta::seconds(9)).await.unwrap());
        store.end_reindexing(&first).await.unwrap();
        assert!(store.tenant_documents(TenantId::DEFAULT).await.unwrap().is_indexing, "it is in other hands");
        store.set_tenant_documents(TenantId::DEFAULT, 1, &[], anew(20)).await.unwrap();
        store.end_reindexing(&next).await.unwrap();
        let last = store.reindexings(time(20)).await.unwrap().pop().unwrap();
        store.end_reindexing(&last).await.unwrap();
        assert!(!store.tenant_documents(TenantId::DEFAULT).await.unwrap().is_indexing);
    }
}
