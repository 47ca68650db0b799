//! The Redis backend does what every backend must, on a real server.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

#[path = "redis_server/server.rs"]
mod server;
#[path = "servers/soak.rs"]
mod soak;

use std::time::Duration;

use ticketblitz_core::ManualClock;
use ticketblitz_lock::{RedisStore, SeatStore};

async fn store(clock: ManualClock) -> impl SeatStore {
    // Ten thousand tasks of a test wait for one another, on a machine that may be busy.
    let options = server::options(&server::prefix()).clock(clock).response_timeout(Duration::from_secs(60));
    RedisStore::connect_with(server::url(), options).await.unwrap()
}

ticketblitz_lock::conformance!(store, histories: super::soak::soak(500, 10_000));
