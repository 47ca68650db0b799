//! Events: what is shown of them is what is sold, and what is sold of them takes place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use booking::domain::Status;
use contract::events::EVENT_CANCELLED;
use event::audit::{Event, Phase};
use ticketblitz_core::EventId;

use super::unfinished::Unfinished;
use super::{Found, Invariant, Reading};

pub(super) fn check(reading: &Reading, unfinished: &Unfinished<'_>, found: &mut Found) {
    let events: HashMap<EventId, &Event> =
        reading.events.events.iter().map(|event| (event.id, event)).collect();
    sales_have_events(reading, &events, found);
    none_is_confirmed_of_what_is_cancelled(reading, &events, unfinished, found);
    changes_end(reading, found);
    places_are_those_shown(reading, found);
    offers_agree(reading, &events, found);
}

/// Nobody outside knows a draft's id, so nothing of it can be booked.
fn sales_have_events(reading: &Reading, events: &HashMap<EventId, &Event>, found: &mut Found) {
    let claims = reading.inventory.claims.iter().map(|claim| (claim.booking, claim.hold.event));
    let bookings = reading.bookings.bookings.iter().map(|booking| (booking.id, booking.event));
    for (booking, event) in claims.chain(bookings).collect::<BTreeSet<_>>() {
        let what = match events.get(&event).map(|event| event.phase) {
            Some(Phase::Published | Phase::Cancelled) => continue,
            Some(Phase::Draft | Phase::Sample) => "is a draft",
            None => "is not there",
        };
        found.add(Invariant::Events, format!("booking {booking} is of event {event}, which {what}"));
    }
}

/// The bookings of a large event take longer to cancel than anything else takes to settle: until they all are, the
/// message that has them cancelled is not delivered.
fn none_is_confirmed_of_what_is_cancelled(
    reading: &Reading,
    events: &HashMap<EventId, &Event>,
    unfinished: &Unfinished<'_>,
    found: &mut Found,
) {
    for booking in reading.bookings.bookings.iter().filter(|booking| booking.status == Status::Confirmed) {
        let event = booking.event;
        let cancelled = events.get(&event).is_some_and(|event| event.phase == Phase::Cancelled);
        let comes = unfinished.comes("booking.events", EVENT_CANCELLED, &event);
        found.unless(comes, cancelled, Invariant::Events, || {
            format!("booking {} is CONFIRMED, its event {event} is CANCELLED", booking.id)
        });
    }
}

/// What the inventory does not know of a draft yet is no difference.
fn places_are_those_shown(reading: &Reading, found: &mut Found) {
    let mut capacities: BTreeMap<EventId, u64> = BTreeMap::new();
    for event in &reading.inventory.events {
        capacities.insert(event.id, u64::from(event.seats));
    }
    for area in &reading.inventory.areas {
        *capacities.entry(area.event).or_default() += u64::from(area.capacity);
    }
    let shown =
        reading.events.events.iter().filter(|e| matches!(e.phase, Phase::Published | Phase::Cancelled));
    for event in shown {
        let capacity = capacities.get(&event.id).copied().unwrap_or_default();
        let differs = capacity != u64::from(event.total) && !event.changing;
        found.add_if(differs, Invariant::Counts, || {
            format!("event {} says {} places, the inventory {capacity}", event.id, event.total)
        });
    }
}

/// While an event is being changed or cancelled, the inventory knows it first.
fn offers_agree(reading: &Reading, events: &HashMap<EventId, &Event>, found: &mut Found) {
    for sold in &reading.inventory.events {
        let Some(shown) = events.get(&sold.id) else { continue };
        if shown.changing || matches!(shown.phase, Phase::Draft | Phase::Sample) {
            continue;
        }
        let (id, limit, other) = (sold.id, shown.max_per_customer, sold.max_per_customer);
        found.add_if(limit != other, Invariant::Offers, || {
            format!("event {id} allows a customer {limit} places, the inventory {other}")
        });
        let cancelled = shown.phase == Phase::Cancelled;
        found.add_if(cancelled != sold.closed, Invariant::Offers, || {
            let (shown, sold) = if cancelled { ("CANCELLED", "open") } else { ("PUBLISHED", "closed") };
            format!("event {id} is {shown} and {sold} in the inventory")
        });
    }
}

fn changes_end(reading: &Reading, found: &mut Found) {
    for event in reading.events.events.iter().filter(|event| event.changing) {
        found.unfinished(&format!("event {} is being changed or cancelled", event.id));
    }
}
