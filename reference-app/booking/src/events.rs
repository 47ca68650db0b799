//! What a booking tells the others. Each event is of the booking's key and takes the booking's next sequence.

use contract::booking::{BookingStatus, Ticket};
use contract::events::{
    self, BookingCancelled, BookingConfirmed, BookingCreated, BookingFailed, RefundRequested,
};
use serde::Serialize;
use ticketblitz_core::{Envelope, Timestamp};

use crate::domain::{Booking, Status};

pub(crate) fn created(booking: &mut Booking) -> Envelope {
    let data = BookingCreated {
        booking_id: booking.id,
        user_id: booking.user,
        event_id: booking.event,
        amount: booking.amount,
        currency: booking.currency,
        payment_method: booking.method.to_string(),
        expires_at: booking.expires_at,
    };
    let now = booking.created_at;
    envelope(events::BOOKING_CREATED, booking, &data, now)
}

pub(crate) fn confirmed(booking: &mut Booking, tickets: Vec<Ticket>, now: Timestamp) -> Envelope {
    let data = BookingConfirmed {
        booking_id: booking.id,
        user_id: booking.user,
        event_id: booking.event,
        seat_ids: booking.seats.clone(),
        section: booking.section.clone(),
        quantity: booking.quantity,
        amount: booking.amount,
        currency: booking.currency,
        tickets,
    };
    envelope(events::BOOKING_CONFIRMED, booking, &data, now)
}

pub(crate) fn failed(booking: &mut Booking, now: Timestamp) -> Envelope {
    let data = BookingFailed {
        booking_id: booking.id,
        user_id: booking.user,
        event_id: booking.event,
        status: booking.status.into(),
        reason: booking.failure.clone().unwrap_or_default(),
    };
    envelope(events::BOOKING_FAILED, booking, &data, now)
}

pub(crate) fn cancelled(booking: &mut Booking, now: Timestamp) -> Envelope {
    let data = BookingCancelled {
        booking_id: booking.id,
        user_id: booking.user,
        event_id: booking.event,
        quantity: booking.quantity,
        was_confirmed: booking.confirmed_at.is_some(),
    };
    envelope(events::BOOKING_CANCELLED, booking, &data, now)
}

pub(crate) fn refund_requested(booking: &mut Booking, reason: &str, now: Timestamp) -> Envelope {
    let data = RefundRequested { booking_id: booking.id, reason: reason.to_owned() };
    envelope(events::REFUND_REQUESTED, booking, &data, now)
}

fn envelope(kind: &str, booking: &mut Booking, data: &impl Serialize, now: Timestamp) -> Envelope {
    let sequence = booking.next_sequence();
    platform::bus::event(kind, booking.id.to_string(), sequence, data, now)
}

impl From<Status> for BookingStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Confirmed => Self::Confirmed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Expired => Self::Expired,
        }
    }
}
