//! Redis. The holds go over one multiplexed connection. What they are held against goes over a connection each, as an
//! application has it that locks by SET NX PX, and over one multiplexed connection too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use benches::table::{Goal, Row, Table};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, RedisError, cmd};
use deadpool_redis::{Config, Pool, Runtime};
use ticketblitz_core::{EventId, SeatId};
use ticketblitz_lock::{LockError, RedisStore, SeatLocks};

use crate::load::{CLIENTS, Sale, Scale, alone, medians, rate};

const ALONE: usize = 5_000;
const CROWD: usize = 50_000;
/// Ten minutes, as long as a hold.
const TTL_MILLIS: u64 = 600_000;

/// Keys that nobody has had.
#[derive(Debug, Clone)]
struct Keys {
    prefix: String,
    next: Arc<AtomicU64>,
}

impl Keys {
    fn new() -> Self {
        Self { prefix: format!("floor:{}", EventId::new()), next: Arc::default() }
    }

    fn next(&self) -> String {
        format!("{}:{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// As many connections as callers: each has one for as long as it asks, and nothing is asked before that.
#[derive(Clone)]
struct Each(Arc<Mutex<Vec<MultiplexedConnection>>>);

impl Each {
    async fn open(client: &Client) -> Result<Self, RedisError> {
        let mut connections = Vec::with_capacity(CLIENTS);
        for _ in 0..CLIENTS {
            connections.push(client.get_multiplexed_async_connection().await?);
        }
        Ok(Self(Arc::new(Mutex::new(connections))))
    }

    async fn lend<F: Future<Output = ()>>(self, work: impl FnOnce(MultiplexedConnection) -> F) {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = taken.expect("one for each caller");
        work(connection.clone()).await;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

impl std::fmt::Debug for Each {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Each").finish_non_exhaustive()
    }
}

async fn ping(mut connection: MultiplexedConnection) {
    cmd("PING").query_async::<()>(&mut connection).await.expect("it answers");
}

/// A key of one seat: no fence, no owner checked at the release, no second seat.
async fn set_nx_px(mut connection: MultiplexedConnection, keys: Keys) {
    let mut set = cmd("SET");
    set.arg(keys.next()).arg("ann").arg("NX").arg("PX").arg(TTL_MILLIS);
    let set: Option<String> = set.query_async(&mut connection).await.expect("it answers");
    assert!(set.is_some(), "the key is new");
}

/// Four seats as the Java system takes them: one key after the other, over a connection of a pool.
async fn four_after_another(pool: Pool, keys: Keys) {
    let mut connection = pool.get().await.expect("a connection");
    for _ in 0..4 {
        let mut set = cmd("SET");
        set.arg(keys.next()).arg("ann").arg("NX").arg("PX").arg(TTL_MILLIS);
        let set: Option<String> = set.query_async(&mut connection).await.expect("it answers");
        assert!(set.is_some(), "the key is new");
    }
}

#[derive(Debug)]
struct Bench {
    locks: SeatLocks,
    connection: MultiplexedConnection,
    each: Each,
    pool: Pool,
}

impl Bench {
    async fn open(url: &str) -> Result<Self, String> {
        let told = |error: RedisError| error.to_string();
        let locks = RedisStore::connect(url).await.map_err(|error| format!("{error:?}"))?;
        let client = Client::open(url).map_err(told)?;
        let connection = client.get_multiplexed_async_connection().await.map_err(told)?;
        let each = Each::open(&client).await.map_err(told)?;
        let mut config = Config::from_url(url);
        config.pool = Some(deadpool_redis::PoolConfig::new(CLIENTS));
        let pool = config.create_pool(Some(Runtime::Tokio1)).map_err(|error| error.to_string())?;
        Ok(Self { locks: SeatLocks::new(locks), connection, each, pool })
    }

    async fn one_client(&self, scale: Scale) -> Result<[f64; 2], LockError> {
        let (times, connection) = (scale.of(ALONE), self.connection.clone());
        let sale = Sale::open(&self.locks).await?;
        Ok([
            alone(times, move || ping(connection.clone())).await,
            alone(times, move || sale.clone().hold(1)).await,
        ])
    }

    async fn crowd(&self, scale: Scale) -> Result<[f64; 8], LockError> {
        let (times, keys, pool) = (scale.of(CROWD), Keys::new(), self.pool.clone());
        let [for_ping, for_set] = [self.connection.clone(), self.connection.clone()];
        let [each_ping, each_set] = [self.each.clone(), self.each.clone()];
        let (one, four, losing) =
            (Sale::open(&self.locks).await?, Sale::open(&self.locks).await?, Sale::open(&self.locks).await?);
        let taken: Arc<[SeatId]> = losing.taken(1).await?;
        let [each_keys, pool_keys] = [keys.clone(), keys.clone()];
        Ok([
            rate(times, move || ping(for_ping.clone())).await,
            rate(times, move || each_ping.clone().lend(ping)).await,
            rate(times, move || set_nx_px(for_set.clone(), keys.clone())).await,
            rate(times, move || {
                let keys = each_keys.clone();
                each_set.clone().lend(|connection| set_nx_px(connection, keys))
            })
            .await,
            rate(times, move || one.clone().hold(1)).await,
            rate(times, move || four.clone().hold(4)).await,
            rate(times, move || losing.clone().lose(Arc::clone(&taken))).await,
            rate(times / 4, move || four_after_another(pool.clone(), pool_keys.clone())).await,
        ])
    }
}

/// A connection each is what the goals were set against; one for all, what a server can do at most.
fn tell_crowd(many: &[[f64; 8]], table: &mut Table) {
    const EACH: &str = "a connection each";
    const SHARED: &str = "one multiplexed connection";
    let [ping, each_ping, set, each_set, one, four, losing, after_another] = medians(many);
    for (what, beside, measured, floor, goal) in [
        ("SET NX PX of 1 seat, a connection each", "PING", each_set, (each_ping, EACH), None),
        ("SET NX PX of 1 seat, one multiplexed connection", "PING", set, (ping, SHARED), None),
        ("hold of 1 seat", "SET NX PX", one, (each_set, EACH), Some(0.7)),
        ("hold of 1 seat", "SET NX PX", one, (set, SHARED), None),
        ("hold of 4 seats", "SET NX PX of one", four, (each_set, EACH), Some(0.6)),
        ("hold of 4 seats", "SET NX PX of one", four, (set, SHARED), None),
        (
            "four SET NX PX one after the other, each caller with a pool's connection",
            "SET NX PX of one",
            after_another,
            (each_set, EACH),
            None,
        ),
        ("losing hold", "PING", losing, (each_ping, EACH), Some(0.9)),
        ("losing hold", "PING", losing, (ping, SHARED), None),
    ] {
        let (floor, how) = floor;
        let what = format!("Redis: {what}, beside {beside} over {how}, {CLIENTS} clients");
        let goals = goal.map(Goal::RatioAtLeast).into_iter().collect();
        table.add(Row { what, unit: "/s", measured, floor: Some(floor), goals });
    }
}

pub(crate) async fn measure(url: &str, scale: Scale, table: &mut Table) -> Result<(), String> {
    let bench = Bench::open(url).await?;
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        one.push(bench.one_client(scale).await.map_err(|error| format!("{error:?}"))?);
        many.push(bench.crowd(scale).await.map_err(|error| format!("{error:?}"))?);
    }
    let [ping, hold] = medians(&one);
    let what = "Redis: hold of 1 seat, one client, p50, beside PING".to_owned();
    let goals = vec![Goal::RatioAtMost(1.5)];
    table.add(Row { what, unit: "us", measured: hold, floor: Some(ping), goals });
    tell_crowd(&many, table);
    Ok(())
}
