//! Users: made, found, changed, merged and deleted.

use futures_util::future::join_all;
use muster::contact::{Add, Demotion, Primary, Select, SetPrimary, Source, Truth};
use muster::identity::{Bag, By, Claim, Draft, Error, Outcome, Query, State};
use muster::scim::schema::ContactKind::{Email, Phone};
use muster::store::{Aside, Orphans, What};
use serde_json::{Map, Value, json};

use crate::harness::{TENANT, stored, time};
use crate::store_test;
use crate::{World, at, context, has, pairs, swiss, world};

fn add(kind: muster::scim::schema::ContactKind, value: &str, verified: bool) -> Add {
    let truth = if verified { Truth::Verified(Source::Admin) } else { Truth::Unverified };
    Add { kind, value: value.to_owned(), label: None, truth, primary: Primary::Auto }
}

fn set(kind: muster::scim::schema::ContactKind, value: &str, truth: Truth) -> SetPrimary {
    SetPrimary { kind, value: Some(value.to_owned()), truth, old: Demotion::Drop, only_if_other: false }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A user with these addresses, all verified or none.
async fn user(world: &World, emails: &[&str], verified: bool) -> String {
    let made = world.identity.create(at(0), |draft| {
        let now = draft.now();
        for email in emails {
            draft.contacts_mut().add(&add(Email, email, verified), now)?;
        }
        Ok(())
    });
    made.await.unwrap().0.id().to_owned()
}

store_test! {
    async fn a_user_without_a_name_is_known_by_its_id_and_through_scim(db: Database) {
        let world = world(&db).await;
        let (made, ()) = world.identity.create(swiss(), |draft| {
            let now = draft.now();
            draft.contacts_mut().add(&add(Phone, "079 123 45 67", true), now)?;
            draft.set("name", &json!({"givenName": "Anna"}))?;
            draft.set_state(State::Pending);
            Ok(())
        }).await.unwrap();
        assert_eq!((made.user_name(), made.state(), made.version()), (None, State::Pending, 1));
        assert_eq!(has(&made, Phone), pairs(&[("+41791234567", true)]));
        let record = world.directory.get("User", made.id()).await.unwrap();
        let body = stored(&record).into_body();
        assert_eq!((&body["userName"], &body["id"]), (&json!(made.id()), &json!(made.id())));
        assert_eq!(body["phoneNumbers"], json!([{"value": "+41791234567", "primary": true}]));
        let again = world.identity.user(at(1), made.id()).await.unwrap();
        assert_eq!((again.state(), again.text("userName")), (State::Pending, Some(made.id())));
    }

    async fn a_user_is_found_by_each_of_its_names_and_in_its_tenant_only(db: Database) {
        let world = world(&db).await;
        let (made, ()) = world.identity.create(at(0), |draft| {
            let now = draft.now();
            draft.set_user_name(Some("anna"))?;
            draft.set("externalId", &json!("E-\"1\""))?;
            draft.set_login_ids(&["anna-login".to_owned()])?;
            draft.contacts_mut().add(&add(Email, "Anna@Example.com", true), now)?;
            draft.contacts_mut().add(&add(Email, "second@example.com", false), now)?;
            Ok(())
        }).await.unwrap();
        let other = world.directory.store.create_tenant("acme", time(0)).await.unwrap().id;
        let found = [
            By::Id(made.id().to_owned()),
            By::UserName("ANNA".into()),
            By::ExternalId("E-\"1\"".into()),
            By::LoginId("Anna-Login".into()),
            By::LoginId("anna".into()),
            By::LoginId("anna@example.com".into()),
            By::Contact(Email, "anna@EXAMPLE.com".into(), true),
            By::Contact(Email, "second@example.com".into(), false),
        ];
        for by in &found {
            assert_eq!(world.identity.resolve(at(1), by).await.unwrap().id(), made.id(), "{by:?}");
            let elsewhere = world.identity.resolve(context(other, time(1), &[]), by).await;
            assert!(matches!(elsewhere, Err(Error::NoUser)), "{by:?}");
        }
        for by in [
            By::Contact(Email, "second@example.com".into(), true),
            By::LoginId("second@example.com".into()),
            By::Contact(Phone, "+41791234567".into(), false),
            By::ExternalId("E".into()),
        ] {
            assert!(matches!(world.identity.resolve(at(1), &by).await, Err(Error::NoUser)), "{by:?}");
        }
    }

    async fn commands_of_one_change_take_effect_together_or_not_at_all(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &["a@x.example"], false).await;
        let failed = world.identity.change(at(1), &id, |draft| {
            let now = draft.now();
            draft.merge_bag(&Bag::Custom, object(json!({"a": 1})))?;
            draft.contacts_mut().add(&add(Email, "b@x.example", false), now)?;
            Ok(draft.contacts_mut().remove(Email, &Select::Value("nobody@x.example".into()), true)?)
        }).await;
        assert!(matches!(failed, Err(Error::NoContact(Email))));
        let same = world.identity.user(at(2), &id).await.unwrap();
        assert_eq!((same.version(), has(&same, Email).len(), same.bag(&Bag::Custom)), (1, 1, None));
        let (changed, outcome) = world.identity.change(at(3), &id, |draft| {
            let now = draft.now();
            draft.merge_bag(&Bag::Custom, object(json!({"a": 1, "b": {"c": 2}})))?;
            Ok(draft.contacts_mut().set_primary(&set(Email, "b@x.example", Truth::Keep), now)?)
        }).await.unwrap();
        assert_eq!((changed.version(), outcome), (2, Outcome::Changed));
        assert_eq!(has(&changed, Email), pairs(&[("b@x.example", false)]));
        let (unchanged, outcome) = world.identity.change(at(4), &id, |draft| {
            let now = draft.now();
            Ok(draft.contacts_mut().set_primary(&set(Email, "B@x.example", Truth::Keep), now)?)
        }).await.unwrap();
        assert_eq!((unchanged.version(), outcome), (2, Outcome::Unchanged));
    }

    async fn a_bag_is_merged_at_its_top_and_is_no_part_of_the_document(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &[], false).await;
        let steps = [
            (json!({"a": {"x": 1}, "b": 2}), json!({"a": {"x": 1}, "b": 2})),
            (json!({"a": {"y": 1}, "c": null}), json!({"a": {"y": 1}, "b": 2})),
            (json!({"b": null}), json!({"a": {"y": 1}})),
        ];
        for (second, (values, content)) in (1..).zip(steps) {
            let merge = world.identity.change(at(second), &id, |draft| draft.merge_bag(&Bag::Private, object(values.clone())));
            assert_eq!(merge.await.unwrap().0.bag(&Bag::Private), Some(&object(content)));
        }
        let record = world.directory.get("User", &id).await.unwrap();
        assert!(!record.document.contains("\"y\""), "{}", record.document);
        assert_eq!(record.version, 4);
        let large = object(json!({"a": "x".repeat(600 << 10)}));
        let refused = world.identity.change(at(9), &id, |draft| draft.merge_bag(&Bag::Private, large.clone())).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })));
        world.identity.delete(at(10), &id).await.unwrap();
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM bag"), ["0"]);
    }

    async fn an_account_that_is_suspended_is_what_it_was_when_it_comes_back(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &[], false).await;
        let to = async |second, state| {
            let set = world.identity.change(at(second), &id, move |draft| { draft.set_state(state); Ok(()) });
            set.await.unwrap().0
        };
        assert_eq!(to(1, State::Pending).await.state(), State::Pending);
        let suspended = to(2, State::Suspended).await;
        assert_eq!((suspended.state(), suspended.attribute("active")), (State::Suspended, Some(&json!(false))));
        assert_eq!(suspended.state_changed(), Some(time(2)));
        let restored = world.identity.change(at(3), &id, |draft| { draft.restore(); Ok(()) }).await.unwrap().0;
        assert_eq!(restored.state(), State::Pending);
        assert_eq!(to(4, State::Active).await.state(), State::Active);
    }

    async fn names_to_log_in_by_belong_to_one_user(db: Database) {
        let world = world(&db).await;
        let (one, two) = (user(&world, &[], false).await, user(&world, &[], false).await);
        let give = async |id: &str, ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
            world.identity.change(at(1), id, move |draft| draft.set_login_ids(&ids)).await
        };
        assert_eq!(give(&one, &["anna", "ANNA", "b"]).await.unwrap().0.login_ids(), ["anna", "b"]);
        assert!(matches!(give(&two, &["Anna"]).await, Err(Error::Taken(name)) if name == "loginIds"));
        assert!(matches!(give(&one, &[]).await, Err(Error::LastLoginId)));
        assert!(matches!(give(&one, &[""]).await, Err(Error::Invalid { .. })));
    }

    async fn a_password_is_hashed_and_what_it_is_like_is_known(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &[], false).await;
        let given = world.identity.change(at(5), &id, |draft| draft.set_password("correct horse", true)).await.unwrap().0;
        let info = given.password().unwrap();
        assert_eq!((info.temporary, info.updated), (true, time(5)));
        let record = world.directory.get("User", &id).await.unwrap();
        assert!(!record.document.contains("horse") && record.secret.unwrap().contains("$argon2"));
        let removed = world.identity.change(at(6), &id, |draft| { draft.remove_password(); Ok(()) }).await.unwrap().0;
        assert!(!removed.has_password() && removed.password().is_none());
        let none = world.identity.change(at(7), &id, |draft| draft.set_password_temporary(true)).await;
        assert!(matches!(none, Err(Error::NoPassword)));
    }

    async fn a_hash_of_another_system_gives_way_to_ours_when_its_password_is_right(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &[], false).await;
        let whole = muster::directory::Directory::new(world.directory.store.clone());
        let kind = world.directory.kind("User");
        let record = world.directory.get("User", &id).await.unwrap();
        let hash = "$6$rounds=1234$wdb2YZn/bCDI2ai9$NIo7YRfEzJeN6QsUrEc.rRRuubUVzNEsrnLNn69c4A1vgrcUmef3IiwTyqZpcl.Z5vsuoIEYu6iwVOhkFWusA1";
        world.directory.store.set_secret(crate::TENANT, &record, &format!("{{\"password\":\"{hash}\"}}")).await.unwrap();
        let secret = async || world.directory.get("User", &id).await.unwrap().secret.unwrap();
        let stored = whole.stored(at(1), kind, &id).await.unwrap();
        assert!(!whole.has_password(at(1), &stored, "wrong horse").await.unwrap());
        assert!(secret().await.contains(hash));
        assert!(whole.has_password(at(1), &stored, "correct horse").await.unwrap());
        let upgraded = secret().await;
        assert!(upgraded.contains("$argon2id$") && !upgraded.contains(hash), "{upgraded}");
        let again = whole.stored(at(2), kind, &id).await.unwrap();
        assert_eq!((again.record.version, &again.record.modified), (record.version, &record.modified));
        assert!(whole.has_password(at(2), &again, "correct horse").await.unwrap());
        assert!(!whole.has_password(at(2), &again, "").await.unwrap());
        assert_eq!(secret().await, upgraded, "ours stays");
        let nobody = user(&world, &[], false).await;
        let stored = whole.stored(at(3), kind, &nobody).await.unwrap();
        assert!(!whole.has_password(at(3), &stored, "correct horse").await.unwrap());
    }

    async fn recovery_is_beside_the_contacts(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &["a@x.example"], false).await;
        let set = world.identity.change(swiss(), &id, |draft| draft.set_recovery(Phone, Some("079 123 45 67"), true));
        let user = set.await.unwrap().0;
        assert_eq!(user.recovery(Phone).map(|it| (it.value, it.verified)), Some(("+41791234567".into(), true)));
        assert!(user.primary(Phone).is_none());
        let wrong = world.identity.change(at(1), &id, |draft| draft.set_recovery(Email, Some("no"), true)).await;
        assert!(matches!(wrong, Err(Error::NotOne(Email))));
    }

    async fn a_search_is_a_filter_of_scim(db: Database) {
        let world = world(&db).await;
        for index in 0..5 {
            user(&world, &[&format!("u{index}@x.example")], index < 2).await;
        }
        let known = "urn:muster:params:scim:schemas:extension:identifiers:2.0:User";
        let filter = Some(format!("{known}:emails[verified eq true]"));
        assert_eq!(world.identity.count(at(1), filter.clone()).await.unwrap(), 2);
        let query = Query { filter: None, sort: Some("emails".into()), descending: true, offset: 1, limit: 2 };
        let page = world.identity.search(at(1), &query).await.unwrap();
        let values: Vec<_> = page.users.iter().map(|user| user.primary(Email).unwrap().value().to_owned()).collect();
        assert_eq!((page.total, values), (5, vec!["u3@x.example".to_owned(), "u2@x.example".into()]));
        assert!(matches!(world.identity.count(at(1), Some("x x".into())).await, Err(Error::Failure(_))));
    }

    async fn the_groups_of_a_user_are_those_it_is_in(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &[], false).await;
        world.directory.group("Staff", &[&id]).await;
        world.directory.group("Others", &[]).await;
        let groups = world.identity.groups(at(1), &id).await.unwrap();
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].resource.body()["displayName"], json!("Staff"));
        assert!(matches!(world.identity.groups(at(1), "nobody").await, Err(Error::NoUser)));
    }

    async fn a_merge_unites_login_ids_and_deletes_the_other(db: Database) {
        let world = world(&db).await;
        let (one, two) = (user(&world, &["a@x.example"], true).await, user(&world, &["b@x.example"], true).await);
        for (id, login) in [(&one, "one"), (&two, "b@x.example")] {
            let give = world.identity.change(at(1), id, |draft| draft.set_login_ids(&[login.to_owned()]));
            give.await.unwrap();
        }
        world.directory.group("Staff", &[&two]).await;
        let (merged, _) = world.identity.merge(at(2), &one, &two, |draft| {
            let now = draft.now();
            let truth = Truth::Verified(Source::Admin);
            Ok(draft.contacts_mut().set_primary(&set(Email, "b@x.example", truth), now)?)
        }).await.unwrap();
        assert_eq!(merged.login_ids(), ["one", "b@x.example"]);
        assert_eq!(has(&merged, Email), pairs(&[("b@x.example", true)]));
        assert!(matches!(world.identity.user(at(3), &two).await, Err(Error::NoUser)));
        let log = world.directory.sql(&format!("SELECT what, who FROM change WHERE resource = '{two}' ORDER BY version DESC"));
        assert_eq!(log[0], format!("delete|test, merging into {one}"));
        assert!(matches!(world.identity.merge(at(4), &one, &one, |_| Ok(())).await, Err(Error::Invalid { .. })));
        assert!(matches!(world.identity.merge(at(4), &one, &two, |_| Ok(())).await, Err(Error::NoUser)));
    }

    async fn an_address_that_another_logs_in_by_is_claimed_or_refused(db: Database) {
        let world = world(&db).await;
        let names = |name: &'static str| {
            move |draft: &mut Draft<'_>| draft.set_login_ids(&[name.to_owned()])
        };
        let (one, two) = (user(&world, &[], false).await, user(&world, &["v@x.example"], true).await);
        world.identity.change(at(1), &two, names("l@x.example")).await.unwrap();
        let claim = |value, verified, may_merge| Claim { kind: Email, value, verified, may_merge };
        let edit = |value: &'static str, truth: Truth| {
            move |draft: &mut Draft<'_>| {
                let now = draft.now();
                Ok(draft.contacts_mut().set_primary(&set(Email, value, truth.clone()), now)?)
            }
        };
        let merging = context(TENANT, time(2), &[("merge-on-conflict", "on")]);
        for (cx, value, verified, may_merge) in [
            (at(2), "L@x.example", false, true),
            (at(2), "v@x.example", true, true),
            (merging, "l@x.example", false, false),
        ] {
            let truth = if verified { Truth::Verified(Source::Admin) } else { Truth::Unverified };
            let refused = world.identity.claim(cx, &one, claim(value, verified, may_merge), edit(value, truth)).await;
            assert!(matches!(refused, Err(Error::Taken(name)) if name == "emails"), "{value}");
        }
        let free = world.identity.claim(at(2), &one, claim("v@x.example", false, false), edit("v@x.example", Truth::Unverified));
        assert_eq!(has(&free.await.unwrap().0, Email), pairs(&[("v@x.example", false)]));
        let wrong = world.identity.claim(merging, &one, claim("l", true, true), edit("l", Truth::Keep)).await;
        assert!(matches!(wrong, Err(Error::NotOne(Email))));
        let verified = Truth::Verified(Source::Admin);
        let merged = world.identity.claim(merging, &one, claim("v@x.example", true, true), edit("v@x.example", verified));
        let (merged, _) = merged.await.unwrap();
        assert_eq!((merged.login_ids(), has(&merged, Email)), (vec!["l@x.example"], pairs(&[("v@x.example", true)])));
        assert!(matches!(world.identity.user(at(3), &two).await, Err(Error::NoUser)));
    }

    async fn a_name_to_log_in_by_is_one_users_whichever_it_is(db: Database) {
        let world = world(&db).await;
        let made = |name: &'static str, ids: &'static [&'static str]| {
            world.identity.create(at(1), move |draft| {
                draft.set_user_name(Some(name))?;
                let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
                if ids.is_empty() { Ok(()) } else { draft.set_login_ids(&ids) }
            })
        };
        let (jane, ()) = made("jane", &["Jane", "j"]).await.unwrap();
        assert_eq!(jane.login_names(), ["jane", "j"]);
        for (name, ids, taken) in [
            ("JANE", &[] as &[_], "userName"),
            ("J", &[], "userName"),
            ("x", &["jane"], "loginIds"),
            ("x", &["J"], "loginIds"),
        ] {
            assert!(matches!(made(name, ids).await, Err(Error::Taken(path)) if path == taken), "{name} {ids:?}");
        }
        let (john, ()) = made("john", &[]).await.unwrap();
        let replaced = async |id: &str, old: &'static str, new: Option<&'static str>| {
            let edit = |draft: &mut Draft<'_>| draft.replace_login_name(old, new);
            let (user, ()) = world.identity.change(at(2), id, edit).await?;
            Ok::<_, Error>((user.user_name().map(str::to_owned), user.login_names().join(" ")))
        };
        let names = |name: &str, all: &str| (Some(name.to_owned()), all.to_owned());
        let (jane, john) = (jane.id(), john.id());
        assert!(matches!(replaced(john, "john", Some("J")).await, Err(Error::Taken(_))));
        assert!(matches!(replaced(john, "john", None).await, Err(Error::LastLoginId)));
        assert!(matches!(replaced(john, "jane", None).await, Err(Error::Invalid { .. })));
        assert_eq!(replaced(john, "JOHN", Some("x")).await.unwrap(), names("x", "x"));
        assert_eq!(replaced(jane, "jane", Some("jd")).await.unwrap(), names("jd", "jd j"));
        assert_eq!(replaced(jane, "jd", None).await.unwrap(), names("j", "j"));
    }

    async fn of_two_who_set_one_verified_address_at_once_one_gets_it(db: Database) {
        let world = world(&db).await;
        let mut tasks = Vec::new();
        let mut ids = Vec::new();
        for index in 0..8 {
            ids.push(user(&world, &[&format!("old{index}@x.example")], true).await);
        }
        for id in ids.clone() {
            let identity = world.replica();
            tasks.push(async move {
                let change = identity.change(at(1), &id, |draft| {
                    let now = draft.now();
                    let truth = Truth::Verified(Source::Admin);
                    Ok(draft.contacts_mut().set_primary(&set(Email, "new@x.example", truth), now)?)
                });
                change.await.map(drop)
            });
        }
        let results = join_all(tasks).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let taken = |result: &&Result<(), Error>| matches!(result, Err(Error::Taken(name)) if name == "emails");
        assert_eq!(results.iter().filter(taken).count(), 7);
        let mut kept = 0;
        for id in &ids {
            let user = world.identity.user(at(2), id).await.unwrap();
            kept += usize::from(user.primary(Email).unwrap().value().starts_with("old"));
        }
        assert_eq!(kept, 7);
    }

    async fn bags_of_nobody_are_found_and_those_of_somebody_stay(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &[], false).await;
        let bag = object(json!({"plan": "x"}));
        world.identity.change(at(1), &id, |draft| draft.merge_bag(&Bag::Custom, bag.clone())).await.unwrap();
        let (store, pk) = (&world.directory.store, world.directory.get("User", &id).await.unwrap().pk);
        for orphans in Orphans::ALL {
            assert_eq!(store.orphans(TENANT, orphans, 0, 9).await.unwrap().1, [0_i64; 0], "{orphans:?}");
            store.delete_orphans(TENANT, orphans, pk).await.unwrap();
        }
        let user = world.identity.user(at(2), &id).await.unwrap();
        assert_eq!(user.bag(&Bag::Custom), Some(&bag));
        let aside = Aside::Bag("custom".into(), Some("{}".into()));
        store.write_aside(TENANT, pk + 1, &[aside]).await.unwrap();
        let found = store.orphans(TENANT, Orphans::Bags, 0, 9).await.unwrap();
        assert_eq!(found, (Some(pk + 1), vec![pk + 1]));
        store.delete_orphans(TENANT, Orphans::Bags, pk + 1).await.unwrap();
        assert_eq!(store.bags(TENANT, &[pk, pk + 1]).await.unwrap().len(), 1);
    }

    async fn changes_of_one_user_at_once_are_all_made(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &[], false).await;
        let mut tasks = Vec::new();
        for index in 0..10 {
            let (identity, id) = (world.replica(), id.clone());
            tasks.push(async move {
                let change = identity.change(at(1), &id, |draft| {
                    let now = draft.now();
                    draft.contacts_mut().add(&add(Email, &format!("u{index}@x.example"), false), now)?;
                    draft.merge_bag(&Bag::Custom, object(json!({format!("k{index}"): index})))
                });
                change.await.map(drop).unwrap();
            });
        }
        join_all(tasks).await;
        let user = world.identity.user(at(2), &id).await.unwrap();
        assert_eq!((has(&user, Email).len(), user.bag(&Bag::Custom).unwrap().len(), user.version()), (10, 10, 11));
    }

    async fn a_put_through_scim_and_a_command_see_the_same_contacts(db: Database) {
        let world = world(&db).await;
        let id = user(&world, &["a@x.example", "b@x.example"], true).await;
        let record = world.directory.get("User", &id).await.unwrap();
        let old = stored(&record);
        let mut body = old.body().clone();
        body.insert("emails".into(), json!([{"value": "B@x.example", "primary": true}, {"value": "c@x.example"}]));
        let kind = world.directory.kind("User");
        let policy = muster::contact::Policy::default();
        let new = muster::scim::resource::Resource::canonical(kind, body);
        let new = muster::contact::settle(kind, &id, new, policy, time(3)).unwrap();
        let mutation = world.directory.mutation("User", &record.id, What::Replace);
        world.directory.store.update(&mutation, &record, &old, &new, &muster::store::MemberEdit::default()).await.unwrap();
        let user = world.identity.user(at(4), &id).await.unwrap();
        assert_eq!(has(&user, Email), pairs(&[("B@x.example", true), ("c@x.example", false)]));
    }
}
