//! A hold as a store answers it.

use std::time::Duration;

use ticketblitz_core::{EventId, SeatId, Timestamp};

use crate::types::{Fence, HoldId, Owner, Want};

/// Names a hold: its id, and the event that it is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldRef {
    /// The event.
    pub event: EventId,
    /// The hold.
    pub hold: HoldId,
}

/// What a live hold is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldState {
    /// Held: lapses at `expires_at`, can be extended and released.
    Held,
    /// In payment: cannot lapse before `expires_at`.
    Paying,
}

/// A live hold: one id, one owner, one expiry, one fence for all its seats or units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The event.
    pub event: EventId,
    /// Whose it is.
    pub owner: Owner,
    /// What is held.
    pub want: Want,
    /// Its fence: send it along with the sale.
    pub fence: Fence,
    /// Held or in payment.
    pub state: HoldState,
    /// From this moment of the store's time on (this moment included) it has lapsed. In payment, the end of the
    /// grace.
    pub expires_at: Timestamp,
    /// The latest moment that an extension may reach.
    pub ceiling_at: Timestamp,
    /// What was left until `expires_at` when the store answered.
    pub ttl: Duration,
}

impl Hold {
    /// What names this hold to a store.
    #[must_use]
    pub const fn reference(&self) -> HoldRef {
        HoldRef { event: self.event, hold: self.id }
    }

    /// The held seats; none if it holds units of an area.
    #[must_use]
    pub fn seats(&self) -> &[SeatId] {
        self.want.seats()
    }
}
