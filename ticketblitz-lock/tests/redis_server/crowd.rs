//! A crowd's holds lapse at once, and nobody else waits until all of them are cleaned up.

use std::time::Duration;

use futures::future::join_all;
use ticketblitz_core::{BookingId, EventId, ManualClock, SeatId, Timestamp};
use ticketblitz_lock::{EventSnapshot, HoldRequest, LockError, RedisStore, SeatState, SeatStore, Want};

use super::monitor::{Monitor, Seen};
use super::sold_out::{HOUSE, seat, sold_out};
use super::trips::declares_its_keys;
use super::{Bench, TTL, alone, floor, server, shared};

const CROWD: u32 = 3_000;
/// Commands of a script: some for each of the holds that it may clean up.
const MOST: usize = 10_000;

/// A store on a clock that stands still, and a bench that looks behind it.
async fn stopped() -> (RedisStore, ManualClock, Bench) {
    let bench = Bench::new().await;
    let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
    let options =
        server::options(&bench.prefix).clock(clock.clone()).response_timeout(Duration::from_secs(60));
    (RedisStore::connect_with(server::url(), options).await.unwrap(), clock, bench)
}

/// So many hold a seat each, so many a unit of the floor, and all go away.
async fn lapsed_crowd(store: &RedisStore, clock: &ManualClock, snapshot: &EventSnapshot) {
    let hold = async |n: u32, want: Want| {
        let owner = if n == 0 { "alice".to_owned() } else { format!("buyer {n}") };
        store.hold(&HoldRequest::new(snapshot.event, owner, want).ttl(TTL)).await.unwrap();
    };
    let seat = |n: u32| Want::Seats(vec![SeatId::new(1, n + 1).unwrap()]);
    join_all((0..CROWD).map(|n| hold(n, if n < CROWD / 2 { seat(n) } else { floor(1) }))).await;
    assert_eq!(store.status(snapshot.event).await.unwrap().seats.len(), CROWD as usize / 2);
    clock.advance(TTL);
}

fn goes_in_pieces(what: &str, seen: &Seen) {
    declares_its_keys(what, seen);
    let scripts = seen.sent.iter().filter(|words| words[0].starts_with("EVAL")).count();
    assert_eq!(scripts, seen.sent.len(), "{what}");
    assert!(scripts > 5, "{what}: {CROWD} holds at once");
    let most = seen.each.iter().max().unwrap();
    assert!(*most < MOST, "{what}: {most} commands in a script, of {:?}", seen.each);
}

#[tokio::test]
async fn it_is_cleaned_up_in_pieces() {
    let _shared = shared().await;
    let (store, clock, bench) = stopped().await;
    let snapshot = EventSnapshot::new(bench.event).with_area("FLOOR", CROWD / 2);
    store.load(&snapshot).await.unwrap();
    let mut monitor = Monitor::of(&bench).await;
    let area = HoldRequest::new(bench.event, "late", floor(CROWD / 2)).ttl(Duration::from_micros(1));
    let limited =
        HoldRequest::new(bench.event, "alice", super::seats(&["B1"])).limit(1).ttl(Duration::from_micros(1));

    lapsed_crowd(&store, &clock, &snapshot).await;
    monitor.seen(&bench).await;
    let status = store.status(bench.event).await.unwrap();
    goes_in_pieces("status", &monitor.seen(&bench).await);
    assert_eq!((status.seats.len(), status.areas[0].free()), (0, CROWD / 2));

    lapsed_crowd(&store, &clock, &snapshot).await;
    monitor.seen(&bench).await;
    let hold = store.hold(&area).await.unwrap();
    goes_in_pieces("a hold of an area", &monitor.seen(&bench).await);
    assert_eq!(hold.want, area.want);
    clock.advance(TTL);

    lapsed_crowd(&store, &clock, &snapshot).await;
    monitor.seen(&bench).await;
    store.hold(&limited).await.unwrap();
    goes_in_pieces("a hold with a limit", &monitor.seen(&bench).await);
    clock.advance(TTL);

    lapsed_crowd(&store, &clock, &snapshot).await;
    monitor.seen(&bench).await;
    store.load(&snapshot).await.unwrap();
    goes_in_pieces("load", &monitor.seen(&bench).await);
    assert!(store.status(bench.event).await.unwrap().seats.is_empty());
}

/// Asking goes on where it was left: whoever goes away in between has lost nothing of it.
#[tokio::test]
async fn a_refusal_after_a_crowd_is_right() {
    let _shared = shared().await;
    let (store, clock, bench) = stopped().await;
    let snapshot = EventSnapshot::new(bench.event).with_area("FLOOR", CROWD);
    store.load(&snapshot).await.unwrap();
    lapsed_crowd(&store, &clock, &snapshot).await;
    let (mut dropped, live) = (0, HoldRequest::new(bench.event, "bob", floor(7)).ttl(TTL));
    store.hold(&live).await.unwrap();
    for patience in 0..20 {
        let asked = store.status(bench.event);
        let answer = tokio::time::timeout(Duration::from_millis(patience), asked).await;
        dropped += u32::from(answer.is_err());
    }
    assert!(dropped > 0);
    let refused = store.hold(&HoldRequest::new(bench.event, "carol", floor(CROWD - 6))).await;
    let Err(LockError::Unavailable(conflicts)) = refused else { panic!("{refused:?}") };
    assert_eq!(conflicts.areas[0].available, CROWD - 7);
}

/// With the default patience, which is more for what is large: a house that is sold out is loaded, and again.
#[tokio::test]
async fn a_house_that_is_sold_out_is_loaded() {
    let _alone = alone().await;
    let bench = Bench::new().await;
    let store = RedisStore::connect_with(server::url(), server::options(&bench.prefix)).await.unwrap();
    let mut snapshot = sold_out(EventId::new());
    // Sold twice: the first entry has it.
    let twice = snapshot.taken[8].clone().with_booking(BookingId::new());
    snapshot.taken.push(twice.clone());
    let one = |n: u32| HoldRequest::new(snapshot.event, "late", Want::Seats(vec![seat(n)]));
    store.load(&snapshot).await.unwrap();
    let status = bench.store.status(snapshot.event).await.unwrap();
    assert_eq!(status.seats.len(), HOUSE as usize);
    assert!(status.seats.iter().all(|(_, state)| *state == SeatState::Sold));
    assert_eq!((status.areas[0].sold, status.areas[0].free()), (10, 10));
    let lost = bench.store.hold(&one(HOUSE - 1)).await;
    assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
    bench.store.hold(&one(HOUSE)).await.unwrap();
    bench.store.reopen(snapshot.event, twice.booking.unwrap()).await.unwrap();
    bench.store.hold(&one(8)).await.unwrap_err();
    bench.store.reopen(snapshot.event, snapshot.taken[7].booking.unwrap()).await.unwrap();
    store.load(&snapshot).await.unwrap();
    bench.store.hold(&one(7)).await.unwrap();
}
