//! Answers that are lost, servers that are away.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgPool, PgPoolOptions};
use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::conformance::{owner, seats};
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{Cursor, EventSnapshot, Hold, HoldRequest, LockError, SeatState, SeatStore, Want};
use tokio::net::TcpListener;

use super::proxy::Proxy;
use super::server::{pool, schema, url};

const MINUTE: Duration = Duration::from_secs(60);

struct Wire {
    proxy: Proxy,
    /// Through the proxy, and past it.
    pool: PgPool,
    store: PostgresStore,
    straight: PostgresStore,
    event: EventId,
}

async fn wire(connections: u32) -> Wire {
    let straight = pool(&url(), 2).await;
    let schema = schema(&straight).await;
    let proxy = Proxy::before(&url()).await;
    let through = pool(&proxy.url, connections).await;
    let store = PostgresStore::in_schema(through.clone(), &schema).unwrap().with_timeout(MINUTE);
    let straight = PostgresStore::in_schema(straight, &schema).unwrap().with_timeout(MINUTE);
    let event = EventId::new();
    straight.load(&EventSnapshot::new(event).with_area("FLOOR", 10)).await.unwrap();
    Wire { proxy, pool: through, store, straight, event }
}

impl Wire {
    fn request(&self, names: &[&str]) -> HoldRequest {
        HoldRequest::new(self.event, "alice", Want::Seats(seats(names)))
    }

    async fn held(&self, names: &[&str]) -> Hold {
        self.straight.hold(&self.request(names)).await.unwrap()
    }

    async fn paying(&self, names: &[&str]) -> Hold {
        let hold = self.held(names).await;
        self.straight.begin_commit(hold.reference(), &hold.owner, MINUTE).await.unwrap()
    }

    async fn taken(&self) -> Vec<(String, SeatState)> {
        let status = self.straight.status(self.event).await.unwrap();
        status.seats.iter().map(|(seat, state)| (seat.to_string(), *state)).collect()
    }

    /// Does it with its answer cut off, then again.
    async fn cut<T>(&self, operation: impl AsyncFn() -> Result<T, LockError>) -> Result<T, LockError> {
        self.proxy.cut_next();
        match operation().await {
            Err(LockError::OutcomeUnknown { .. }) => {}
            Err(error) => panic!("{error:?} for an answer that was lost"),
            Ok(_) => panic!("an answer that was lost"),
        }
        operation().await
    }
}

#[tokio::test]
async fn every_operation_is_one_round_trip() {
    let wire = wire(1).await;
    let (store, alice, booking) = (&wire.store, owner("alice"), BookingId::new());
    // Once to have all prepared, once to count.
    for names in [["A1", "A2"], ["B1", "B2"]] {
        wire.proxy.statements();
        let counted = |what: &str| assert_eq!(wire.proxy.statements(), 1, "{what}");
        store.load(&EventSnapshot::new(wire.event).with_area("FLOOR", 10)).await.unwrap();
        counted("load");
        let request = wire.request(&["Z1", names[0]]).or(Want::Seats(seats(&names)));
        let hold = store.hold(&request).await.unwrap();
        counted("hold");
        let it = hold.reference();
        let hold =
            store.hold(&request.clone().attempt(ticketblitz_lock::AttemptId::new()).replacing(it)).await;
        let hold = hold.unwrap();
        counted("a hold in place of another");
        let it = hold.reference();
        let rival = HoldRequest::new(wire.event, "bob", hold.want.clone());
        assert!(matches!(store.hold(&rival).await, Err(LockError::Unavailable(_))));
        counted("a hold refused");
        store.extend(it, &alice, MINUTE).await.unwrap();
        counted("extend");
        store.get(it).await.unwrap();
        counted("get");
        store.status(wire.event).await.unwrap();
        counted("status");
        store.begin_commit(it, &alice, MINUTE).await.unwrap();
        counted("begin_commit");
        store.sold(it, hold.fence, booking).await.unwrap();
        counted("sold");
        store.reopen(wire.event, booking).await.unwrap();
        counted("reopen");
        let paying = wire.paying(&["C1"]).await;
        store.abort_commit(paying.reference()).await.unwrap();
        counted("abort_commit");
        let held = wire.held(&["C1"]).await;
        store.release(held.reference(), &alice).await.unwrap();
        counted("release");
        store.expired(&Cursor::default(), 10).await.unwrap();
        counted("expired");
    }
    store.unload(wire.event).await.unwrap();
    assert_eq!(wire.proxy.statements(), 1);
}

/// Pitfall 7: whatever was done and not answered is done once, and its repeat answers as if nothing had been lost.
#[tokio::test]
async fn a_lost_answer_is_had_by_asking_again() {
    let wire = wire(2).await;
    let (store, alice) = (&wire.store, owner("alice"));

    let request = wire.request(&["A1", "A2"]).limit(2);
    wire.proxy.cut_next();
    let lost = store.hold(&request).await.unwrap_err();
    assert!(
        matches!(lost, LockError::OutcomeUnknown { attempt: Some(a) } if a == request.attempt),
        "{lost:?}"
    );
    let made = wire.straight.hold(&request).await.unwrap();
    let again = store.hold(&request).await.unwrap();
    assert_eq!((again.id, again.fence, again.expires_at), (made.id, made.fence, made.expires_at));
    let mine = wire.request(&["A2", "A3"]);
    assert!(
        matches!(store.hold(&mine).await, Err(LockError::Unavailable(_))),
        "another attempt has its own answer"
    );
    let it = made.reference();

    let extended = wire.cut(|| store.extend(it, &alice, MINUTE * 20)).await.unwrap();
    assert!(extended.expires_at > made.expires_at);
    let swap = wire.request(&["A2", "A3"]).replacing(it);
    let swapped = wire.cut(|| store.hold(&swap)).await.unwrap();
    assert_eq!(wire.taken().await, ["A2", "A3"].map(|seat| (seat.to_owned(), SeatState::Held)));
    let it = swapped.reference();
    let paying = wire.cut(|| store.begin_commit(it, &alice, MINUTE)).await.unwrap();
    assert_eq!(store.get(it).await.unwrap().expires_at, paying.expires_at, "no grace is had twice");
    let booking = BookingId::new();
    wire.cut(|| store.sold(it, swapped.fence, booking)).await.unwrap();
    assert_eq!(wire.taken().await, ["A2", "A3"].map(|seat| (seat.to_owned(), SeatState::Sold)));
    wire.cut(|| store.reopen(wire.event, booking)).await.unwrap();
    let paying = wire.paying(&["B1"]).await;
    wire.cut(|| store.abort_commit(paying.reference())).await.unwrap();
    let held = wire.held(&["B1"]).await;
    let released = wire.cut(|| store.release(held.reference(), &alice)).await;
    assert!(matches!(released, Err(LockError::NotHeld)), "which means the same");
    assert_eq!(wire.taken().await, []);

    let snapshot = EventSnapshot::new(wire.event).with_area("FLOOR", 20);
    wire.cut(|| store.load(&snapshot)).await.unwrap();
    assert_eq!(wire.straight.status(wire.event).await.unwrap().areas[0].capacity, 20);
    wire.cut(|| store.unload(wire.event)).await.unwrap();
    assert!(matches!(store.status(wire.event).await, Err(LockError::NotLoaded)));
}

/// What only reads changed nothing, whatever became of its answer.
#[tokio::test]
async fn a_lost_answer_to_a_question_is_a_failure() {
    let wire = wire(2).await;
    let it = wire.held(&["A1"]).await.reference();
    wire.proxy.cut_next();
    assert!(matches!(wire.store.get(it).await, Err(LockError::Backend { .. })));
    wire.proxy.cut_next();
    assert!(matches!(wire.store.status(wire.event).await, Err(LockError::Backend { .. })));
    wire.proxy.cut_next();
    assert!(matches!(wire.store.expired(&Cursor::default(), 1).await, Err(LockError::Backend { .. })));
    wire.store.get(it).await.unwrap();
}

/// A server that is silent, not gone: the answer comes in time, and the next one does not wait for the first.
#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let wire = wire(2).await;
    let request = wire.request(&["A1"]);
    let hasty = wire.store.clone().with_timeout(Duration::from_millis(300));
    hasty.hold(&request).await.unwrap();
    let started = Instant::now();
    while wire.pool.num_idle() == 0 {
        assert!(started.elapsed() < MINUTE, "the connection comes back");
        tokio::task::yield_now().await;
    }
    wire.proxy.freeze();
    let (mut sent, mut not_sent) = (0, 0);
    for n in 0..6 {
        let request = HoldRequest::new(wire.event, format!("buyer {n}"), Want::Seats(seats(&["B1"])));
        match hasty.hold(&request).await {
            Err(LockError::OutcomeUnknown { attempt }) => {
                assert_eq!(attempt, Some(request.attempt));
                sent += 1;
            }
            Err(LockError::Backend { .. }) => not_sent += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(started.elapsed() < MINUTE, "{:?}", started.elapsed());
    assert!(sent > 0 && sent + not_sent == 6, "{sent} sent, {not_sent} not");
    wire.proxy.thaw();
    let back = wire.store.hold(&request).await.unwrap();
    assert_eq!(wire.straight.get(back.reference()).await.unwrap().id, back.id);
}

#[tokio::test]
async fn a_server_that_is_away_is_a_failure_in_time() {
    // One that refuses, and one that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [refusing, silent.local_addr().unwrap()] {
        let pool = PgPoolOptions::new().connect_lazy(&format!("postgres://nobody@{address}/none")).unwrap();
        let store = PostgresStore::new(pool).with_timeout(Duration::from_millis(200));
        let started = Instant::now();
        let event = EventId::new();
        let answer = store.hold(&HoldRequest::new(event, "alice", Want::Seats(seats(&["A1"])))).await;
        assert!(matches!(answer, Err(LockError::Backend { .. })), "{answer:?}");
        assert!(matches!(store.status(event).await, Err(LockError::Backend { .. })));
        assert!(started.elapsed() < MINUTE);
    }
}
