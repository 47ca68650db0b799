//! Two seats, held, paid and sold. Run it: `cargo run -p examples --example hold_and_sell`
#![allow(clippy::print_stdout)] // it shows what happens

use std::time::Duration;

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};

const TEN_MINUTES: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<(), LockError> {
    let locks = SeatLocks::new(MemoryStore::default());
    let event = EventId::new();
    locks.load(&EventSnapshot::new(event)).await?; // nothing is sold yet

    let hold = locks.hold(event, ["A1", "A2"]).owner("alice").ttl(TEN_MINUTES).await?;
    println!("alice holds A1 and A2 until {}, fence {}", hold.expires_at(), hold.fence());

    // Losing is a value to match on: each seat, why, and when it may be worth another try.
    match locks.hold(event, ["A2", "A3"]).owner("bob").await {
        Err(LockError::Unavailable(conflicts)) => {
            for conflict in &conflicts.seats {
                let free = conflict.retry_after.map_or_else(
                    || "nobody knows when it is free".to_owned(),
                    |after| format!("free in {:.0} s at the latest", after.as_secs_f64().ceil()),
                );
                println!("bob: {} is {}, {free}", conflict.seat, conflict.state);
            }
        }
        other => println!("bob was not to get A2: {other:?}"),
    }

    let paying = hold.begin_commit(GRACE).await?; // cannot lapse while the card is charged
    let charged = charge_the_card().await;
    if charged {
        let booking = BookingId::new();
        paying.sold(booking).await?; // refused if a higher fence has been seen
        println!("sold to booking {booking}");

        locks.reopen(event, booking).await?; // after a refund
        println!("refunded: {} seats taken", locks.status(event).await?.seats.len());
    } else {
        paying.abort().await?;
    }
    Ok(())
}

async fn charge_the_card() -> bool {
    tokio::task::yield_now().await;
    true
}
