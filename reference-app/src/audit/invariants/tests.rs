//! Each invariant over a reading made by hand: one confirmed booking of the seat A1, whole, then broken.

use std::time::Duration;

use booking::domain::{Booking, PaymentMethod, Status};
use contract::inventory::{LiveSeats, SeatState};
use contract::{NotificationId, PaymentId};
use event::audit::Phase;
use inventory::audit::{Claim, ClaimState, ClaimedSeat};
use notification::domain::{Kind, Sent};
use psp::audit::{Charge, ChargeStatus, Refund};
use ticketblitz_core::{BookingId, Currency, EventId, SeatId, UserId};
use ticketblitz_lock::{Fence, HoldId, HoldRef, Want};

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const LATER: Timestamp = Timestamp::from_micros(1_800_000_600_000_000);

fn seat(text: &str) -> SeatId {
    text.parse().expect("a seat")
}

fn claim_of(booking: &Booking) -> Claim {
    Claim {
        booking: booking.id,
        hold: HoldRef { event: booking.event, hold: booking.hold },
        owner: booking.user,
        want: Want::Seats(booking.seats.clone()),
        amount: booking.amount,
        currency: booking.currency,
        fence: Fence::new(7),
        state: ClaimState::Sold,
        deadline: LATER,
        until: LATER + Duration::from_secs(30),
    }
}

fn booking() -> Booking {
    let event = EventId::new();
    Booking {
        id: BookingId::new(),
        user: UserId::new(),
        event,
        hold: HoldId::new(),
        seats: vec![seat("A1")],
        section: None,
        quantity: 1,
        amount: 100,
        currency: Currency::INR,
        method: PaymentMethod::Ok,
        status: Status::Confirmed,
        failure: None,
        created_at: NOW,
        expires_at: LATER,
        confirmed_at: Some(NOW),
        closed_at: None,
        refund_requested: false,
        sequence: 2,
    }
}

fn told(booking: &Booking) -> Notification {
    let sent = Sent { at: NOW, recipient: "ann@example.com".to_owned(), subject: "Your tickets".to_owned() };
    let pending = Notification::new(booking.id, Kind::BookingConfirmed, booking.user, NOW);
    Notification { status: notification::domain::Status::Sent, sent: Some(sent), ..pending }
}

fn whole() -> Reading {
    let booking = booking();
    let (id, event) = (booking.id, booking.event);
    let payment = Payment {
        id: PaymentId::new(),
        booking: id,
        user: booking.user,
        event,
        amount: 100,
        currency: Currency::INR,
        method: "pm_ok".to_owned(),
        deadline: LATER,
        status: payment::domain::Status::Succeeded,
        sent_at: Some(NOW),
        charge: Some("ch_1".to_owned()),
        voided: false,
        failure: None,
        created_at: NOW,
        sequence: 1,
    };
    let charge = Charge {
        id: "ch_1".to_owned(),
        reference: id.to_string(),
        amount: 100,
        currency: "INR".to_owned(),
        status: ChargeStatus::Succeeded,
        failure_reason: None,
    };
    let (fence, state) = (Fence::new(7), SeatState::Sold);
    Reading {
        inventory: inventory::audit::Snapshot {
            events: vec![inventory::audit::Event {
                id: event,
                max_per_customer: 2,
                sales_end: LATER,
                closed: false,
                fence,
                seats: 2,
            }],
            areas: Vec::new(),
            seats: vec![ClaimedSeat { event, seat: seat("A1"), booking: id, fence, state, in_layout: true }],
            claims: vec![claim_of(&booking)],
        },
        payments: vec![payment],
        notifications: vec![told(&booking)],
        work: Work::default(),
        mails: None,
        events: event::audit::Snapshot {
            events: vec![event::audit::Event {
                id: event,
                phase: Phase::Published,
                max_per_customer: 2,
                changing: false,
                total: 2,
                taken: 1,
            }],
            counted: vec![event::audit::Counted { booking: id, event, quantity: 1 }],
        },
        ledger: Ledger { charges: vec![charge], refunds: Vec::new() },
        live: vec![LiveSeats {
            event_id: event,
            version: 1,
            seats: Some([(seat("A1"), state), (seat("A2"), SeatState::Held)].into()),
            areas: None,
        }],
        bookings: booking::audit::Snapshot { tickets: vec![(id, Some(seat("A1")))], bookings: vec![booking] },
    }
}

#[track_caller]
fn finds(invariant: Invariant, breakage: impl FnOnce(&mut Reading)) {
    let mut reading = whole();
    breakage(&mut reading);
    let found = check(&reading, NOW).broken;
    assert!(found.iter().any(|violation| violation.invariant == invariant), "{invariant}: {found:?}");
}

fn refund() -> Refund {
    Refund { id: "re_1".to_owned(), charge_id: "ch_1".to_owned(), amount: 100 }
}

#[test]
fn nothing_is_found_where_nothing_is_broken() {
    assert_eq!(check(&whole(), NOW).broken, BTreeSet::new());
    assert_eq!(check(&Reading::default(), NOW).broken, BTreeSet::new());
}

#[test]
fn a_seat_is_sold_once() {
    finds(Invariant::OneSale, |reading| {
        let second = Claim { booking: BookingId::new(), ..reading.inventory.claims[0].clone() };
        reading.inventory.claims.push(second);
    });
}

#[test]
fn places_add_up_as_stored_and_as_shown() {
    finds(Invariant::Places, |reading| reading.inventory.seats[0].state = SeatState::Paying);
    finds(Invariant::Places, |reading| reading.inventory.seats[0].in_layout = false);
    finds(Invariant::Places, |reading| reading.inventory.seats.clear());
    finds(Invariant::Places, |reading| reading.inventory.claims.clear());
    finds(Invariant::Places, |reading| {
        if let Some(seats) = &mut reading.live[0].seats {
            seats.insert(seat("A1"), SeatState::Held);
        }
    });
    let area = |reading: &mut Reading, taken, quantity| {
        let event = reading.inventory.events[0].id;
        let name = "FLOOR".to_owned();
        reading.inventory.claims[0].want = Want::Area { section: name.clone(), quantity };
        reading.inventory.areas.push(inventory::audit::Area { event, name, capacity: 5, taken });
    };
    finds(Invariant::Places, |reading| area(reading, 2, 1));
    finds(Invariant::Places, |reading| area(reading, 6, 6));
}

#[test]
fn a_confirmed_booking_is_paid_once() {
    finds(Invariant::Paid, |reading| reading.ledger.charges.clear());
    finds(Invariant::Paid, |reading| reading.ledger.charges[0].amount = 1);
    finds(Invariant::Paid, |reading| reading.ledger.refunds.push(refund()));
    finds(Invariant::Paid, |reading| reading.payments.clear());
    finds(Invariant::Paid, |reading| {
        let again = Charge { id: "ch_2".to_owned(), ..reading.ledger.charges[0].clone() };
        reading.ledger.charges.push(again);
    });
}

#[test]
fn a_confirmed_booking_has_its_tickets_and_its_places() {
    finds(Invariant::Tickets, |reading| reading.bookings.tickets.clear());
    finds(Invariant::Tickets, |reading| reading.bookings.tickets[0].1 = Some(seat("A2")));
    finds(Invariant::Tickets, |reading| reading.bookings.bookings[0].confirmed_at = None);
    finds(Invariant::Sold, |reading| reading.inventory.claims.clear());
    finds(Invariant::Sold, |reading| reading.inventory.claims[0].state = ClaimState::Lapsed);
    finds(Invariant::Sold, |reading| reading.inventory.claims[0].want = Want::Seats(vec![seat("A2")]));
    finds(Invariant::Sold, |reading| reading.bookings.bookings[0].status = Status::Expired);
    finds(Invariant::Sold, |reading| {
        reading.bookings.bookings[0].status = Status::Failed;
        reading.inventory.claims[0].state = ClaimState::Paying;
    });
}

#[test]
fn a_charge_has_its_booking_or_its_refund() {
    finds(Invariant::Charges, |reading| reading.bookings.bookings.clear());
    finds(Invariant::Charges, |reading| reading.bookings.bookings[0].status = Status::Cancelled);
    finds(Invariant::Charges, |reading| reading.ledger.refunds.push(Refund { amount: 1, ..refund() }));
    let cancelled = |reading: &mut Reading, charges: &[&str], refunds: &[(&str, &str)]| {
        reading.bookings.bookings[0].status = Status::Cancelled;
        let charge = reading.ledger.charges.remove(0);
        let again = |id: &&str| Charge { id: (*id).to_owned(), ..charge.clone() };
        reading.ledger.charges = charges.iter().map(again).collect();
        let refund = |(id, charge): &(&str, &str)| Refund {
            id: (*id).to_owned(),
            charge_id: (*charge).to_owned(),
            amount: 100,
        };
        reading.ledger.refunds = refunds.iter().map(refund).collect();
    };
    finds(Invariant::Charges, |reading| cancelled(reading, &["ch_1"], &[("re_1", "ch_1"), ("re_2", "ch_1")]));
    finds(Invariant::Charges, |reading| {
        cancelled(reading, &["ch_1", "ch_2"], &[("re_1", "ch_1"), ("re_2", "ch_2")]);
    });
    let mut refunded = whole();
    refunded.bookings.bookings[0].status = Status::Cancelled;
    refunded.ledger.refunds.push(refund());
    refunded.payments[0].status = payment::domain::Status::Refunded;
    assert_eq!(check(&refunded, NOW).broken, BTreeSet::new(), "the money is back, the seats follow");
}

#[test]
fn a_booking_ends_by_its_deadline() {
    let late = |reading: &Reading, now| {
        check(reading, now).broken.iter().any(|v| v.invariant == Invariant::Deadline)
    };
    let after = LATER + Duration::from_micros(1);
    assert!(!late(&whole(), after), "it has ended");
    let mut reading = whole();
    reading.bookings.bookings[0].status = Status::Pending;
    assert!(!late(&reading, LATER));
    for state in [ClaimState::Sold, ClaimState::Paying, ClaimState::Released] {
        reading.inventory.claims[0].state = state;
        assert!(late(&reading, after), "{state:?}");
    }
}

#[test]
fn a_confirmation_is_told_once() {
    finds(Invariant::Notifications, |reading| reading.notifications.clear());
    finds(Invariant::Notifications, |reading| {
        let again = Notification { id: NotificationId::new(), ..reading.notifications[0].clone() };
        reading.notifications.push(again);
    });
    finds(Invariant::Notifications, |reading| reading.notifications[0].booking = BookingId::new());
}

#[test]
fn a_mail_is_sent_or_about_to_be_or_given_up_for_a_reason() {
    use notification::domain::Status::{Failed, Pending};
    finds(Invariant::Notifications, |reading| reading.notifications[0].status = Pending);
    finds(Invariant::Notifications, |reading| reading.notifications[0].sent = None);
    for status in [Pending, Failed] {
        finds(Invariant::Notifications, |reading| {
            let notification = &mut reading.notifications[0];
            (notification.status, notification.sent) = (status, None);
        });
    }
    let mut given_up = whole();
    let notification = &mut given_up.notifications[0];
    (notification.status, notification.sent) = (Failed, None);
    notification.failure = Some("there is no such user".to_owned());
    let found = check(&given_up, NOW);
    assert_eq!(found.broken, BTreeSet::new());
    assert!(found.notes.iter().any(|note| note.contains("there is no such user")), "{found:?}");
    let mut gone = whole();
    gone.mails = Some(HashSet::new());
    let found = check(&gone, NOW);
    assert_eq!((found.broken.len(), found.notes.len()), (0, 1), "mails may be tidied away: {found:?}");
    gone.mails = Some([format!("{}.eml", gone.notifications[0].id)].into());
    assert_eq!(check(&gone, NOW).notes, BTreeSet::new());
}

#[test]
fn counts_agree() {
    finds(Invariant::Counts, |reading| reading.events.events[0].taken = 2);
    finds(Invariant::Counts, |reading| reading.events.events[0].total = 3);
    finds(Invariant::Counts, |reading| reading.events.counted.clear());
    finds(Invariant::Counts, |reading| reading.inventory.claims[0].state = ClaimState::Reopened);
}

#[test]
fn fences_only_rise() {
    finds(Invariant::Fences, |reading| reading.inventory.events[0].fence = Fence::new(6));
    finds(Invariant::Fences, |reading| reading.inventory.seats[0].fence = Fence::new(6));
    finds(Invariant::Fences, |reading| {
        // An earlier claim of the seat, with a fence as high as the last.
        let state = ClaimState::Reopened;
        let earlier = Claim { booking: BookingId::new(), state, ..reading.inventory.claims[0].clone() };
        reading.inventory.claims.push(earlier);
    });
    finds(Invariant::Fences, |reading| {
        // Two earlier ones, below the last and not one above the other.
        let earlier = Claim {
            fence: Fence::new(3),
            state: ClaimState::Reopened,
            ..reading.inventory.claims[0].clone()
        };
        for _ in 0..2 {
            reading.inventory.claims.push(Claim { booking: BookingId::new(), ..earlier.clone() });
        }
    });
}

#[test]
fn limits_are_kept() {
    finds(Invariant::Limits, |reading| reading.inventory.events[0].max_per_customer = 0);
}

#[test]
fn a_payment_is_what_its_booking_costs_and_its_charge_says() {
    finds(Invariant::Paid, |reading| reading.payments[0].amount = 101);
    finds(Invariant::Paid, |reading| reading.payments[0].user = UserId::new());
    finds(Invariant::Charges, |reading| reading.payments[0].charge = Some("ch_2".to_owned()));
    finds(Invariant::Charges, |reading| reading.payments[0].status = payment::domain::Status::Refunded);
    finds(Invariant::Charges, |reading| {
        reading.bookings.bookings[0].status = Status::Cancelled;
        reading.ledger.refunds.push(refund());
    });
}

#[test]
fn what_is_sold_is_of_an_event_that_takes_place() {
    finds(Invariant::Events, |reading| reading.events.events.clear());
    for phase in [Phase::Draft, Phase::Sample, Phase::Cancelled] {
        finds(Invariant::Events, |reading| reading.events.events[0].phase = phase);
    }
    finds(Invariant::Events, |reading| {
        reading.events.events.clear();
        reading.bookings.bookings.clear();
    });
}

#[test]
fn what_is_sold_is_what_is_shown() {
    finds(Invariant::Offers, |reading| reading.events.events[0].max_per_customer = 3);
    finds(Invariant::Offers, |reading| reading.inventory.events[0].closed = true);
    finds(Invariant::Offers, |reading| reading.events.events[0].phase = Phase::Cancelled);
    let mut changing = whole();
    changing.events.events[0].max_per_customer = 3;
    changing.events.events[0].changing = true;
    assert_eq!(check(&changing, NOW).broken, BTreeSet::new(), "the inventory learns it first");
}
