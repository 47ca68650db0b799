//! Seats that are reserved.

use ticketblitz_core::BookingId;

use super::{Bench, GRACE, TTL, seat, seats};
use crate::{Channel, EventSnapshot, LockError, SeatConflict, SeatState, Want};

/// A1 and A2 are the house's, B1 is the fan club's.
async fn reserve(bench: &Bench) -> EventSnapshot {
    let snapshot =
        bench.snapshot().with_channel("house", seats(&["A2", "A1"])).with_channel("fans", seats(&["B1"]));
    bench.load(&snapshot).await;
    snapshot
}

/// Only who names the channel can hold its seats; everybody else is told that they are reserved, whatever else they are.
pub async fn a_reserved_seat_is_for_its_channel_alone(bench: Bench) {
    reserve(&bench).await;
    let error = bench.hold("alice", &["A3", "A2", "B1"]).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    let reserved = |name| SeatConflict::new(seat(name), SeatState::Reserved, None);
    assert_eq!(conflicts.seats, [reserved("A2"), reserved("B1")]);
    assert_eq!(bench.taken().await, [], "reserved is not taken");
    let request = bench.request("alice", &["A3", "A2", "B1"]).channel("fans").channel("nobody");
    let error = bench.store.hold(&request).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    assert_eq!(conflicts.seats, [reserved("A2")]);

    let hold = bench.store.hold(&request.channel("house")).await.unwrap();
    assert_eq!(bench.taken().await.len(), 3);
    // It will not be theirs when the hold ends, so they are not told to wait.
    let error = bench.hold("bob", &["A2", "A3"]).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    assert_eq!(conflicts.seats, [reserved("A2"), SeatConflict::new(seat("A3"), SeatState::Held, Some(TTL))]);
    let error = bench.store.hold(&bench.request("bob", &["A2"]).channel("house")).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    assert_eq!(conflicts.seats, [SeatConflict::new(seat("A2"), SeatState::Held, Some(TTL))]);
    bench.store.release(hold.reference(), &hold.owner).await.unwrap();
    refused!(bench.hold("bob", &["A2"]).await, LockError::Unavailable(_));
}

/// A reserved seat that is held is paid for, sold and reopened like any other.
pub async fn a_reserved_seat_sells_like_any_other(bench: Bench) {
    reserve(&bench).await;
    let hold = bench.store.hold(&bench.request("alice", &["A1"]).channel("house")).await.unwrap();
    bench.store.extend(hold.reference(), &hold.owner, TTL).await.unwrap();
    bench.store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap();
    let booking = BookingId::new();
    bench.store.sold(hold.reference(), hold.fence, booking).await.unwrap();
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold)]);
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert_eq!(bench.taken().await, []);
    refused!(bench.hold("bob", &["A1"]).await, LockError::Unavailable(_));
    // An area has no reserved seats, and a candidate with them is passed over.
    let floor = Want::Area { section: "FLOOR".into(), quantity: 2 };
    let request = bench.request("bob", &["A1"]).or(floor.clone());
    assert_eq!(bench.store.hold(&request).await.unwrap().want, floor);
}

/// The status tells the channels as they were loaded: by name, their seats in order, taken or not.
pub async fn the_status_tells_the_channels(bench: Bench) {
    assert_eq!(bench.store.status(bench.event).await.unwrap().channels, []);
    reserve(&bench).await;
    bench.store.hold(&bench.request("alice", &["A1"]).channel("house")).await.unwrap();
    let status = bench.store.status(bench.event).await.unwrap();
    let (fans, house) = (Channel::new("fans", seats(&["B1"])), Channel::new("house", seats(&["A1", "A2"])));
    assert_eq!(status.channels, [fans, house]);
    assert_eq!(status.seats, [(seat("A1"), SeatState::Held)]);
}

/// Each snapshot's channels replace those before; what is held by then stays held.
pub async fn a_snapshot_replaces_the_channels(bench: Bench) {
    let house = reserve(&bench).await;
    let (public, bought) = (bench.held("alice", &["C1"]).await, bench.paying("alice", &["C2"]).await);
    let inside = bench.store.hold(&bench.request("alice", &["A1"]).channel("house")).await.unwrap();
    bench.store.sold(bought.reference(), bought.fence, BookingId::new()).await.unwrap();
    bench.load(&bench.snapshot().with_channel("house", seats(&["C1", "C2", "C3"]))).await;
    assert!(bench.is_live(&public).await && bench.is_live(&inside).await);
    refused!(bench.hold("bob", &["C3"]).await, LockError::Unavailable(_));
    bench.held("bob", &["A2", "B1"]).await;
    bench.store.extend(public.reference(), &public.owner, TTL).await.unwrap();
    bench.store.sold(public.reference(), public.fence, BookingId::new()).await.unwrap();
    bench.load(&bench.snapshot()).await;
    bench.held("bob", &["C3"]).await;
    assert_eq!(bench.store.status(bench.event).await.unwrap().channels, []);
    // Gone with the event, and there again with the next load.
    bench.load(&house).await;
    bench.store.unload(bench.event).await.unwrap();
    bench.load(&bench.snapshot()).await;
    bench.held("carol", &["A1", "B1"]).await;
}

/// A seat has one channel, and a channel one entry; a snapshot that says otherwise changes nothing.
pub async fn a_seat_has_one_channel(bench: Bench) {
    reserve(&bench).await;
    let twice = bench.snapshot().with_channel("house", seats(&["C1"])).with_channel("fans", seats(&["C1"]));
    refused!(bench.store.load(&twice).await, LockError::Invalid(_));
    let again = bench.snapshot().with_channel("house", seats(&["C1"])).with_channel("house", seats(&["C2"]));
    refused!(bench.store.load(&again).await, LockError::Invalid(_));
    bench.held("alice", &["C1"]).await;
    refused!(bench.hold("alice", &["A1"]).await, LockError::Unavailable(_));
}
