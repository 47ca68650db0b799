//! What the other services tell this one.

use std::sync::Arc;

use async_trait::async_trait;
use contract::PaymentId;
use contract::events::{BOOKING_CREATED, BookingCreated, REFUND_REQUESTED, RefundRequested};
use platform::bus::{Consumer, HandleError, Handler, decode};
use platform::telemetry;
use ticketblitz_core::{Clock, Envelope, Timestamp};

use crate::domain::{Payment, Status};
use crate::sagas::Handles;
use crate::store::{Store, StoreError};

/// Takes what is told about the payment of a booking. Either message may come first.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) handles: Arc<Handles>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Inbox {
    pub(crate) fn consumer(self) -> Consumer {
        Consumer::new("payment", [BOOKING_CREATED, REFUND_REQUESTED], Arc::new(self))
    }

    async fn take(&self, message: &Envelope) -> Result<(), HandleError> {
        match message.kind.as_str() {
            BOOKING_CREATED => self.ordered(message, &decode(message)?).await,
            REFUND_REQUESTED => self.voided(message, &decode(message)?).await,
            other => Err(HandleError::Poison(format!("nothing is done about {other} here"))),
        }
    }

    async fn ordered(&self, message: &Envelope, order: &BookingCreated) -> Result<(), HandleError> {
        if order.amount < 0 {
            return Err(HandleError::Poison(format!("{} cannot be charged", order.amount)));
        }
        let now = self.clock.now();
        let payment = ordered_payment(order, now);
        let charge = self.handles.charge(&payment);
        self.store.accept(message.id, payment, charge, now).await.map_err(later)
    }

    async fn voided(&self, message: &Envelope, request: &RefundRequested) -> Result<(), HandleError> {
        let (booking, now) = (request.booking_id, self.clock.now());
        self.store.void(message.id, booking, self.handles.refund(booking), now).await.map_err(later)
    }
}

#[async_trait]
impl Handler for Inbox {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        telemetry::in_trace(message.trace.as_deref(), self.take(message)).await
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn later(error: StoreError) -> HandleError {
    HandleError::Retry(error.to_string())
}

fn ordered_payment(order: &BookingCreated, now: Timestamp) -> Payment {
    Payment {
        id: PaymentId::new(),
        booking: order.booking_id,
        user: order.user_id,
        event: order.event_id,
        amount: order.amount,
        currency: order.currency,
        method: order.payment_method.clone(),
        deadline: order.expires_at,
        status: Status::Pending,
        sent_at: None,
        charge: None,
        voided: false,
        failure: None,
        created_at: now,
        sequence: 0,
    }
}
