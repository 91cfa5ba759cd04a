//! The callers whose tokens were read a moment ago, so that a client that sends many requests costs one lookup every
//! two seconds.
//!
//! Invariant: what is kept is at most [`FRESH`] old and the token counted when it was read. Changes through this
//! process empty the memory at once, and what was read before such a change is not kept after it; changes made
//! elsewhere are seen when the entry is too old. A refusal is never kept, and an end of life is checked every time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};

use crate::context::Caller;

/// How long a token counts after somebody else took it back.
pub const FRESH: TimeDelta = TimeDelta::seconds(2);

/// How many callers are kept. A client needs one entry; more tokens than this in two seconds are looked up.
const CAPACITY: usize = 4096;

/// What is stored of a token's text.
type Hash = [u8; 32];

/// The callers by the hashes of their tokens.
#[derive(Default)]
pub(super) struct Known {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    callers: HashMap<Hash, Entry>,
    /// How often the memory was emptied.
    era: u64,
}

struct Entry {
    caller: Arc<Caller>,
    ends: Option<DateTime<Utc>>,
    read: DateTime<Utc>,
}

/// The moment before a lookup: what it finds is kept only if nothing changed since.
#[derive(Clone, Copy)]
pub(super) struct Before(u64);

impl Known {
    /// The caller of the token with that hash, if it was read lately and its life has not ended.
    pub(super) fn get(&self, hash: &Hash, now: DateTime<Utc>) -> Result<Arc<Caller>, Before> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        match inner.callers.get(hash) {
            Some(entry) if entry.counts(now) => Ok(Arc::clone(&entry.caller)),
            _ => Err(Before(inner.era)),
        }
    }

    /// Keeps a caller whose token was looked up at the time `now`.
    pub(super) fn keep(
        &self,
        before: Before,
        hash: Hash,
        caller: &Arc<Caller>,
        ends: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.era != before.0 {
            return;
        }
        if inner.callers.len() >= CAPACITY {
            inner.callers.retain(|_, entry| entry.counts(now));
        }
        if inner.callers.len() < CAPACITY {
            inner.callers.insert(hash, Entry { caller: Arc::clone(caller), ends, read: now });
        }
    }

    /// Forgets everybody, because a token or a tenant has changed.
    pub(super) fn forget(&self) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.callers.clear();
        inner.era += 1;
    }
}

impl Entry {
    /// A clock that was set back makes an entry too old, not too new.
    fn counts(&self, now: DateTime<Utc>) -> bool {
        self.read <= now && now - self.read < FRESH && self.ends.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Scopes;
    use crate::id::{ClientId, TenantId};
    use crate::quirks::Profile;
    use crate::scim::registry::Registry;

    fn caller() -> Arc<Caller> {
        Arc::new(Caller {
            tenant: TenantId::DEFAULT,
            tenant_name: "default".to_owned(),
            client: ClientId(1),
            client_name: "test".to_owned(),
            scopes: Scopes::ALL,
            subject: None,
            profile: Arc::new(Profile::named("default").unwrap()),
            registry: Arc::new(Registry::built_in().unwrap()),
        })
    }

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    fn keep(
        known: &Known,
        hash: Hash,
        caller: &Arc<Caller>,
        ends: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        let before = known.get(&hash, now).unwrap_err();
        known.keep(before, hash, caller, ends, now);
    }

    #[test]
    fn a_caller_is_known_for_two_seconds_and_never_after_the_end_of_its_token() {
        let known = Known::default();
        keep(&known, [1; 32], &caller(), None, at(0));
        keep(&known, [2; 32], &caller(), Some(at(500)), at(0));
        let counts = |hash: u8, now| known.get(&[hash; 32], at(now)).is_ok();
        assert!(counts(1, 0) && counts(1, 1999) && !counts(1, 2000));
        assert!(counts(2, 499) && !counts(2, 500));
        assert!(!counts(3, 0), "nobody has this token");
        assert!(!counts(1, -1), "the clock was set back");
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let known = Known::default();
        keep(&known, [1; 32], &caller(), None, at(0));
        let before = known.get(&[2; 32], at(0)).err().unwrap();
        known.forget();
        known.keep(before, [2; 32], &caller(), None, at(0));
        assert!(known.get(&[1; 32], at(0)).is_err() && known.get(&[2; 32], at(0)).is_err());
    }

    #[test]
    fn no_more_callers_are_kept_than_there_is_room_for() {
        let known = Known::default();
        let hash = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            hash
        };
        let caller = caller();
        (0..=CAPACITY).for_each(|number| keep(&known, hash(number), &caller, None, at(0)));
        assert!(known.get(&hash(CAPACITY - 1), at(0)).is_ok() && known.get(&hash(CAPACITY), at(0)).is_err());
        keep(&known, hash(CAPACITY), &caller, None, at(2000));
        assert!(known.get(&hash(CAPACITY), at(2000)).is_ok(), "those that are too old made room");
    }
}
