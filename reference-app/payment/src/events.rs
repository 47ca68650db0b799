//! What a payment tells the others. Every event is of the booking's key and of the payment's sequence.

use contract::events::{
    PAYMENT_FAILED, PAYMENT_REFUNDED, PAYMENT_SUCCEEDED, PaymentFailed, PaymentRefunded, PaymentSucceeded,
};
use serde::Serialize;
use ticketblitz_core::{Envelope, Timestamp};

use crate::domain::Payment;

pub(crate) fn succeeded(payment: &Payment, now: Timestamp) -> Envelope {
    let data = PaymentSucceeded {
        payment_id: payment.id,
        booking_id: payment.booking,
        amount: payment.amount,
        currency: payment.currency,
        provider_charge_id: payment.charge.clone(),
    };
    envelope(PAYMENT_SUCCEEDED, payment, &data, now)
}

pub(crate) fn failed(payment: &Payment, now: Timestamp) -> Envelope {
    let data = PaymentFailed {
        payment_id: payment.id,
        booking_id: payment.booking,
        reason: payment.failure.clone().unwrap_or_default(),
    };
    envelope(PAYMENT_FAILED, payment, &data, now)
}

pub(crate) fn refunded(payment: &Payment, now: Timestamp) -> Envelope {
    let data = PaymentRefunded {
        payment_id: payment.id,
        booking_id: payment.booking,
        amount: payment.amount,
        currency: payment.currency,
    };
    envelope(PAYMENT_REFUNDED, payment, &data, now)
}

fn envelope(kind: &str, payment: &Payment, data: &impl Serialize, now: Timestamp) -> Envelope {
    platform::bus::event(kind, payment.booking.to_string(), payment.sequence, data, now)
}
