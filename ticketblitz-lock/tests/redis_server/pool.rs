//! A store on the application's own pool of connections.

use std::time::{Duration, Instant};

use futures::poll;
use ticketblitz_lock::redis::deadpool_redis::{Config, Pool, PoolConfig, Runtime};
use ticketblitz_lock::redis::driver;
use ticketblitz_lock::{EventSnapshot, HoldRequest, LockError, RedisStore, SeatStore};

use super::monitor::Monitor;
use super::own_server::{Server, free_port};
use super::proxy::Proxy;
use super::{Bench, TTL, seats, server, shared};

const LONG: Duration = Duration::from_secs(60);

fn pool_of(url: &str, size: usize) -> Pool {
    let mut config = Config::from_url(url);
    config.pool = Some(PoolConfig::new(size));
    config.create_pool(Some(Runtime::Tokio1)).unwrap()
}

/// What everybody else does with the pool: all its connections at the same time.
async fn all_work(pool: &Pool, size: usize) {
    let mut lent = Vec::new();
    for _ in 0..size {
        let connection = tokio::time::timeout(LONG, pool.get()).await.expect("there are so many");
        lent.push(connection.unwrap());
    }
    for mut connection in lent {
        let answer: String = driver::cmd("PING").query_async(&mut connection).await.unwrap();
        assert_eq!(answer, "PONG");
    }
}

/// Its connection is taken for good, and nothing but the script goes over it.
#[tokio::test]
async fn a_pool_of_one_is_enough() {
    let _shared = shared().await;
    for size in [1, 2] {
        let pool = pool_of(server::url(), size);
        let mut bench = Bench::new().await;
        let options = server::options(&bench.prefix);
        bench.store = std::sync::Arc::new(RedisStore::from_pool(pool.clone(), options).await.unwrap());
        all_work(&pool, size).await;
        // So that the server has the scripts.
        let first = bench.held("alice", &["A1"]).await;
        bench.store.release(first.reference(), &first.owner).await.unwrap();
        let mut monitor = Monitor::of(&bench).await;
        let hold = bench.held("alice", &["A2"]).await;
        bench.store.release(hold.reference(), &hold.owner).await.unwrap();
        let seen = monitor.seen(&bench).await;
        let names: Vec<&str> = seen.sent.iter().map(|words| words[0].as_str()).collect();
        assert_eq!(names, ["EVALSHA", "EVALSHA"], "{size}");
        assert!(format!("{:?}", bench.store).contains("Pool"));
    }
}

/// A connection that ended while nobody used it is noticed though it does not tell: what comes next is not lost.
#[tokio::test]
async fn the_end_of_its_connection_is_noticed() {
    let _shared = shared().await;
    let proxy = Proxy::start().await;
    for size in [1, 2] {
        let pool = pool_of(&proxy.url(), size);
        let bench = Bench::new().await;
        let options = server::options(&bench.prefix).response_timeout(LONG);
        let store = RedisStore::from_pool(pool.clone(), options).await.unwrap();
        for _ in 0..20 {
            let hold = store.hold(&bench.request("alice", &["A1"])).await.unwrap();
            proxy.hang_up().await;
            store.release(hold.reference(), &hold.owner).await.unwrap();
        }
        all_work(&pool, size).await;
    }
}

/// Pitfall 12: whoever goes away at any point leaves the pool to others, and the store usable.
#[tokio::test]
async fn whoever_goes_away_leaves_the_pool_usable() {
    let _shared = shared().await;
    let proxy = Proxy::start().await;
    let pool = pool_of(&proxy.url(), 2);
    let bench = Bench::new().await;
    let store = RedisStore::from_pool(pool.clone(), server::options(&bench.prefix)).await.unwrap();
    for polls in 0..30 {
        // From making a connection on, every other time.
        if polls % 2 == 0 {
            proxy.hang_up().await;
        }
        let request = bench.request("alice", &["A1", "A2"]);
        {
            let mut holding = store.hold(&request);
            for _ in 0..polls / 2 {
                if poll!(&mut holding).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        all_work(&pool, 2).await;
        let hold = store.hold(&request).await.unwrap();
        store.release(hold.reference(), &hold.owner).await.unwrap();
        assert!(pool.status().size <= 2, "{:?}", pool.status());
    }
}

/// A server that is killed is a failure, never a lost answer, and one that is there again is used again.
#[tokio::test]
async fn a_server_that_is_back_is_used_again() {
    for size in [1, 2] {
        let mut server = Server::start(free_port()).await;
        let pool = pool_of(&server.url(), size);
        let options = server::options("pool").connect_timeout(LONG);
        let store = RedisStore::from_pool(pool.clone(), options).await.unwrap();
        let event = ticketblitz_core::EventId::new();
        let request = |name: &str| HoldRequest::new(event, "alice", seats(&[name])).ttl(TTL);
        store.load(&EventSnapshot::new(event)).await.unwrap();
        store.hold(&request("A1")).await.unwrap();
        server.kill();
        // The operating system tells the connection of it soon; until then an answer may be lost.
        let began = Instant::now();
        loop {
            match store.hold(&request("A2")).await {
                Err(LockError::Backend { .. }) => break,
                Err(LockError::OutcomeUnknown { .. }) => assert!(began.elapsed() < LONG),
                other => panic!("{other:?}"),
            }
        }
        let server = Server::start(server.port).await;
        assert!(matches!(store.hold(&request("A3")).await, Err(LockError::NotLoaded)), "it has lost all");
        store.load(&EventSnapshot::new(event)).await.unwrap();
        store.hold(&request("A3")).await.unwrap();
        all_work(&pool, size).await;
        drop(server);
    }
}
