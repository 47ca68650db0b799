//! One attempt, one hold.

use std::time::Duration;

use super::{Bench, CEILING, GRACE, TTL, owner};
use crate::{HoldState, LockError};
use ticketblitz_core::BookingId;

/// Pitfall 7: the reply is lost after the store did it; the repeat gets the same hold, and the limit counts once.
pub async fn a_repeat_gets_the_same_hold(bench: Bench) {
    let request = bench.request("alice", &["A1", "A2"]).limit(2);
    let first = bench.store.hold(&request).await.unwrap();
    bench.clock.advance(Duration::from_secs(10));
    let again = bench.store.hold(&request).await.unwrap();
    assert_eq!((again.id, again.fence, again.expires_at), (first.id, first.fence, first.expires_at));
    assert_eq!(again.ttl, TTL - Duration::from_secs(10));

    // As the hold is now, not as it was.
    bench.store.extend(first.reference(), &first.owner, TTL).await.unwrap();
    let extended = bench.store.hold(&request).await.unwrap();
    assert_eq!(extended.expires_at, first.expires_at + Duration::from_secs(10));
    bench.store.begin_commit(first.reference(), &first.owner, GRACE).await.unwrap();
    assert_eq!(bench.store.hold(&request).await.unwrap().state, HoldState::Paying);
    refused!(
        bench.store.hold(&bench.request("alice", &["A3"]).limit(2)).await,
        LockError::LimitExceeded { taken: 2, .. }
    );
}

/// An attempt is one request of one owner.
pub async fn another_request_cannot_use_it(bench: Bench) {
    let request = bench.request("alice", &["A1"]);
    let hold = bench.store.hold(&request).await.unwrap();
    let as_hers = |other: crate::HoldRequest| other.attempt(request.attempt);
    refused!(bench.store.hold(&as_hers(bench.request("bob", &["A1"]))).await, LockError::AttemptReused);
    refused!(bench.store.hold(&as_hers(bench.request("alice", &["A2"]))).await, LockError::AttemptReused);
    refused!(bench.store.hold(&as_hers(bench.floor("alice", 1))).await, LockError::AttemptReused);
    assert_eq!(bench.store.get(hold.reference()).await.unwrap(), hold);
    assert_eq!(bench.taken().await.len(), 1);
}

/// A repeat never makes a second hold, however the first one ended, until the ceiling has passed.
pub async fn an_ended_hold_is_not_made_again(bench: Bench) {
    let requests: Vec<_> =
        ["A1", "A2", "A3", "A4"].iter().map(|name| bench.request("alice", &[name])).collect();
    let mut holds = Vec::new();
    for request in &requests {
        holds.push(bench.store.hold(request).await.unwrap());
    }
    let [released, aborted, sold, _lapsed] = &holds[..] else { panic!() };
    bench.store.release(released.reference(), &owner("alice")).await.unwrap();
    bench.store.begin_commit(aborted.reference(), &owner("alice"), GRACE).await.unwrap();
    bench.store.abort_commit(aborted.reference()).await.unwrap();
    bench.store.sold(sold.reference(), sold.fence, BookingId::new()).await.unwrap();
    bench.clock.advance(TTL);
    for request in &requests {
        refused!(bench.store.hold(request).await, LockError::AttemptLapsed);
        // Nobody need remember what a hold that has ended was of.
        let other = bench.request("bob", &["A9"]).attempt(request.attempt);
        refused!(bench.store.hold(&other).await, LockError::AttemptLapsed);
    }
    bench.clock.advance(CEILING - TTL - super::TICK);
    for request in &requests {
        refused!(bench.store.hold(request).await, LockError::AttemptLapsed);
    }
    // At the ceiling it is forgotten, and free to be a new hold.
    bench.clock.advance(super::TICK);
    bench.store.hold(&requests[0]).await.unwrap();
}

/// A payment may outlast the ceiling; its attempt lasts as long.
pub async fn a_live_holds_attempt_outlasts_the_ceiling(bench: Bench) {
    let request = bench.request("alice", &["A1"]);
    let hold = bench.store.hold(&request).await.unwrap();
    bench.store.begin_commit(hold.reference(), &hold.owner, CEILING * 2).await.unwrap();
    bench.clock.advance(CEILING + TTL);
    assert_eq!(bench.store.hold(&request).await.unwrap().id, hold.id);
    bench.clock.advance(CEILING);
    assert_ne!(bench.store.hold(&request).await.unwrap().id, hold.id, "over, and the attempt with it");
}

/// A refused attempt left nothing behind, not even its name.
pub async fn a_refused_attempt_may_succeed_later(bench: Bench) {
    let alice = bench.held("alice", &["A1"]).await;
    let request = bench.request("bob", &["A1"]);
    refused!(bench.store.hold(&request).await, LockError::Unavailable(_));
    bench.store.release(alice.reference(), &alice.owner).await.unwrap();
    bench.store.hold(&request).await.unwrap();
}
