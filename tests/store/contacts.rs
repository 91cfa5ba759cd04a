//! Which user an address or number belongs to: claims, one at a time.

use muster::contact::{Claims, Contacts, Policy, Select, Source};
use muster::id::ResourceId;
use muster::scim::resource::Resource;
use muster::scim::schema::ContactKind;
use muster::store::{MemberEdit, Record, StoreError, What};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Directory, TENANT, resource, stored, time};

/// The user's document as the directory writes it; what is listed is verified.
fn known(directory: &Directory, body: Value, verified: &[&str]) -> Resource {
    let mut contacts = Contacts::of("u", &resource(body.clone()), Policy::default(), time(0)).unwrap();
    for value in verified {
        let select = Select::Value((*value).to_owned());
        for kind in ContactKind::ALL {
            // It is one or the other.
            contacts.set_verified(kind, &select, Some(Source::Admin), false, time(0)).ok();
        }
    }
    contacts.written(directory.kind("User"), resource(body))
}

async fn create(
    directory: &Directory,
    claims: Claims,
    body: Value,
    verified: &[&str],
) -> Result<Record, StoreError> {
    let id = ResourceId::generate();
    let mut mutation = directory.mutation("User", &id, What::Create);
    mutation.also_unique.claims = claims;
    directory.store.create(&mutation, &known(directory, body, verified), &[]).await
}

async fn verify(directory: &Directory, before: &Record, value: &str) -> Result<Record, StoreError> {
    let mut mutation = directory.mutation("User", &before.id, What::Patch);
    mutation.also_unique.claims = Claims::Verified;
    let old = stored(before);
    let new = known(directory, Value::Object(old.body().clone()), &[value]);
    directory.store.update(&mutation, before, &old, &new, &MemberEdit::default()).await
}

fn emails(name: &str, values: &[Value]) -> Value {
    json!({"userName": name, "emails": values})
}

fn taken<T>(kind: ContactKind) -> Result<T, StoreError> {
    Err(StoreError::Unique { path: kind.attribute().to_owned() })
}

store_test! {
    async fn of_many_who_verify_one_address_one_gets_it(db: Database) {
        let directory = db.open().await;
        let mut users = Vec::new();
        for index in 0..12 {
            // Spellings differ; the address is one.
            let value = if index % 2 == 0 { "Anna@Example.com" } else { "anna@example.COM" };
            let body = emails(&format!("u{index}"), &[json!({"value": value})]);
            users.push(create(&directory, Claims::Verified, body, &[]).await.unwrap());
        }
        let mut tasks = JoinSet::new();
        for user in users {
            let directory = directory.clone();
            tasks.spawn(async move { verify(&directory, &user, "anna@example.com").await.map(drop) });
        }
        let results = tasks.join_all().await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(results.iter().filter(|&result| *result == taken(ContactKind::Email)).count(), 11);
        assert_eq!(directory.sql("SELECT COUNT(*) FROM contact WHERE claim = 1"), ["1"]);
        assert_eq!(directory.sql("SELECT COUNT(*) FROM contact WHERE verified_at IS NOT NULL"), ["1"]);
    }

    async fn each_policy_claims_what_it_says(db: Database) {
        let directory = db.open().await;
        let primary = json!({"value": "a@x.example", "primary": true});
        let other = json!({"value": "b@x.example"});
        let cases = [
            (Claims::None, vec![]),
            (Claims::Login, vec![]),
            (Claims::Verified, vec!["c@x.example"]),
            (Claims::PrimaryOrVerified, vec!["a@x.example", "c@x.example"]),
            (Claims::All, vec!["a@x.example", "b@x.example", "c@x.example"]),
        ];
        for (claims, wanted) in cases {
            let body = emails("jane", &[primary.clone(), other.clone(), json!({"value": "C@x.example"})]);
            let user = create(&directory, claims, body, &["c@x.example"]).await.unwrap();
            let claimed = directory.sql("SELECT canonical FROM contact WHERE claim = 1 ORDER BY 1");
            assert_eq!(claimed, wanted, "{claims}");
            directory.delete("User", &user).await.unwrap();
        }
    }

    async fn an_address_that_is_a_login_id_is_claimed_where_login_ids_are(db: Database) {
        let directory = db.open().await;
        let mut body = emails("jane", &[json!({"value": "Jane@x.example"}), json!({"value": "b@x.example"})]);
        body["urn:muster:params:scim:schemas:extension:identifiers:2.0:User"] = json!({"loginIds": ["JANE@x.example"]});
        create(&directory, Claims::Login, body, &[]).await.unwrap();
        assert_eq!(directory.sql("SELECT canonical FROM contact WHERE claim = 1"), ["jane@x.example"]);
    }

    async fn of_one_users_spellings_one_claims_and_a_claim_may_move(db: Database) {
        let directory = db.open().await;
        let value = |label: &str| json!({"value": "a@x.example", "type": label});
        let user = create(&directory, Claims::All, emails("jane", &[value("work"), value("home")]), &[]).await.unwrap();
        let claims = || directory.sql("SELECT ordinal, claim FROM contact ORDER BY 1");
        assert_eq!(claims(), ["0|1", "1|0"]);
        let mut mutation = directory.mutation("User", &user.id, What::Patch);
        mutation.also_unique.claims = Claims::All;
        let body = emails("jane", &[json!({"value": "b@x.example"}), value("work"), value("home")]);
        let new = known(&directory, body, &[]);
        directory.store.update(&mutation, &user, &stored(&user), &new, &MemberEdit::default()).await.unwrap();
        assert_eq!(claims(), ["0|1", "1|1", "2|0"]);
    }

    async fn an_address_goes_free_with_its_user(db: Database) {
        let directory = db.open().await;
        let body = |name: &str| json!({"userName": name, "phoneNumbers": [{"value": "+41 79 123 45 67"}]});
        let jane = create(&directory, Claims::All, body("jane"), &[]).await.unwrap();
        let spelled = json!({"userName": "john", "phoneNumbers": [{"value": "tel:+41-79-123-4567"}]});
        assert_eq!(create(&directory, Claims::All, spelled.clone(), &[]).await, taken(ContactKind::Phone));
        directory.delete("User", &jane).await.unwrap();
        create(&directory, Claims::All, spelled, &[]).await.unwrap();
    }

    async fn a_tenant_that_changes_its_mind_gives_and_takes_claims(db: Database) {
        let directory = db.open().await;
        let set = async |claims| directory.store.set_policies(TENANT, "", "", &[], claims).await;
        let first = emails("a", &[json!({"value": "x@x.example", "primary": true}), json!({"value": "y@x.example"})]);
        create(&directory, Claims::None, first, &["y@x.example"]).await.unwrap();
        let second = emails("b", &[json!({"value": "z@x.example"}), json!({"value": "X@x.example"})]);
        create(&directory, Claims::None, second, &["z@x.example"]).await.unwrap();
        let claimed = || directory.sql("SELECT canonical FROM contact WHERE claim = 1 ORDER BY 1");
        for (claims, wanted) in [
            (Claims::Verified, vec!["y@x.example", "z@x.example"]),
            (Claims::PrimaryOrVerified, vec!["x@x.example", "y@x.example", "z@x.example"]),
            (Claims::Login, vec![]),
        ] {
            set(claims).await.unwrap();
            assert_eq!(claimed(), wanted, "{claims}");
        }
        assert_eq!(set(Claims::All).await, taken(ContactKind::Email));
        assert_eq!(claimed(), Vec::<String>::new());
        set(Claims::None).await.unwrap();
    }
}
