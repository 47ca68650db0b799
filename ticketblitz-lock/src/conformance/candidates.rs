//! Several candidates, of which the first available one wins.

use ticketblitz_core::Clock;

use super::{Bench, CEILING, TTL, seat, seats};
use crate::{HoldRequest, LockError, SeatState, Want};

fn of(names: &[&str]) -> Want {
    Want::Seats(seats(names))
}

fn floor(quantity: u32) -> Want {
    Want::Area { section: "FLOOR".into(), quantity }
}

/// The first that is wholly available is held, and nothing of those before it.
pub async fn the_first_available_one_wins(bench: Bench) {
    let request = bench.request("alice", &["A1", "A2"]).or(of(&["A3", "A4"])).or(floor(2));
    let hold = bench.store.hold(&request).await.unwrap();
    assert_eq!((hold.want, hold.fence > crate::Fence::new(0)), (of(&["A1", "A2"]), true));
    let request = bench.request("bob", &["B1", "A2"]).or(of(&["A4", "A3"])).or(floor(2));
    let hold = bench.store.hold(&request).await.unwrap();
    assert_eq!(hold.want, of(&["A4", "A3"]), "in the order that it was named in");
    assert_eq!(hold.expires_at, bench.clock.now() + TTL);
    assert_eq!(bench.taken().await.len(), 4, "B1 was free and is so still");
    let request = bench.request("carol", &["B1", "A2"]).or(floor(11)).or(floor(3)).or(of(&["C1"]));
    assert_eq!(bench.store.hold(&request).await.unwrap().want, floor(3));
    assert_eq!(bench.on_floor().await, (3, 0, 0));
    // What has lapsed counts for nothing, in each of them.
    bench.clock.advance(TTL);
    let request = bench.request("dave", &["A1", "A2"]).or(of(&["C1"]));
    assert_eq!(bench.store.hold(&request).await.unwrap().want, of(&["A1", "A2"]));
}

/// None is available: nothing is taken, and the refusal names what stood in the way of each, a seat once.
pub async fn a_refusal_names_the_conflicts_of_each(bench: Bench) {
    bench.held("alice", &["A2", "B1"]).await;
    bench.paying("alice", &["A4"]).await;
    bench.store.hold(&bench.floor("alice", 7)).await.unwrap();
    let before = bench.store.status(bench.event).await.unwrap();
    let request =
        bench.request("bob", &["A4", "A1", "A2"]).or(floor(5)).or(of(&["A2", "B1", "B2"])).or(floor(4));
    let error = bench.store.hold(&request).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    let named: Vec<_> = conflicts.seats.iter().map(|conflict| (conflict.seat, conflict.state)).collect();
    let held = SeatState::Held;
    assert_eq!(named, [(seat("A4"), SeatState::Paying), (seat("A2"), held), (seat("B1"), held)]);
    let areas: Vec<_> = conflicts.areas.iter().map(|area| (area.requested, area.available)).collect();
    assert_eq!(areas, [(5, 3), (4, 3)]);
    assert_eq!(bench.store.status(bench.event).await.unwrap(), before, "a loser writes nothing");
}

/// A candidate that is too much for the owner is passed over; only if all are is the limit what is in the way.
pub async fn a_candidate_over_the_limit_is_passed_over(bench: Bench) {
    bench.held("alice", &["Z1", "Z2"]).await;
    let request = bench.request("alice", &["A1", "A2", "A3"]).or(of(&["B1", "B2"])).limit(4);
    assert_eq!(bench.store.hold(&request).await.unwrap().want, of(&["B1", "B2"]));
    let request = bench.request("alice", &["A1", "A2", "A3"]).or(floor(1)).limit(4);
    refused!(bench.store.hold(&request).await, LockError::LimitExceeded { limit: 4, taken: 4 });
    // One is over the limit, the other is taken: what is named is in the way of the other alone.
    let request = bench.request("bob", &["A1", "Z2"]).or(of(&["Z1"])).limit(1);
    let error = bench.store.hold(&request).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    let named: Vec<_> = conflicts.seats.iter().map(|conflict| conflict.seat).collect();
    assert_eq!(named, seats(&["Z1"]));
}

/// A repeat gets what the first got, though a better candidate has become free; another list is another request.
pub async fn an_attempt_is_of_the_whole_list(bench: Bench) {
    let alice = bench.held("alice", &["A1"]).await;
    let request = bench.request("bob", &["A1"]).or(of(&["A2"]));
    let first = bench.store.hold(&request).await.unwrap();
    bench.store.release(alice.reference(), &alice.owner).await.unwrap();
    let again = bench.store.hold(&request).await.unwrap();
    assert_eq!((again.id, again.want), (first.id, of(&["A2"])));
    let as_his = |other: HoldRequest| other.attempt(request.attempt);
    for other in [
        bench.request("bob", &["A2"]),
        bench.request("bob", &["A1"]),
        bench.request("bob", &["A2"]).or(of(&["A1"])),
        bench.request("bob", &["A1"]).or(of(&["A2"])).or(of(&["A3"])),
        bench.request("bob", &["A1"]).or(floor(1)),
    ] {
        refused!(bench.store.hold(&as_his(other)).await, LockError::AttemptReused);
    }
    let single = bench.request("bob", &["B1"]);
    bench.store.hold(&single).await.unwrap();
    let more = bench.request("bob", &["B1"]).or(of(&["B2"])).attempt(single.attempt);
    refused!(bench.store.hold(&more).await, LockError::AttemptReused);
    assert_eq!(bench.taken().await.len(), 2);
}

/// Each candidate must be one that could be held, and there are not without end of them.
pub async fn nonsense_among_candidates_is_refused(bench: Bench) {
    let refuse = async |request: HoldRequest| {
        refused!(bench.store.hold(&request).await, LockError::Invalid(_));
    };
    refuse(bench.request("alice", &["A1"]).or(of(&[]))).await;
    refuse(bench.request("alice", &["A1"]).or(of(&["A2", "A2"]))).await;
    refuse(bench.request("alice", &["A1"]).or(floor(0))).await;
    refuse(bench.request("alice", &["A1"]).or(floor(bench.store.capabilities().max_units + 1))).await;
    refuse((0..100).fold(bench.request("alice", &["A1"]), |request, _| request.or(of(&["A1"])))).await;
    // An area that is not there is found out only by whoever comes to it.
    let nowhere = Want::Area { section: "ATTIC".into(), quantity: 1 };
    bench.store.hold(&bench.request("alice", &["A1"]).or(nowhere.clone())).await.unwrap();
    refuse(bench.request("bob", &["A1"]).or(nowhere).or(of(&["A2"]))).await;
    assert_eq!(bench.taken().await.len(), 1);
}

/// The callers' API: sets of seats, and an area after them.
pub async fn the_builder_sends_all_candidates(bench: Bench) {
    let locks = bench.locks();
    bench.held("alice", &["A1"]).await;
    let held = locks.hold_first(bench.event, [["A1", "A2"], ["A3", "A4"]]).owner("bob").await.unwrap();
    assert_eq!(held.seats(), seats(&["A3", "A4"]));
    let held = locks.hold(bench.event, ["A1"]).or(["A4"]).or_area("FLOOR", 2).owner("bob").await.unwrap();
    assert_eq!(held.hold().want, floor(2));
    let none: [[&str; 1]; 0] = [];
    refused!(locks.hold_first(bench.event, none).owner("bob").await, LockError::Invalid(_));
    refused!(locks.hold_first(bench.event, [["B1"], ["row"]]).owner("bob").await, LockError::Invalid(_));
    refused!(locks.hold(bench.event, ["B1"]).or(["row"]).owner("bob").await, LockError::Invalid(_));
    assert!(held.hold().ceiling_at <= bench.clock.now() + CEILING);
}

/// Many at once choose among the same sets: each set has one winner.
pub async fn a_crowd_shares_out_the_candidates(bench: Bench) {
    let sets: Vec<Want> = (1..=10).map(|n| of(&[&format!("A{n}"), &format!("B{n}")])).collect();
    let answers = super::races::all_at_once((0..200_usize).map(|n| {
        let mut order = sets.clone();
        order.rotate_left(n % 10);
        let request = HoldRequest::new(bench.event, format!("buyer {n}"), order.remove(0));
        let request = order.into_iter().fold(request, HoldRequest::or);
        let store = std::sync::Arc::clone(&bench.store);
        async move { store.hold(&request).await }
    }))
    .await;
    let mut won: Vec<_> =
        answers.iter().filter_map(|answer| Some(answer.as_ref().ok()?.seats()[0])).collect();
    won.sort_unstable();
    assert_eq!(won, (1..=10).map(|n| seat(&format!("A{n}"))).collect::<Vec<_>>());
    let refused = answers.iter().filter(|answer| matches!(answer, Err(LockError::Unavailable(_))));
    assert_eq!(refused.count(), 190);
    assert_eq!(bench.taken().await.len(), 20);
}
