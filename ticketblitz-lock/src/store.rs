//! The contract between callers and backends.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{BookingId, EventId};

use crate::error::LockError;
use crate::types::{
    Capabilities, Cursor, EventSnapshot, EventStatus, Expired, Fence, Hold, HoldRef, HoldRequest, Owner,
};

/// Where holds are kept. Callers use [`SeatLocks`](crate::SeatLocks); this is for those who write a backend or
/// wrap one.
///
/// # What every backend promises
///
/// 1. **Atomic.** An operation happens whole or not at all, and others see it whole or not at all. Operations on
///    one event are in one order that everybody sees.
/// 2. **One round trip.** Every operation on holds is one request to the server: one script, one statement. (A hold that
///    came together with others may take a second. Redis takes three to load, and more where so much has lapsed that
///    one would keep the server from everybody else.) All that it reads and writes belongs to one event, so the event is
///    the unit of sharding. Seats are never locked one after the other, so sets that overlap in any order neither
///    deadlock nor livelock.
/// 3. **Fences rise.** A hold's fence is higher than any fence that a seat of it had before, and higher than the
///    event's loaded floor. It is given out within the atomic step: `max(last + 1, store time in microseconds)`.
/// 4. **The store's time only.** No moment comes from a caller; durations do. A hold is live while
///    `now < expires_at`: at the very moment it has lapsed, for everybody. So an operation on a hold and a rival's
///    hold on its seats at that moment have one winner.
/// 5. **Lapsing needs nobody.** A lapsed hold counts for nothing at once (seats, areas, limits, status), whether
///    or not anything has cleaned up after it; cleaning up goes in bounded batches.
/// 6. **Idempotent.** [`hold`](Self::hold) repeated with its attempt answers the same hold, with the same fence and
///    the expiry it has now, and counts once; attempts are remembered until the hold's ceiling and while it is
///    live. [`begin_commit`](Self::begin_commit), [`abort_commit`](Self::abort_commit), [`sold`](Self::sold),
///    [`reopen`](Self::reopen), [`load`](Self::load) and [`unload`](Self::unload) repeated change nothing and
///    answer the same. [`extend`](Self::extend) sets rather than adds. [`release`](Self::release) repeated is
///    [`LockError::NotHeld`], which means the same: it is not held.
/// 7. **A refusal changes nothing**, and a loser writes nothing.
/// 8. **Bounded waiting.** When the server is away an operation fails within a bounded time, with
///    [`LockError::Backend`] if it cannot have happened and [`LockError::OutcomeUnknown`] if it may have.
/// 9. **Cancellation.** A dropped future had its effect whole or not at all, and leaves the store (its
///    connections too) usable. Send the operation again to learn which: see 6.
/// 10. **Names.** An owner, section or channel has 1 to 512 bytes and no control character: any other is
///     [`LockError::Invalid`] before anything is asked or sent, whoever the backend is. [`HoldRequest::validate`],
///     [`EventSnapshot::validate`] and [`Owner::validate`] say so.
/// 11. **Not loaded is not empty.** Every operation on an event answers [`LockError::NotLoaded`] until
///     [`load`](Self::load), and again once the store has lost the event. The marker is kept with the event, so it
///     cannot outlive what it marks.
#[async_trait]
pub trait SeatStore: Send + Sync + Debug + 'static {
    /// What this backend promises beyond the contract.
    fn capabilities(&self) -> Capabilities;

    /// Tells the store what is sold and in payment, and lets it give out holds. Can be repeated at any time.
    ///
    /// It merges and never frees: a live hold stays, and a snapshot that is older than the store does not undo
    /// what the store knows. In detail, an entry
    /// - whose hold (or, without one, booking) the store knows moves it on only: held, in payment, sold;
    /// - that the store has seen aborted or reopened within the last hour is out of date and skipped; so is one in
    ///   payment that has lapsed. A payment that lapsed here and is sold in the snapshot is sold;
    /// - otherwise takes those of its seats that no live hold and no sale has. A rival's live hold on the rest was
    ///   given out while the store did not know better: the truth refuses it when it comes to pay, and the
    ///   next load after its end takes those seats too.
    ///
    /// The fence floor rises to the highest fence of the snapshot. Areas are added, or their capacity set. The
    /// snapshot's channels replace the event's; what is held or sold by then stays so, whoever it is reserved for now.
    ///
    /// # Errors
    /// [`LockError::Invalid`] for what [`EventSnapshot::validate`] refuses. Nothing is changed then.
    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError>;

    /// Forgets the event with all its holds, but not where its fences and versions were: loaded again, it goes on from
    /// there. A hold that has lapsed and was not noticed yet is not told by [`expired`](Self::expired) any more. An event
    /// that is not loaded is no error.
    ///
    /// # Errors
    /// None of its own: [`Backend`](LockError::Backend) or [`OutcomeUnknown`](LockError::OutcomeUnknown), as every
    /// operation here.
    async fn unload(&self, event: EventId) -> Result<(), LockError>;

    /// Holds all that is wanted, or nothing; all of this is one atomic step.
    ///
    /// **Candidates.** The [candidates](HoldRequest::candidates) are tried in order and the first that is wholly
    /// available is held; [`Hold::want`] says which. One that would take the owner over the request's limit is passed
    /// over.
    ///
    /// **Channels.** A seat that is [reserved](crate::Channel) for a channel which the request does not name is not
    /// available: [`Reserved`](crate::SeatState::Reserved), with no `retry_after`, whatever else it is (held, sold).
    /// A channel that the event does not have is no error.
    ///
    /// **Replacing.** The hold that the request [replaces](HoldRequest::replacing) is released in the same step: what it
    /// has is free for the new one, and does not count towards the limit. The new one has its own id, a higher fence and
    /// an expiry of its own, but no later ceiling: `ceiling_at` is the earlier of the old one's and its own, and
    /// `expires_at` is never after it, so that nobody holds for ever by replacing. After any refusal the old hold is as it
    /// was.
    ///
    /// # Errors
    /// In this order: [`Invalid`](LockError::Invalid) for a request that is so by itself,
    /// [`NotLoaded`](LockError::NotLoaded),
    /// [`AttemptLapsed`](LockError::AttemptLapsed) for an attempt that succeeded before and whose hold is no longer
    /// live, whatever is asked for now: of such a hold no more need be remembered,
    /// [`AttemptReused`](LockError::AttemptReused) for one whose hold is live and of somebody else or of other candidates
    /// (the whole list is compared, in order; ttl, ceiling, limit, channels and what it replaces are not; an attempt that
    /// was refused is not remembered), [`NotHeld`](LockError::NotHeld) if what it replaces is not a live hold of this
    /// owner, [`InPayment`](LockError::InPayment) if that is in payment,
    /// [`LimitExceeded`](LockError::LimitExceeded) if every candidate is over the limit, then, going through the others,
    /// [`Invalid`](LockError::Invalid) at one in an area that the event does not have, or after the last
    /// [`Unavailable`](LockError::Unavailable) naming every conflict of each: the seats in order, each once, and one
    /// entry a candidate of an area.
    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError>;

    /// A live hold, held or in payment.
    ///
    /// # Errors
    /// [`NotHeld`](LockError::NotHeld).
    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError>;

    /// Makes a hold expire `ttl` from now, be that later or earlier than before.
    ///
    /// # Errors
    /// [`NotHeld`](LockError::NotHeld), [`InPayment`](LockError::InPayment),
    /// [`CeilingReached`](LockError::CeilingReached) if that is after the ceiling, [`Invalid`](LockError::Invalid)
    /// for no time at all and for what [`Owner::validate`] refuses.
    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError>;

    /// Frees what is held.
    ///
    /// # Errors
    /// [`NotHeld`](LockError::NotHeld) if it is not held by `owner` (any more), [`InPayment`](LockError::InPayment),
    /// [`Invalid`](LockError::Invalid) for what [`Owner::validate`] refuses.
    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError>;

    /// Puts a hold in payment: from now on it can neither lapse nor be released for `grace`, the ceiling
    /// notwithstanding. In payment already, it answers the hold as it is, its grace unchanged.
    ///
    /// # Errors
    /// [`NotHeld`](LockError::NotHeld), [`Invalid`](LockError::Invalid) for no grace at all and for what
    /// [`Owner::validate`] refuses.
    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError>;

    /// Frees what is in payment (or, in a store that came back older, held still). What is gone is no error.
    ///
    /// # Errors
    /// [`NotHeld`](LockError::NotHeld) if it is sold: only [`reopen`](Self::reopen) frees that.
    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError>;

    /// Sells a live hold to a booking. Normally it is in payment; one that is held is sold too, because a store
    /// that came back older may not know better. Sold to this booking already is no error.
    ///
    /// # Errors
    /// [`StaleFence`](LockError::StaleFence) if a higher fence has taken one of the seats (the store remembers
    /// payments that lapsed for an hour), [`NotHeld`](LockError::NotHeld) if it is not live for any other
    /// reason, or is sold to another booking; [`Invalid`](LockError::Invalid) for a fence that the hold never had.
    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError>;

    /// Frees all that was sold to a booking, whether by one hold or by several. Reopened already, or unknown, is no error.
    ///
    /// # Errors
    /// [`NotLoaded`](LockError::NotLoaded).
    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError>;

    /// The whole event at one moment.
    ///
    /// # Errors
    /// [`NotLoaded`](LockError::NotLoaded).
    async fn status(&self, event: EventId) -> Result<EventStatus, LockError>;

    /// The holds that lapsed after the cursor, of all events, at most `limit`, in the order in which the store
    /// noticed. The same cursor answers the same again while the store remembers; what it keeps is bounded. Asking
    /// makes the store look, a bounded batch at a time: a hold can stand in a later answer than in the first
    /// possible one; in none only if its event was unloaded before the store noticed.
    ///
    /// # Errors
    /// [`Invalid`](LockError::Invalid) for another backend's cursor.
    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError>;
}

/// A store that is shared is one too, so that a wrapper takes it as it is.
#[async_trait]
impl<S: SeatStore + ?Sized> SeatStore for Arc<S> {
    fn capabilities(&self) -> Capabilities {
        S::capabilities(self)
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        S::load(self, snapshot).await
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        S::unload(self, event).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        S::hold(self, request).await
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        S::get(self, hold).await
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        S::extend(self, hold, owner, ttl).await
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        S::release(self, hold, owner).await
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        S::begin_commit(self, hold, owner, grace).await
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        S::abort_commit(self, hold).await
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        S::sold(self, hold, fence, booking).await
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        S::reopen(self, event, booking).await
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        S::status(self, event).await
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        S::expired(self, after, limit).await
    }
}
