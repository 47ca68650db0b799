//! Two processes start at once on one PostgreSQL and sell from it: whatever the one holds, the other is refused.
//! Run it: `cargo run -p examples --example lock_postgres -- postgres://user@localhost/database` (or set
//! `TEST_POSTGRES_URL`). It makes a schema `ticketblitz_lock_example` and removes it again.
#![allow(clippy::print_stdout)] // it shows what happens
#![allow(clippy::disallowed_methods)] // an example is told by its environment where the server is

use std::error::Error;
use std::time::Duration;

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::postgres::driver::postgres::{PgPool, PgPoolOptions};
use ticketblitz_lock::postgres::{driver, setup_schema};
use ticketblitz_lock::{EventSnapshot, LockError, PostgresStore, SeatLocks};

const SCHEMA: &str = "ticketblitz_lock_example";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("TEST_POSTGRES_URL").ok());
    let url = url.ok_or("where is PostgreSQL? Name its URL, such as postgres://user@localhost/database")?;
    let (one, other) = tokio::try_join!(start(&url), start(&url))?;
    let pool = one.1;
    let (one, other) = (one.0, other.0);

    let event = EventId::new();
    one.load(&EventSnapshot::new(event)).await?;
    let held = one.hold(event, ["A1", "A2"]).owner("alice").await?;
    println!("alice holds A1 and A2 with fence {}", held.fence());
    match other.hold(event, ["A2", "A3"]).owner("bob").await {
        Err(LockError::Unavailable(conflicts)) => println!("bob is told: {conflicts}"),
        answer => return Err(format!("A2 is held: {answer:?}").into()),
    }
    let hold = other.held(held.reference(), &"alice".into()).await?;
    hold.begin_commit(Duration::from_secs(120)).await?.sold(BookingId::new()).await?;
    println!("alice has bought them, by the other process");
    driver::raw_sql("drop schema ticketblitz_lock_example cascade").execute(&pool).await?;
    Ok(())
}

/// What every process does at its start.
async fn start(url: &str) -> Result<(SeatLocks, PgPool), Box<dyn Error>> {
    // The server gives up what nobody waits for any more, and no operation first asks whether the connection is there.
    let options = url.parse::<driver::postgres::PgConnectOptions>()?.options([("statement_timeout", "10s")]);
    let pool =
        PgPoolOptions::new().max_connections(4).test_before_acquire(false).connect_with(options).await?;
    setup_schema(&pool, SCHEMA).await?;
    Ok((SeatLocks::new(PostgresStore::in_schema(pool.clone(), SCHEMA)?), pool))
}
