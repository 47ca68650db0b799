//! The database of sales beside the locks: one sale a seat, and none with a lower fence than one that was seen.

use std::collections::BTreeMap;

use ticketblitz_core::{BookingId, SeatId};
use ticketblitz_lock::{Fence, Hold};

/// Every fence of a seat is higher than all before it.
#[derive(Debug, Default)]
pub struct Fences(BTreeMap<SeatId, Fence>);

impl Fences {
    /// A hold was answered.
    #[track_caller]
    pub fn given(&mut self, hold: &Hold) {
        for seat in hold.seats() {
            let before = self.0.insert(*seat, hold.fence);
            assert!(before < Some(hold.fence), "{seat}: fence {} after {before:?}", hold.fence);
        }
    }

    /// The highest of all.
    pub fn highest(&self) -> Fence {
        self.0.values().copied().max().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub struct Truth {
    seen: BTreeMap<SeatId, Fence>,
    pub sales: BTreeMap<SeatId, BookingId>,
}

impl Truth {
    /// Somebody begins to pay for the seats.
    pub fn sees(&mut self, seats: &[SeatId], fence: Fence) {
        for seat in seats {
            let seen = self.seen.entry(*seat).or_default();
            *seen = fence.max(*seen);
        }
    }

    /// All of them or none.
    pub fn sells(&mut self, seats: &[SeatId], fence: Fence, booking: BookingId) -> bool {
        let is_late = |seat| self.seen.get(seat).is_some_and(|seen| fence < *seen);
        if seats.iter().any(|seat| is_late(seat) || self.sales.contains_key(seat)) {
            return false;
        }
        self.sees(seats, fence);
        self.sales.extend(seats.iter().map(|seat| (*seat, booking)));
        true
    }
}
