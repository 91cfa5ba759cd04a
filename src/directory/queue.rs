//! Where the writes to one resource wait for each other inside a process.
//!
//! Invariant: the queue saves retries and nothing depends on it; correctness is the store's compare-and-swap.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::id::TenantId;

/// Enough that two resources seldom share a place.
const PLACES: usize = 1024;

/// A fixed number of places; a resource always waits at the same one.
pub(super) struct Queue {
    places: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            places: std::iter::repeat_with(Mutex::default).take(PLACES).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Waits for the resource's turn, which lasts as long as the guard.
    pub(super) async fn enter(&self, tenant: TenantId, id: &str) -> Option<MutexGuard<'_, ()>> {
        let hash = self.hasher.hash_one((tenant, id));
        let place = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        match self.places.get(place) {
            Some(place) => Some(place.lock().await),
            None => None,
        }
    }
}
