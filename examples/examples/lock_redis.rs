//! Two processes sell from one Redis: whatever the one holds, the other is refused, and a lost answer costs nothing.
//! Run it: `cargo run -p examples --example lock_redis -- redis://127.0.0.1:6379` (or set `TEST_REDIS_URL`)
#![allow(clippy::print_stdout)] // it shows what happens
#![allow(clippy::disallowed_methods)] // an example is told by its environment where the server is

use std::error::Error;
use std::time::Duration;

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::{AttemptId, EventSnapshot, Held, LockError, RedisOptions, RedisStore, SeatLocks};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("TEST_REDIS_URL").ok());
    let url = url.ok_or("where is Redis? Name its URL, such as redis://127.0.0.1:6379")?;
    // Stores with the same prefix are one store, in whatever process.
    let options = RedisOptions::default().prefix(&format!("example-{}", EventId::new()));
    let one = SeatLocks::new(RedisStore::connect_with(&url, options.clone()).await?);
    let other = SeatLocks::new(RedisStore::connect_with(&url, options).await?);

    let event = EventId::new();
    one.load(&EventSnapshot::new(event)).await?;
    let held = hold(&one, event, "alice").await?;
    println!("alice holds A1 and A2 with fence {}", held.fence());
    match other.hold(event, ["A2", "A3"]).owner("bob").await {
        Err(LockError::Unavailable(conflicts)) => println!("bob is told: {conflicts}"),
        answer => return Err(format!("A2 is held: {answer:?}").into()),
    }
    let paying =
        other.held(held.reference(), &"alice".into()).await?.begin_commit(Duration::from_secs(120)).await?;
    paying.sold(BookingId::new()).await?;
    println!("alice has bought them, by the other process");
    one.unload(event).await?;
    Ok(())
}

/// Whoever does not get the answer sends the same attempt again: it is the same hold, or the first one.
async fn hold(locks: &SeatLocks, event: EventId, owner: &str) -> Result<Held, LockError> {
    let attempt = AttemptId::new();
    let mut left = 3;
    loop {
        match locks.hold(event, ["A1", "A2"]).owner(owner).attempt(attempt).await {
            Err(LockError::OutcomeUnknown { .. }) if left > 0 => left -= 1,
            answer => return answer,
        }
    }
}
