//! Who waits for a booking to change.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use ticketblitz_core::BookingId;
use tokio::sync::Notify;

/// A change wakes whoever waits for a booking of the same stripe: about one in this many of all who wait, not
/// all of them, as waking at every commit would.
const STRIPES: usize = 1_024;

#[derive(Debug, Clone)]
pub(super) struct Changes {
    stripes: Arc<[Notify]>,
    hasher: RandomState,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Notify::new()).collect(), hasher: RandomState::new() }
    }

    /// To be called when the change is committed: whoever is woken reads.
    pub(super) fn tell(&self, id: BookingId) {
        self.of(id).notify_waiters();
    }

    /// Wakes at the next change of the booking, and at some of others.
    pub(super) fn of(&self, id: BookingId) -> &Notify {
        let hash = usize::try_from(self.hasher.hash_one(id) % STRIPES as u64).unwrap_or_default();
        &self.stripes[hash]
    }
}
