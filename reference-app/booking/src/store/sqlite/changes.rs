//! Who waits for a booking to change.

use std::sync::Arc;

use platform::Stripes;
use ticketblitz_core::BookingId;
use tokio::sync::Notify;

/// A change wakes whoever waits for a booking of the same stripe: about one in this many of all who wait, not
/// all of them, as waking at every commit would.
const STRIPES: usize = 1_024;

#[derive(Debug, Clone)]
pub(super) struct Changes(Arc<Stripes<Notify>>);

impl Changes {
    pub(super) fn new() -> Self {
        Self(Arc::new(Stripes::new(STRIPES)))
    }

    /// To be called when the change is committed: whoever is woken reads.
    pub(super) fn tell(&self, id: BookingId) {
        self.of(id).notify_waiters();
    }

    /// Wakes at the next change of the booking, and at some of others.
    pub(super) fn of(&self, id: BookingId) -> &Notify {
        self.0.of(id)
    }
}
