//! What stays on the server.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::poll;
use ticketblitz_core::{BookingId, EventId, ManualClock, Timestamp};
use ticketblitz_lock::redis::driver;
use ticketblitz_lock::{
    Cursor, EventSnapshot, HoldRequest, LockError, RedisStore, SeatStore, Taken, TakenState,
};

use super::{Bench, GRACE, TTL, alone, floor, seats, server, shared};

impl Bench {
    /// Every key of the store. A test may scan.
    pub async fn keys(&self) -> Vec<String> {
        let (mut cursor, mut keys) = ("0".to_owned(), Vec::new());
        loop {
            let pattern = format!("{{{}*", self.prefix);
            let (next, found): (String, Vec<String>) =
                self.ask(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", "1000"]).await;
            keys.extend(found);
            if next == "0" {
                return keys;
            }
            cursor = next;
        }
    }

    /// Every key with all that is in it.
    pub async fn dump(&self) -> BTreeMap<String, Vec<u8>> {
        let mut dump = BTreeMap::new();
        for key in self.keys().await {
            let value: driver::Value = self.ask(&["DUMP", &key]).await;
            let driver::Value::BulkString(bytes) = value else { panic!("{key}: {value:?}") };
            dump.insert(key, bytes);
        }
        dump
    }

    async fn all_keys_end(&self, when: &str) {
        let keys = self.keys().await;
        assert!(keys.len() >= 3, "{when}: {keys:?}");
        for key in keys {
            let left: i64 = self.ask(&["PTTL", &key]).await;
            assert!(left > 3_600_000, "{when}: {key} ends in {left} ms");
        }
    }
}

/// Pitfalls 8 and 9: every key ends, none before what it is to remember, whatever has come and gone in it.
#[tokio::test]
async fn every_key_has_a_time_to_live() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    bench.all_keys_end("nothing held").await;
    let (held, paying) = (bench.held("alice", &["A1"]).await, bench.paying("bob", &["A2"]).await);
    let booking = BookingId::new();
    bench.store.sold(paying.reference(), paying.fence, booking).await.unwrap();
    bench.all_keys_end("held and sold").await;
    bench.store.release(held.reference(), &held.owner).await.unwrap();
    bench.store.reopen(bench.event, booking).await.unwrap();
    bench.all_keys_end("all free again").await;
    let short = bench.request("carol", &["A3"]).ttl(Duration::from_millis(1));
    let short = bench.store.hold(&short).await.unwrap();
    while !bench.taken().await.is_empty() {}
    bench.all_keys_end("lapsed, and not told").await;
    bench.until_told(1).await;
    assert_eq!(bench.store.expired(&Cursor::default(), 9).await.unwrap().holds[0].id, short.id);
    bench.all_keys_end("told").await;
    // A hold beyond the time for which events are kept.
    let year = Duration::from_secs(365 * 86_400);
    bench.store.hold(&bench.request("dora", &["A4"]).ttl(year).ceiling(year)).await.unwrap();
    let left: i64 = bench.ask(&["PTTL", &format!("{{{}:{}}}", bench.prefix, bench.event)]).await;
    assert!(Duration::from_millis(left.unsigned_abs()) > year, "{left}");
    bench.store.unload(bench.event).await.unwrap();
    bench.all_keys_end("unloaded").await;
}

impl Bench {
    /// Waits until so many holds are in the stream.
    async fn until_told(&self, count: usize) {
        for _ in 0..200 {
            if self.store.expired(&Cursor::default(), 1_000).await.unwrap().holds.len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{count} holds did not lapse");
    }
}

/// Pitfall 10: a server that has lost everything gives out higher fences than before all the same, the truth's floor too.
#[tokio::test]
async fn fences_rise_after_everything_was_lost() {
    let _shared = shared().await;
    // A database of its own to flush.
    let url = format!("{}/9", server::url());
    let bench = Bench::at(&url, &url).await;
    let (before, sale) = (bench.held("alice", &["A1"]).await, bench.paying("bob", &["A2"]).await);
    let () = bench.ask(&["FLUSHDB"]).await;
    assert!(matches!(bench.store.get(before.reference()).await, Err(LockError::NotLoaded)));
    assert!(matches!(bench.store.hold(&bench.request("carol", &["A1"])).await, Err(LockError::NotLoaded)));
    bench.store.load(&bench.snapshot()).await.unwrap();
    assert!(bench.held("carol", &["A1"]).await.fence > sale.fence, "the time is a floor too");
    let () = bench.ask(&["FLUSHDB"]).await;

    let ahead = ticketblitz_lock::Fence::new(sale.fence.as_u64() + 86_400_000_000);
    let sold = Taken::new("bob", seats(&["A2"]), TakenState::Sold, sale.fence).with_booking(BookingId::new());
    bench.store.load(&bench.snapshot().with_taken(sold)).await.unwrap();
    let after = bench.held("carol", &["A1"]).await;
    assert!(after.fence > before.fence && after.fence > sale.fence);
    bench.store.release(after.reference(), &after.owner).await.unwrap();
    bench.store.load(&bench.snapshot().with_fence_floor(ahead)).await.unwrap();
    assert!(bench.held("carol", &["A1"]).await.fence > ahead);
    assert!(bench.store.hold(&bench.request("carol", &["A2"])).await.is_err(), "what is sold is sold");
}

/// The stream tells each hold once though it is asked for by many at the same time, and what an event keeps for it goes.
#[tokio::test]
async fn the_stream_is_filled_once_by_many() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let other = EventSnapshot::new(EventId::new()).with_area("FLOOR", 40);
    bench.store.load(&other).await.unwrap();
    for n in 0..20_u32 {
        let ttl = Duration::from_millis(1);
        bench.store.hold(&bench.request("alice", &[&format!("A{}", n + 1)]).ttl(ttl)).await.unwrap();
        let request = HoldRequest::new(other.event, "bob", floor(2)).ttl(ttl);
        bench.store.hold(&request).await.unwrap();
    }
    let ask = || async { bench.store.expired(&Cursor::default(), 1_000).await.unwrap().holds };
    let mut many = futures::future::join_all((0..20).map(|_| ask())).await;
    bench.until_told(40).await;
    many.push(ask().await);
    let mut ids: Vec<_> = many.last().unwrap().iter().map(|hold| hold.id).collect();
    assert!(many.iter().all(|some| some.iter().map(|hold| hold.id).eq(ids[..some.len()].iter().copied())));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((many.last().unwrap().len(), ids.len()), (40, 40));
    let left: u64 = bench.ask(&["LLEN", &format!("{{{}:{}}}:lapsed", bench.prefix, bench.event)]).await;
    assert_eq!(left, 0, "the stream has them");

    // An event that is gone is looked at no more, and is again once it is loaded.
    bench.store.unload(other.event).await.unwrap();
    ask().await;
    let events = format!("{{{}}}:events", bench.prefix);
    let known: Vec<String> = bench.ask(&["ZRANGE", &events, "0", "-1"]).await;
    assert_eq!(known, [bench.event.to_string()]);
    bench.store.load(&other).await.unwrap();
    let known: u64 = bench.ask(&["ZCARD", &events]).await;
    assert_eq!(known, 2);
}

/// Pitfall 12: whoever goes away as soon as the event is loaded leaves one whose holds the stream tells.
#[tokio::test]
async fn the_stream_tells_of_an_event_whose_load_was_dropped() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let event = EventId::new();
    let snapshot = EventSnapshot::new(event);
    {
        let mut loading = bench.store.load(&snapshot);
        // Asked over the same connection: the answer is of after what the load has sent.
        while bench.store.status(event).await.is_err() {
            assert!(poll!(&mut loading).is_pending(), "it was not dropped in between");
        }
    }
    let request = HoldRequest::new(event, "alice", seats(&["A1"])).ttl(Duration::from_millis(1));
    let short = bench.store.hold(&request).await.unwrap();
    bench.until_told(1).await;
    assert_eq!(bench.store.expired(&Cursor::default(), 9).await.unwrap().holds[0].id, short.id);
}

/// A load that fails after the event was loaded says so: nobody knows, and it is sent again.
#[tokio::test]
async fn a_load_that_ends_in_the_middle_is_unknown() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let event = EventId::new();
    let (snapshot, events) = (EventSnapshot::new(event), format!("{{{}}}:events", bench.prefix));
    let mut loading = bench.store.load(&snapshot);
    while bench.store.status(event).await.is_err() {
        assert!(poll!(&mut loading).is_pending(), "it has not ended");
    }
    // What is no set of events refuses to be one.
    let () = bench.ask(&["SET", &events, "somebody else's"]).await;
    let ended = loading.await;
    assert!(matches!(ended, Err(LockError::OutcomeUnknown { attempt: None })), "{ended:?}");
    let () = bench.ask(&["DEL", &events]).await;
    bench.store.load(&snapshot).await.unwrap();
}

/// Attempts, endings, owners, bookings: all of it goes some time, and nothing is left of a hundred buyers.
#[tokio::test]
async fn what_is_over_is_forgotten() {
    let _shared = shared().await;
    let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
    let bench = Bench::new().await;
    let store =
        RedisStore::connect_with(server::url(), server::options(&bench.prefix).clock(clock.clone())).await;
    let store = store.unwrap();
    let event = EventId::new();
    store.load(&EventSnapshot::new(event).with_area("FLOOR", 10)).await.unwrap();
    for n in 0..100_u32 {
        let want = if n % 5 == 0 { floor(1) } else { seats(&[&format!("A{}", n + 1)]) };
        let request = HoldRequest::new(event, format!("buyer {n}"), want).ttl(TTL).ceiling(TTL * 2);
        let request = if n % 2 == 0 { request } else { request.or(floor(1)) };
        let hold = store.hold(&request).await.unwrap();
        let (it, booking) = (hold.reference(), BookingId::new());
        match n % 4 {
            0 => store.release(it, &hold.owner).await.unwrap(),
            1 => {
                store.begin_commit(it, &hold.owner, GRACE).await.unwrap();
                store.abort_commit(it).await.unwrap();
            }
            2 => {
                store.sold(it, hold.fence, booking).await.unwrap();
                store.reopen(event, booking).await.unwrap();
            }
            _ if n % 8 == 3 => drop(store.begin_commit(it, &hold.owner, TTL * 3).await.unwrap()),
            _ => {}
        }
    }
    let key = |part: &str| format!("{{{}:{event}}}{part}", bench.prefix);
    // To the end of the longest payment. Whoever holds cleans up after some of those before them.
    clock.advance(TTL * 3);
    for n in 2..8 {
        let request =
            HoldRequest::new(event, "next", seats(&[&format!("B{n}")])).ttl(Duration::from_micros(1));
        store.hold(&request).await.unwrap();
        clock.advance(Duration::from_micros(1));
    }
    let last = store.hold(&HoldRequest::new(event, "last", seats(&["B1"])).ttl(TTL)).await.unwrap();
    let due: Vec<String> = bench.ask(&["ZRANGE", &key(":due"), "0", "-1"]).await;
    let holds: Vec<_> = due.iter().filter(|member| member.starts_with('h')).collect();
    assert_eq!(holds, [&format!("h{}", last.id)]);
    // A sale stays, its attempt does not; an hour after it has ended, nothing of it.
    let booking = BookingId::new();
    store.sold(last.reference(), last.fence, booking).await.unwrap();
    clock.advance(Duration::from_secs(3_600));
    store.status(event).await.unwrap();
    let mut holds: Vec<String> = bench.ask(&["HKEYS", &key(":holds")]).await;
    holds.sort_unstable();
    let kept = [format!("b{booking}"), format!("h{}", last.id), "olast".into(), "~".into()];
    assert_eq!(holds, kept);
    store.reopen(event, booking).await.unwrap();
    clock.advance(Duration::from_secs(3_600));
    assert!(store.status(event).await.unwrap().seats.is_empty());
    let holds: Vec<String> = bench.ask(&["HKEYS", &key(":holds")]).await;
    let due: Vec<String> = bench.ask(&["ZRANGE", &key(":due"), "0", "-1"]).await;
    let mut taken: Vec<String> = bench.ask(&["HKEYS", &key("")]).await;
    taken.sort_unstable();
    assert_eq!((holds, due), (vec!["~".to_owned()], vec!["~".to_owned()]));
    assert_eq!(taken, ["1FLOOR", "2FLOOR", "3FLOOR", "f", "gFLOOR", "v", "x"]);
}

/// A server that may evict keys may sell a seat twice.
#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let _alone = alone().await;
    let bench = Bench::new().await;
    let setting = ["CONFIG", "SET", "maxmemory-policy"];
    let () = bench.ask(&[&setting[..], &["allkeys-lru"]].concat()).await;
    let refused = RedisStore::connect(server::url()).await;
    let () = bench.ask(&[&setting[..], &["noeviction"]].concat()).await;
    let Err(LockError::Backend { source }) = refused else { panic!("{refused:?}") };
    assert!(
        source.to_string().contains("allkeys-lru") && source.to_string().contains("noeviction"),
        "{source}"
    );
    RedisStore::connect(server::url()).await.unwrap();
}

/// More than Lua can pass to one call: a snapshot of many, a hold of many, and all of them lapsing at once.
#[tokio::test]
async fn numbers_beyond_what_lua_can_unpack() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let names: Vec<String> = (1..=9_000).map(|n| format!("B{n}")).collect();
    let want = seats(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let house: Vec<_> = (1..=9_000).map(|n| ticketblitz_core::SeatId::new(3, n).unwrap()).collect();
    let sold = Taken::new("crowd", want.clone(), TakenState::Sold, ticketblitz_lock::Fence::new(7));
    let booking = BookingId::new();
    let snapshot = bench.snapshot().with_channel("house", house).with_taken(sold.with_booking(booking));
    bench.store.load(&snapshot).await.unwrap();
    assert_eq!(bench.taken().await.len(), 9_000);
    let all = HoldRequest::new(bench.event, "rival", want);
    let Err(LockError::Unavailable(conflicts)) = bench.store.hold(&all).await else { panic!() };
    assert_eq!(conflicts.seats.len(), 9_000);
    bench.store.reopen(bench.event, booking).await.unwrap();
    let hold = bench.store.hold(&all.ttl(TTL)).await.unwrap();
    bench.store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap();
    bench.store.abort_commit(hold.reference()).await.unwrap();
    // The channel goes with the next snapshot.
    bench.store.load(&bench.snapshot()).await.unwrap();
    assert!(bench.taken().await.is_empty());
    bench.held("anybody", &["C1", "C9000"]).await;
}
