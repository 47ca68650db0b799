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

/// What a live hold is in. There is no other: whoever matches it has every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldState {
    /// Held: lapses at `expires_at`, can be extended and released.
    Held,
    /// In payment: cannot lapse before `expires_at`.
    Paying,
}

/// A live hold: one id, one owner, one expiry, one fence for all its seats or units.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
    /// From this moment of the store's time on (this moment included) it has lapsed: to the microsecond, in UTC. In payment, the end of the
    /// grace.
    pub expires_at: Timestamp,
    /// The latest moment that an extension may reach.
    pub ceiling_at: Timestamp,
    /// What was left until `expires_at` when the store answered.
    pub ttl: Duration,
}

impl Hold {
    /// For backends: a hold that is held and lapses at `expires_at`, which is its ceiling too unless
    /// [another](Self::with_ceiling) is set. `now` is the store's time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use ticketblitz_core::{EventId, Timestamp};
    /// use ticketblitz_lock::{Fence, Hold, HoldId, HoldRef, HoldState, Owner, Want};
    /// let (event, now) = (EventId::new(), Timestamp::EPOCH);
    /// let reference = HoldRef { event, hold: HoldId::in_event(event) };
    /// let want = Want::Seats(vec!["A1".parse().unwrap()]);
    /// let until = now + Duration::from_secs(600);
    /// let hold = Hold::new(reference, Owner::from("ann"), want, Fence::new(1), until, now)
    ///     .with_ceiling(until + Duration::from_secs(1_200))
    ///     .with_state(HoldState::Paying);
    /// assert_eq!(hold.ttl, Duration::from_secs(600));
    /// ```
    #[must_use]
    pub fn new(
        reference: HoldRef,
        owner: Owner,
        want: Want,
        fence: Fence,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let HoldRef { event, hold: id } = reference;
        let (state, ceiling_at, ttl) = (HoldState::Held, expires_at, expires_at.since(now));
        Self { id, event, owner, want, fence, state, expires_at, ceiling_at, ttl }
    }

    /// Sets what it is in.
    #[must_use]
    pub fn with_state(mut self, state: HoldState) -> Self {
        self.state = state;
        self
    }

    /// Sets the latest moment that an extension may reach.
    #[must_use]
    pub fn with_ceiling(mut self, ceiling_at: Timestamp) -> Self {
        self.ceiling_at = ceiling_at;
        self
    }

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
