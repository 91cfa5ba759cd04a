//! Messages as protojson has them: read leniently, written without what is empty.
//!
//! Invariant: names are read in camelCase and in snake_case, null is the same as absent, and what is unknown is ignored;
//! 64-bit numbers are written as texts.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::http::zitadel::refusal::Refusal;
use crate::identity::User;

/// An object with every name in camelCase and without nulls, at every depth.
///
/// # Errors
/// A member that is there in both spellings.
pub(super) fn normal(object: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut out = Map::new();
    for (name, value) in object.into_iter().filter(|(_, value)| !value.is_null()) {
        let name = camel_case(&name);
        if out.contains_key(&name) {
            return Err(Refusal::Invalid(format!("proto: duplicate field {name:?}")));
        }
        out.insert(name, normal_value(value)?);
    }
    Ok(out)
}

fn normal_value(value: Value) -> Result<Value, Refusal> {
    match value {
        Value::Object(object) => Ok(Value::Object(normal(object)?)),
        Value::Array(values) => values.into_iter().map(normal_value).collect(),
        other => Ok(other),
    }
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// What is known of an object beside its content.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    /// How often it was changed.
    sequence: String,
    /// When it was last changed.
    change_date: DateTime<Utc>,
    /// The organisation that it belongs to.
    resource_owner: String,
    /// When it was created; not said of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_date: Option<DateTime<Utc>>,
}

impl Details {
    /// Of a user that was changed.
    pub(super) fn changed(cx: &Context, user: &User) -> Self {
        Self {
            sequence: user.version().to_string(),
            change_date: user.modified(),
            resource_owner: cx.caller.tenant.to_string(),
            creation_date: None,
        }
    }

    /// Of a user that was read.
    pub(super) fn read(cx: &Context, user: &User) -> Self {
        Self { creation_date: Some(user.created()), ..Self::changed(cx, user) }
    }
}

/// An answer that says only that something was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Done {
    pub(super) details: Details,
}

/// An answer that may bring a code.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DoneWithCode {
    pub(super) details: Details,
    /// The code, if it was to be returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verification_code: Option<String>,
}

/// An empty message.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Empty {}

/// That a code is to be sent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SendCode {
    /// The link in an e-mail, with {{.UserID}}, {{.OrgID}} and {{.Code}} in it.
    url_template: Option<String>,
}

/// How a value is verified: one of three.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Verification {
    /// A code is sent.
    send_code: Option<SendCode>,
    /// A code is returned.
    return_code: Option<Empty>,
    /// It is verified.
    is_verified: Option<bool>,
}

/// How a value is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// A code goes out, in a link of this form.
    Send(Option<String>),
    /// A code is returned.
    Return,
    /// It is verified.
    Verified,
}

impl Verification {
    /// What was chosen; nothing is also possible. `message` is what the request is called.
    pub(super) fn choice(&self, message: &str) -> Result<Option<Choice>, Refusal> {
        let mut chosen = Vec::new();
        if let Some(send) = &self.send_code {
            chosen.push(Choice::Send(send.url_template.clone()));
        }
        if self.return_code.is_some() {
            chosen.push(Choice::Return);
        }
        if let Some(verified) = self.is_verified {
            if !verified {
                return Err(Refusal::field(&format!("{message}.IsVerified"), "value must equal true"));
            }
            chosen.push(Choice::Verified);
        }
        if chosen.len() > 1 {
            let text = format!("proto: oneof zitadel.user.v2.{message}.verification is already set");
            return Err(Refusal::Invalid(text));
        }
        Ok(chosen.pop())
    }
}

/// Refuses a text that is shorter or longer, in characters.
pub(super) fn check_length(field: &str, text: &str, most: usize) -> Result<(), Refusal> {
    if (1..=most).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(Refusal::field(field, &format!("value length must be between 1 and {most} runes, inclusive")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normalised(value: Value) -> Value {
        Value::Object(normal(value.as_object().unwrap().clone()).unwrap())
    }

    #[test]
    fn both_spellings_of_a_name_are_one_and_null_is_nothing() {
        let given = json!({"user_id": "1", "sendCode": {"url_template": "x"}, "returnCode": null});
        assert_eq!(normalised(given), json!({"userId": "1", "sendCode": {"urlTemplate": "x"}}));
        let nested = json!({"queries": [{"email_query": {"email_address": null}}]});
        assert_eq!(normalised(nested), json!({"queries": [{"emailQuery": {}}]}));
        let twice = json!({"user_id": "1", "userId": "1"});
        assert!(normal(twice.as_object().unwrap().clone()).is_err());
    }

    #[test]
    fn one_way_of_verifying_is_chosen_at_most() {
        let choice = |value: Value| {
            serde_json::from_value::<Verification>(value).unwrap().choice("SetPhoneRequest").map_err(|_| ())
        };
        assert_eq!(choice(json!({})), Ok(None));
        assert_eq!(choice(json!({"returnCode": {}})), Ok(Some(Choice::Return)));
        assert_eq!(choice(json!({"isVerified": true})), Ok(Some(Choice::Verified)));
        assert_eq!(choice(json!({"sendCode": {}})), Ok(Some(Choice::Send(None))));
        assert_eq!(choice(json!({"isVerified": false})), Err(()));
        assert_eq!(choice(json!({"isVerified": true, "returnCode": {}})), Err(()));
    }
}
