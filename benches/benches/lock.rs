//! The steps of a sale on each backend of the lock, beside what its server does in the usual recipe. Redis and PostgreSQL
//! are those of `TEST_REDIS_URL` and `TEST_POSTGRES_URL`; without them memory alone is measured, and it says so.
#![allow(clippy::print_stderr)] // a bench tells what it leaves out
#![allow(clippy::disallowed_methods)] // as the tests, it is told by its environment where the servers are

mod common;
#[path = "lock/memory.rs"]
mod memory;
#[path = "lock/postgres.rs"]
mod postgres;
#[path = "lock/redis.rs"]
mod redis;
#[path = "lock/steps.rs"]
mod steps;

use common::{runtime, short};
use criterion::{Criterion, criterion_group, criterion_main};
use ticketblitz_lock::{MemoryStore, SeatLocks};

fn server(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok();
    if url.is_none() {
        eprintln!(
            "lock: {variable} is not set, so its backend is left out; `eval \"$(scripts/services start)\"` sets it"
        );
    }
    url
}

fn on_memory(c: &mut Criterion) {
    memory::measure(c);
    steps::measure(c, "memory", &runtime(), &SeatLocks::new(MemoryStore::default()));
}

fn on_redis(c: &mut Criterion) {
    if let Some(url) = server("TEST_REDIS_URL") {
        redis::measure(c, &runtime(), &url);
    }
}

fn on_postgres(c: &mut Criterion) {
    if let Some(url) = server("TEST_POSTGRES_URL") {
        postgres::measure(c, &runtime(), &url);
    }
}

criterion_group! { name = benches; config = short(); targets = on_memory, on_redis, on_postgres }
criterion_main!(benches);
