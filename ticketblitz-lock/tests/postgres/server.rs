//! The server of the tests, and a schema of its own for each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};
use ticketblitz_core::{Clock, SystemClock};
use ticketblitz_lock::postgres::{PostgresStore, setup_schema};

/// Longer than any answer takes, however many tests run and wait in a line.
const PATIENCE: Duration = Duration::from_secs(120);

#[allow(clippy::disallowed_methods)] // where the server is, only the environment knows
pub fn url() -> String {
    std::env::var("TEST_POSTGRES_URL")
        .expect("TEST_POSTGRES_URL names no server: `eval \"$(scripts/services start postgres)\"` starts one")
}

pub async fn pool(url: &str, size: u32) -> PgPool {
    let options =
        PgPoolOptions::new().max_connections(size).acquire_timeout(PATIENCE).test_before_acquire(false);
    options.connect(url).await.unwrap()
}

/// A store in a schema of its own, on a pool of this size.
#[allow(dead_code)] // by some of the files that have this module
pub async fn store(size: u32) -> PostgresStore {
    let pool = pool(&url(), size).await;
    let schema = schema(&pool).await;
    PostgresStore::in_schema(pool, &schema).unwrap().with_timeout(PATIENCE)
}

/// A schema that nobody else uses, set up.
pub async fn schema(pool: &PgPool) -> String {
    let schema = new_schema(pool).await;
    setup_schema(pool, &schema).await.unwrap();
    schema
}

/// The name of a schema that nobody else uses.
pub async fn new_schema(pool: &PgPool) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        forget_old(pool).await;
    }
    format!("tb_test_{}_{}_{number}", seconds(), std::process::id())
}

/// Those of runs more than an hour ago: a test that fails leaves its own to be looked at.
async fn forget_old(pool: &PgPool) {
    let names = sqlx::query("select nspname from pg_namespace where nspname like 'tb\\_test\\_%'");
    for row in names.fetch_all(pool).await.unwrap() {
        let name: String = row.get(0);
        let made = name.split('_').nth(2).and_then(|made| made.parse().ok());
        if made.is_some_and(|made: i64| made + 3_600 < seconds()) {
            let drop = format!("drop schema if exists {name} cascade");
            // Another run may just be doing the same.
            drop_schema(pool, drop).await;
        }
    }
}

async fn drop_schema(pool: &PgPool, statement: String) {
    if let Err(error) = sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await {
        assert!(error.as_database_error().is_some(), "{error}");
    }
}

fn seconds() -> i64 {
    SystemClock.now().as_secs()
}
