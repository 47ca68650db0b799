//! Ten buyers want one seat at the same moment; one gets it, and a lost answer makes nobody a second buyer.
//! Run it: `cargo run -p examples --example ten_buyers_one_seat`
#![allow(clippy::print_stdout)] // it shows what happens

use ticketblitz_core::EventId;
use ticketblitz_lock::{AttemptId, EventSnapshot, LockError, MemoryStore, SeatLocks};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), LockError> {
    let locks = SeatLocks::new(MemoryStore::default());
    let event = EventId::new();
    locks.load(&EventSnapshot::new(event)).await?;

    let mut buyers = JoinSet::new();
    for number in 1..=10 {
        let locks = locks.clone();
        buyers.spawn(async move {
            let buyer = format!("buyer {number}");
            // The attempt is the buyer's own: repeated, it gets the same hold, not another one.
            let attempt = AttemptId::new();
            let first = locks.hold(event, ["A1"]).owner(buyer.as_str()).attempt(attempt).await?;
            let again = locks.hold(event, ["A1"]).owner(buyer.as_str()).attempt(attempt).await?;
            assert_eq!(first.fence(), again.fence());
            Ok::<_, LockError>(buyer)
        });
    }

    let mut winners = Vec::new();
    for answer in buyers.join_all().await {
        match answer {
            Ok(buyer) => winners.push(buyer),
            Err(LockError::Unavailable(conflicts)) => println!("too late: {conflicts}"),
            Err(error) => return Err(error),
        }
    }
    println!("the seat went to {}", winners.join(" and "));
    assert_eq!(winners.len(), 1);
    Ok(())
}
