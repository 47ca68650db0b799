//! Metrics around a backend.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use ticketblitz_core::{BookingId, EventId};

use crate::error::LockError;
use crate::store::SeatStore;
use crate::types::{
    Capabilities, Cursor, EventSnapshot, EventStatus, Expired, Fence, Hold, HoldRef, HoldRequest, Owner,
};

const OPERATIONS: &str = "seat_lock_operations_total";
const DURATION: &str = "seat_lock_operation_duration_seconds";

/// A backend whose operations are counted and timed, by the [`metrics`] facade: whatever recorder the program installed
/// gets them, and without one they cost next to nothing.
///
/// - `seat_lock_operations_total`, by `operation` (the method's name) and `outcome`: `done`, a refusal's or failure's
///   [name](LockError::name), or `dropped` if nobody waited for the answer.
/// - `seat_lock_operation_duration_seconds`, by `operation`: how long the caller waited, whatever the outcome.
///
/// The contract is the backend's: nothing is added to an operation, its cancellation or its errors.
///
/// ```
/// use ticketblitz_core::EventId;
/// use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, Metered, SeatLocks};
///
/// # async fn run() -> Result<(), LockError> {
/// let locks = SeatLocks::new(Metered::new(MemoryStore::default()));
/// locks.load(&EventSnapshot::new(EventId::new())).await?; // operation="load", outcome="done"
/// # Ok(())
/// # }
/// # futures::executor::block_on(run()).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Metered<S> {
    store: S,
}

impl<S: SeatStore> Metered<S> {
    /// Measures this backend.
    #[must_use]
    pub fn new(store: S) -> Self {
        metrics::describe_counter!(OPERATIONS, "Operations of the seat lock, by what they came to.");
        metrics::describe_histogram!(
            DURATION,
            metrics::Unit::Seconds,
            "How long callers waited for the seat lock."
        );
        Self { store }
    }

    async fn measured<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, LockError>> + Send,
    ) -> Result<T, LockError> {
        let mut measure = Measure { operation, began: Instant::now(), outcome: "dropped" };
        let answer = work.await;
        measure.outcome = answer.as_ref().map_or_else(LockError::name, |_| "done");
        answer
    }
}

/// Reports when it is dropped: with the answer, or with the future that nobody waited for.
struct Measure {
    operation: &'static str,
    began: Instant,
    outcome: &'static str,
}

impl Drop for Measure {
    fn drop(&mut self) {
        metrics::histogram!(DURATION, "operation" => self.operation)
            .record(self.began.elapsed().as_secs_f64());
        metrics::counter!(OPERATIONS, "operation" => self.operation, "outcome" => self.outcome).increment(1);
    }
}

#[async_trait]
impl<S: SeatStore> SeatStore for Metered<S> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        self.measured("load", self.store.load(snapshot)).await
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        self.measured("unload", self.store.unload(event)).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        self.measured("hold", self.store.hold(request)).await
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        self.measured("get", self.store.get(hold)).await
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        self.measured("extend", self.store.extend(hold, owner, ttl)).await
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        self.measured("release", self.store.release(hold, owner)).await
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        self.measured("begin_commit", self.store.begin_commit(hold, owner, grace)).await
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        self.measured("abort_commit", self.store.abort_commit(hold)).await
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        self.measured("sold", self.store.sold(hold, fence, booking)).await
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        self.measured("reopen", self.store.reopen(event, booking)).await
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        self.measured("status", self.store.status(event)).await
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        self.measured("expired", self.store.expired(after, limit)).await
    }
}
