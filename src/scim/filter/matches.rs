//! The evaluator in memory: PATCH value paths use it, and the tests hold the databases against it.
//!
//! Invariant: it reads facts only, never the resource, so it sees what the store's index rows show.

use std::sync::Arc;

use crate::scim::fact::Fact;
use crate::scim::filter::Filter;
use crate::scim::registry::Path;
use crate::scim::schema::Attribute;

impl Filter {
    /// Whether a resource, or an element, with these facts matches.
    pub fn matches(&self, facts: &[Fact]) -> bool {
        match self {
            Self::Always(verdict) => *verdict,
            Self::And(parts) => parts.iter().all(|part| part.matches(facts)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(facts)),
            Self::Not(part) => !part.matches(facts),
            Self::Present(path) => facts.iter().any(|fact| is_part_of(fact, path) && !fact.key.is_empty()),
            Self::Test { path, op, key } => {
                facts.iter().any(|fact| is(&fact.attribute, path.leaf()) && op.holds(&fact.key, key))
            }
            Self::Each { path, inner } => {
                let mut own: Vec<Fact> =
                    facts.iter().filter(|fact| is_part_of(fact, path)).cloned().collect();
                own.sort_by_key(|fact| fact.element);
                own.chunk_by(|a, b| a.element == b.element).any(|element| inner.matches(element))
            }
        }
    }
}

/// Whether the fact is a value of the path's leaf, or of a part of it.
fn is_part_of(fact: &Fact, path: &Path) -> bool {
    let leaf = path.leaf();
    is(&fact.attribute, leaf) || leaf.sub_attributes.iter().any(|sub| is(&fact.attribute, sub))
}

fn is(a: &Arc<Attribute>, b: &Arc<Attribute>) -> bool {
    Arc::ptr_eq(a, b) || a.path == b.path
}
