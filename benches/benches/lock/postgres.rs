//! PostgreSQL. The floors: one round trip, and the usual recipe, rows that are read with `SELECT ... FOR UPDATE`, marked
//! and committed. That has neither expiry nor fence, and a loser waits for the winner. `synchronous_commit` is the server's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use sqlx::postgres::{PgPool, PgPoolOptions};
use ticketblitz_lock::SeatLocks;
use ticketblitz_lock::postgres::{PostgresStore, setup};
use tokio::runtime::Runtime;

use crate::common::alone;
use crate::steps;

/// Rows of seats, which are sold again when they are all sold.
const ROWS: i64 = 10_000;

#[derive(Clone)]
struct Floor {
    pool: PgPool,
    next: Arc<AtomicI64>,
}

impl Floor {
    async fn open(url: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(4).test_before_acquire(false);
        let pool = pool.connect(url).await.expect("PostgreSQL answers");
        let floor = Self { pool, next: Arc::default() };
        floor.run("DROP TABLE IF EXISTS lock_bench_seat").await;
        floor.run("CREATE TABLE lock_bench_seat (id BIGINT PRIMARY KEY, owner TEXT)").await;
        floor.run("INSERT INTO lock_bench_seat SELECT id FROM generate_series(0, 9999) AS id").await;
        floor
    }

    async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.expect("it answers");
    }

    async fn select_one(self) {
        self.run("SELECT 1").await;
    }

    async fn select_for_update(self, seats: i64) {
        let first = self.next.fetch_add(seats, Ordering::Relaxed);
        let ids: Vec<i64> = (first..first + seats).map(|id| id % ROWS).collect();
        let mut transaction = self.pool.begin().await.expect("a transaction");
        let select = "SELECT id FROM lock_bench_seat WHERE id = ANY($1) ORDER BY id FOR UPDATE";
        let rows = sqlx::query(select).bind(&ids).fetch_all(&mut *transaction).await.expect("it answers");
        assert_eq!(rows.len(), ids.len());
        let update = "UPDATE lock_bench_seat SET owner = 'ann' WHERE id = ANY($1)";
        sqlx::query(update).bind(&ids).execute(&mut *transaction).await.expect("it answers");
        transaction.commit().await.expect("it commits");
    }
}

pub(crate) fn measure(c: &mut Criterion, runtime: &Runtime, url: &str) {
    let floor = runtime.block_on(Floor::open(url));
    let mut group = c.benchmark_group("lock: PostgreSQL");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    group.bench_function("floor: SELECT 1", |b| {
        b.to_async(runtime).iter_custom(|times| {
            let floor = floor.clone();
            alone(times, move || floor.clone().select_one())
        });
    });
    for seats in [1, 4] {
        group.bench_function(
            BenchmarkId::new("floor: SELECT FOR UPDATE, UPDATE, COMMIT, seats", seats),
            |b| {
                b.to_async(runtime).iter_custom(|times| {
                    let floor = floor.clone();
                    alone(times, move || floor.clone().select_for_update(seats))
                });
            },
        );
    }
    group.finish();
    runtime.block_on(async {
        floor.run("DROP TABLE lock_bench_seat").await;
        setup(&floor.pool).await.expect("the schema is made");
    });
    steps::measure(c, "PostgreSQL", runtime, &SeatLocks::new(PostgresStore::new(floor.pool)));
}
