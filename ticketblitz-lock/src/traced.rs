//! Spans around a backend.

use std::time::Duration;

use tracing::field::{Empty, display};
use tracing::{Instrument, Span, debug_span, error, warn};

use async_trait::async_trait;
use ticketblitz_core::{BookingId, EventId};

use crate::error::LockError;
use crate::store::SeatStore;
use crate::types::{
    Capabilities, Cursor, EventSnapshot, EventStatus, Expired, Fence, Hold, HoldRef, HoldRequest, Owner,
};

/// A backend with a span around each operation, by the [`tracing`] facade.
///
/// The span has the method's name and the level `DEBUG`; its fields are `event`, `hold`, `owner`, `attempt`, `fence` and
/// `booking` as far as the operation has them, and `outcome`: `done`, or a refusal's or failure's
/// [name](LockError::name); nothing if nobody waited for the answer. A failure is an event in it besides:
/// [`Backend`](LockError::Backend) at `ERROR`, [`OutcomeUnknown`](LockError::OutcomeUnknown) at `WARN`. Refusals are not:
/// losing is what most callers of a seat lock do.
///
/// The contract is the backend's: nothing is added to an operation, its cancellation or its errors.
///
/// ```
/// use ticketblitz_lock::{MemoryStore, SeatLocks, Traced};
/// let locks = SeatLocks::new(Traced::new(MemoryStore::default()));
/// ```
#[derive(Debug, Clone)]
pub struct Traced<S> {
    store: S,
}

impl<S: SeatStore> Traced<S> {
    /// Traces this backend.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store }
    }
}

async fn traced<T>(
    span: Span,
    work: impl Future<Output = Result<T, LockError>> + Send,
) -> Result<T, LockError> {
    let answer = work.instrument(span.clone()).await;
    span.record("outcome", answer.as_ref().map_or_else(LockError::name, |_| "done"));
    match &answer {
        Err(LockError::Backend { source }) => {
            span.in_scope(|| {
                error!(error = &**source as &(dyn std::error::Error + 'static), "the lock store failed");
            });
        }
        Err(LockError::OutcomeUnknown { .. }) => span.in_scope(|| warn!("the lock store's answer was lost")),
        _ => {}
    }
    answer
}

/// The fence of an answered hold is known only now.
fn with_fence(span: &Span, answer: Result<Hold, LockError>) -> Result<Hold, LockError> {
    if let Ok(hold) = &answer {
        span.record("fence", hold.fence.as_u64());
    }
    answer
}

#[async_trait]
impl<S: SeatStore> SeatStore for Traced<S> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        let span = debug_span!("load", event = %snapshot.event, outcome = Empty);
        traced(span, self.store.load(snapshot)).await
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        let span = debug_span!("unload", event = %event, outcome = Empty);
        traced(span, self.store.unload(event)).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        let span = debug_span!("hold", event = %request.event, owner = %request.owner, attempt = %request.attempt, hold = Empty, fence = Empty, outcome = Empty);
        let answer = traced(span.clone(), self.store.hold(request)).await;
        if let Ok(hold) = &answer {
            span.record("hold", display(hold.id));
        }
        with_fence(&span, answer)
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        let span = debug_span!("get", event = %hold.event, hold = %hold.hold, owner = Empty, fence = Empty, outcome = Empty);
        let answer = traced(span.clone(), self.store.get(hold)).await;
        if let Ok(hold) = &answer {
            span.record("owner", display(&hold.owner));
        }
        with_fence(&span, answer)
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        let span = debug_span!("extend", event = %hold.event, hold = %hold.hold, owner = %owner, fence = Empty, outcome = Empty);
        let answer = traced(span.clone(), self.store.extend(hold, owner, ttl)).await;
        with_fence(&span, answer)
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        let span =
            debug_span!("release", event = %hold.event, hold = %hold.hold, owner = %owner, outcome = Empty);
        traced(span, self.store.release(hold, owner)).await
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        let span = debug_span!("begin_commit", event = %hold.event, hold = %hold.hold, owner = %owner, fence = Empty, outcome = Empty);
        let answer = traced(span.clone(), self.store.begin_commit(hold, owner, grace)).await;
        with_fence(&span, answer)
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        let span = debug_span!("abort_commit", event = %hold.event, hold = %hold.hold, outcome = Empty);
        traced(span, self.store.abort_commit(hold)).await
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        let span = debug_span!("sold", event = %hold.event, hold = %hold.hold, fence = fence.as_u64(), booking = %booking, outcome = Empty);
        traced(span, self.store.sold(hold, fence, booking)).await
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        let span = debug_span!("reopen", event = %event, booking = %booking, outcome = Empty);
        traced(span, self.store.reopen(event, booking)).await
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        let span = debug_span!("status", event = %event, outcome = Empty);
        traced(span, self.store.status(event)).await
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        let span = debug_span!("expired", outcome = Empty);
        traced(span, self.store.expired(after, limit)).await
    }
}
