//! What the other services tell this one.

use std::sync::Arc;

use async_trait::async_trait;
use contract::events::{BOOKING_CONFIRMED, BookingConfirmed};
use platform::bus::{Consumer, HandleError, Handler, decode};
use platform::telemetry;
use ticketblitz_core::{Clock, Envelope};
use ticketblitz_saga::Handle;

use crate::domain::{Kind, Notification};
use crate::sagas::Mail;
use crate::store::Store;

/// Hears of confirmed bookings.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mails: Handle<Mail>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Inbox {
    pub(crate) fn consumer(self) -> Consumer {
        Consumer::new("notification", [BOOKING_CONFIRMED], Arc::new(self))
    }

    async fn take(&self, message: &Envelope) -> Result<(), HandleError> {
        let booking: BookingConfirmed = decode(message)?;
        let (kind, now) = (Kind::BookingConfirmed, self.clock.now());
        let notification = Notification::new(booking.booking_id, kind, booking.user_id, now);
        let (id, trace) = (notification.id, telemetry::traceparent());
        let mail = self.mails.start(id.to_string(), &Mail { id, booking, envelope: None, trace });
        let accepted = self.store.accept(message.id, notification, mail).await;
        accepted.map_err(|error| HandleError::Retry(error.to_string()))
    }
}

#[async_trait]
impl Handler for Inbox {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        telemetry::in_trace(message.trace.as_deref(), self.take(message)).await
    }
}
