//! What vendors' clients see when many of them come at once.

use std::thread;

use muster::access::Scope;
use muster::id::TenantId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::everywhere;
use crate::kit::{Answer, App, user};

/// How many come at once.
const CROWD: usize = 8;

/// A tenant of its own, where an address or number that is primary or verified is one user's.
struct Place<'a> {
    app: &'a App,
    tenant: String,
    token: String,
}

impl<'a> Place<'a> {
    fn in_app(app: &'a App) -> Self {
        let name = format!("race-{}", Uuid::now_v7().simple());
        let tenant: TenantId = app.new_tenant(&name);
        app.set_policies(tenant, &["identifier-uniqueness=primary-or-verified"]);
        Self { app, tenant: name, token: app.new_token(tenant, Scope::Full, "default") }
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let token = match path.starts_with("/v1/mgmt/") {
            true => format!("{}:{}", self.tenant, self.token),
            false => self.token.clone(),
        };
        let request = self.app.request(method, path).token(&token).header("X-API-KEY", &self.token);
        request.header("Content-Type", "application/json").body(body.to_string()).send()
    }

    /// A user with this address whose account is in use.
    fn active(&self, email: &str) -> String {
        let user = self.user(email);
        let answer = self.send("PUT", &format!("/cis/v1/users/{user}"), &json!({"status": "Active"}));
        assert_eq!(answer.status, 200, "{answer:?}");
        user
    }

    /// A user with this address.
    fn user(&self, email: &str) -> String {
        let made = self.post("/cis/v1/users", &json!({"email": email})).json();
        made["result"]["user_id"].as_str().unwrap().to_owned()
    }
}

/// The statuses of the answers to requests that are sent at the same time, sorted.
fn at_once(send: impl Fn(usize) -> Answer + Sync) -> Vec<u16> {
    let mut statuses: Vec<u16> = thread::scope(|scope| {
        let send = &send;
        let crowd: Vec<_> = (0..CROWD).map(|index| scope.spawn(move || send(index).status)).collect();
        crowd.into_iter().map(|one| one.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    statuses
}

/// One that succeeds, and the others.
fn one_and(success: u16, others: u16) -> Vec<u16> {
    let mut expected = vec![others; CROWD - 1];
    expected.insert(0, success);
    expected
}

#[test]
fn of_many_right_answers_at_once_one_counts() {
    for app in everywhere() {
        let place = Place::in_app(&app);
        let jane = place.user("jane@example.com");
        let begun = json!({"kind": "email", "value": "new@example.com", "delivery": "return"});
        let begun = place.post(&format!("/identity/v1/users/{jane}/verifications"), &begun).json();
        let answer = json!({"email": "new@example.com", "passcode": begun["code"]});
        let path = format!("/cis/v1/users/{jane}/email/verification/verify");
        assert_eq!(at_once(|_| place.post(&path, &answer)), one_and(200, 400));
    }
}

#[test]
fn of_many_users_who_are_given_one_value_at_once_one_gets_it() {
    for app in everywhere() {
        let place = Place::in_app(&app);
        let users: Vec<String> =
            (0..CROWD).map(|index| place.user(&format!("{index}@example.com"))).collect();
        let transmit = |index: usize| {
            let body = json!({"email": "transmit@example.com"});
            place.send("PUT", &format!("/cis/v1/users/{}", users[index]), &body)
        };
        assert_eq!(at_once(transmit), one_and(200, 409));
        let monocloud = |index: usize| {
            let body = json!({"email": "monocloud@example.com", "is_verified": true});
            place.post(&format!("/api/users/{}/emails", users[index]), &body)
        };
        assert_eq!(at_once(monocloud), one_and(200, 422));
        let zitadel = |index: usize| {
            let made = json!({
                "profile": {"givenName": "Jane", "familyName": "Doe"},
                "email": {"email": format!("z{index}@example.com")},
                "phone": {"phone": "+41791234567", "isVerified": true},
            });
            place.post("/v2/users/human", &made)
        };
        assert_eq!(at_once(zitadel), one_and(200, 409));
        let native = |index: usize| {
            let body = json!({"value": "native@example.com"});
            place.send("PUT", &format!("/identity/v1/users/{}/primary/email", users[index]), &body)
        };
        assert_eq!(at_once(native), one_and(200, 409));
        let descope = |index: usize| {
            let body = json!({"loginId": users[index], "email": "descope@example.com", "verified": true});
            place.post("/v1/mgmt/user/update/email", &body)
        };
        assert_eq!(at_once(descope), one_and(200, 409));
    }
}

#[test]
fn of_many_ways_to_set_one_primary_value_at_once_one_gets_it() {
    for app in everywhere() {
        let place = Place::in_app(&app);
        let users: Vec<String> =
            (0..CROWD).map(|index| place.active(&format!("{index}@example.com"))).collect();
        let (number, address) = ("+41446681800", "one@example.com");
        let phone = |index: usize| {
            let user = &users[index];
            let first = json!({"phone": number, "isPhoneVerified": index < CROWD / 2});
            let second = json!({"phone": number, "isVerified": true});
            match index % 3 {
                0 => place.send("PUT", &format!("/management/v1/users/{user}/phone"), &first),
                1 => place.post(&format!("/v2/users/{user}/phone"), &second),
                _ => place.send("PUT", &format!("/cis/v1/users/{user}"), &json!({"phone_number": number})),
            }
        };
        assert_eq!(at_once(phone), one_and(200, 409));
        let email = |index: usize| {
            let user = &users[index];
            let entries = json!({"schemas": [], "emails": [{"value": address, "primary": true}]});
            match index % 3 {
                0 => place.send("PUT", &format!("/cis/scim/Users/{user}"), &entries),
                1 => {
                    place.post(&format!("/v2/users/{user}/email"), &json!({"email": address, "sendCode": {}}))
                }
                _ => place.send("PUT", &format!("/cis/v1/users/{user}"), &json!({"email": address})),
            }
        };
        assert_eq!(at_once(email), one_and(200, 409));
    }
}

#[test]
fn of_many_users_who_are_given_one_name_to_log_in_by_at_once_one_gets_it_whichever_attribute_has_it() {
    for app in everywhere() {
        let place = Place::in_app(&app);
        for round in 0..8 {
            let name = format!("straße{round}");
            let give = |index: usize| match index % 3 {
                0 => place.post("/scim/v2/Users", &user(&name.replace("str", "Str"))),
                1 => place.post("/v1/mgmt/user/create", &json!({"loginId": name})),
                _ => {
                    let own = format!("own{round}.{index}");
                    place.post("/v1/mgmt/user/create", &json!({"loginId": own, "additionalLoginIds": [name]}))
                }
            };
            let statuses = at_once(give);
            assert!(matches!(statuses[0], 200 | 201), "{round}: {statuses:?}");
            assert_eq!(statuses[1..], [409; CROWD - 1], "{round}");
        }
    }
}
