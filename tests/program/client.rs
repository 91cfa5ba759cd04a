//! A client that keeps what an answer says, for tests that look at statuses and headers.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// How long a client waits before it says that the server hangs.
const PATIENCE: Duration = Duration::from_secs(40);

/// More than any answer of a test.
const LARGEST: u64 = 256 << 20;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Checks that it says when to come back, as a number, in a SCIM Error message.
    #[track_caller]
    pub(crate) fn asks_to_come_back(&self) -> String {
        assert_eq!(self.status, 503, "{self:?}");
        assert!(self.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "{self:?}");
        assert_eq!(
            self.json()["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
            "{self:?}"
        );
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

/// Who asks, and by which connections.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    token: String,
}

impl Client {
    pub(crate) fn new(token: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self { agent: config.build().into(), token: token.to_owned() }
    }

    /// The answer; none if the connection breaks or nothing comes.
    pub(crate) fn try_send(
        &self,
        method: &str,
        url: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/scim+json");
        if let Some(tag) = if_match {
            request = request.header("If-Match", tag);
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body.to_string()).ok()?).ok()?,
            None => self.agent.run(request.body(()).ok()?).ok()?,
        };
        let text = response.body_mut().with_config().limit(LARGEST).read_to_string().ok()?;
        Some(Answer { status: response.status().as_u16(), headers: response.headers().clone(), text })
    }

    pub(crate) fn send(&self, method: &str, url: &str, body: Option<&Value>) -> Answer {
        self.try_send(method, url, None, body).expect("an answer")
    }

    pub(crate) fn get(&self, url: &str) -> Answer {
        self.send("GET", url, None)
    }
}

/// The smallest user there is.
pub(crate) fn user(name: &str) -> Value {
    json!({"schemas": [USER], "userName": name})
}

/// A PATCH of one operation.
pub(crate) fn patch(op: &str, path: &str, value: Value) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": [{"op": op, "path": path, "value": value}]})
}
