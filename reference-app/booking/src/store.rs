//! Where bookings are kept. A method is a whole use case: everything it says happens in one commit or not at all.

pub mod sqlite;

use std::fmt;

use async_trait::async_trait;
use contract::TicketId;
use contract::booking::Ticket;
use ticketblitz_core::{BookingId, EventId, MessageId, Timestamp, UserId};
use ticketblitz_idempotency::sqlite::Finish;
use ticketblitz_lock::HoldId;
use ticketblitz_saga::{Advance, Advanced, Cancel, Signal, Start};

use crate::domain::{Booking, Ending, IllegalTransition};

pub use sqlite::SqliteStore;

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A saga or a message speaks of a booking that is not there.
    #[error("there is no booking {0}")]
    NoSuchBooking(BookingId),
    /// The booking has moved on.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// A message came before what it tells of, or its saga is not known here. Later it may be understood.
    #[error("a message for booking {0} came too early")]
    TooEarly(BookingId),
    /// The request's idempotency key was lost to another execution, or could not be read.
    #[error(transparent)]
    Idempotency(#[from] ticketblitz_idempotency::Error),
    /// The saga had moved on, or its tables failed.
    #[error(transparent)]
    Saga(#[from] ticketblitz_saga::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] ticketblitz_core::sqlite::Error),
    /// A row holds JSON that cannot be read.
    #[error("a booking's row is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
}

impl StoreError {
    /// The same may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(error) => platform::db::will_pass(error),
            Self::Saga(error) => error.is_unavailable(),
            Self::Idempotency(error) => matches!(error, ticketblitz_idempotency::Error::Backend(_)),
            Self::NoSuchBooking(_) | Self::Illegal(_) | Self::TooEarly(_) | Self::Damaged(_) => false,
        }
    }
}

/// What became of a new booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is made.
    Made,
    /// Its hold has a booking already, this one; nothing was made.
    Exists(BookingId),
    /// Its event was cancelled; nothing was made.
    EventCancelled,
}

/// What became of calling off a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelling {
    /// It is on its way back, or there already: wait for its close to see where it ended.
    UnderWay,
    /// It has been paid and is being sold, or it has ended otherwise.
    Refused,
}

/// A delivered message: the ids by which a repeat is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The same in every delivery of one message.
    pub message: MessageId,
    /// What it says, in words that two messages that say the same share.
    pub says: String,
}

/// How to call off one booking, whichever of its two ways is open when it comes to it.
#[derive(Debug)]
pub struct CallOff {
    pub booking: BookingId,
    /// Turns its booking saga back, if it is not paid.
    pub turn_back: Cancel,
    /// Starts its cancellation saga, if it is.
    pub refund: Start,
}

/// The bookings of this service.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Makes the booking, starts its saga, publishes `booking.created` and stores the answer to the request.
    /// Of two bookings on one hold the first is made.
    async fn create(&self, booking: Booking, saga: Start, answer: Finish) -> Result<Created, StoreError>;

    /// CONFIRMED with its tickets, `booking.confirmed` and the saga's step. If the event was cancelled in the
    /// meantime the booking is called off instead: it never shows CONFIRMED, and `refund` is started.
    async fn confirm(
        &self,
        id: BookingId,
        refund: Start,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError>;

    /// FAILED, EXPIRED or CANCELLED, with its event and the saga's end.
    async fn end(
        &self,
        id: BookingId,
        ending: Ending,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError>;

    /// Publishes `refund.requested`, once a booking.
    async fn void_payment(&self, id: BookingId, reason: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Calls the booking off. A paid one is CANCELLED at once: its tickets are void and its money is asked back.
    async fn call_off(&self, how: CallOff, reason: &str, now: Timestamp) -> Result<Cancelling, StoreError>;

    /// The money of a cancelled booking is back and its seats are open: `booking.cancelled` and the saga's step.
    async fn close(&self, id: BookingId, advance: Advance, now: Timestamp) -> Result<Advanced, StoreError>;

    /// Hands what Payment tells of a payment to the booking's saga. Money that came too late is asked back in
    /// the same commit. A repeat changes nothing.
    ///
    /// # Errors
    /// [`StoreError::TooEarly`] if there is no saga yet that waits for it.
    async fn payment(
        &self,
        received: Received,
        booking: BookingId,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Hands a refund to the booking's cancellation saga, if it has one. A repeat changes nothing.
    async fn refunded(&self, received: Received, booking: BookingId, back: Signal) -> Result<(), StoreError>;

    /// From here no booking of the event is made or confirmed. A repeat changes nothing.
    async fn cancel_event(&self, event: EventId, now: Timestamp) -> Result<(), StoreError>;

    /// Bookings of the event that are PENDING or CONFIRMED, in order of their ids, those behind `after`.
    async fn live_bookings(
        &self,
        event: EventId,
        after: Option<BookingId>,
        limit: u32,
    ) -> Result<Vec<BookingId>, StoreError>;

    /// Calls off all of these, as [`call_off`](Self::call_off) does, in one commit.
    async fn call_off_all(&self, all: Vec<CallOff>, reason: &str, now: Timestamp) -> Result<(), StoreError>;

    /// One booking.
    async fn get(&self, id: BookingId) -> Result<Option<Booking>, StoreError>;

    /// The booking of a hold.
    async fn of_hold(&self, hold: HoldId) -> Result<Option<Booking>, StoreError>;

    /// The user's bookings, newest first, those made before `before` if one is named.
    async fn list(
        &self,
        user: UserId,
        before: Option<BookingId>,
        limit: u32,
    ) -> Result<Vec<Booking>, StoreError>;

    /// The tickets of a booking, in the order of its seats: none unless it is CONFIRMED.
    async fn tickets(
        &self,
        id: BookingId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<Ticket>, StoreError>;

    /// Waits until the booking is so, however long that takes; `None` if there is no such booking.
    ///
    /// Cancel safe: it only reads.
    async fn wait_until(&self, id: BookingId, so: Condition) -> Result<Option<Booking>, StoreError>;
}

/// What is waited for.
pub type Condition = fn(&Booking) -> bool;

/// What Payment tells of a payment, with the signal that carries it to the saga.
#[derive(Debug)]
pub enum Outcome {
    Succeeded(Signal),
    Failed(Signal),
}
