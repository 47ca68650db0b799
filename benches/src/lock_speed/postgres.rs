//! PostgreSQL: one pool for the holds and for what they are held against. `synchronous_commit` is the server's: on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use benches::table::{Goal, Row, Table};
use sqlx::postgres::{PgPool, PgPoolOptions};
use ticketblitz_lock::postgres::{PostgresStore, setup};
use ticketblitz_lock::{LockError, SeatLocks};

use crate::load::{CLIENTS, Sale, Scale, alone, medians, rate};

const CONNECTIONS: u32 = 16;
const ALONE: usize = 1_000;
const CROWD: usize = 10_000;
/// Rows of the seats that are sold the usual way.
const ROWS: i64 = 100_000;

async fn select_one(pool: PgPool) {
    sqlx::query("SELECT 1").execute(&pool).await.expect("it answers");
}

/// Four seats as they are usually taken: read with a lock, marked, committed. Five round trips; no expiry, no fence.
async fn select_for_update(pool: PgPool, next: Arc<AtomicI64>) {
    let first = next.fetch_add(4, Ordering::Relaxed) % ROWS;
    let ids: Vec<i64> = (first..first + 4).collect();
    let mut transaction = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT id FROM lock_speed_seat WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(&ids)
        .fetch_all(&mut *transaction)
        .await
        .expect("it answers");
    sqlx::query("UPDATE lock_speed_seat SET owner = 'ann' WHERE id = ANY($1)")
        .bind(&ids)
        .execute(&mut *transaction)
        .await
        .expect("it answers");
    transaction.commit().await.expect("it commits");
}

#[derive(Debug)]
struct Bench {
    pool: PgPool,
    locks: SeatLocks,
    next: Arc<AtomicI64>,
}

impl Bench {
    async fn open(url: &str) -> Result<Self, String> {
        let told = |error: sqlx::Error| error.to_string();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool = pool.connect(url).await.map_err(told)?;
        setup(&pool).await.map_err(|error| format!("{error:?}"))?;
        for statement in [
            "DROP TABLE IF EXISTS lock_speed_seat",
            "CREATE TABLE lock_speed_seat (id BIGINT PRIMARY KEY, owner TEXT)",
            "INSERT INTO lock_speed_seat SELECT id FROM generate_series(0, 100003) AS id",
        ] {
            sqlx::query(statement).execute(&pool).await.map_err(told)?;
        }
        let locks = SeatLocks::new(PostgresStore::new(pool.clone()));
        Ok(Self { pool, locks, next: Arc::default() })
    }

    async fn one_client(&self, scale: Scale) -> Result<[f64; 2], LockError> {
        let (times, pool) = (scale.of(ALONE), self.pool.clone());
        let sale = Sale::open(&self.locks).await?;
        Ok([
            alone(times, move || select_one(pool.clone())).await,
            alone(times, move || sale.clone().hold(1)).await,
        ])
    }

    async fn crowd(&self, scale: Scale) -> Result<[f64; 4], LockError> {
        let times = scale.of(CROWD);
        let [for_select, for_update] = [self.pool.clone(), self.pool.clone()];
        let (next, four, losing) =
            (Arc::clone(&self.next), Sale::open(&self.locks).await?, Sale::open(&self.locks).await?);
        let taken = losing.taken(1).await?;
        Ok([
            rate(times * 4, move || select_one(for_select.clone())).await,
            rate(times, move || four.clone().hold(4)).await,
            rate(times * 2, move || losing.clone().lose(Arc::clone(&taken))).await,
            rate(times / 2, move || select_for_update(for_update.clone(), Arc::clone(&next))).await,
        ])
    }

    async fn close(self) -> Result<(), String> {
        let dropped = sqlx::query("DROP TABLE lock_speed_seat").execute(&self.pool).await;
        dropped.map(drop).map_err(|error| error.to_string())
    }
}

pub(crate) async fn measure(url: &str, scale: Scale, table: &mut Table) -> Result<(), String> {
    let bench = Bench::open(url).await?;
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        one.push(bench.one_client(scale).await.map_err(|error| format!("{error:?}"))?);
        many.push(bench.crowd(scale).await.map_err(|error| format!("{error:?}"))?);
    }
    bench.close().await?;
    let [select, hold] = medians(&one);
    let what = "PostgreSQL: hold of 1 seat, one client, p50, beside SELECT 1".to_owned();
    table.add(Row { what, unit: "us", measured: hold, floor: Some(select), goals: vec![] });
    let [select, four, losing, for_update] = medians(&many);
    for (what, measured, goal) in [
        ("hold of 4 seats", four, Some(0.08)),
        ("four rows by SELECT ... FOR UPDATE, UPDATE, COMMIT", for_update, None),
        ("losing hold", losing, Some(0.5)),
    ] {
        let what =
            format!("PostgreSQL: {what}, beside SELECT 1, {CLIENTS} clients, {CONNECTIONS} connections");
        let goals = goal.map(Goal::RatioAtLeast).into_iter().collect();
        table.add(Row { what, unit: "/s", measured, floor: Some(select), goals });
    }
    Ok(())
}
