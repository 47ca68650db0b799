//! Where payments are kept. A method is a whole use case: everything it says happens in one commit or not at all.

pub mod sqlite;

use std::fmt;

use async_trait::async_trait;
use contract::PaymentId;
use ticketblitz_core::{BookingId, MessageId, Timestamp, UserId};
use ticketblitz_saga::{Advance, Advanced, Start};

use crate::domain::{IllegalTransition, Payment, Permission};

pub use sqlite::SqliteStore;

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A saga speaks of a payment that is not there.
    #[error("there is no payment {0}")]
    NoSuchPayment(PaymentId),
    /// The payment has moved on.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The database failed, or the saga's state had moved on.
    #[error(transparent)]
    Database(#[from] ticketblitz_core::sqlite::Error),
    /// The saga's, inbox's or outbox's tables failed.
    #[error(transparent)]
    Saga(#[from] ticketblitz_saga::Error),
}

impl StoreError {
    /// The same may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::NoSuchPayment(_) | Self::Illegal(_) => false,
            Self::Database(error) => platform::db::will_pass(error),
            Self::Saga(error) => error.is_unavailable(),
        }
    }
}

/// The payments of this service.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Takes an order: the `payment` is kept and `charge` started. A booking voided before is not charged:
    /// its payment is kept as failed and `payment.failed` published. A message seen before, or a second order
    /// for the same booking, changes nothing.
    async fn accept(
        &self,
        message: MessageId,
        payment: Payment,
        charge: Start,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Voids the booking's payment: one not made is forbidden, also when its order is yet to come; one in
    /// flight is refunded when it lands; of one that succeeded `refund` is started. A repeat changes nothing.
    async fn void(
        &self,
        message: MessageId,
        booking: BookingId,
        refund: Start,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Asks for leave to send a charge at `now`. That it is about to be sent is on the disk when this
    /// answers [`Permission::Charge`]; the payment is answered as it was before.
    async fn begin_charge(&self, id: PaymentId, now: Timestamp) -> Result<(Payment, Permission), StoreError>;

    /// The answer to a charge was lost: an open payment shows UNKNOWN from here.
    async fn in_doubt(&self, id: PaymentId) -> Result<(), StoreError>;

    /// The charge is made: SUCCEEDED, `payment.succeeded`, the saga's step, and, if the payment was voided in
    /// the meantime, the start of `refund`.
    async fn succeed(
        &self,
        id: PaymentId,
        charge: Option<String>,
        refund: Start,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError>;

    /// No charge was made: FAILED, `payment.failed` and the saga's end.
    async fn fail(
        &self,
        id: PaymentId,
        reason: String,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError>;

    /// The money went back: REFUNDED, `payment.refunded` and the saga's step.
    async fn refunded(&self, id: PaymentId, advance: Advance, now: Timestamp)
    -> Result<Advanced, StoreError>;

    /// One payment.
    async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError>;

    /// The payment of a booking.
    async fn of_booking(&self, booking: BookingId) -> Result<Option<Payment>, StoreError>;

    /// The customer's payments, newest first, those made before `before` if one is named.
    async fn list(
        &self,
        user: UserId,
        before: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError>;

    /// Forgets at most `limit` bookings that were voided before `before` and never ordered; answers how many.
    async fn forget_voided(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
