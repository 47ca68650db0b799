//! One round trip an operation, declared keys, and losers who write nothing.

use std::time::Duration;

use ticketblitz_core::BookingId;
use ticketblitz_lock::{Cursor, LockError, SeatStore};

use super::monitor::{Monitor, Seen};
use super::{Bench, GRACE, TTL, floor, owner, seats, shared};

fn is_one_script(what: &str, seen: &Seen) {
    let names: Vec<&str> = seen.sent.iter().map(|words| words[0].as_str()).collect();
    assert_eq!(names, ["EVALSHA"], "{what}");
    declares_its_keys(what, seen);
}

/// All that a script touches is among the keys that it was sent with, and these are of one slot of a cluster.
pub fn declares_its_keys(what: &str, seen: &Seen) {
    let keys: Vec<&String> =
        seen.sent.iter().flat_map(|words| &words[3..3 + words[2].parse::<usize>().unwrap()]).collect();
    for words in &seen.called {
        assert!(!["KEYS", "SCAN", "HSCAN", "HKEYS"].contains(&words[0].as_str()), "{what}: {words:?}");
        assert!(words[0] == "TIME" || keys.contains(&&words[1]), "{what}: {words:?}");
    }
    let tag = |key: &str| key[key.find('{').unwrap()..=key.find('}').unwrap()].to_owned();
    for words in &seen.sent {
        let of = &words[3..3 + words[2].parse::<usize>().unwrap()];
        assert!(of.iter().all(|key| tag(key) == tag(&of[0])), "{what}: {of:?}");
    }
}

#[tokio::test]
async fn each_operation_is_one_round_trip() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let (store, event) = (&bench.store, bench.event);
    // Once for each script, so that the server has them all.
    everything(&bench, async |_| {}).await;
    let monitor = tokio::sync::Mutex::new(Monitor::of(&bench).await);
    everything(&bench, async |what| is_one_script(what, &monitor.lock().await.seen(&bench).await)).await;

    let mut monitor = monitor.into_inner();
    store.unload(event).await.unwrap();
    is_one_script("unload", &monitor.seen(&bench).await);
    store.load(&bench.snapshot()).await.unwrap();
    let seen = monitor.seen(&bench).await;
    assert_eq!(seen.sent.len(), 3, "the stream's keys, the event's, the stream's again");
    declares_its_keys("load", &seen);
    store.expired(&Cursor::default(), 10).await.unwrap();
    let seen = monitor.seen(&bench).await;
    assert_eq!(seen.sent.len(), 3, "the stream's, one event's, the stream's again");
    declares_its_keys("expired", &seen);
}

/// Each operation on a hold; `then` is told its name after each. Afterwards all is free again.
pub async fn everything(bench: &Bench, then: impl AsyncFn(&'static str)) {
    let store = &bench.store;
    let hold = bench.held("alice", &["A1", "A2"]).await;
    then("hold").await;
    let request = bench.request("alice", &["A1"]).or(seats(&["B1"])).or(floor(2)).limit(8).channel("fans");
    let first = store.hold(&request).await.unwrap();
    then("hold one of several").await;
    let swapped =
        store.hold(&bench.request("alice", &["B1", "B2"]).replacing(first.reference())).await.unwrap();
    then("replace").await;
    store.hold(&bench.request("alice", &["A1"])).await.unwrap_err();
    then("lose").await;
    store.get(hold.reference()).await.unwrap();
    then("get").await;
    store.extend(hold.reference(), &hold.owner, TTL * 2).await.unwrap();
    then("extend").await;
    store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap();
    then("begin_commit").await;
    let booking = BookingId::new();
    store.sold(hold.reference(), hold.fence, booking).await.unwrap();
    then("sold").await;
    store.status(bench.event).await.unwrap();
    then("status").await;
    store.reopen(bench.event, booking).await.unwrap();
    then("reopen").await;
    store.abort_commit(swapped.reference()).await.unwrap();
    then("abort_commit").await;
    let last = bench.held("alice", &["A1"]).await;
    then("hold").await;
    store.release(last.reference(), &last.owner).await.unwrap();
    then("release").await;
}

/// Pitfall 15. By what the server was told to do, and by what it has.
#[tokio::test]
async fn a_loser_writes_nothing() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let store = &bench.store;
    let held = bench.held("alice", &["A1", "A2"]).await;
    let paying = bench.paying("alice", &["A3"]).await;
    store.hold(&ticketblitz_lock::HoldRequest::new(bench.event, "alice", floor(8))).await.unwrap();
    let before = bench.dump().await;
    let mut monitor = Monitor::of(&bench).await;
    let bob = owner("bob");
    let hold = async |request| store.hold(&request).await.map(drop);
    let refusals = [
        hold(bench.request("bob", &["A4", "A2"])).await,
        hold(bench.request("bob", &["A3"]).or(seats(&["A1"])).or(floor(3))).await,
        hold(bench.request("alice", &["A9"]).limit(11)).await,
        hold(bench.request("alice", &["A9", "A3"]).replacing(held.reference())).await,
        store.release(held.reference(), &bob).await,
        store.extend(held.reference(), &bob, TTL).await.map(drop),
        store.extend(held.reference(), &held.owner, Duration::MAX).await.map(drop),
        store.begin_commit(held.reference(), &bob, GRACE).await.map(drop),
        store.release(paying.reference(), &paying.owner).await,
        store.sold(held.reference(), ticketblitz_lock::Fence::new(1), BookingId::new()).await,
    ];
    for refusal in refusals {
        let refusal = refusal.unwrap_err();
        assert!(
            !matches!(refusal, LockError::Backend { .. } | LockError::OutcomeUnknown { .. }),
            "{refusal:?}"
        );
    }
    let seen = monitor.seen(&bench).await;
    assert_eq!(seen.sent.len(), 10);
    assert!(seen.writes().is_empty(), "{:?}", seen.writes());
    assert_eq!(bench.dump().await, before);
    // The same eyes see a winner write.
    bench.held("bob", &["A4"]).await;
    assert!(monitor.seen(&bench).await.writes().contains("HSET"));
    assert_ne!(bench.dump().await, before);
}

/// Pitfall 13: scripts that the server has lost are sent again.
#[tokio::test]
async fn the_server_may_forget_the_scripts() {
    let _alone = super::alone().await;
    let bench = Bench::new().await;
    let first = bench.held("alice", &["A1"]).await;
    let () = bench.ask(&["SCRIPT", "FLUSH"]).await;
    bench.store.release(first.reference(), &first.owner).await.unwrap();
    let () = bench.ask(&["SCRIPT", "FLUSH"]).await;
    assert!(bench.held("bob", &["A1"]).await.fence > first.fence);
}
