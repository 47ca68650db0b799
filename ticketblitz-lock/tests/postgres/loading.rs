//! Loading what is large.

use std::time::Duration;

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{
    EventSnapshot, Fence, HoldId, HoldRequest, LockError, SeatState, SeatStore, Taken, TakenState, Want,
};

use super::database::agree;
use super::server::{pool, schema, url};
use super::sold_out::{HOUSE, seat, sold_out};

fn one(event: EventId, n: u32) -> HoldRequest {
    HoldRequest::new(event, "late", Want::Seats(vec![seat(n)]))
}

/// Who has little patience has more of it for a load, by its size: a house that is sold out is loaded, and again.
#[tokio::test]
async fn a_house_that_is_sold_out_is_loaded() {
    let pool = pool(&url(), 2).await;
    let schema = schema(&pool).await;
    let store =
        PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(Duration::from_secs(120));
    let hasty = store.clone().with_timeout(Duration::from_millis(100));
    let event = EventId::new();
    let snapshot = sold_out(event);
    hasty.load(&snapshot).await.unwrap();
    let status = store.status(event).await.unwrap();
    assert_eq!(status.seats.len(), HOUSE as usize);
    assert!(status.seats.iter().all(|(_, state)| *state == SeatState::Sold));
    assert_eq!((status.areas[0].sold, status.areas[0].free()), (10, 10));
    let lost = store.hold(&one(event, HOUSE - 1)).await;
    assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
    assert!(store.hold(&one(event, HOUSE)).await.unwrap().fence > Fence::new(u64::from(HOUSE)));
    let booking = snapshot.taken[7].booking.unwrap();
    store.reopen(event, booking).await.unwrap();
    hasty.load(&snapshot).await.unwrap();
    store.hold(&one(event, 7)).await.unwrap();
    agree(&pool, &schema).await;
}

/// Of what is new in a snapshot and what is not, each goes its own way, and the whole is what it would be by itself.
#[tokio::test]
async fn what_is_new_and_what_is_known_come_in_one_load() {
    let pool = pool(&url(), 2).await;
    let schema = schema(&pool).await;
    let store =
        PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(Duration::from_secs(120));
    let event = EventId::new();
    store.load(&EventSnapshot::new(event).with_area("FLOOR", 9)).await.unwrap();
    let held = store.hold(&one(event, 1)).await.unwrap();
    let rival = store.hold(&one(event, 2)).await.unwrap();
    let sold = |seats: &[u32], fence| {
        let want = Want::Seats(seats.iter().map(|n| seat(*n)).collect());
        Taken::new("alice", want, TakenState::Sold, Fence::new(fence)).with_booking(BookingId::new())
    };
    let floor = Want::Area { section: "FLOOR".into(), quantity: 2 };
    let snapshot = EventSnapshot::new(event)
        .with_area("FLOOR", 9)
        .with_taken(sold(&[1], 1).with_hold(held.id))
        .with_taken(sold(&[2, 3], 2))
        .with_taken(sold(&[4, 5], 3).with_hold(HoldId::in_event(event)))
        .with_taken(sold(&[5, 6], 4)) // sold twice: the first entry has it
        .with_taken(Taken::new("bob", floor, TakenState::Sold, Fence::new(5)).with_booking(BookingId::new()));
    for round in 0..3 {
        store.load(&snapshot).await.unwrap();
        let status = store.status(event).await.unwrap();
        let first = if round < 2 { SeatState::Held } else { SeatState::Sold };
        let states =
            [SeatState::Sold, first, SeatState::Sold, SeatState::Sold, SeatState::Sold, SeatState::Sold];
        assert_eq!(status.seats, (1..).zip(states).map(|(n, state)| (seat(n), state)).collect::<Vec<_>>());
        assert_eq!((status.areas[0].sold, status.areas[0].free()), (2, 7));
        if round == 1 {
            store.release(rival.reference(), &rival.owner).await.unwrap();
        }
    }
    // The one that was sold twice is whose entry came first.
    store.reopen(event, snapshot.taken[3].booking.unwrap()).await.unwrap();
    let status = store.status(event).await.unwrap();
    assert_eq!(status.seats.iter().map(|(seat, _)| *seat).collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(seat));
}
