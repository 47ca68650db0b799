//! The backend that keeps everything in this process.

mod choosing;
mod event;
mod events;
mod expiries;
mod holding;
mod load;
mod record;
mod reserved;
mod sale;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{BookingId, Clock, EventId, SystemClock, Timestamp};

use crate::error::LockError;
use crate::store::SeatStore;
use crate::types::{
    Capabilities, Cursor, Durability, EventSnapshot, EventStatus, Expired, Fence, FenceScope, Hold, HoldRef,
    HoldRequest, Owner,
};
use event::Event;
use events::Events;
use expiries::Expiries;

const CAPABILITIES: Capabilities = Capabilities::new(Durability::Process, FenceScope::Event, 10_000);

/// How many lapsed holds an operation cleans up before its own work: enough to keep up (an operation makes one
/// hold at most), few enough that nobody waits for a thundering herd of expiries.
const BATCH: usize = 64;

// Nothing under a lock can panic half way through a change, so a poisoned lock (a clock of a caller's own may panic)
// guards whole data, and is taken all the same throughout.

/// Holds in the memory of one process; they go when it goes. Clones share them.
///
/// Each event has a lock of its own, held for the length of one operation and never across an `.await`: every
/// future is done when first polled, so there is no moment at which dropping it could leave a half. For the same reason
/// a task that does nothing but hold in a loop never yields to others of its thread. What has lapsed is cleaned up in
/// batches, but for an answer that counts decide (a status, a load, units of an area, a limit): that cleans up all that has
/// lapsed in its event, in about a microsecond a hold.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use ticketblitz_core::{EventId, SystemClock};
/// use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};
///
/// # async fn run() -> Result<(), LockError> {
/// let locks = SeatLocks::new(MemoryStore::new(Arc::new(SystemClock)));
/// let event = EventId::new();
/// locks.load(&EventSnapshot::new(event).with_area("FLOOR", 500)).await?;
/// let hold = locks.area(event, "FLOOR", 3).owner("alice").ttl(Duration::from_secs(60)).await?;
/// assert!(hold.fence().as_u64() > 0);
/// # Ok(())
/// # }
/// # futures::executor::block_on(run()).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    events: Events,
    expiries: Mutex<Expiries>,
}

impl MemoryStore {
    /// An empty store that reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let expiries = Mutex::new(Expiries::starting_at(clock.now()));
        Self { shared: Arc::new(Shared { clock, events: Events::default(), expiries }) }
    }

    /// Runs one operation under the event's lock.
    fn on<T>(
        &self,
        event: EventId,
        operation: impl FnOnce(&mut Event, Timestamp) -> Result<T, LockError>,
    ) -> Result<T, LockError> {
        let event = self.shared.events.find(event).ok_or(LockError::NotLoaded)?;
        self.locked(&event, operation)
    }

    fn locked<T>(
        &self,
        event: &Mutex<Event>,
        operation: impl FnOnce(&mut Event, Timestamp) -> Result<T, LockError>,
    ) -> Result<T, LockError> {
        let (answer, lapsed) = {
            let mut event = event.lock().unwrap_or_else(PoisonError::into_inner);
            if event.is_unloaded() {
                return Err(LockError::NotLoaded);
            }
            // Read under the lock: whoever comes later in the event's order has a later time.
            let now = self.shared.clock.now();
            event.reclaim(now, BATCH);
            (operation(&mut event, now), event.take_lapsed())
        };
        if !lapsed.is_empty() {
            self.shared.expiries.lock().unwrap_or_else(PoisonError::into_inner).append(lapsed);
        }
        answer
    }
}

impl Default for MemoryStore {
    /// An empty store on the machine's clock.
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

#[async_trait]
impl SeatStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        snapshot.validate()?;
        loop {
            // Made outside the event's lock, unloaded by a rival in between: then the next one is loaded.
            let event = self.shared.events.find_or_make(snapshot.event, || self.shared.clock.now());
            let loaded = self.locked(&event, |event, now| {
                event.load(snapshot, now);
                Ok(())
            });
            if loaded.is_ok() {
                return loaded;
            }
        }
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        self.shared.events.unload(event);
        Ok(())
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        request.validate(CAPABILITIES.max_units)?;
        self.on(request.event, |event, now| event.hold(request, now))
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        self.on(hold.event, |event, now| event.get(hold.hold, now))
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        positive(ttl)?;
        owner.validate()?;
        self.on(hold.event, |event, now| event.extend(hold.hold, owner, ttl, now))
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        owner.validate()?;
        self.on(hold.event, |event, now| event.release(hold.hold, owner, now))
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        positive(grace)?;
        owner.validate()?;
        self.on(hold.event, |event, now| event.begin_commit(hold.hold, owner, grace, now))
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        self.on(hold.event, |event, now| event.abort_commit(hold.hold, now))
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        self.on(hold.event, |event, now| event.sold(hold.hold, fence, booking, now))
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        self.on(event, |event, now| {
            event.reopen(booking, now);
            Ok(())
        })
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        let mut status = self.on(event, |event, now| Ok(event.status(now)))?;
        // Outside the lock: sorting tens of thousands of seats takes longer than listing them.
        status.seats.sort_unstable();
        Ok(status)
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        for event in self.shared.events.all() {
            match self.locked(&event, |_, _| Ok(())) {
                Ok(()) | Err(LockError::NotLoaded) => {}
                Err(error) => return Err(error),
            }
        }
        self.shared.expiries.lock().unwrap_or_else(PoisonError::into_inner).after(after, limit)
    }
}

fn positive(duration: Duration) -> Result<(), LockError> {
    if duration.as_micros() == 0 {
        return Err(LockError::invalid("a duration of no time at all"));
    }
    Ok(())
}
