//! Tenants, policies and tokens.

use muster::contact::Claims;
use muster::id::ResourceId;
use muster::id::{ClientId, TenantId};
use muster::store::{NewToken, StoreError, UniquePath, What};
use serde_json::json;

use crate::harness::{Directory, TENANT, resource, time};

fn token(hash: &[u8]) -> NewToken<'_> {
    NewToken {
        hash,
        name: "Okta",
        profile: "default",
        scopes: "read write",
        subject: None,
        parent: None,
        expires: Some(time(30)),
    }
}

async fn group(directory: &Directory, name: &str, unique: bool) -> Result<(), StoreError> {
    let id = ResourceId::generate();
    let mut mutation = directory.mutation("Group", &id, What::Create);
    mutation.also_unique.paths = if unique { &["displayName"] } else { &[] };
    directory.store.create(&mutation, &resource(json!({"displayName": name})), &[]).await.map(drop)
}

store_test! {
    async fn the_default_tenant_is_always_there(db: Database) {
        let directory = db.open().await;
        let tenant = directory.store.find_tenant("default").await.unwrap().unwrap();
        assert_eq!((tenant.id, tenant.policies.as_str(), tenant.created.len()), (TENANT, "", 19));
        assert_eq!(directory.store.list_tenants().await.unwrap(), [tenant]);
    }

    async fn a_tenant_has_a_name_of_its_own(db: Database) {
        let directory = db.open().await;
        let made = directory.store.create_tenant("acme", time(1)).await.unwrap();
        assert_eq!(directory.store.find_tenant("acme").await.unwrap(), Some(made));
        assert_eq!(directory.store.find_tenant("nobody").await.unwrap(), None);
        let taken = directory.store.create_tenant("acme", time(1)).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "name".into() }));
        assert_eq!(directory.store.list_tenants().await.unwrap().len(), 2);
    }

    async fn a_deleted_tenant_leaves_nothing_and_its_number_is_not_given_again(db: Database) {
        let directory = db.open().await;
        directory.user(json!({"userName": "jane", "emails": [{"value": "jane@example.com"}]})).await;
        let before = directory.dump();
        let acme = directory.store.create_tenant("acme", time(1)).await.unwrap();
        directory.store.insert_token(acme.id, &token(b"h"), time(1)).await.unwrap();
        for index in 0..1200 {
            let id = ResourceId::generate();
            let mut mutation = directory.mutation("User", &id, What::Create);
            mutation.tenant = acme.id;
            let body = resource(json!({"userName": format!("u{index}"), "emails": [{"value": "x@example.com"}]}));
            directory.store.create(&mutation, &body, &["m".to_owned()]).await.unwrap();
        }
        directory.store.delete_tenant(acme.id).await.unwrap();
        assert_eq!(directory.dump(), before);
        assert!(directory.store.create_tenant("acme", time(1)).await.unwrap().id > acme.id);
    }

    async fn policies_are_kept_and_come_with_the_token(db: Database) {
        let directory = db.open().await;
        directory.store.set_policies(TENANT, "", "check-formats=true", &[], Claims::Verified).await.unwrap();
        directory.store.insert_token(TENANT, &token(b"h"), time(1)).await.unwrap();
        let owner = directory.store.find_token(TENANT, b"h").await.unwrap().unwrap();
        assert_eq!((owner.tenant_name.as_str(), owner.policies.as_str()), ("default", "check-formats=true"));
        let nobody = directory.store.set_policies(TenantId(99), "", "", &[], Claims::Verified).await;
        assert_eq!(nobody, Err(StoreError::Conflict));
        let late = directory.store.set_policies(TENANT, "", "check-formats=false", &[], Claims::Verified).await;
        assert_eq!(late, Err(StoreError::Conflict));
        assert_eq!(directory.store.policies(TENANT).await.unwrap(), "check-formats=true");
    }

    async fn a_policy_makes_what_is_stored_unique_and_undoes_it(db: Database) {
        let directory = db.open().await;
        let kind = directory.kind("Group");
        let paths = |unique| [UniquePath { kind, path: "displayName", unique }];
        group(&directory, "Staff", false).await.unwrap();
        directory.store.set_policies(TENANT, "", "on", &paths(true), Claims::Verified).await.unwrap();
        assert_eq!(group(&directory, "staff", true).await, Err(StoreError::Unique { path: "displayName".into() }));
        directory.store.set_policies(TENANT, "on", "off", &paths(false), Claims::Verified).await.unwrap();
        group(&directory, "staff", false).await.unwrap();
        let refused = directory.store.set_policies(TENANT, "off", "on", &paths(true), Claims::Verified).await;
        assert_eq!(refused, Err(StoreError::Unique { path: "displayName".into() }));
        assert_eq!(directory.store.find_tenant("default").await.unwrap().unwrap().policies, "off");
    }

    async fn a_policy_does_not_undo_what_the_schema_makes_unique(db: Database) {
        let directory = db.open().await;
        let kind = directory.kind("User");
        directory.user(json!({"userName": "jane"})).await;
        directory.store.set_policies(TENANT, "", "", &[UniquePath { kind, path: "userName", unique: false }], Claims::Verified).await.unwrap();
        let taken = directory.create("User", json!({"userName": "jane"}), &[]).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "userName".into() }));
        let nowhere = directory.store.set_policies(TENANT, "", "", &[UniquePath { kind, path: "id", unique: true }], Claims::Verified).await;
        assert!(matches!(nowhere, Err(StoreError::Internal(_))));
    }

    async fn a_token_is_found_by_its_hash_in_its_tenant(db: Database) {
        let directory = db.open().await;
        assert_eq!(directory.store.count_tokens().await.unwrap(), 0);
        let made = directory.store.insert_token(TENANT, &token(b"h"), time(1)).await.unwrap();
        assert_eq!((made.id, made.created.as_str()), (ClientId(1), "2026-01-02T03:04:01"));
        assert_eq!((made.expires.as_deref(), &made.revoked), (Some("2026-01-02T03:04:30"), &None));
        let acme = directory.store.create_tenant("acme", time(1)).await.unwrap();
        assert_eq!(directory.store.find_token(TENANT, b"h").await.unwrap().unwrap().token, made);
        assert_eq!(directory.store.find_token(acme.id, b"h").await.unwrap(), None);
        assert_eq!(directory.store.find_token(TENANT, b"H").await.unwrap(), None);
        let taken = directory.store.insert_token(TENANT, &token(b"h"), time(1)).await;
        assert_eq!(taken, Err(StoreError::Unique { path: "hash".into() }));
        let second = directory.store.insert_token(TENANT, &token(b"i"), time(1)).await.unwrap();
        assert_eq!(second.id, ClientId(2));
        assert_eq!(directory.store.list_tokens(TENANT).await.unwrap(), [made, second]);
        assert_eq!(directory.store.count_tokens().await.unwrap(), 2);
    }

    async fn a_token_is_revoked_once(db: Database) {
        let directory = db.open().await;
        let made = directory.store.insert_token(TENANT, &token(b"h"), time(1)).await.unwrap();
        assert!(directory.store.revoke_token(TENANT, made.id, time(2)).await.unwrap());
        assert!(!directory.store.revoke_token(TENANT, made.id, time(3)).await.unwrap());
        assert!(!directory.store.revoke_token(TENANT, ClientId(9), time(3)).await.unwrap());
        let found = directory.store.find_token(TENANT, b"h").await.unwrap().unwrap();
        assert_eq!(found.token.revoked.as_deref(), Some("2026-01-02T03:04:02"));
    }

    async fn a_token_that_was_given_for_another_ends_with_it_and_is_not_listed(db: Database) {
        let directory = db.open().await;
        let client = directory.store.insert_token(TENANT, &token(b"client"), time(1)).await.unwrap();
        let given = |hash, end| NewToken { parent: Some(client.id), expires: Some(time(end)), ..token(hash) };
        directory.store.insert_token(TENANT, &given(b"first", 5), time(1)).await.unwrap();
        // The next one sweeps out what has ended.
        let second = directory.store.insert_token(TENANT, &given(b"second", 20), time(6)).await.unwrap();
        assert_eq!(second.parent, Some(client.id));
        assert_eq!(directory.store.find_token(TENANT, b"first").await.unwrap(), None);
        assert_eq!(directory.store.list_tokens(TENANT).await.unwrap(), std::slice::from_ref(&client));
        assert!(directory.store.revoke_token(TENANT, client.id, time(7)).await.unwrap());
        let found = directory.store.find_token(TENANT, b"second").await.unwrap().unwrap();
        assert_eq!(found.token.revoked.as_deref(), Some("2026-01-02T03:04:07"));
    }
}
