//! Redis. The floors: one round trip, and the usual recipe, a key a seat with `SET NX PX`. That has neither fence nor
//! all-or-none: who gets two of four seats has to give them back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, cmd};
use ticketblitz_core::EventId;
use ticketblitz_lock::{RedisStore, SeatLocks};
use tokio::runtime::Runtime;

use crate::common::alone;
use crate::steps;

const TTL_MILLIS: u64 = 600_000;

/// A connection, and keys that nobody has had.
#[derive(Clone)]
struct Floor {
    connection: MultiplexedConnection,
    prefix: String,
    next: Arc<AtomicU64>,
}

impl Floor {
    async fn open(url: &str) -> Self {
        let client = Client::open(url).expect("a URL of Redis");
        let connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        Self { connection, prefix: format!("floor:{}", EventId::new()), next: Arc::default() }
    }

    async fn ping(mut self) {
        cmd("PING").query_async::<()>(&mut self.connection).await.expect("it answers");
    }

    async fn set_nx_px(mut self, seats: u32) {
        for _ in 0..seats {
            let key = format!("{}:{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
            let mut set = cmd("SET");
            set.arg(key).arg("ann").arg("NX").arg("PX").arg(TTL_MILLIS);
            let set: Option<String> = set.query_async(&mut self.connection).await.expect("it answers");
            assert!(set.is_some(), "the key is new");
        }
    }
}

pub(crate) fn measure(c: &mut Criterion, runtime: &Runtime, url: &str) {
    let floor = runtime.block_on(Floor::open(url));
    let mut group = c.benchmark_group("lock: Redis");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    group.bench_function("floor: PING", |b| {
        b.to_async(runtime).iter_custom(|times| {
            let floor = floor.clone();
            alone(times, move || floor.clone().ping())
        });
    });
    for seats in [1, 4] {
        group.bench_function(BenchmarkId::new("floor: SET NX PX of each seat, seats", seats), |b| {
            b.to_async(runtime).iter_custom(|times| {
                let floor = floor.clone();
                alone(times, move || floor.clone().set_nx_px(seats))
            });
        });
    }
    group.finish();
    let store = runtime.block_on(RedisStore::connect(url)).expect("Redis answers");
    steps::measure(c, "Redis", runtime, &SeatLocks::new(store));
}
