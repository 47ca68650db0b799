//! A house of which everything is sold.

use ticketblitz_core::{BookingId, EventId, SeatId};
use ticketblitz_lock::{EventSnapshot, Fence, Taken, TakenState, Want};

pub const HOUSE: u32 = 100_000;

/// Each seat to a booking of its own, and an area of which half is free.
pub fn sold_out(event: EventId) -> EventSnapshot {
    let mut snapshot = EventSnapshot::new(event).with_area("FLOOR", 20);
    let sold = |n: u32, want| {
        Taken::new(format!("buyer {n}"), want, TakenState::Sold, Fence::new(u64::from(n) + 1))
            .with_booking(BookingId::new())
    };
    snapshot.taken.extend((0..HOUSE).map(|n| sold(n, Want::Seats(vec![seat(n)]))));
    let floor = Want::Area { section: "FLOOR".into(), quantity: 5 };
    snapshot.taken.extend([HOUSE, HOUSE + 1].map(|n| sold(n, floor.clone())));
    snapshot
}

/// The seats of the house, and beyond.
pub fn seat(n: u32) -> SeatId {
    SeatId::new(n / 1_000 + 1, n % 1_000 + 1).unwrap()
}
