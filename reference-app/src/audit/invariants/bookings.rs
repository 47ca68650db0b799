//! Bookings: their money, tickets, places, ends, mails and counts.

use std::collections::{HashMap, HashSet};

use booking::domain::{Booking, Status};
use contract::events::{BOOKING_CANCELLED, BOOKING_CONFIRMED, PAYMENT_SUCCEEDED, REFUND_REQUESTED};
use inventory::audit::{Claim, ClaimState};
use payment::domain::{Payment, Status as PaymentStatus};
use psp::audit::{Charge, ChargeStatus};
use ticketblitz_core::{BookingId, EventId, SeatId, Timestamp};
use ticketblitz_lock::Want;

use super::unfinished::Unfinished;
use super::{Found, Invariant, Reading};

pub(super) fn check(reading: &Reading, unfinished: &Unfinished<'_>, now: Timestamp, found: &mut Found) {
    let known = Known::of(reading);
    for booking in &reading.bookings.bookings {
        if booking.status == Status::Confirmed {
            paid_once(booking, &known, found);
            places_are_sold(booking, &known, found);
        }
        has_its_tickets(booking, &known, found);
        ends_in_time(booking, unfinished, now, found);
    }
    for booking in known.tickets.keys().filter(|booking| !known.bookings.contains_key(booking)) {
        found.add(Invariant::Tickets, format!("there are tickets of booking {booking}, which there is not"));
    }
    claims_have_bookings(reading, &known, found);
    charges_have_bookings(reading, &known, unfinished, found);
    counts_agree(reading, &known, unfinished, found);
}

/// What was read, by its keys.
struct Known<'a> {
    bookings: HashMap<BookingId, &'a Booking>,
    tickets: HashMap<BookingId, Vec<Option<SeatId>>>,
    claims: HashMap<BookingId, &'a Claim>,
    payments: HashMap<BookingId, Vec<&'a Payment>>,
    /// Those that succeeded, by their reference: the booking's id.
    charges: HashMap<&'a str, Vec<&'a Charge>>,
    refunded: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(reading: &'a Reading) -> Self {
        let mut tickets: HashMap<_, Vec<_>> = HashMap::new();
        for (booking, seat) in &reading.bookings.tickets {
            tickets.entry(*booking).or_default().push(*seat);
        }
        let mut payments: HashMap<_, Vec<_>> = HashMap::new();
        for payment in &reading.payments {
            payments.entry(payment.booking).or_default().push(payment);
        }
        let mut charges: HashMap<_, Vec<_>> = HashMap::new();
        for charge in reading.ledger.charges.iter().filter(|c| c.status == ChargeStatus::Succeeded) {
            charges.entry(charge.reference.as_str()).or_default().push(charge);
        }
        Self {
            bookings: reading.bookings.bookings.iter().map(|booking| (booking.id, booking)).collect(),
            tickets,
            claims: reading.inventory.claims.iter().map(|claim| (claim.booking, claim)).collect(),
            payments,
            charges,
            refunded: reading.ledger.refunds.iter().map(|refund| refund.charge_id.as_str()).collect(),
        }
    }
}

/// By the provider, and by the payment that was kept of it. What costs nothing is never charged.
fn paid_once(booking: &Booking, known: &Known<'_>, found: &mut Found) {
    let id = booking.id;
    let charges = known.charges.get(id.to_string().as_str()).map_or(&[][..], Vec::as_slice);
    let kept: Vec<_> = charges.iter().filter(|c| !known.refunded.contains(c.id.as_str())).collect();
    let due = usize::from(booking.amount > 0);
    found.add_if(charges.len() != due || kept.len() != due, Invariant::Paid, || {
        let refunded = charges.len() - kept.len();
        format!("booking {id} is CONFIRMED with {} charges, {refunded} of them refunded", charges.len())
    });
    for charge in charges {
        let right = charge.amount == booking.amount && charge.currency == booking.currency.to_string();
        found.add_if(!right, Invariant::Paid, || {
            let Booking { amount, currency, .. } = booking;
            let Charge { id: charge, amount: charged, currency: of, .. } = charge;
            format!("booking {id} costs {amount} {currency}, its charge {charge} is {charged} {of}")
        });
    }
    let payments = known.payments.get(&id).map_or(&[][..], Vec::as_slice);
    let agrees = matches!(payments, [payment] if payment.status == PaymentStatus::Succeeded
        && payment.charge.as_deref() == kept.first().map(|charge| charge.id.as_str()));
    found.add_if(!agrees, Invariant::Paid, || {
        let payments: Vec<_> = payments.iter().map(|p| format!("{} {}", p.id, p.status)).collect();
        let payments = if payments.is_empty() { "none".to_owned() } else { payments.join(", ") };
        format!("booking {id} is CONFIRMED and its charge is not its payment's: {payments}")
    });
}

/// Tickets of a booking that was cancelled stay, void; one that was never confirmed has none.
fn has_its_tickets(booking: &Booking, known: &Known<'_>, found: &mut Found) {
    let id = booking.id;
    let mut tickets = known.tickets.get(&id).cloned().unwrap_or_default();
    tickets.sort();
    let mut due: Vec<_> = match booking.confirmed_at {
        None => Vec::new(),
        Some(_) if booking.seats.is_empty() => {
            vec![None; usize::try_from(booking.quantity).unwrap_or_default()]
        }
        Some(_) => booking.seats.iter().copied().map(Some).collect(),
    };
    due.sort();
    found.add_if(tickets != due, Invariant::Tickets, || {
        let written = |tickets: &[Option<SeatId>]| {
            let seats: Vec<_> = tickets.iter().flatten().map(ToString::to_string).collect();
            format!("{} {}", tickets.len(), seats.join(" ")).trim_end().to_owned()
        };
        format!(
            "booking {id} is {} with {} tickets, not {}",
            booking.status,
            written(&tickets),
            written(&due)
        )
    });
}

fn places_are_sold(booking: &Booking, known: &Known<'_>, found: &mut Found) {
    let id = booking.id;
    let Some(claim) = known.claims.get(&id) else {
        return found.add(Invariant::Sold, format!("booking {id} is CONFIRMED without a claim"));
    };
    let same_places = match &claim.want {
        Want::Seats(seats) => {
            let (mut sold, mut booked) = (seats.clone(), booking.seats.clone());
            sold.sort();
            booked.sort();
            sold == booked && booking.section.is_none()
        }
        Want::Area { section, .. } => booking.seats.is_empty() && booking.section.as_ref() == Some(section),
    };
    let same = same_places
        && claim.want.units() == booking.quantity
        && (claim.hold.event, claim.hold.hold) == (booking.event, booking.hold)
        && claim.owner == booking.user
        && (claim.amount, claim.currency) == (booking.amount, booking.currency);
    found.add_if(claim.state != ClaimState::Sold, Invariant::Sold, || {
        format!("booking {id} is CONFIRMED, its claim {}", claim.state.as_str())
    });
    found.add_if(!same, Invariant::Sold, || format!("booking {id} and its claim are not of the same places"));
}

/// What is sold is sold to a booking that is confirmed, about to be, or not yet done with giving it back. What is in
/// payment may be of a booking that is not made yet, and not of one that has ended: its places are free first.
fn claims_have_bookings(reading: &Reading, known: &Known<'_>, found: &mut Found) {
    for claim in &reading.inventory.claims {
        let booking = known.bookings.get(&claim.booking);
        let (what, right) = match claim.state {
            ClaimState::Sold => ("sold to", booking.is_some_and(|booking| is_sold_to(booking))),
            ClaimState::Paying => {
                let open = |booking: &&Booking| matches!(booking.status, Status::Pending | Status::Confirmed);
                ("kept for", booking.is_none_or(open))
            }
            ClaimState::Lapsed | ClaimState::Released | ClaimState::Reopened => continue,
        };
        found.add_if(!right, Invariant::Sold, || {
            let status = booking.map_or("unknown".to_owned(), |booking| booking.status.to_string());
            let (event, id) = (claim.hold.event, claim.booking);
            format!("places of event {event} are {what} booking {id}, which is {status}")
        });
    }
}

fn is_sold_to(booking: &Booking) -> bool {
    match booking.status {
        Status::Confirmed | Status::Pending => true,
        Status::Cancelled => booking.closed_at.is_none(),
        Status::Failed | Status::Expired => false,
    }
}

/// A charge of a booking that is PENDING is under way: the booking's deadline bounds that.
fn charges_have_bookings(
    reading: &Reading,
    known: &Known<'_>,
    unfinished: &Unfinished<'_>,
    found: &mut Found,
) {
    let charges = reading.ledger.charges.iter().filter(|c| c.status == ChargeStatus::Succeeded);
    let mut amounts: HashMap<&str, i64> = HashMap::new();
    for Charge { id, reference, amount, currency, .. } in charges {
        amounts.insert(id, *amount);
        if known.refunded.contains(id.as_str()) {
            continue;
        }
        let booking = reference.parse().ok().and_then(|id: BookingId| known.bookings.get(&id));
        let right = booking.is_some_and(|b| matches!(b.status, Status::Confirmed | Status::Pending));
        let waits = booking.is_some() && goes_back(unfinished, reference);
        found.unless(waits, !right, Invariant::Charges, || {
            let status = booking.map_or("unknown".to_owned(), |booking| booking.status.to_string());
            format!("charge {id} of {amount} {currency} is of booking {reference}, which is {status}")
        });
    }
    for (reference, charges) in known.charges.iter().filter(|(_, charges)| charges.len() > 1) {
        found.add(Invariant::Charges, format!("booking {reference} was charged {} times", charges.len()));
    }
    let mut refunds: HashMap<&str, usize> = HashMap::new();
    for refund in &reading.ledger.refunds {
        let times = refunds.entry(&refund.charge_id).or_default();
        *times += 1;
        found.add_if(*times > 1, Invariant::Charges, || {
            format!("charge {} was refunded {times} times", refund.charge_id)
        });
        let whole = amounts.get(refund.charge_id.as_str()) == Some(&refund.amount);
        found.add_if(!whole, Invariant::Charges, || {
            format!("refund {} of {} is not charge {} as a whole", refund.id, refund.amount, refund.charge_id)
        });
    }
}

/// The charge is about to be known, or its refund is asked for or under way.
fn goes_back(unfinished: &Unfinished<'_>, booking: &String) -> bool {
    unfinished.waits_in(&["charge", "refund"], booking)
        || unfinished.waits_for("payment", REFUND_REQUESTED, booking)
        || unfinished.waits_for("booking.payments", PAYMENT_SUCCEEDED, booking)
}

/// Also one that is just being sold, or whose charge is on its way: its end waits for neither.
fn ends_in_time(booking: &Booking, unfinished: &Unfinished<'_>, now: Timestamp, found: &mut Found) {
    let late = booking.status == Status::Pending && now > booking.expires_at;
    let waits = unfinished.waits_in(&["booking"], &booking.id);
    found.unless(waits, late, Invariant::Deadline, || {
        format!("booking {} is PENDING, its deadline was {}", booking.id, booking.expires_at)
    });
}

/// Booking by booking, so that under a running sale each difference is one that passes or stays; the sum is of
/// one store and of one moment.
fn counts_agree(reading: &Reading, known: &Known<'_>, unfinished: &Unfinished<'_>, found: &mut Found) {
    let counted: HashMap<_, _> = reading.events.counted.iter().map(|it| (it.booking, it)).collect();
    let was_confirmed = |id: BookingId| known.bookings.get(&id).is_some_and(|b| b.confirmed_at.is_some());
    for claim in
        reading.inventory.claims.iter().filter(|c| c.state == ClaimState::Sold && was_confirmed(c.booking))
    {
        let (event, id, units) = (claim.hold.event, claim.booking, claim.want.units());
        let agrees = counted.get(&id).is_some_and(|it| (it.event, it.quantity) == (event, units));
        let waits = unfinished.waits_for("event", BOOKING_CONFIRMED, &id);
        found.unless(waits, !agrees, Invariant::Counts, || {
            format!("booking {id} has {units} places of event {event}, which does not count them")
        });
    }
    let mut taken: HashMap<EventId, u64> = HashMap::new();
    for it in &reading.events.counted {
        *taken.entry(it.event).or_default() += u64::from(it.quantity);
        let sold = known.claims.get(&it.booking).is_some_and(|claim| claim.state == ClaimState::Sold);
        let waits = unfinished.waits_for("event", BOOKING_CANCELLED, &it.booking);
        found.unless(waits, !sold, Invariant::Counts, || {
            format!(
                "event {} counts {} places of booking {}, which has none",
                it.event, it.quantity, it.booking
            )
        });
    }
    for event in &reading.events.events {
        let sum = taken.get(&event.id).copied().unwrap_or_default();
        found.add_if(sum != u64::from(event.taken), Invariant::Counts, || {
            format!("event {} says {} taken, its bookings have {sum}", event.id, event.taken)
        });
    }
}
