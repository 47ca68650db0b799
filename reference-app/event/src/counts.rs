//! What bookings do to the number of places left.

use std::sync::Arc;

use async_trait::async_trait;
use contract::events::{BOOKING_CANCELLED, BOOKING_CONFIRMED, BookingCancelled, BookingConfirmed};
use platform::bus::{HandleError, Handler, decode};
use ticketblitz_core::Envelope;

use crate::catalog::Catalog;
use crate::store::{Counted, What};

/// Counts confirmed and cancelled bookings.
#[derive(Debug)]
pub(crate) struct Counts {
    catalog: Arc<Catalog>,
}

impl Counts {
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog }
    }
}

#[async_trait]
impl Handler for Counts {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        let Some(counted) = read(message)? else { return Ok(()) };
        self.catalog.count(counted).await.map_err(|error| HandleError::Retry(error.to_string()))
    }
}

/// What the message says about places, if anything: a booking that was never confirmed never took any.
fn read(message: &Envelope) -> Result<Option<Counted>, HandleError> {
    match message.kind.as_str() {
        BOOKING_CONFIRMED => {
            let BookingConfirmed { booking_id, event_id, quantity, .. } = decode(message)?;
            let what = What::Confirmed;
            Ok(Some(Counted { message: message.id, booking: booking_id, event: event_id, quantity, what }))
        }
        BOOKING_CANCELLED => {
            let BookingCancelled { booking_id, event_id, quantity, was_confirmed, .. } = decode(message)?;
            let what = What::Cancelled;
            let counted =
                Counted { message: message.id, booking: booking_id, event: event_id, quantity, what };
            Ok(was_confirmed.then_some(counted))
        }
        _ => Ok(None),
    }
}
