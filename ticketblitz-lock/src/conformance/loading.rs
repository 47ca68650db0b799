//! Loading: what is not loaded is not empty, and a snapshot merges.

use std::time::Duration;

use super::{Bench, GRACE, TTL, owner, seats};
use crate::{
    Cursor, EventSnapshot, Fence, Hold, HoldId, HoldRef, HoldRequest, HoldState, LockError, SeatState, Taken,
    TakenState, Want,
};
use ticketblitz_core::{BookingId, Clock, EventId};

fn sold(hold: &Hold, booking: BookingId) -> Taken {
    Taken::new(&hold.owner, hold.want.clone(), TakenState::Sold, hold.fence)
        .with_hold(hold.id)
        .with_booking(booking)
}

fn paying(hold: &Hold, until: ticketblitz_core::Timestamp) -> Taken {
    Taken::new(&hold.owner, hold.want.clone(), TakenState::Paying { until }, hold.fence).with_hold(hold.id)
}

/// Every operation on an event that nobody loaded says so.
pub async fn an_unloaded_event_answers_nothing(bench: Bench) {
    let event = EventId::new();
    let hold = HoldRef { event, hold: HoldId::in_event(event) };
    let alice = owner("alice");
    let want = Want::Seats(seats(&["A1"]));
    let store = &bench.store;
    refused!(store.hold(&HoldRequest::new(event, "alice", want)).await, LockError::NotLoaded);
    refused!(store.get(hold).await, LockError::NotLoaded);
    refused!(store.extend(hold, &alice, TTL).await, LockError::NotLoaded);
    refused!(store.release(hold, &alice).await, LockError::NotLoaded);
    refused!(store.begin_commit(hold, &alice, GRACE).await, LockError::NotLoaded);
    refused!(store.abort_commit(hold).await, LockError::NotLoaded);
    refused!(store.sold(hold, Fence::new(1), BookingId::new()).await, LockError::NotLoaded);
    refused!(store.reopen(event, BookingId::new()).await, LockError::NotLoaded);
    refused!(store.status(event).await, LockError::NotLoaded);
    store.unload(event).await.unwrap();
}

/// An event that was forgotten and loaded again gives out higher fences than before.
pub async fn unloading_forgets_and_fences_still_rise(bench: Bench) {
    let before = bench.held("alice", &["A1"]).await;
    bench.store.unload(bench.event).await.unwrap();
    refused!(bench.hold("bob", &["A1"]).await, LockError::NotLoaded);
    // The truth has seen a fence from a clock that ran ahead.
    let floor = Fence::new(before.fence.as_u64() + 3_600_000_000);
    bench.load(&bench.snapshot().with_fence_floor(floor)).await;
    refused!(bench.store.get(before.reference()).await, LockError::NotHeld);
    assert!(bench.held("bob", &["A1"]).await.fence > floor);
    bench.load(&bench.snapshot()).await;
    let last = bench.held("bob", &["A2"]).await;
    assert!(last.fence > floor, "an older snapshot does not lower it");

    // Nobody says the floor again, and the clock is not there yet: unloading forgets the holds, not the fences.
    bench.store.unload(bench.event).await.unwrap();
    bench.load(&bench.snapshot()).await;
    let again = bench.held("carol", &["A2"]).await;
    assert!(again.fence > last.fence, "{} after {}", again.fence, last.fence);

    // Twice, and with an event that has no hold to remember the fence by.
    bench.store.release(again.reference(), &again.owner).await.unwrap();
    for _ in 0..2 {
        bench.store.unload(bench.event).await.unwrap();
        bench.clock.set(bench.clock.now() - Duration::from_secs(3_600));
        bench.load(&bench.snapshot()).await;
    }
    let third = bench.held("carol", &["A2"]).await;
    assert!(third.fence > again.fence, "{} after {}", third.fence, again.fence);
}

/// No version is of one state before an event was forgotten and of another after it was loaded again.
pub async fn unloading_repeats_no_version(bench: Bench) {
    let mut versions = Vec::new();
    for seat in ["A1", "A2", "A3"] {
        bench.held("alice", &[seat]).await;
        let version = bench.store.status(bench.event).await.unwrap().version;
        assert!(!versions.contains(&version), "{version} once more, after {versions:?}");
        versions.push(version);
        bench.store.unload(bench.event).await.unwrap();
        bench.load(&bench.snapshot()).await;
    }
}

/// What is in payment or sold according to the snapshot is so here, once, however often it is loaded.
pub async fn a_snapshot_takes_what_is_taken(bench: Bench) {
    let other = bench.unloaded();
    let (one, two) = (HoldId::in_event(other.event), BookingId::new());
    let until = bench.clock.now() + GRACE;
    let taken = |hold: Option<HoldId>, booking: Option<BookingId>, want, state| {
        Taken::new("alice", want, state, Fence::new(u64::MAX / 2)).with_hold(hold).with_booking(booking)
    };
    let floor = |quantity| Want::Area { section: "FLOOR".into(), quantity };
    let snapshot = other
        .snapshot()
        .with_taken(taken(Some(one), None, Want::Seats(seats(&["A1"])), TakenState::Paying { until }))
        .with_taken(taken(None, Some(two), Want::Seats(seats(&["A2", "A3"])), TakenState::Sold))
        .with_taken(taken(None, Some(BookingId::new()), floor(3), TakenState::Sold))
        .with_taken(taken(None, Some(BookingId::new()), floor(2), TakenState::Paying { until }));
    // Twice is once.
    for _ in 0..2 {
        other.load(&snapshot).await;
        let expected = [("A1", SeatState::Paying), ("A2", SeatState::Sold), ("A3", SeatState::Sold)];
        assert_eq!(other.taken().await, expected.map(|(name, state)| (name.to_string(), state)));
        assert_eq!(other.on_floor().await, (0, 2, 3));
    }
    let hold = other.store.get(HoldRef { event: other.event, hold: one }).await.unwrap();
    assert_eq!((hold.state, hold.expires_at), (HoldState::Paying, until));
    refused!(
        other.store.hold(&other.request("alice", &["B1"]).limit(8)).await,
        LockError::LimitExceeded { taken: 8, .. }
    );
    assert!(other.held("bob", &["B1"]).await.fence > Fence::new(u64::MAX / 2));
    other.store.reopen(other.event, two).await.unwrap();
    bench.clock.advance(GRACE);
    assert_eq!(other.taken().await, [("B1".into(), SeatState::Held)]);
    assert_eq!(other.on_floor().await, (0, 0, 3));
}

/// A booking may be of several holds: each has its entry, all are sold, and all are reopened together.
pub async fn a_booking_of_several_holds_is_loaded_whole(bench: Bench) {
    let (one, two) = (bench.held("alice", &["A1", "A2"]).await, bench.held("alice", &["A3"]).await);
    let booking = BookingId::new();
    bench.store.sold(one.reference(), one.fence, booking).await.unwrap();
    bench.store.sold(two.reference(), two.fence, booking).await.unwrap();
    bench.store.unload(bench.event).await.unwrap();
    let truth = bench.snapshot().with_taken(sold(&one, booking)).with_taken(sold(&two, booking));
    // Twice is once.
    for _ in 0..2 {
        bench.load(&truth).await;
        assert_eq!(bench.taken().await, ["A1", "A2", "A3"].map(|name| (name.into(), SeatState::Sold)));
    }
    refused!(
        bench.store.hold(&bench.request("alice", &["B1"]).limit(3)).await,
        LockError::LimitExceeded { taken: 3, .. }
    );
    bench.store.reopen(bench.event, booking).await.unwrap();
    bench.load(&truth).await;
    assert_eq!(bench.taken().await, [], "reopened whole, and an old snapshot revives neither");
}

/// A snapshot that does not know of a hold does not end it.
pub async fn a_live_hold_survives_every_snapshot(bench: Bench) {
    let held = bench.held("alice", &["A1"]).await;
    let paid = bench.paying("bob", &["A2"]).await;
    bench.load(&bench.snapshot()).await;
    assert_eq!(bench.store.get(held.reference()).await.unwrap(), held);
    assert_eq!(bench.store.get(paid.reference()).await.unwrap(), paid);
    bench.store.sold(paid.reference(), paid.fence, BookingId::new()).await.unwrap();
    bench.load(&bench.snapshot()).await;
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Held), ("A2".into(), SeatState::Sold)]);
}

/// A snapshot moves a known hold on and never back.
pub async fn a_snapshot_only_moves_forward(bench: Bench) {
    let hold = bench.held("alice", &["A1"]).await;
    let (it, booking) = (hold.reference(), BookingId::new());
    let until = bench.clock.now() + GRACE;
    bench.load(&bench.snapshot().with_taken(paying(&hold, until))).await;
    assert_eq!(bench.store.get(it).await.unwrap().expires_at, until);
    bench.load(&bench.snapshot().with_taken(paying(&hold, until - Duration::from_secs(1)))).await;
    assert_eq!(bench.store.get(it).await.unwrap().expires_at, until, "no grace is shortened");
    bench.load(&bench.snapshot().with_taken(sold(&hold, booking))).await;
    bench.load(&bench.snapshot().with_taken(paying(&hold, until))).await;
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold)]);
    bench.store.sold(it, hold.fence, booking).await.unwrap();
    refused!(bench.store.abort_commit(it).await, LockError::NotHeld);
}

/// A snapshot read before an abort, a reopening or an expiry, and loaded after it, brings nothing back.
pub async fn an_old_snapshot_revives_nothing(bench: Bench) {
    let aborted = bench.paying("alice", &["A1"]).await;
    let reopened = bench.paying("alice", &["A2"]).await;
    let booking = BookingId::new();
    bench.store.sold(reopened.reference(), reopened.fence, booking).await.unwrap();
    let by_booking = sold(&reopened, booking).with_hold(None);
    let old = bench.snapshot().with_taken(paying(&aborted, aborted.expires_at));
    let with_hold = old.clone().with_taken(sold(&reopened, booking));
    let without_hold = old.with_taken(by_booking);

    bench.store.abort_commit(aborted.reference()).await.unwrap();
    bench.store.reopen(bench.event, booking).await.unwrap();
    bench.load(&with_hold).await;
    bench.load(&without_hold).await;
    assert_eq!(bench.taken().await, []);
    bench.clock.advance(GRACE);
    bench.load(&without_hold).await;
    assert_eq!(bench.taken().await, [], "a payment that has lapsed is not in payment");
}

/// The truth sold what had lapsed here: the truth wins, and stays.
pub async fn a_sale_known_to_the_truth_overrides_a_lapse(bench: Bench) {
    let hold = bench.paying("alice", &["A1"]).await;
    bench.clock.advance(GRACE);
    assert_eq!(bench.taken().await, []);
    let booking = BookingId::new();
    bench.load(&bench.snapshot().with_taken(sold(&hold, booking))).await;
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold)]);
    bench.clock.advance(Duration::from_secs(7_200));
    assert_eq!(
        bench.taken().await,
        [("A1".into(), SeatState::Sold)],
        "forgetting the lapse does not free it"
    );
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert_eq!(bench.taken().await, []);
}

/// A payment lapsed, was a sale after all, and was refunded: the last ending is remembered for an hour of its own, not for
/// what is left of the first one's.
pub async fn a_later_ending_is_remembered_for_its_own_hour(bench: Bench) {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let hold = bench.paying("alice", &["A1"]).await;
    bench.clock.advance(GRACE);
    assert_eq!(bench.taken().await, []);
    let booking = BookingId::new();
    let truth = bench.snapshot().with_taken(sold(&hold, booking));
    bench.load(&truth).await;
    bench.clock.advance(minutes(55));
    bench.store.reopen(bench.event, booking).await.unwrap();
    for _ in 0..5 {
        bench.clock.advance(minutes(10));
        assert_eq!(bench.taken().await, []); // cleans up
        bench.load(&truth).await;
        assert_eq!(bench.taken().await, [], "a snapshot from before the refund does not bring the sale back");
    }
}

/// After a loss: a rival was given a seat that is sold. Their hold stays until it ends; then the sale has the seat.
pub async fn a_sale_gets_its_seat_when_the_rival_is_gone(bench: Bench) {
    let rival = bench.held("bob", &["A1"]).await;
    let booking = BookingId::new();
    let (want, fence) = (Want::Seats(seats(&["A1", "A2"])), Fence::new(rival.fence.as_u64() - 10));
    let sold = Taken::new("alice", want, TakenState::Sold, fence).with_booking(booking);
    let truth = bench.snapshot().with_taken(sold);
    bench.load(&truth).await;
    assert!(bench.is_live(&rival).await);
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Held), ("A2".into(), SeatState::Sold)]);
    bench.store.release(rival.reference(), &rival.owner).await.unwrap();
    bench.load(&truth).await;
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold), ("A2".into(), SeatState::Sold)]);
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert_eq!(bench.taken().await, []);
}

/// A snapshot that cannot be merged is refused whole.
pub async fn a_wrong_snapshot_changes_nothing(bench: Bench) {
    let event = EventId::new();
    let entry = |hold: Option<HoldId>, booking: Option<BookingId>, section: &str| {
        let want = Want::Area { section: section.into(), quantity: 1 };
        Taken::new("alice", want, TakenState::Sold, Fence::new(1)).with_hold(hold).with_booking(booking)
    };
    let (hold, booking) = (Some(HoldId::in_event(event)), Some(BookingId::new()));
    let base = EventSnapshot::new(event).with_area("FLOOR", 10);
    let seats = |names: &[&str], fence| {
        let seats = names.iter().map(|name| name.parse().unwrap()).collect();
        Taken::new("alice", Want::Seats(seats), TakenState::Sold, Fence::new(fence)).with_booking(booking)
    };
    let wrong = [
        base.clone().with_taken(seats(&[], 1)),
        base.clone().with_taken(seats(&["A1", "A2", "A1"], 1)),
        base.clone().with_taken(seats(&["A1"], u64::MAX)),
        base.clone().with_fence_floor(Fence::new(u64::MAX - 1)),
        base.clone().with_taken(entry(None, None, "FLOOR")),
        base.clone().with_taken(entry(hold, None, "ATTIC")),
        base.clone().with_taken(entry(hold, booking, "FLOOR")).with_taken(entry(hold, None, "FLOOR")),
        base.clone().with_taken(entry(hold, booking, "FLOOR")).with_taken(entry(None, booking, "FLOOR")),
        base.clone().with_area("FLOOR", 11),
    ];
    for snapshot in wrong {
        refused!(bench.store.load(&snapshot).await, LockError::Invalid(_));
        refused!(bench.store.status(event).await, LockError::NotLoaded);
    }
}

/// A capacity can be lowered below what is taken: then nothing is free, and nothing is lost.
pub async fn a_capacity_can_change(bench: Bench) {
    bench.store.hold(&bench.floor("alice", 6)).await.unwrap();
    bench.load(&EventSnapshot::new(bench.event).with_area("FLOOR", 4)).await;
    let status = bench.store.status(bench.event).await.unwrap();
    assert_eq!((status.areas[0].capacity, status.areas[0].held, status.areas[0].free()), (4, 6, 0));
    refused!(bench.store.hold(&bench.floor("bob", 1)).await, LockError::Unavailable(_));
    bench.load(&EventSnapshot::new(bench.event).with_area("FLOOR", 7)).await;
    bench.store.hold(&bench.floor("bob", 1)).await.unwrap();
    assert_eq!(bench.on_floor().await, (7, 0, 0));
    // An event that is gone from memory is gone from the stream's view too, without harm to it.
    bench.store.unload(bench.event).await.unwrap();
    bench.clock.advance(TTL);
    assert!(bench.store.expired(&Cursor::default(), 10).await.unwrap().holds.is_empty());
}
