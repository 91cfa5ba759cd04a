//! A hash of a password in the parts in which this API has it → one text, which says its form itself.
//!
//! Invariant: nothing is judged here but the form. What a hash may cost, and whether a tenant takes any, is decided where
//! it is set.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::http::descope::refusal::Refusal;

/// The hash of a password, as another system made it, in one of these forms.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HashedPassword {
    /// As in `$2b$12$…`.
    bcrypt: Option<Whole>,
    /// As in `pbkdf2_sha256$600000$…`, `argon2$…` and `bcrypt$…`.
    django: Option<Whole>,
    pbkdf2: Option<Pbkdf2Parts>,
    argon2: Option<Argon2Parts>,
    /// Forms that are not taken.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// A hash that is one text.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Whole {
    hash: String,
}

/// The parts of a hash of PBKDF2.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Pbkdf2Parts {
    /// In base64.
    hash: String,
    /// In base64.
    salt: String,
    iterations: u32,
    /// `sha256` or `sha512`.
    r#type: String,
}

/// The parts of a hash of Argon2.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Argon2Parts {
    /// In base64.
    hash: String,
    /// In base64.
    salt: String,
    iterations: u32,
    /// In KiB.
    memory: u32,
    threads: u32,
    /// `argon2id`, which is meant where nothing is said, `argon2i` or `argon2d`.
    r#type: Option<String>,
}

impl HashedPassword {
    /// The hash as one text.
    pub(super) fn text(&self) -> Result<String, Refusal> {
        if let Some(other) = self.others.iter().find(|(_, value)| !value.is_null()) {
            let known = "bcrypt, argon2, pbkdf2 and django are";
            return Err(refused(other.0, &format!("is not taken by this server; {known}")));
        }
        let mut texts = [
            self.bcrypt.as_ref().map(|bcrypt| Ok(bcrypt.hash.clone())),
            self.django.as_ref().map(Whole::of_django),
            self.pbkdf2.as_ref().map(Pbkdf2Parts::text),
            self.argon2.as_ref().map(Argon2Parts::text),
        ]
        .into_iter()
        .flatten();
        match (texts.next(), texts.next()) {
            (Some(text), None) => text,
            _ => Err(Refusal::invalid("hashedPassword must have one hash")),
        }
    }
}

impl Whole {
    /// The hash behind the name of the class that Django puts before it.
    fn of_django(&self) -> Result<String, Refusal> {
        let parts: Vec<&str> = self.hash.split('$').collect();
        match parts.as_slice() {
            ["pbkdf2_sha256", rounds, salt, sum] => {
                let sum = base64("django.hash", sum)?;
                let rounds: u32 =
                    rounds.parse().map_err(|_| refused("django.hash", "has no number of iterations"))?;
                // Django salts with the text as it is written.
                Ok(format!("$pbkdf2-sha256$i={rounds},l={}${}${}", sum.len(), phc(salt), phc(&sum)))
            }
            ["argon2" | "bcrypt", rest @ ..] => {
                let rest = rest.join("$");
                Ok(format!("${}", rest.trim_start_matches('$')))
            }
            _ => Err(refused("django.hash", "must begin with pbkdf2_sha256$, argon2$ or bcrypt$")),
        }
    }
}

impl Pbkdf2Parts {
    fn text(&self) -> Result<String, Refusal> {
        let Self { hash, salt, iterations, r#type } = self;
        if !matches!(r#type.as_str(), "sha256" | "sha512") {
            return Err(refused("pbkdf2.type", "must be sha256 or sha512"));
        }
        let (hash, salt) = (base64("pbkdf2.hash", hash)?, base64("pbkdf2.salt", salt)?);
        Ok(format!("$pbkdf2-{type}$i={iterations},l={}${}${}", hash.len(), phc(salt), phc(&hash)))
    }
}

impl Argon2Parts {
    fn text(&self) -> Result<String, Refusal> {
        let Self { hash, salt, iterations, memory, threads, r#type } = self;
        let form = r#type.as_deref().filter(|form| !form.is_empty()).unwrap_or("argon2id");
        if !matches!(form, "argon2id" | "argon2i" | "argon2d") {
            return Err(refused("argon2.type", "must be argon2id, argon2i or argon2d"));
        }
        let (hash, salt) = (base64("argon2.hash", hash)?, base64("argon2.salt", salt)?);
        Ok(format!("${form}$v=19$m={memory},t={iterations},p={threads}${}${}", phc(salt), phc(hash)))
    }
}

fn refused(member: &str, what: &str) -> Refusal {
    Refusal::invalid(format!("hashedPassword.{member} {what}"))
}

fn base64(member: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| refused(member, "is not base64 with padding"))
}

/// Octets as a PHC string has them.
fn phc(octets: impl AsRef<[u8]>) -> String {
    STANDARD_NO_PAD.encode(octets)
}
