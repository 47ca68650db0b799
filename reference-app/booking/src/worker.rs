//! What the service is told by others.

use std::sync::Arc;

use async_trait::async_trait;
use contract::events::{
    EVENT_CANCELLED, EventCancelled, PAYMENT_FAILED, PAYMENT_REFUNDED, PAYMENT_SUCCEEDED, PaymentFailed,
    PaymentRefunded, PaymentSucceeded,
};
use platform::bus::decode;
use platform::telemetry;
use ticketblitz_core::{Clock, Envelope, EventId};
use ticketblitz_saga::{Consumer, HandleError, Handler};

use crate::sagas::Handles;
use crate::store::{Outcome, Received, Store, StoreError};

/// Bookings of a cancelled event that are called off in one commit.
const BATCH: u32 = 100;

/// Takes what Payment and Event tell.
#[derive(Debug, Clone)]
pub struct Inbox {
    pub store: Arc<dyn Store>,
    pub handles: Arc<Handles>,
    pub clock: Arc<dyn Clock>,
}

impl Inbox {
    /// Two consumers, so that the many bookings of a cancelled event hold up nobody's payment.
    #[must_use]
    pub fn consumers(&self) -> Vec<Consumer> {
        let handler: Arc<dyn Handler> = Arc::new(self.clone());
        let payments = [PAYMENT_SUCCEEDED, PAYMENT_FAILED, PAYMENT_REFUNDED];
        vec![
            Consumer::new("booking.payments", payments, Arc::clone(&handler)),
            Consumer::new("booking.events", [EVENT_CANCELLED], handler),
        ]
    }

    /// Calls off what is open or paid of the event. Whatever is made or confirmed after the first commit finds
    /// the event cancelled, so one pass sees the rest; a repeat after a crash finds what that left.
    async fn event_cancelled(&self, event: EventId) -> Result<(), StoreError> {
        let reason = "the event was cancelled";
        self.store.cancel_event(event, self.clock.now()).await?;
        let mut last = None;
        loop {
            let batch = self.store.live_bookings(event, last, BATCH).await?;
            let Some(&end) = batch.last() else { return Ok(()) };
            last = Some(end);
            let all = batch.into_iter().map(|id| self.handles.call_off(id, reason)).collect();
            self.store.call_off_all(all, reason, self.clock.now()).await?;
        }
    }
}

/// Repeats are known by the message's id, and by what it says of which payment.
fn received(message: &Envelope, payment: contract::PaymentId) -> Received {
    Received { message: message.id, says: format!("{}:{payment}", message.kind) }
}

#[async_trait]
impl Handler for Inbox {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        telemetry::in_trace(message.trace.as_deref(), self.take(message)).await
    }
}

impl Inbox {
    async fn take(&self, message: &Envelope) -> Result<(), HandleError> {
        let now = self.clock.now();
        let kind = message.kind.as_str();
        let done = match kind {
            PAYMENT_SUCCEEDED => {
                let told: PaymentSucceeded = decode(message)?;
                let outcome = Outcome::Succeeded(self.handles.payment(told.booking_id, kind, &told));
                self.store.payment(received(message, told.payment_id), told.booking_id, outcome, now).await
            }
            PAYMENT_FAILED => {
                let told: PaymentFailed = decode(message)?;
                let outcome = Outcome::Failed(self.handles.payment(told.booking_id, kind, &told));
                self.store.payment(received(message, told.payment_id), told.booking_id, outcome, now).await
            }
            PAYMENT_REFUNDED => {
                let told: PaymentRefunded = decode(message)?;
                let back = self.handles.refunded(told.booking_id, kind, &told);
                self.store.refunded(received(message, told.payment_id), told.booking_id, back).await
            }
            EVENT_CANCELLED => {
                let told: EventCancelled = decode(message)?;
                self.event_cancelled(told.event_id).await
            }
            other => return Err(HandleError::Poison(format!("{other} is nothing that bookings are told"))),
        };
        done.map_err(|error| match error {
            StoreError::Saga(error) => error.into(),
            other => HandleError::Retry(other.to_string()),
        })
    }
}
