//! The memory backend does what every backend must.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

use std::sync::Arc;

use ticketblitz_core::ManualClock;
use ticketblitz_lock::conformance::{Bench, TTL};
use ticketblitz_lock::{Cursor, MemoryStore, SeatStore};

async fn store(clock: ManualClock) -> impl SeatStore {
    MemoryStore::new(Arc::new(clock))
}

ticketblitz_lock::conformance!(store, histories: 10_000);

/// What the stream keeps is bounded, and it says so when it has forgotten something: here, all of another life.
#[tokio::test]
async fn the_stream_says_what_it_missed() {
    let bench = Bench::of(store).await;
    let from_another_life = Cursor::from_text("1");
    bench.held("alice", &["A1"]).await;
    bench.clock.advance(TTL);
    let expired = bench.store.expired(&from_another_life, 10).await.unwrap();
    assert!(expired.missed);
    assert_eq!(expired.holds.len(), 1);
    let next = bench.store.expired(&expired.next, 10).await.unwrap();
    assert!(!next.missed && next.holds.is_empty());
}
