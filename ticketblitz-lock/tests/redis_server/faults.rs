//! Answers that are lost, servers that are away.

use std::time::Duration;

use futures::poll;
use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::redis::driver;
use ticketblitz_lock::{EventSnapshot, HoldRequest, LockError, RedisStore, SeatState, SeatStore};

use super::own_server::{Server, free_port};
use super::proxy::Proxy;
use super::trips::everything;
use super::{Bench, GRACE, TTL, seats, server, shared, unknown};

/// A bench that reaches the server through a proxy. The server has all the scripts: the answer that is cut is not the one
/// that it lacks one.
async fn on_a_wire() -> (Proxy, Bench) {
    let proxy = Proxy::start().await;
    let bench = Bench::at(&proxy.url(), server::url()).await;
    everything(&bench, async |_| {}).await;
    (proxy, bench)
}

/// Pitfall 7: the server did it, and the answer is lost. The same attempt again is the same hold; another is its own.
#[tokio::test]
async fn a_hold_whose_answer_is_lost_is_there_once() {
    let _shared = shared().await;
    let (proxy, bench) = on_a_wire().await;
    let direct = RedisStore::connect_with(server::url(), server::options(&bench.prefix)).await.unwrap();
    let request = bench.request("alice", &["A1", "A2"]).limit(2);
    proxy.cut_the_next_answer();
    let lost = bench.store.hold(&request).await;
    assert!(proxy.has_cut());
    assert!(
        matches!(lost, Err(LockError::OutcomeUnknown { attempt: Some(attempt) }) if attempt == request.attempt),
        "{lost:?}"
    );
    assert_eq!(bench.taken().await.len(), 2, "it happened");
    let again = bench.store.hold(&request).await.unwrap();
    let known = direct.get(again.reference()).await.unwrap();
    assert_eq!((again.id, again.fence, again.expires_at), (known.id, known.fence, known.expires_at));
    // And once more, lost again: nothing is new.
    proxy.cut_the_next_answer();
    unknown(&bench.store.hold(&request).await);
    let third = bench.store.hold(&request).await.unwrap();
    assert_eq!((third.id, third.fence, third.expires_at), (known.id, known.fence, known.expires_at));
    let other = bench.store.hold(&bench.request("alice", &["A1"])).await;
    assert!(matches!(other, Err(LockError::Unavailable(_))), "{other:?}");
    assert_eq!(bench.taken().await.len(), 2);
}

/// Every other operation happened once too, and its repeat says what the contract says.
#[tokio::test]
async fn whatever_answer_is_lost_the_repeat_agrees() {
    let _shared = shared().await;
    let (proxy, bench) = on_a_wire().await;
    let store = &bench.store;

    let released = bench.held("alice", &["A1"]).await;
    proxy.cut_the_next_answer();
    unknown(&store.release(released.reference(), &released.owner).await);
    assert!(matches!(store.release(released.reference(), &released.owner).await, Err(LockError::NotHeld)));

    let hold = bench.held("alice", &["A1"]).await;
    proxy.cut_the_next_answer();
    unknown(&store.extend(hold.reference(), &hold.owner, TTL * 2).await);
    let extended = store.get(hold.reference()).await.unwrap();
    assert!(extended.expires_at > hold.expires_at);

    proxy.cut_the_next_answer();
    unknown(&store.begin_commit(hold.reference(), &hold.owner, GRACE).await);
    let paying = store.get(hold.reference()).await.unwrap();
    let again = store.begin_commit(hold.reference(), &hold.owner, GRACE * 9).await.unwrap();
    assert_eq!((again.state, again.expires_at), (paying.state, paying.expires_at), "begun once");

    let booking = BookingId::new();
    proxy.cut_the_next_answer();
    unknown(&store.sold(hold.reference(), hold.fence, booking).await);
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold)]);
    store.sold(hold.reference(), hold.fence, booking).await.unwrap();

    proxy.cut_the_next_answer();
    unknown(&store.reopen(bench.event, booking).await);
    assert_eq!(bench.taken().await, []);
    store.reopen(bench.event, booking).await.unwrap();

    let aborted = bench.paying("bob", &["A2"]).await;
    proxy.cut_the_next_answer();
    unknown(&store.abort_commit(aborted.reference()).await);
    assert_eq!(bench.taken().await, []);
    store.abort_commit(aborted.reference()).await.unwrap();

    // What only reads has changed nothing, answered or not.
    proxy.cut_the_next_answer();
    assert!(matches!(store.status(bench.event).await, Err(LockError::Backend { .. })));
    let fence = bench.held("carol", &["A1"]).await.fence;
    proxy.cut_the_next_answer();
    unknown(&store.load(&bench.snapshot()).await);
    store.load(&bench.snapshot()).await.unwrap();
    let other = Bench::new().await;
    other.store.unload(other.event).await.unwrap();
    proxy.cut_the_next_answer();
    unknown(&store.unload(bench.event).await);
    assert!(matches!(store.status(bench.event).await, Err(LockError::NotLoaded)));
    store.unload(bench.event).await.unwrap();
    store.load(&bench.snapshot()).await.unwrap();
    assert!(bench.held("carol", &["A1"]).await.fence > fence);
}

/// Pitfall 16: an answer that does not come in time is lost, not a failure, and the next operation has another connection.
#[tokio::test]
async fn waiting_for_an_answer_is_bounded() {
    let _shared = shared().await;
    let proxy = Proxy::start().await;
    let prefix = server::prefix();
    let options = server::options(&prefix).response_timeout(Duration::from_millis(300));
    let store = RedisStore::connect_with(&proxy.url(), options).await.unwrap();
    let bench = Bench::new().await;
    store.load(&bench.snapshot()).await.unwrap();
    let request = bench.request("alice", &["A1"]);
    proxy.swallow_answers(true);
    unknown(&store.hold(&request).await);
    // Now it cannot even be asked.
    let refused = store.hold(&bench.request("bob", &["A1"])).await;
    assert!(matches!(refused, Err(LockError::Backend { .. })), "{refused:?}");
    proxy.swallow_answers(false);
    let hold = store.hold(&request).await.unwrap();
    assert_eq!(store.get(hold.reference()).await.unwrap().fence, hold.fence);
}

/// A server that is away, or says nothing, is a failure within a bounded time: nothing was sent.
#[tokio::test]
async fn connecting_is_bounded() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (listener, keep) in [(silent, true), (closed, false)] {
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let kept = keep.then_some(listener);
        let options = server::options("nowhere").connect_timeout(Duration::from_millis(300));
        let answer =
            tokio::time::timeout(Duration::from_secs(30), RedisStore::connect_with(&url, options)).await;
        assert!(matches!(answer.unwrap(), Err(LockError::Backend { .. })));
        drop(kept);
    }
    assert!(matches!(RedisStore::connect("nonsense").await, Err(LockError::Invalid(_))));
}

/// A connection that ended while nobody used it is noticed: what comes next is neither lost nor refused.
#[tokio::test]
async fn a_connection_that_ended_in_between_is_made_again() {
    let _shared = shared().await;
    let proxy = Proxy::start().await;
    let bench = Bench::at(&proxy.url(), server::url()).await;
    for _ in 0..20 {
        let hold = bench.held("alice", &["A1"]).await;
        proxy.hang_up().await;
        bench.store.release(hold.reference(), &hold.owner).await.unwrap();
    }
}

/// Pitfall 11: a master that was made a replica refuses, and is left for whoever is at its address now.
#[tokio::test]
async fn a_server_that_is_no_master_any_more_is_left() {
    let (old, new) = (Server::start(free_port()).await, Server::start(free_port()).await);
    let proxy = Proxy::to(&old.url()).await;
    let store = RedisStore::connect_with(&proxy.url(), server::options("failover")).await.unwrap();
    let event = EventId::new();
    let request = |name: &str| HoldRequest::new(event, "alice", seats(&[name])).ttl(TTL);
    store.load(&EventSnapshot::new(event)).await.unwrap();
    store.hold(&request("A1")).await.unwrap();
    let old_one = driver::Client::open(old.url()).unwrap();
    let mut old_one = old_one.get_multiplexed_async_connection().await.unwrap();
    // Of a master that is not there: it keeps what it has.
    let mut demote = driver::cmd("REPLICAOF");
    let () = demote.arg("127.0.0.1").arg(free_port()).query_async(&mut old_one).await.unwrap();
    proxy.lead_to(&new.url());
    let refused = store.hold(&request("A2")).await;
    assert!(matches!(refused, Err(LockError::Backend { .. })), "{refused:?}");
    let next = store.hold(&request("A2")).await;
    assert!(matches!(next, Err(LockError::NotLoaded)), "the new one knows nothing yet: {next:?}");
    store.load(&EventSnapshot::new(event)).await.unwrap();
    store.hold(&request("A2")).await.unwrap();
}

/// Pitfall 12: whoever begins to connect and goes away does not take the connection from those who wait for it.
#[tokio::test]
async fn a_connection_is_made_though_who_began_goes_away() {
    let _shared = shared().await;
    let proxy = Proxy::start().await;
    let bench = Bench::at(&proxy.url(), server::url()).await;
    proxy.hang_up().await;
    let before = proxy.accepted();
    let mut others = {
        let mut began = bench.store.status(bench.event);
        assert!(poll!(&mut began).is_pending());
        let mut others = bench.store.status(bench.event);
        assert!(poll!(&mut others).is_pending());
        while proxy.accepted() == before {
            assert!(poll!(&mut began).is_pending());
            tokio::task::yield_now().await;
        }
        others
    };
    (&mut others).await.unwrap();
    assert_eq!(proxy.accepted(), before + 1, "the one that was begun");
}

/// Times beyond all reckoning are long, and no prefix at all is refused.
#[tokio::test]
async fn options_have_no_edges() {
    let _shared = shared().await;
    let (prefix, most) = (server::prefix(), Duration::MAX);
    let options = server::options(&prefix).connect_timeout(most).response_timeout(most).keep(most);
    let store = RedisStore::connect_with(server::url(), options).await.unwrap();
    let event = EventId::new();
    store.load(&EventSnapshot::new(event)).await.unwrap();
    let requests = ["A1", "A2", "A3"].map(|name| HoldRequest::new(event, "alice", seats(&[name])).ttl(TTL));
    let holds = futures::future::join_all(requests.iter().map(|request| store.hold(request))).await;
    assert!(holds.iter().all(Result::is_ok), "{holds:?}");
    store.expired(&ticketblitz_lock::Cursor::default(), 10).await.unwrap();

    for nothing in ["", "{}"] {
        let refused = RedisStore::connect_with(server::url(), server::options(nothing)).await;
        let Err(LockError::Invalid(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("prefix"), "{why}");
    }
}
