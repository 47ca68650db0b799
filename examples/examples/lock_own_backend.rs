//! A backend of one's own: the events of a large house, spread over several stores (servers, say), each in one of them.
//! Run it: `cargo run -p examples --example lock_own_backend`
//!
//! The contract is `SeatStore`'s documentation; whether it is kept is for the suite to say. For this file it is in the
//! last lines: `cargo test -p examples --example lock_own_backend`.
#![allow(clippy::print_stdout)] // it shows what happens

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::{
    Capabilities, Cursor, EventSnapshot, EventStatus, EventTag, Expired, Fence, Hold, HoldRef, HoldRequest,
    LockError, MemoryStore, Owner, SeatLocks, SeatStore,
};

/// Every operation but the expiry stream is about one event, so that events can be anywhere.
#[derive(Debug)]
struct Sharded {
    stores: Vec<Arc<dyn SeatStore>>,
}

impl Sharded {
    /// At least one store; the same ones in the same order at every start.
    fn new(stores: Vec<Arc<dyn SeatStore>>) -> Result<Self, LockError> {
        if stores.is_empty() {
            return Err(LockError::invalid("no store to keep events in"));
        }
        Ok(Self { stores })
    }

    fn place_of(&self, event: EventId) -> usize {
        EventTag::of(event).as_u32() as usize % self.stores.len()
    }

    fn store_of(&self, event: EventId) -> &dyn SeatStore {
        &*self.stores[self.place_of(event)]
    }

    /// A cursor is the list of the stores' own.
    fn cursors(&self, text: &str) -> Result<Vec<Cursor>, LockError> {
        if text.is_empty() {
            return Ok(vec![Cursor::default(); self.stores.len()]);
        }
        let cursors: Vec<Cursor> = serde_json::from_str(text).unwrap_or_default();
        if cursors.len() != self.stores.len() {
            return Err(LockError::invalid("not a cursor of this store"));
        }
        Ok(cursors)
    }
}

#[async_trait]
impl SeatStore for Sharded {
    fn capabilities(&self) -> Capabilities {
        // All are of one kind; of several, it would be the least of each.
        self.stores[0].capabilities()
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        self.store_of(snapshot.event).load(snapshot).await
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        self.store_of(event).unload(event).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        self.store_of(request.event).hold(request).await
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        self.store_of(hold.event).get(hold).await
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        self.store_of(hold.event).extend(hold, owner, ttl).await
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        self.store_of(hold.event).release(hold, owner).await
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        self.store_of(hold.event).begin_commit(hold, owner, grace).await
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        self.store_of(hold.event).abort_commit(hold).await
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        self.store_of(hold.event).sold(hold, fence, booking).await
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        self.store_of(event).reopen(event, booking).await
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        self.store_of(event).status(event).await
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        let before = self.cursors(after.as_str())?;
        let (mut holds, mut cursors, mut missed) = (Vec::new(), before.clone(), false);
        for (store, cursor) in self.stores.iter().zip(&mut cursors) {
            let expired = store.expired(cursor, limit.saturating_sub(holds.len())).await?;
            missed |= expired.missed;
            holds.extend(expired.holds);
            *cursor = expired.next;
        }
        let next = match cursors == before {
            true => after.clone(),
            false => Cursor::from_text(serde_json::to_string(&cursors).map_err(LockError::backend)?),
        };
        Ok(Expired::new(holds, next, missed))
    }
}

#[tokio::main]
async fn main() -> Result<(), LockError> {
    let stores = (0..4).map(|_| Arc::new(MemoryStore::default()) as Arc<dyn SeatStore>);
    let sharded = Arc::new(Sharded::new(stores.collect())?);
    let locks = SeatLocks::from_arc(sharded.clone());
    for show in 1..=8 {
        let event = EventId::new();
        locks.load(&EventSnapshot::new(event)).await?;
        let hold = locks.hold_first(event, [["A1", "A2"], ["B1", "B2"]]).owner("alice").await?;
        let seats: Vec<_> = hold.seats().iter().map(ToString::to_string).collect();
        let place = sharded.place_of(event);
        println!("show {show} is kept in store {place}, and alice holds {}", seats.join(" and "));
        match locks.hold(event, ["A2"]).owner("bob").await {
            Err(LockError::Unavailable(conflicts)) => println!("  bob: {conflicts}"),
            other => println!("  A2 was not to be had: {other:?}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ticketblitz_core::ManualClock;

    use super::*;

    async fn store(clock: ManualClock) -> impl SeatStore {
        let store = || Arc::new(MemoryStore::new(Arc::new(clock.clone()))) as Arc<dyn SeatStore>;
        Sharded::new(vec![store(), store(), store()]).expect("stores")
    }

    ticketblitz_lock::conformance!(store);
}
