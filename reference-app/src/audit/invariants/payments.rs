//! Payments: each beside its booking, and beside what the provider has in its books of it.

use std::collections::{HashMap, HashSet};

use booking::domain::Booking;
use payment::domain::{Payment, Status};
use ticketblitz_core::BookingId;

use super::unfinished::Unfinished;
use super::{Found, Invariant, Reading};

pub(super) fn check(reading: &Reading, unfinished: &Unfinished<'_>, found: &mut Found) {
    let bookings: HashMap<BookingId, &Booking> =
        reading.bookings.bookings.iter().map(|booking| (booking.id, booking)).collect();
    let refunded: HashSet<&str> =
        reading.ledger.refunds.iter().map(|refund| refund.charge_id.as_str()).collect();
    let charges: HashMap<&str, _> =
        reading.ledger.charges.iter().map(|charge| (charge.id.as_str(), charge)).collect();
    for payment in &reading.payments {
        if let Some(booking) = bookings.get(&payment.booking) {
            is_of_its_booking(payment, booking, found);
        }
        let Some(id) = payment.charge.as_deref() else { continue };
        let Payment { amount, currency, .. } = payment;
        let Some(charge) = charges.get(id) else {
            found.add(
                Invariant::Charges,
                format!("payment {} is of charge {id}, which the provider does not have", payment.id),
            );
            continue;
        };
        let same = charge.amount == *amount && charge.currency == currency.to_string();
        found.add_if(!same, Invariant::Paid, || {
            let (charged, of) = (charge.amount, &charge.currency);
            format!("payment {} is of {amount} {currency}, its charge {id} is {charged} {of}", payment.id)
        });
        let refunded = refunded.contains(id);
        let agrees = match payment.status {
            Status::Succeeded => !refunded,
            Status::Refunded => refunded,
            Status::Pending | Status::Unknown | Status::Failed => true,
        };
        let waits = unfinished.waits_in(&["refund"], &payment.booking);
        found.unless(waits, !agrees, Invariant::Charges, || {
            let not = if refunded { "" } else { "not " };
            format!("payment {} is {}, its charge {id} was {not}refunded", payment.id, payment.status)
        });
    }
}

fn is_of_its_booking(payment: &Payment, booking: &Booking, found: &mut Found) {
    let Payment { id, amount, currency, .. } = payment;
    let same = (*amount, *currency) == (booking.amount, booking.currency);
    found.add_if(!same, Invariant::Paid, || {
        let Booking { id: booking, amount: price, currency: of, .. } = booking;
        format!("payment {id} is of {amount} {currency}, its booking {booking} costs {price} {of}")
    });
    let same = (payment.user, payment.event) == (booking.user, booking.event);
    found.add_if(!same, Invariant::Paid, || {
        format!("payment {id} and its booking {} are not of the same customer and event", booking.id)
    });
}
