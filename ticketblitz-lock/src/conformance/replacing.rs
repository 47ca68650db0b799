//! Another hold in place of one's own.

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::{BookingId, Clock};

use super::races::all_at_once;
use super::{Bench, CEILING, GRACE, TTL, owner, seat, seats};
use crate::{Cursor, HoldRef, LockError, SeatState, Want};

/// The old hold is gone and the new one there, some seats in both; at no moment was one of them anybody else's.
pub async fn one_step_gives_up_and_takes(bench: Bench) {
    let old = bench.held("alice", &["A1", "A2"]).await;
    bench.clock.advance(Duration::from_secs(60));
    let request = bench.request("alice", &["A2", "A3"]).replacing(old.reference());
    let new = bench.store.hold(&request).await.unwrap();
    assert!(new.id != old.id && new.fence > old.fence);
    assert_eq!(new.expires_at, bench.clock.now() + TTL);
    assert_eq!(bench.taken().await, [("A2".into(), SeatState::Held), ("A3".into(), SeatState::Held)]);
    refused!(bench.store.get(old.reference()).await, LockError::NotHeld);
    refused!(bench.store.sold(old.reference(), old.fence, BookingId::new()).await, LockError::NotHeld);
    bench.held("bob", &["A1"]).await;
    // It did not lapse, so the stream does not tell of it, now or at its former expiry.
    bench.clock.set(old.expires_at);
    assert!(bench.is_live(&new).await);
    assert_eq!(bench.store.expired(&Cursor::default(), 10).await.unwrap().holds, []);
}

/// Refused, the old hold is as it was.
pub async fn a_refused_swap_changes_nothing(bench: Bench) {
    let old = bench.held("alice", &["A1", "A2"]).await;
    bench.held("bob", &["A3"]).await;
    let before = bench.store.status(bench.event).await.unwrap();
    let swap = |names: &[&str]| bench.request("alice", names).replacing(old.reference());
    let error = bench.store.hold(&swap(&["A1", "A3"])).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    assert_eq!(conflicts.seats.iter().map(|conflict| conflict.seat).collect::<Vec<_>>(), [seat("A3")]);
    let over = swap(&["B1", "B2", "B3"]).limit(2);
    refused!(bench.store.hold(&over).await, LockError::LimitExceeded { limit: 2, taken: 0 });
    let nowhere = Want::Area { section: "ATTIC".into(), quantity: 1 };
    let nowhere = crate::HoldRequest::new(bench.event, "alice", nowhere).replacing(old.reference());
    refused!(bench.store.hold(&nowhere).await, LockError::Invalid(_));
    assert_eq!(bench.store.get(old.reference()).await.unwrap(), old);
    assert_eq!(bench.store.status(bench.event).await.unwrap(), before);
}

/// The limit counts after the swap, and the area's units of the old hold are free for the new one.
pub async fn what_is_given_up_does_not_count(bench: Bench) {
    let seats = bench.store.hold(&bench.request("alice", &["A1", "A2"]).limit(2)).await.unwrap();
    let request = bench.request("alice", &["A2", "A3"]).limit(2).replacing(seats.reference());
    let seats = bench.store.hold(&request).await.unwrap();
    let units =
        bench.store.hold(&bench.floor("alice", 2).limit(2).replacing(seats.reference())).await.unwrap();
    assert_eq!((bench.taken().await, bench.on_floor().await), (vec![], (2, 0, 0)));
    bench.store.hold(&bench.floor("bob", 7)).await.unwrap();
    let error = bench.store.hold(&bench.floor("alice", 4).replacing(units.reference())).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    assert_eq!((conflicts.areas[0].requested, conflicts.areas[0].available), (4, 3));
    bench.store.hold(&bench.floor("alice", 3).limit(3).replacing(units.reference())).await.unwrap();
    assert_eq!(bench.on_floor().await, (10, 0, 0));
    refused!(
        bench.store.hold(&bench.request("alice", &["A1"]).limit(3)).await,
        LockError::LimitExceeded { limit: 3, taken: 3 }
    );
}

/// Only a live hold of one's own, in the same event and not in payment, can be given up.
pub async fn only_ones_own_hold_can_be_replaced(bench: Bench) {
    let bobs = bench.held("bob", &["A1"]).await;
    let paying = bench.paying("alice", &["A2"]).await;
    let released = bench.held("alice", &["A3"]).await;
    bench.store.release(released.reference(), &released.owner).await.unwrap();
    let swap = async |hold: HoldRef| bench.store.hold(&bench.request("alice", &["B1"]).replacing(hold)).await;
    refused!(swap(bobs.reference()).await, LockError::NotHeld);
    refused!(swap(paying.reference()).await, LockError::InPayment);
    refused!(swap(released.reference()).await, LockError::NotHeld);
    let elsewhere = bench.another().await;
    refused!(swap(elsewhere.held("alice", &["A1"]).await.reference()).await, LockError::Invalid(_));
    bench.store.sold(paying.reference(), paying.fence, BookingId::new()).await.unwrap();
    refused!(swap(paying.reference()).await, LockError::NotHeld);
    let lapsed = bench.held("alice", &["A4"]).await;
    bench.clock.set(lapsed.expires_at);
    refused!(swap(lapsed.reference()).await, LockError::NotHeld);
    assert_eq!(bench.taken().await, [("A2".into(), SeatState::Sold)]);
}

/// The repeat gets the hold that the first made, though what it replaces is gone; the old attempt is over.
pub async fn a_repeated_swap_is_one_swap(bench: Bench) {
    let request = bench.request("alice", &["A1"]);
    let old = bench.store.hold(&request).await.unwrap();
    let swap = bench.request("alice", &["A2"]).replacing(old.reference());
    let new = bench.store.hold(&swap).await.unwrap();
    assert_eq!(bench.store.hold(&swap).await.unwrap(), new);
    refused!(bench.store.hold(&request).await, LockError::AttemptLapsed);
    bench.store.release(new.reference(), &new.owner).await.unwrap();
    refused!(bench.store.hold(&swap).await, LockError::AttemptLapsed);
    assert_eq!(bench.taken().await, []);
}

/// Nobody holds for longer than the ceiling by swapping: it is the old one's, or the new one's own if that is earlier.
pub async fn swapping_does_not_lift_the_ceiling(bench: Bench) {
    let first = bench.held("alice", &["A1"]).await;
    let it = bench.store.extend(first.reference(), &first.owner, CEILING).await.unwrap();
    bench.clock.advance(CEILING - Duration::from_secs(60));
    let second = bench.store.hold(&bench.request("alice", &["A2"]).replacing(it.reference())).await.unwrap();
    assert_eq!((second.expires_at, second.ceiling_at), (first.ceiling_at, first.ceiling_at));
    assert_eq!(second.ttl, Duration::from_secs(60));
    refused!(
        bench.store.extend(second.reference(), &owner("alice"), TTL).await,
        LockError::CeilingReached { .. }
    );
    let short = Duration::from_secs(10);
    let request = bench.request("alice", &["A3"]).ttl(short).ceiling(short).replacing(second.reference());
    let third = bench.store.hold(&request).await.unwrap();
    assert_eq!((third.expires_at, third.ceiling_at), (bench.clock.now() + short, bench.clock.now() + short));
    bench.clock.advance(short);
    assert_eq!(bench.taken().await, []);
}

/// Candidates and channels count for a swap as for any hold; the old hold's own seats make one available.
pub async fn a_swap_chooses_among_candidates(bench: Bench) {
    bench.load(&bench.snapshot().with_channel("house", seats(&["C1"]))).await;
    bench.held("bob", &["A1"]).await;
    let old = bench.store.hold(&bench.request("alice", &["C1", "A2"]).channel("house")).await.unwrap();
    // Held or not: without its channel C1 is not to be had again.
    let request = bench.request("alice", &["A1", "A2"]).or(Want::Seats(seats(&["C1", "A3"])));
    let error = bench.store.hold(&request.clone().replacing(old.reference())).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    let told: Vec<_> = conflicts.seats.iter().map(|conflict| (conflict.seat, conflict.state)).collect();
    assert_eq!(told, [(seat("A1"), SeatState::Held), (seat("C1"), SeatState::Reserved)]);
    let new = bench.store.hold(&request.channel("house").replacing(old.reference())).await.unwrap();
    assert_eq!(new.seats(), seats(&["C1", "A3"]));
    let held = bench.locks().held(new.reference(), &owner("alice")).await.unwrap();
    let held = held.replace(["A1"]).or(["A2", "A3"]).or_area("FLOOR", 1).limit(2).await.unwrap();
    assert_eq!(held.seats(), seats(&["A2", "A3"]));
    let paid = held.begin_commit(GRACE).await.unwrap();
    refused!(held.replace(["A4"]).await, LockError::InPayment);
    paid.sold(BookingId::new()).await.unwrap();
}

/// One hold is given up once: of many swaps at once one succeeds, and rivals never see the seats that stay free.
pub async fn a_hold_is_given_up_once(bench: Bench) {
    for round in 0..20 {
        let kept = format!("Z{}", round + 1);
        let old = bench.held("alice", &[&kept, "A100"]).await;
        let swaps =
            (1..=10).map(|n| bench.request("alice", &[&kept, &format!("A{n}")]).replacing(old.reference()));
        let rivals = (0..10).map(|n| bench.request(&format!("rival {n}"), &[&kept]));
        let answers = all_at_once(swaps.chain(rivals).map(|request| {
            let store = Arc::clone(&bench.store);
            async move { store.hold(&request).await }
        }))
        .await;
        let won: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        let [won] = won[..] else { panic!("{answers:?}") };
        assert_eq!(won.owner, owner("alice"));
        for answer in &answers[..10] {
            assert!(matches!(answer, Ok(_) | Err(LockError::NotHeld)), "{answer:?}");
        }
        assert_eq!(bench.taken().await.len(), 2);
        bench.store.release(won.reference(), &won.owner).await.unwrap();
    }
}
