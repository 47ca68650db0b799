//! Notifications: one of each confirmation, and the mail of each sent, about to be, or given up for a reason.

use std::collections::{BTreeSet, HashMap};

use booking::domain::Booking;
use contract::events::BOOKING_CONFIRMED;
use notification::domain::{Kind, Notification, Status};
use ticketblitz_core::BookingId;

use super::unfinished::Unfinished;
use super::{Found, Invariant, Reading};

pub(super) fn check(reading: &Reading, unfinished: &Unfinished<'_>, found: &mut Found) {
    let confirmed: HashMap<BookingId, &Booking> = reading
        .bookings
        .bookings
        .iter()
        .filter(|booking| booking.confirmed_at.is_some())
        .map(|booking| (booking.id, booking))
        .collect();
    let mut told: HashMap<BookingId, usize> = HashMap::new();
    for it in reading.notifications.iter().filter(|it| it.kind == Kind::BookingConfirmed) {
        *told.entry(it.booking).or_default() += 1;
        found.add_if(!confirmed.contains_key(&it.booking), Invariant::Notifications, || {
            format!("notification {} is of booking {}, which was never confirmed", it.id, it.booking)
        });
        is_sent(it, unfinished, found);
    }
    for id in confirmed.keys() {
        let count = told.get(id).copied().unwrap_or_default();
        let waits = count == 0 && unfinished.waits_for("notification", BOOKING_CONFIRMED, id);
        found.unless(waits, count != 1, Invariant::Notifications, || {
            format!("booking {id} was confirmed and has {count} notifications")
        });
    }
    mails_are_there(reading, found);
}

/// A mail server may be away for a night: whose saga goes on is in order, however long that takes. What was given up
/// says why, and is for a person to know of.
fn is_sent(it: &Notification, unfinished: &Unfinished<'_>, found: &mut Found) {
    let Notification { id, booking, status, failure, sent, .. } = it;
    let right = match status {
        Status::Sent => sent.is_some(),
        Status::Pending => sent.is_none() && unfinished.goes_on("mail", id),
        Status::Failed => sent.is_none() && failure.is_some(),
    };
    found.add_if(!right, Invariant::Notifications, || {
        let why = match status {
            Status::Sent => "without a time or an addressee",
            Status::Pending => "and nothing sends it",
            Status::Failed => "and nothing says why",
        };
        format!("notification {id} of booking {booking} is {status} {why}")
    });
    if let (true, Status::Failed, Some(failure)) = (right, status, failure) {
        found.note(format!("notification {id} of booking {booking} was given up: {failure}"));
    }
}

/// Mails may be picked up or tidied away, so that one is gone breaks nothing. But whoever counts on them should know.
fn mails_are_there(reading: &Reading, found: &mut Found) {
    let Some(mails) = &reading.mails else { return };
    let sent = reading.notifications.iter().filter(|it| it.status == Status::Sent);
    let gone: BTreeSet<_> =
        sent.filter(|it| !mails.contains(&format!("{}.eml", it.id))).map(|it| it.id).collect();
    if let Some(first) = gone.first() {
        let count = gone.len();
        found.note(format!(
            "{count} of the mails that were sent are not in the mail directory, {first} the first"
        ));
    }
}
