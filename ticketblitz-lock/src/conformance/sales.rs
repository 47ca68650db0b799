//! Payment, sale, reopening.

use std::time::Duration;

use super::{Bench, CEILING, GRACE, TTL, owner};
use crate::{Fence, HoldState, LockError, SeatState};
use ticketblitz_core::{BookingId, Clock};

/// In payment a hold outlives its expiry, and can neither be released nor extended.
pub async fn a_payment_cannot_lapse_within_its_grace(bench: Bench) {
    let hold = bench.held("alice", &["A1", "A2"]).await;
    bench.clock.advance(TTL - Duration::from_secs(1));
    let paying = bench.store.begin_commit(hold.reference(), &hold.owner, CEILING).await.unwrap();
    assert_eq!((paying.state, paying.expires_at), (HoldState::Paying, bench.clock.now() + CEILING));
    assert_eq!(paying.fence, hold.fence);
    bench.clock.advance(CEILING - Duration::from_secs(1));
    refused!(bench.hold("bob", &["A2"]).await, LockError::Unavailable(_));
    refused!(bench.store.release(hold.reference(), &hold.owner).await, LockError::InPayment);
    refused!(bench.store.extend(hold.reference(), &hold.owner, TTL).await, LockError::InPayment);
    bench.store.sold(hold.reference(), hold.fence, BookingId::new()).await.unwrap();
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold), ("A2".into(), SeatState::Sold)]);
}

/// A payment is begun once; the repeat gets no more time.
pub async fn beginning_again_is_the_first_beginning(bench: Bench) {
    let first = bench.paying("alice", &["A1"]).await;
    bench.clock.advance(Duration::from_secs(5));
    let again = bench.store.begin_commit(first.reference(), &first.owner, GRACE * 9).await.unwrap();
    assert_eq!((again.id, again.expires_at), (first.id, first.expires_at), "no grace is had twice");
    refused!(bench.store.begin_commit(first.reference(), &owner("bob"), GRACE).await, LockError::NotHeld);
}

/// An aborted payment frees its seats, and a repeat hits nobody who has them since.
pub async fn an_aborted_payment_frees(bench: Bench) {
    let paying = bench.paying("alice", &["A1"]).await;
    for _ in 0..2 {
        bench.store.abort_commit(paying.reference()).await.unwrap();
        assert_eq!(bench.taken().await, []);
    }
    let bob = bench.held("bob", &["A1"]).await;
    bench.store.abort_commit(paying.reference()).await.unwrap();
    assert!(bench.is_live(&bob).await, "a late repeat hits nobody else");
    refused!(bench.store.sold(paying.reference(), paying.fence, BookingId::new()).await, LockError::NotHeld);
}

/// Sold is sold: to one booking, for ever, whatever is tried.
pub async fn a_sale_is_final_and_repeatable(bench: Bench) {
    let paying = bench.paying("alice", &["A1"]).await;
    let (it, booking) = (paying.reference(), BookingId::new());
    for _ in 0..2 {
        bench.store.sold(it, paying.fence, booking).await.unwrap();
    }
    refused!(bench.store.sold(it, paying.fence, BookingId::new()).await, LockError::NotHeld);
    refused!(bench.store.abort_commit(it).await, LockError::NotHeld);
    refused!(bench.store.release(it, &paying.owner).await, LockError::NotHeld);
    refused!(bench.store.begin_commit(it, &paying.owner, GRACE).await, LockError::NotHeld);
    refused!(bench.store.get(it).await, LockError::NotHeld);
    bench.clock.advance(CEILING * 100);
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold)]);
    bench.store.sold(it, paying.fence, booking).await.unwrap();
}

/// A store that came back older may have forgotten the beginning of the payment.
pub async fn a_hold_that_never_began_to_pay_can_be_sold(bench: Bench) {
    let hold = bench.held("alice", &["A1"]).await;
    bench.store.sold(hold.reference(), hold.fence, BookingId::new()).await.unwrap();
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold)]);
}

/// Pitfall 11: who is too late meets a higher fence.
pub async fn a_late_sale_meets_a_higher_fence(bench: Bench) {
    let alice = bench.paying("alice", &["A1", "A2"]).await;
    bench.clock.advance(GRACE);
    refused!(bench.store.sold(alice.reference(), alice.fence, BookingId::new()).await, LockError::NotHeld);
    let bob = bench.held("bob", &["A2"]).await;
    assert!(bob.fence > alice.fence);
    let error = bench.store.sold(alice.reference(), alice.fence, BookingId::new()).await.unwrap_err();
    assert!(matches!(error, LockError::StaleFence { seen } if seen == bob.fence), "{error:?}");
    assert_eq!(bench.taken().await, [("A2".into(), SeatState::Held)]);
    assert!(bench.is_live(&bob).await);
}

/// A sale with another fence than its hold has is refused.
pub async fn a_sale_needs_its_own_fence(bench: Bench) {
    let hold = bench.paying("alice", &["A1"]).await;
    let number = hold.fence.as_u64();
    let (low, high) = (Fence::new(number - 1), Fence::new(number + 1));
    refused!(bench.store.sold(hold.reference(), low, BookingId::new()).await, LockError::StaleFence { .. });
    refused!(bench.store.sold(hold.reference(), high, BookingId::new()).await, LockError::Invalid(_));
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Paying)]);
}

/// A refund frees the seats once; its repeat hits nobody who has them since.
pub async fn a_reopened_sale_is_free_once(bench: Bench) {
    let paying = bench.paying("alice", &["A1", "A2"]).await;
    let booking = BookingId::new();
    bench.store.reopen(bench.event, booking).await.unwrap(); // unknown: nothing to reopen
    bench.store.sold(paying.reference(), paying.fence, booking).await.unwrap();
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert_eq!(bench.taken().await, []);
    let bob = bench.held("bob", &["A1"]).await;
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert!(bench.is_live(&bob).await, "a late repeat hits nobody else");
    refused!(
        bench.store.sold(paying.reference(), paying.fence, booking).await,
        LockError::NotHeld | LockError::StaleFence { .. }
    );
    // The owner's count is back too.
    bench.store.hold(&bench.request("alice", &["B1", "B2"]).limit(2)).await.unwrap();
}

/// A booking may be of several holds, seats and units of an area say: a refund frees them all, and no other booking's.
pub async fn a_booking_of_several_holds_is_reopened_whole(bench: Bench) {
    let (booking, other) = (BookingId::new(), BookingId::new());
    let seats = [bench.paying("alice", &["A1"]).await, bench.paying("alice", &["A2", "A3"]).await];
    let floor = bench.store.hold(&bench.floor("alice", 2)).await.unwrap();
    let bobs = bench.paying("bob", &["B1"]).await;
    for hold in seats.iter().chain([&floor]) {
        bench.store.sold(hold.reference(), hold.fence, booking).await.unwrap();
    }
    bench.store.sold(bobs.reference(), bobs.fence, other).await.unwrap();
    for _ in 0..2 {
        bench.store.reopen(bench.event, booking).await.unwrap();
        assert_eq!(bench.taken().await, [("B1".into(), SeatState::Sold)]);
        assert_eq!(bench.on_floor().await, (0, 0, 0));
    }
    // Forgetting what was reopened does not lose what the same booking is sold afterwards.
    let again = bench.paying("alice", &["A1"]).await;
    bench.store.sold(again.reference(), again.fence, booking).await.unwrap();
    bench.clock.advance(Duration::from_secs(7_200));
    bench.held("carol", &["C1"]).await; // cleans up what ended an hour ago
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert_eq!(bench.taken().await, [("B1".into(), SeatState::Sold), ("C1".into(), SeatState::Held)]);
}

/// The end of a payment is remembered for an hour, not for ever, and forgetting it touches nothing else.
pub async fn endings_are_forgotten(bench: Bench) {
    let lapsed = bench.paying("alice", &["A1"]).await;
    bench.clock.advance(GRACE);
    let sold = bench.paying("bob", &["A1"]).await;
    let booking = BookingId::new();
    bench.store.sold(sold.reference(), sold.fence, booking).await.unwrap();
    let late = async || bench.store.sold(lapsed.reference(), lapsed.fence, BookingId::new()).await;
    refused!(late().await, LockError::StaleFence { .. });
    bench.clock.advance(Duration::from_secs(7_200));
    refused!(late().await, LockError::NotHeld);
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold)]);
    bench.store.reopen(bench.event, booking).await.unwrap();
    assert_eq!(bench.taken().await, []);
}
