//! Messages as POST requests to a service that sends them on, for texts above all.
//!
//! Invariant: every request is signed, with the time in what is signed, so that the receiver can tell it from a forged or
//! an old one: `Muster-Signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA-256 of `SECONDS.BODY`.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use ureq::Agent;

use crate::courier::Undelivered;
use crate::message::Message;

/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The shortest secret, in bytes.
const SHORTEST: usize = 16;

/// A service that takes messages.
#[derive(Clone)]
pub struct Webhook {
    agent: Agent,
    url: String,
    secret: String,
}

impl Webhook {
    pub(super) fn new(url: &str, secret: Option<&str>) -> Result<Self, String> {
        let wanted =
            "a courier by webhook signs what it sends; set MUSTER_COURIER_SECRET to at least 16 characters";
        let secret = secret.filter(|secret| secret.len() >= SHORTEST).ok_or(wanted)?;
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0);
        Ok(Self { agent: config.build().into(), url: url.to_owned(), secret: secret.to_owned() })
    }

    /// The signature of a body that is sent at this second.
    #[must_use]
    pub fn signature(secret: &str, second: i64, body: &str) -> String {
        let mut mac = match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
            Ok(mac) => mac,
            // HMAC takes keys of every length.
            Err(_) => return String::new(),
        };
        mac.update(format!("{second}.{body}").as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
        format!("t={second},v1={hex}")
    }

    pub(super) async fn post(&self, id: &str, message: &Message) -> Result<(), Undelivered> {
        let body = json!({"id": id, "message": message}).to_string();
        let signature = Self::signature(&self.secret, super::delivery::clock().timestamp(), &body);
        let this = self.clone();
        let sent = tokio::task::spawn_blocking(move || {
            let request = this.agent.post(&this.url).header("Content-Type", "application/json");
            request.header("Muster-Signature", &signature).send(body)
        });
        match sent.await.map_err(Undelivered::passing)? {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Undelivered::passing(format!("the service answered {}", answer.status()))),
            Err(error) => Err(Undelivered::passing(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_the_time_and_the_body() {
        // Computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
        let signature = Webhook::signature("0123456789abcdef", 1_700_000_000, "{}");
        assert_eq!(
            signature,
            "t=1700000000,v1=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
        );
        for other in [
            Webhook::signature("0123456789abcdeF", 1_700_000_000, "{}"),
            Webhook::signature("0123456789abcdef", 1_700_000_001, "{}"),
            Webhook::signature("0123456789abcdef", 1_700_000_000, "{ }"),
        ] {
            assert_ne!(other, signature);
        }
    }

    #[test]
    fn a_webhook_without_a_good_secret_is_none() {
        for secret in [None, Some(""), Some("short")] {
            let refusal = Webhook::new("https://x.example", secret).err().unwrap_or_default();
            assert!(refusal.contains("MUSTER_COURIER_SECRET"), "{refusal}");
        }
    }
}
