//! A standing area of a hundred, at most four a buyer. Run it: `cargo run -p examples --example general_admission`
#![allow(clippy::print_stdout)] // it shows what happens

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};

#[tokio::main]
async fn main() -> Result<(), LockError> {
    let locks = SeatLocks::new(MemoryStore::default());
    let event = EventId::new();
    locks.load(&EventSnapshot::new(event).with_area("FLOOR", 100)).await?;

    let alice = locks.area(event, "FLOOR", 4).owner("alice").limit(4).await?;
    alice.begin_commit(std::time::Duration::from_secs(120)).await?.sold(BookingId::new()).await?;

    // What is bought counts too: the limit is checked in the same step that takes the units.
    match locks.area(event, "FLOOR", 1).owner("alice").limit(4).await {
        Err(LockError::LimitExceeded { limit, taken }) => println!("alice has {taken} of at most {limit}"),
        other => println!("alice was not to get a fifth: {other:?}"),
    }

    let crowd = locks.area(event, "FLOOR", 95).owner("a coach party").await?;
    match locks.area(event, "FLOOR", 2).owner("bob").limit(4).await {
        Err(LockError::Unavailable(conflicts)) => println!("bob: {conflicts}"),
        other => println!("bob was not to get two: {other:?}"),
    }
    crowd.release().await?;

    for area in locks.status(event).await?.areas {
        println!(
            "{}: {} sold, {} held, {} of {} free",
            area.section,
            area.sold,
            area.held,
            area.free(),
            area.capacity
        );
    }
    Ok(())
}
