//! What the messages say that a vendor's request asks for, word for word.

use muster::access::Scope;
use serde_json::{Value, json};

use crate::kit::App;

/// Sends a request of a tenant's, and answers with what came.
fn ask(app: &App, token: &str, path: &str, body: &Value) -> Value {
    let request = app.request("POST", path).token(token).header("Content-Type", "application/json");
    let answer = request.body(body.to_string()).send();
    assert!(answer.status < 300, "{path}: {answer:?}");
    answer.json()
}

#[test]
fn the_link_in_zitadels_mail_names_the_user_also_one_who_is_only_being_made() {
    let app = App::start();
    let tenant = app.new_tenant("acme");
    let token = app.new_token(tenant, Scope::Full, "default");
    let template = "https://app.example/?u={{.UserID}}&o={{.OrgID}}&c={{.Code}}";
    let email = json!({"email": "jane@example.com", "sendCode": {"urlTemplate": template}});
    let profile = json!({"givenName": "Jane", "familyName": "Doe"});
    let human = json!({"profile": profile, "email": email});
    let made = ask(&app, &token, "/v2/users/new", &json!({"organizationId": "acme", "human": human}));
    let user = made["id"].as_str().unwrap();
    let again = json!({"sendCode": {"urlTemplate": template}});
    ask(&app, &token, &format!("/v2/users/{user}/email/resend"), &again);
    ask(&app, &token, &format!("/v2/users/{user}/email/send"), &again);
    let other = json!({"email": "j@example.com", "sendCode": {"urlTemplate": template}});
    ask(&app, &token, &format!("/v2/users/{user}/email"), &other);
    let messages = app.wait_for_messages(4);
    for message in messages {
        let link =
            format!("https://app.example/?u={user}&o={tenant}&c={}", message["code"].as_str().unwrap());
        let lines: Vec<&str> = message["text"].as_str().unwrap().lines().collect();
        assert!(lines.contains(&link.as_str()), "{message}");
    }
}

#[test]
fn transmits_messages_have_the_words_of_the_request_and_no_others() {
    let app = App::start();
    let tenant = app.new_tenant("acme");
    let token = app.new_token(tenant, Scope::Full, "default");
    app.set_policies(tenant, &["redirect-urls=https://app.example/"]);
    let made = ask(&app, &token, "/cis/v1/users", &json!({"email": "jane@example.com"}));
    let user = made["result"]["user_id"].as_str().unwrap();
    let own = app.token_about(tenant, Scope::Me, Some(user));

    let sms =
        json!({"phone_number": "+41791234567", "custom_message": "{otp} opens {app}", "sender_id": "Acme"});
    ask(&app, &own, "/cis/v1/verification/otp/sms/send", &sms);
    let [message] = &app.wait_for_messages(1)[..] else { panic!("more than one came") };
    let code = message["code"].as_str().unwrap();
    assert_eq!((code.len(), &message["text"]), (6, &json!(format!("{code} opens acme"))));

    let content =
        json!({"subject": "Hello", "headerText": "Welcome", "bodyText": "Your code:", "footerText": "Acme"});
    let mail = json!({"method": "otp", "email": "new@example.com", "email_content": content});
    ask(&app, &token, &format!("/cis/v1/users/{user}/email/verification/send"), &mail);
    let message = &app.wait_for_messages(2)[1];
    let text = format!("Welcome\n\nYour code:\n\n{}\n\nAcme\n", message["code"].as_str().unwrap());
    assert_eq!((&message["subject"], &message["text"]), (&json!("Hello"), &json!(text)));

    let content = json!({"subject": "Hello", "linkText": "Open this:"});
    let mail = json!({"email": "new@example.com", "redirect_uri": "https://app.example/in", "email_content": content});
    ask(&app, &own, "/cis/v1/verification/links/email", &mail);
    let message = &app.wait_for_messages(3)[2];
    assert_eq!(message["text"], format!("Open this:\n\n{}\n", message["link"].as_str().unwrap()));
}
