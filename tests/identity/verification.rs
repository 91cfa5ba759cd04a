//! Verification: codes and links, right and wrong, late and twice, and many at once.

use chrono::TimeDelta;
use futures_util::future::join_all;
use muster::contact::{Primary, Select, Source};
use muster::courier::Channels;
use muster::identity::{Answer, Complete, Delivery, Error, Identity, Method, Start, Started, User};
use muster::scim::schema::ContactKind::{self, Email, Phone};
use serde_json::{Value, json};

use crate::harness::{TENANT, time};
use crate::store_test;
use crate::{World, at, context, has, pairs, world, world_with};

fn start(kind: ContactKind, value: Option<&str>) -> Start {
    Start {
        kind,
        value: value.map(str::to_owned),
        pending: true,
        method: Method::DIGITS,
        delivery: Delivery::Return,
        lifetime: None,
        primary: Primary::UnlessVerified,
        wording: None,
    }
}

fn code(kind: ContactKind, value: Option<&str>, code: &str) -> Complete {
    Complete { kind, value: value.map(str::to_owned), answer: Answer::Code(code.to_owned()), primary: None }
}

async fn new_user(world: &World, emails: &[&str]) -> String {
    let emails: Vec<Value> = emails.iter().map(|value| json!({"value": value})).collect();
    let made = world.identity.create(at(0), |draft| {
        let now = draft.now();
        for email in &emails {
            let value = email["value"].as_str().unwrap().to_owned();
            let truth = muster::contact::Truth::Unverified;
            let add = muster::contact::Add { kind: Email, value, label: None, truth, primary: Primary::Auto };
            draft.contacts_mut().add(&add, now)?;
        }
        Ok(())
    });
    made.await.unwrap().0.id().to_owned()
}

async fn begin(world: &World, second: i64, id: &str, start: &Start) -> Result<Started, Error> {
    world.identity.change(at(second), id, |draft| draft.start(start)).await.map(|(_, started)| started)
}

async fn end(world: &World, second: i64, id: &str, complete: &Complete) -> Result<User, Error> {
    world.identity.complete(at(second), id, complete).await
}

fn other_than(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}

store_test! {
    async fn a_code_verifies_its_value_once(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example", "b@x.example"]).await;
        let started = begin(&world, 1, &id, &start(Email, Some("B@x.example"))).await.unwrap();
        let secret = started.secret.unwrap();
        assert!(secret.len() == 6 && secret.bytes().all(|byte| byte.is_ascii_digit()) && !started.sent);
        assert_eq!(started.expires, time(1) + TimeDelta::hours(1));
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM outbox"), ["0"]);
        let done = end(&world, 2, &id, &code(Email, Some("b@X.example"), &secret)).await.unwrap();
        assert_eq!(has(&done, Email), pairs(&[("b@x.example", true), ("a@x.example", false)]));
        let verified = done.primary(Email).unwrap().verified.clone().unwrap();
        assert_eq!((verified.at, verified.source), (time(2), Source::Otp));
        let again = end(&world, 3, &id, &code(Email, Some("b@x.example"), &secret)).await;
        assert!(matches!(again, Err(Error::NoChallenge)));
        assert_eq!(world.identity.user(at(4), &id).await.unwrap().version(), done.version());
    }

    async fn a_pending_value_joins_only_when_it_is_verified(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &[]).await;
        let secret = begin(&world, 1, &id, &start(Phone, Some("+41 79 123 45 67"))).await.unwrap().secret.unwrap();
        assert_eq!(has(&world.identity.user(at(2), &id).await.unwrap(), Phone), []);
        let not_there = Start { pending: false, ..start(Phone, Some("+41 79 123 45 68")) };
        assert!(matches!(begin(&world, 2, &id, &not_there).await, Err(Error::NoContact(Phone))));
        let no_number = begin(&world, 2, &id, &start(Phone, Some("call me"))).await;
        assert!(matches!(no_number, Err(Error::NotOne(Phone))));
        let done = end(&world, 3, &id, &code(Phone, None, &secret)).await.unwrap();
        assert_eq!(has(&done, Phone), pairs(&[("+41791234567", true)]));
    }

    async fn a_code_is_of_no_use_for_another_value_or_user(db: Database) {
        let world = world(&db).await;
        let (one, two) = (new_user(&world, &["a@x.example", "b@x.example"]).await, new_user(&world, &["a@x.example"]).await);
        let a = begin(&world, 1, &one, &start(Email, Some("a@x.example"))).await.unwrap().secret.unwrap();
        let b = begin(&world, 1, &one, &start(Email, Some("b@x.example"))).await.unwrap().secret.unwrap();
        begin(&world, 1, &two, &start(Email, Some("a@x.example"))).await.unwrap();
        if a != b {
            let crossed = end(&world, 2, &one, &code(Email, Some("b@x.example"), &a)).await;
            assert!(matches!(crossed, Err(Error::CodeInvalid)));
            let elsewhere = end(&world, 2, &two, &code(Email, Some("a@x.example"), &b)).await;
            assert!(matches!(elsewhere, Err(Error::CodeInvalid)));
        }
        let by_phone = end(&world, 2, &one, &code(Phone, None, &a)).await;
        assert!(matches!(by_phone, Err(Error::NoChallenge)));
        end(&world, 3, &one, &code(Email, Some("a@x.example"), &a)).await.unwrap();
    }

    async fn a_code_ends_after_its_time(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let short = Start { lifetime: Some(TimeDelta::seconds(5)), ..start(Email, None) };
        let secret = begin(&world, 1, &id, &short).await.unwrap().secret.unwrap();
        assert!(matches!(end(&world, 6, &id, &code(Email, None, &secret)).await, Err(Error::CodeExpired)));
        let forever = Start { lifetime: Some(TimeDelta::days(400)), ..start(Email, None) };
        assert!(matches!(begin(&world, 7, &id, &forever).await, Err(Error::Invalid { .. })));
        world.directory.store.forget_ended(TENANT, time(10)).await.unwrap();
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM challenge"), ["0"]);
    }

    async fn guesses_are_counted_also_when_they_come_at_once(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let secret = begin(&world, 1, &id, &start(Email, None)).await.unwrap().secret.unwrap();
        let wrong = other_than(&secret);
        let mut tasks = Vec::new();
        for _ in 0..12 {
            let (identity, id, wrong): (Identity, _, _) = (world.replica(), id.clone(), wrong.clone());
            tasks.push(async move { identity.complete(at(2), &id, &code(Email, None, &wrong)).await.map(drop) });
        }
        let results = join_all(tasks).await;
        assert_eq!(results.iter().filter(|result| matches!(result, Err(Error::CodeInvalid))).count(), 5);
        assert_eq!(results.iter().filter(|result| matches!(result, Err(Error::TooManyAttempts))).count(), 7);
        let right = end(&world, 3, &id, &code(Email, None, &secret)).await;
        assert!(matches!(right, Err(Error::TooManyAttempts)));
        let fresh = begin(&world, 4, &id, &start(Email, None)).await.unwrap().secret.unwrap();
        end(&world, 5, &id, &code(Email, None, &fresh)).await.unwrap();
    }

    async fn of_many_right_answers_at_once_one_counts(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let secret = begin(&world, 1, &id, &start(Email, None)).await.unwrap().secret.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let (identity, id, secret) = (world.replica(), id.clone(), secret.clone());
            tasks.push(async move { identity.complete(at(2), &id, &code(Email, None, &secret)).await.map(drop) });
        }
        let results = join_all(tasks).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(world.identity.user(at(3), &id).await.unwrap().version(), 2);
    }

    async fn a_new_code_takes_the_place_of_the_old_one(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let first = begin(&world, 1, &id, &start(Email, None)).await.unwrap().secret.unwrap();
        let again = world.identity.change(at(2), &id, |draft| draft.resend(&start(Email, None))).await.unwrap().1;
        let second = again.secret.unwrap();
        if first != second {
            assert!(matches!(end(&world, 3, &id, &code(Email, None, &first)).await, Err(Error::CodeInvalid)));
        }
        end(&world, 4, &id, &code(Email, None, &second)).await.unwrap();
        let none = world.identity.change(at(5), &id, |draft| draft.resend(&start(Email, None))).await;
        assert!(matches!(none, Err(Error::NoChallenge)));
    }

    async fn a_value_that_goes_takes_its_code_along(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example", "b@x.example"]).await;
        let secret = begin(&world, 1, &id, &start(Email, Some("b@x.example"))).await.unwrap().secret.unwrap();
        let removed = world.identity.change(at(2), &id, |draft| {
            Ok(draft.contacts_mut().remove(Email, &Select::Value("b@x.example".into()), true)?)
        });
        removed.await.unwrap();
        let late = end(&world, 3, &id, &code(Email, Some("b@x.example"), &secret)).await;
        assert!(matches!(late, Err(Error::NoChallenge)));
    }

    async fn the_first_to_verify_gets_the_value_and_the_others_stay_unverified(db: Database) {
        let world = world(&db).await;
        let (one, two) = (new_user(&world, &["a@x.example"]).await, new_user(&world, &["a@x.example"]).await);
        let first = begin(&world, 1, &one, &start(Email, None)).await.unwrap().secret.unwrap();
        let second = begin(&world, 1, &two, &start(Email, None)).await.unwrap().secret.unwrap();
        assert!(!world.identity.is_verified_elsewhere(at(2), &two, Email, "A@x.example").await.unwrap());
        end(&world, 2, &one, &code(Email, None, &first)).await.unwrap();
        assert!(world.identity.is_verified_elsewhere(at(3), &two, Email, "A@x.example").await.unwrap());
        assert!(!world.identity.is_verified_elsewhere(at(3), &one, Email, "a@x.example").await.unwrap());
        let late = end(&world, 3, &two, &code(Email, None, &second)).await;
        assert!(matches!(late, Err(Error::Taken(name)) if name == "emails"));
        assert_eq!(has(&world.identity.user(at(4), &two).await.unwrap(), Email), pairs(&[("a@x.example", false)]));
    }

    async fn a_message_is_in_the_outbox_with_its_challenge(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let send = Start { delivery: Delivery::Send, ..start(Email, None) };
        let started = begin(&world, 1, &id, &send).await.unwrap();
        assert_eq!((started.sent, started.secret, started.expires), (true, None, time(1) + TimeDelta::minutes(10)));
        let due = world.directory.store.due(time(1), 10).await.unwrap();
        assert_eq!(due.len(), 1);
        let message: Value = serde_json::from_str(&due[0].message).unwrap();
        assert_eq!((&message["channel"], &message["to"]), (&json!("email"), &json!("a@x.example")));
        let sent = message["code"].as_str().unwrap();
        let hashes = world.directory.sql("SELECT hash FROM challenge");
        assert!(!hashes[0].contains(sent));
        assert!(world.directory.store.take(&due[0], time(30)).await.unwrap());
        assert!(!world.directory.store.take(&due[0], time(31)).await.unwrap());
        world.directory.store.settle(&due[0]).await.unwrap();
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM outbox"), ["0"]);
        end(&world, 3, &id, &code(Email, None, sent)).await.unwrap();
    }

    async fn with_nothing_to_send_it_with_a_code_is_not_sent(db: Database) {
        let world = world_with(&db, Channels { email: false, sms: true }).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let send = Start { delivery: Delivery::Send, ..start(Email, None) };
        assert!(!begin(&world, 1, &id, &send).await.unwrap().sent);
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM outbox"), ["0"]);
    }

    async fn not_more_is_sent_to_one_address_than_may_be(db: Database) {
        let world = world(&db).await;
        let (one, two) = (new_user(&world, &["a@x.example"]).await, new_user(&world, &["A@X.example"]).await);
        let send = Start { delivery: Delivery::Send, ..start(Email, None) };
        for second in 0..10 {
            begin(&world, second, if second % 2 == 0 { &one } else { &two }, &send).await.unwrap();
        }
        let before = world.directory.sql("SELECT COUNT(*) FROM challenge");
        let refused = begin(&world, 20, &one, &send).await;
        assert!(matches!(refused, Err(Error::Limited(seconds)) if (1..=3600).contains(&seconds)), "{refused:?}");
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM outbox"), ["10"]);
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM challenge"), before);
        begin(&world, 3700, &one, &send).await.unwrap();
    }

    async fn not_more_is_sent_for_one_user_than_may_be(db: Database) {
        let world = world(&db).await;
        let (one, two) = (new_user(&world, &[]).await, new_user(&world, &[]).await);
        let send = |index: i64| Start { delivery: Delivery::Send, ..start(Email, Some(&format!("a{index}@x.example"))) };
        for index in 0..30 {
            begin(&world, index, &one, &send(index)).await.unwrap();
        }
        let refused = begin(&world, 40, &one, &send(40)).await;
        assert!(matches!(refused, Err(Error::Limited(_))), "{refused:?}");
        let by_phone = Start { delivery: Delivery::Send, ..start(Phone, Some("+41791234567")) };
        assert!(matches!(begin(&world, 41, &one, &by_phone).await, Err(Error::Limited(_))));
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM outbox"), ["30"]);
        begin(&world, 42, &two, &send(40)).await.unwrap();
        begin(&world, 3700, &one, &send(40)).await.unwrap();
    }

    async fn not_more_is_sent_for_one_tenant_than_may_be(db: Database) {
        let world = world(&db).await;
        let (one, two) = (new_user(&world, &["a@x.example"]).await, new_user(&world, &["b@x.example"]).await);
        let send = Start { delivery: Delivery::Send, ..start(Email, None) };
        begin(&world, 1, &one, &send).await.unwrap();
        // As if others of the tenant had been sent all that is left but one.
        world.directory.sql("UPDATE allowance SET used = 4999 WHERE subject = 'sent' RETURNING used");
        begin(&world, 2, &two, &send).await.unwrap();
        let refused = begin(&world, 3, &one, &send).await;
        assert!(matches!(refused, Err(Error::Limited(_))), "{refused:?}");
        assert_eq!(world.directory.sql("SELECT COUNT(*) FROM outbox"), ["2"]);
        // What is returned is not sent, and other tenants have their own.
        begin(&world, 4, &one, &start(Email, None)).await.unwrap();
        let acme = world.directory.store.create_tenant("acme", time(0)).await.unwrap().id;
        let their = |second| context(acme, time(second), &[]);
        let made = world.identity.create(their(5), |draft| draft.set_user_name(Some("cid"))).await.unwrap().0;
        let pending = Start { delivery: Delivery::Send, ..start(Email, Some("c@x.example")) };
        let sent = world.identity.change(their(6), made.id(), |draft| draft.start(&pending)).await.unwrap().1;
        assert!(sent.sent);
    }

    async fn a_link_is_opened_once_and_leads_where_the_tenant_lets_it(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let cx = |second| context(TENANT, time(second), &[("redirect-urls", "https://app.example/done")]);
        let method = |redirect: &str| Method::Link { base: "https://id.example".into(), redirect: Some(redirect.into()) };
        let begin = async |redirect: &str| {
            let start = Start { method: method(redirect), ..start(Email, None) };
            world.identity.change(cx(1), &id, |draft| draft.start(&start)).await
        };
        let refused = begin("https://evil.example/done").await;
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == "redirect_uri"));
        let link = begin("https://app.example/done?x=1").await.unwrap().1.secret.unwrap();
        let end = link.strip_prefix("https://id.example/identity/v1/links/").unwrap();
        assert_eq!(Identity::tenant_of_link(end), Some(TENANT));
        for wrong in ["", "x", "x.1.y", &end.replace('.', ".x"), &format!("A{}", &end[1..])] {
            if wrong != end {
                assert!(matches!(world.identity.open_link(cx(2), wrong).await, Err(Error::NoChallenge)), "{wrong}");
            }
        }
        let opened = world.identity.open_link(cx(3), end).await.unwrap();
        assert_eq!((opened.verified, opened.redirect.as_deref()), (true, Some("https://app.example/done?x=1")));
        let user = world.identity.user(cx(4), &id).await.unwrap();
        assert_eq!(user.primary(Email).unwrap().verified.as_ref().unwrap().source, Source::Link);
        assert!(matches!(world.identity.open_link(cx(5), end).await, Err(Error::NoChallenge)));
    }

    async fn a_link_that_is_late_leads_on_and_verifies_nothing(db: Database) {
        let world = world(&db).await;
        let id = new_user(&world, &["a@x.example"]).await;
        let method = Method::Link { base: String::new(), redirect: None };
        let start = Start { method, lifetime: Some(TimeDelta::seconds(1)), ..start(Email, None) };
        let link = begin(&world, 1, &id, &start).await.unwrap().secret.unwrap();
        let opened = world.identity.open_link(at(5), link.rsplit('/').next().unwrap()).await.unwrap();
        assert!(!opened.verified);
        assert_eq!(has(&world.identity.user(at(6), &id).await.unwrap(), Email), pairs(&[("a@x.example", false)]));
    }
}
