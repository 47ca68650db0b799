//! Lapsing, and the stream that tells of it.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, GRACE, TICK, TTL, owner};
use crate::{Cursor, HoldState, LockError, SeatState};
use ticketblitz_core::Clock;

/// Pitfall 17: at the very moment the hold has lapsed, for everybody.
pub async fn the_moment_of_expiry_belongs_to_the_rival(bench: Bench) {
    let hold = bench.held("alice", &["A1"]).await;
    let (it, alice) = (hold.reference(), owner("alice"));
    bench.clock.advance(TTL - TICK);
    refused!(bench.hold("bob", &["A1"]).await, LockError::Unavailable(_));
    assert_eq!(bench.store.get(it).await.unwrap().ttl, TICK);
    bench.clock.advance(TICK);
    refused!(bench.store.get(it).await, LockError::NotHeld);
    refused!(bench.store.extend(it, &alice, TTL).await, LockError::NotHeld);
    refused!(bench.store.begin_commit(it, &alice, GRACE).await, LockError::NotHeld);
    refused!(bench.store.release(it, &alice).await, LockError::NotHeld);
    bench.held("bob", &["A1"]).await;
}

/// Payment and rival race while the moment of expiry arrives: exactly one of them wins, whoever came first.
pub async fn one_winner_around_the_moment_of_expiry(bench: Bench) {
    for round in 1..=200 {
        let hold = bench.held("alice", &[&format!("A{round}")]).await;
        bench.clock.set(hold.expires_at - TICK);
        let (mine, theirs, clock) = (Arc::clone(&bench.store), Arc::clone(&bench.store), bench.clock.clone());
        let (it, alice, moment) = (hold.reference(), hold.owner.clone(), hold.expires_at);
        let rivals = bench.request("bob", &[&format!("A{round}")]);
        let pay = tokio::spawn(async move { mine.begin_commit(it, &alice, GRACE).await });
        let rival = tokio::spawn(async move {
            clock.set(moment);
            theirs.hold(&rivals).await
        });
        match (pay.await.unwrap(), rival.await.unwrap()) {
            (Ok(_), Err(LockError::Unavailable(_))) | (Err(LockError::NotHeld), Ok(_)) => {}
            both => panic!("{both:?}"),
        }
    }
}

/// A payment lapses at the end of its grace, not before, and no later.
pub async fn the_end_of_the_grace_is_exact_too(bench: Bench) {
    let hold = bench.paying("alice", &["A1"]).await;
    bench.clock.advance(GRACE - TICK);
    refused!(bench.hold("bob", &["A1"]).await, LockError::Unavailable(_));
    bench.clock.advance(TICK);
    let booking = ticketblitz_core::BookingId::new();
    refused!(bench.store.sold(hold.reference(), hold.fence, booking).await, LockError::NotHeld);
    bench.held("bob", &["A1"]).await;
}

/// Pitfall 3: a hold lapses whole. One seat taken by a rival, the other is free, and nothing is half done.
pub async fn a_hold_lapses_whole(bench: Bench) {
    let hold = bench.held("alice", &["A1", "A2"]).await;
    bench.clock.advance(TTL);
    bench.held("bob", &["A1"]).await;
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Held)]);
    refused!(bench.store.extend(hold.reference(), &hold.owner, TTL).await, LockError::NotHeld);
    refused!(bench.store.begin_commit(hold.reference(), &hold.owner, GRACE).await, LockError::NotHeld);
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Held)]);
}

/// Pitfall 14: however many lapse at once, the next answer does not count one of them.
pub async fn a_crowd_lapses_at_once(bench: Bench) {
    for n in 1..=500 {
        bench.held(&format!("buyer {n}"), &[&format!("A{n}")]).await;
    }
    bench.clock.advance(TTL);
    bench.held("late", &["A499", "A500"]).await;
    assert_eq!(bench.taken().await.len(), 2);
}

/// The stream has every hold that lapsed, none that ended otherwise, and can be read again from any cursor.
pub async fn the_stream_tells_each_expiry_once(bench: Bench) {
    let start = bench.store.expired(&Cursor::default(), 100).await.unwrap();
    assert!(start.holds.is_empty() && !start.missed);

    let first = bench.held("alice", &["A1"]).await;
    let released = bench.held("alice", &["A9"]).await;
    bench.store.release(released.reference(), &released.owner).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    let second = bench.held("bob", &["A2"]).await;
    let paying = bench.paying("carol", &["A3"]).await;
    bench.clock.advance(TTL);

    let one = bench.store.expired(&start.next, 1).await.unwrap();
    assert_eq!(one.holds.len(), 1);
    let two = bench.store.expired(&one.next, 100).await.unwrap();
    let told: Vec<_> = one.holds.iter().chain(&two.holds).map(|hold| (hold.id, hold.state)).collect();
    assert_eq!(
        told,
        [(paying.id, HoldState::Paying), (first.id, HoldState::Held), (second.id, HoldState::Held)],
        "the released one did not lapse"
    );
    assert_eq!(one.holds[0].ttl, Duration::ZERO);
    assert_eq!(two.holds[0].want, first.want);

    let end = bench.store.expired(&two.next, usize::MAX).await.unwrap();
    assert!(end.holds.is_empty() && end.next == two.next && !end.missed);
    // Replayable, through text too.
    let cursor = Cursor::from_text(one.next.as_str());
    assert_eq!(bench.store.expired(&cursor, 100).await.unwrap(), two);
    refused!(bench.store.expired(&Cursor::from_text("x:y"), 1).await, LockError::Invalid(_));
}

/// Set back, a clock makes holds last longer, by no more than it was set back; nothing is given out twice.
pub async fn a_clock_that_is_set_back_frees_nothing(bench: Bench) {
    let hour = Duration::from_secs(3_600);
    let before = bench.held("alice", &["A1"]).await;
    bench.clock.set(bench.clock.now() - hour);
    refused!(bench.hold("bob", &["A1"]).await, LockError::Unavailable(_));
    let after = bench.held("bob", &["A2"]).await;
    assert!(after.fence > before.fence || !bench.orders(&before, &after));
    assert_ne!(after.id, before.id);
    bench.clock.set(before.expires_at - TICK);
    refused!(bench.hold("bob", &["A1"]).await, LockError::Unavailable(_));
    bench.clock.set(before.expires_at);
    let taken = bench.held("bob", &["A1"]).await;
    assert!(taken.fence > before.fence);
    assert!(taken.fence > after.fence || !bench.orders(&after, &taken));
}

/// Pitfall 2: no moment comes from a caller. The store's clock is a century from this machine's.
pub async fn only_the_stores_clock_counts(bench: Bench) {
    bench.clock.advance(Duration::from_secs(100 * 366 * 86_400));
    let hold = bench.held("alice", &["A1"]).await;
    assert_eq!(hold.expires_at, bench.clock.now() + TTL);
    refused!(bench.hold("bob", &["A1"]).await, LockError::Unavailable(_));
    bench.clock.advance(TTL);
    bench.held("bob", &["A1"]).await;
}
