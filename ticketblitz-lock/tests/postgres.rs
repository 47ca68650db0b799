//! The PostgreSQL backend does what every backend must, and what only a server can go wrong with.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

#[path = "postgres/clocks.rs"]
mod clocks;
#[path = "postgres/database.rs"]
mod database;
#[path = "postgres/faults.rs"]
mod faults;
#[path = "postgres/loading.rs"]
mod loading;
#[path = "postgres/meanwhile.rs"]
mod meanwhile;
#[path = "servers/own.rs"]
mod own;
#[path = "postgres/owners.rs"]
mod owners;
#[path = "postgres/plans.rs"]
mod plans;
#[path = "postgres/proxy.rs"]
mod proxy;
#[path = "postgres/server.rs"]
mod server;
#[path = "servers/soak.rs"]
mod soak;
#[path = "servers/sold_out.rs"]
mod sold_out;
#[path = "postgres/together.rs"]
mod together;

use std::sync::Arc;

use ticketblitz_core::ManualClock;
use ticketblitz_lock::SeatStore;

async fn store(clock: ManualClock) -> impl SeatStore {
    server::store(8).await.with_clock(Arc::new(clock))
}

ticketblitz_lock::conformance!(store, histories: super::soak::soak(256, 10_000));
