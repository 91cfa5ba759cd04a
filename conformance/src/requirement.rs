//! The requirements that a SCIM server can be held to, each with its level and one line of text.
//!
//! Invariant: every requirement has scenarios or says why no client can test it, and every scenario cites
//! requirements of this list; the examiner's own tests prove both.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

const CATALOGUE: &str = include_str!("../requirements.toml");

/// How much a requirement binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum Level {
    /// Optional: what is done must still be done right.
    #[serde(rename = "MAY")]
    May,
    /// Breaking it needs a good reason.
    #[serde(rename = "SHOULD")]
    Should,
    /// No choice: said so, or implied by a definition, a table or an example.
    #[serde(rename = "MUST")]
    Must,
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::May => "MAY",
            Self::Should => "SHOULD",
            Self::Must => "MUST",
        })
    }
}

/// One rule of an RFC or a profile.
#[derive(Debug, Clone, Serialize)]
pub struct Requirement {
    /// `7644-3.5.2-08`: RFC 7644, section 3.5.2, the eighth rule.
    pub id: String,
    /// How much it binds.
    pub level: Level,
    /// The rule in one line.
    pub text: String,
    /// Why a client cannot test it, where it cannot.
    pub untestable: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    requirement: BTreeMap<String, (Level, String)>,
    untestable: BTreeMap<String, String>,
}

/// All requirements, in the order of documents and sections.
///
/// # Errors
/// When the list inside the examiner is malformed; its own tests rule that out.
pub fn requirements() -> Result<Vec<Requirement>, String> {
    let Catalogue { requirement, mut untestable } =
        toml::from_str(CATALOGUE).map_err(|error| error.to_string())?;
    let mut all: Vec<Requirement> = requirement
        .into_iter()
        .map(|(id, (level, text))| Requirement { untestable: untestable.remove(&id), id, level, text })
        .collect();
    if let Some(id) = untestable.keys().next() {
        return Err(format!("requirements.toml: {id} is called untestable and is no requirement"));
    }
    all.sort_by_cached_key(|requirement| order(&requirement.id));
    Ok(all)
}

/// Whether an id is the one that was asked for, or belongs to it: `7644-3.5` has `7644-3.5.2-08`.
pub(crate) fn belongs(id: &str, asked: &str) -> bool {
    let asked = asked.trim_end_matches(['-', '.']);
    let rest = id.get(asked.len()..).filter(|_| id.is_char_boundary(asked.len()));
    rest.is_some_and(|rest| {
        id.get(..asked.len()).is_some_and(|start| start.eq_ignore_ascii_case(asked))
            && (rest.is_empty() || rest.starts_with(['-', '.']))
    })
}

impl Requirement {
    /// Where to read on: `RFC 7644 §3.5.2`.
    pub fn source(&self) -> String {
        let mut parts = self.id.splitn(2, '-');
        let (document, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match document {
            "IOP" => "SCIM Interoperability Profile".to_owned(),
            "IPSIE" => "IPSIE AL SCIM Profile".to_owned(),
            rfc => format!("RFC {rfc} §{}", rest.rsplit_once('-').map_or(rest, |(section, _)| section)),
        }
    }
}

/// Numbers inside an id compare as numbers: 3.4.2.2-09 stands before 3.4.2.2-10, and 3.9 before 3.10.
fn order(id: &str) -> Vec<(u8, u64, String)> {
    id.split(['-', '.'])
        .map(|part| {
            part.parse().map_or_else(|_| (1, 0, part.to_owned()), |number| (0, number, String::new()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{belongs, requirements};

    #[test]
    fn requirements_stand_in_the_order_of_their_sections() {
        let all = requirements().unwrap();
        let at = |id| all.iter().position(|one| one.id == id).unwrap();
        assert!(at("7643-2-01") < at("7643-2.1-01") && at("7644-3.9-01") < at("7644-3.10-01"));
        assert!(at("7644-8.1-01") < at("9865-2-01") && at("9967-2.1-01") < at("IOP-01"));
        assert_eq!(all[at("7644-3.5.2.1-01")].source(), "RFC 7644 §3.5.2.1");
    }

    #[test]
    fn an_id_belongs_to_its_section_and_document_and_to_no_other() {
        for asked in ["7644-3.5.2-08", "7644-3.5.2", "7644-3.5", "7644", "7644-"] {
            assert!(belongs("7644-3.5.2-08", asked), "{asked}");
        }
        for asked in ["7644-3.5.2-0", "7644-3.5.2.1", "764", "7643"] {
            assert!(!belongs("7644-3.5.2-08", asked), "{asked}");
        }
        assert!(belongs("IPSIE-AL1-01", "ipsie-al1"));
    }
}
