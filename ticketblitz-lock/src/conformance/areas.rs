//! General admission.

use super::{Bench, GRACE, TTL};
use crate::{LockError, Want};
use ticketblitz_core::BookingId;

/// An area gives out what it has and no more; a refusal says what is left.
pub async fn units_are_never_more_than_the_capacity(bench: Bench) {
    let six = bench.store.hold(&bench.floor("alice", 6)).await.unwrap();
    assert_eq!(six.want, Want::Area { section: "FLOOR".into(), quantity: 6 });
    let error = bench.store.hold(&bench.floor("bob", 5)).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    assert!(conflicts.seats.is_empty());
    let [conflict] = &conflicts.areas[..] else { panic!("{conflicts:?}") };
    assert_eq!((conflict.section.as_str(), conflict.requested, conflict.available), ("FLOOR", 5, 4));
    assert_eq!(bench.on_floor().await, (6, 0, 0));
    bench.store.hold(&bench.floor("bob", 4)).await.unwrap();
    refused!(bench.store.hold(&bench.floor("carol", 1)).await, LockError::Unavailable(_));
    assert_eq!(bench.on_floor().await, (10, 0, 0));
}

/// Units are held, in payment, sold and free again with their hold, however often a step is repeated.
pub async fn units_move_with_their_hold(bench: Bench) {
    let hold = bench.store.hold(&bench.floor("alice", 3)).await.unwrap();
    let it = hold.reference();
    assert_eq!(bench.on_floor().await, (3, 0, 0));
    bench.store.extend(it, &hold.owner, TTL * 2).await.unwrap();
    assert_eq!(bench.on_floor().await, (3, 0, 0));
    bench.store.begin_commit(it, &hold.owner, GRACE).await.unwrap();
    bench.store.begin_commit(it, &hold.owner, GRACE).await.unwrap();
    assert_eq!(bench.on_floor().await, (0, 3, 0));
    let booking = BookingId::new();
    bench.store.sold(it, hold.fence, booking).await.unwrap();
    bench.store.sold(it, hold.fence, booking).await.unwrap();
    assert_eq!(bench.on_floor().await, (0, 0, 3));
    bench.store.reopen(bench.event, booking).await.unwrap();
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert_eq!(bench.on_floor().await, (0, 0, 0));
    assert_eq!(bench.taken().await, [], "an area has no seats");
}

/// However many lapsed holds nobody has cleaned up, all their units are free.
pub async fn lapsed_units_are_free_at_once(bench: Bench) {
    let crowd = bench.snapshot().with_area("BALCONY", 500);
    bench.load(&crowd).await;
    for n in 0..500 {
        let want = Want::Area { section: "BALCONY".into(), quantity: 1 };
        let request = crate::HoldRequest::new(bench.event, format!("buyer {n}"), want).ttl(TTL);
        bench.store.hold(&request).await.unwrap();
    }
    let paying = bench.store.hold(&bench.floor("alice", 10)).await.unwrap();
    bench.store.begin_commit(paying.reference(), &paying.owner, TTL).await.unwrap();
    bench.clock.advance(TTL);
    let want = Want::Area { section: "BALCONY".into(), quantity: 500 };
    bench.store.hold(&crate::HoldRequest::new(bench.event, "all", want)).await.unwrap();
    bench.store.hold(&bench.floor("bob", 10)).await.unwrap();
    assert_eq!(bench.on_floor().await, (10, 0, 0));
}

/// A capacity was lowered below what is taken, and everything has lapsed: what is left of the area is free at once, however
/// many holds have to be cleaned up for it.
pub async fn a_smaller_area_is_free_when_all_has_lapsed(bench: Bench) {
    bench.load(&bench.snapshot().with_area("BALCONY", 300)).await;
    let balcony = |owner: String, quantity| {
        let want = Want::Area { section: "BALCONY".into(), quantity };
        crate::HoldRequest::new(bench.event, owner, want).ttl(TTL)
    };
    for n in 0..300 {
        bench.store.hold(&balcony(format!("buyer {n}"), 1)).await.unwrap();
    }
    bench.load(&bench.snapshot().with_area("BALCONY", 5)).await;
    refused!(bench.store.hold(&balcony("early".into(), 1)).await, LockError::Unavailable(_));
    bench.clock.advance(TTL);
    bench.store.hold(&balcony("all".into(), 5)).await.unwrap();
    refused!(bench.store.hold(&balcony("late".into(), 1)).await, LockError::Unavailable(_));
}

/// In an area a later hold takes nothing from a lapsed one: there is no seat to meet a higher fence on.
pub async fn a_lapsed_payment_of_units_is_not_sold(bench: Bench) {
    let hold = bench.store.hold(&bench.floor("alice", 10)).await.unwrap();
    bench.store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap();
    bench.clock.advance(GRACE);
    bench.store.hold(&bench.floor("bob", 10)).await.unwrap();
    refused!(bench.store.sold(hold.reference(), hold.fence, BookingId::new()).await, LockError::NotHeld);
    assert_eq!(bench.on_floor().await, (10, 0, 0));
}
