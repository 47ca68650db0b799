//! Places: who has them, how many there are, and in which order they were given out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use booking::domain::Status;
use contract::inventory::{LiveSeats, SeatState};
use inventory::audit::{Area, Claim, ClaimState, ClaimedSeat, Event, Snapshot};
use ticketblitz_core::{BookingId, EventId, SeatId, UserId};
use ticketblitz_lock::Want;

use super::{Found, Invariant, Reading};

pub(super) fn check(reading: &Reading, found: &mut Found) {
    let inventory = &reading.inventory;
    let places = Places::of(inventory);
    one_sale(reading, found);
    seats_have_claims(&places, inventory, found);
    areas_add_up(&places, inventory, found);
    for live in &reading.live {
        live_agrees(&places, live, found);
    }
    fences_rise(&places, inventory, found);
    limits_kept(&places, inventory, found);
}

/// The inventory by its keys.
struct Places<'a> {
    events: HashMap<EventId, &'a Event>,
    areas: HashMap<(EventId, &'a str), &'a Area>,
    seats: HashMap<(EventId, SeatId), &'a ClaimedSeat>,
    claims: HashMap<BookingId, &'a Claim>,
    /// In payment and sold in each area, by the claims.
    claimed: HashMap<(EventId, &'a str), (u32, u32)>,
}

impl<'a> Places<'a> {
    fn of(inventory: &'a Snapshot) -> Self {
        let mut claimed: HashMap<_, (u32, u32)> = HashMap::new();
        for claim in inventory.claims.iter().filter(|claim| is_live(claim)) {
            if let Want::Area { section, quantity } = &claim.want {
                let (paying, sold) = claimed.entry((claim.hold.event, section.as_str())).or_default();
                let side = if claim.state == ClaimState::Sold { sold } else { paying };
                *side = side.saturating_add(*quantity);
            }
        }
        Self {
            events: inventory.events.iter().map(|event| (event.id, event)).collect(),
            areas: inventory.areas.iter().map(|area| ((area.event, area.name.as_str()), area)).collect(),
            seats: inventory.seats.iter().map(|seat| ((seat.event, seat.seat), seat)).collect(),
            claims: inventory.claims.iter().map(|claim| (claim.booking, claim)).collect(),
            claimed,
        }
    }
}

/// Whether the claim keeps its places from everybody else.
fn is_live(claim: &Claim) -> bool {
    matches!(claim.state, ClaimState::Paying | ClaimState::Sold)
}

/// By the claims and by the bookings, so that neither can hide what the other shows.
fn one_sale(reading: &Reading, found: &mut Found) {
    let claims = reading.inventory.claims.iter().filter(|claim| is_live(claim));
    let claims = claims.map(|claim| (claim.hold.event, claim.booking, claim.want.seats()));
    let confirmed = reading.bookings.bookings.iter().filter(|booking| booking.status == Status::Confirmed);
    let confirmed = confirmed.map(|booking| (booking.event, booking.id, booking.seats.as_slice()));
    let mut owners: HashMap<(EventId, SeatId), BTreeSet<BookingId>> = HashMap::new();
    for (event, booking, seats) in claims.chain(confirmed) {
        for seat in seats {
            owners.entry((event, *seat)).or_default().insert(booking);
        }
    }
    for ((event, seat), bookings) in owners {
        found.add_if(bookings.len() > 1, Invariant::OneSale, || {
            let bookings: Vec<_> = bookings.iter().map(ToString::to_string).collect();
            format!("seat {seat} of event {event} is given to the bookings {}", bookings.join(" and "))
        });
    }
}

/// Each seat in payment or sold is so by a live claim, and each live claim has its seats.
fn seats_have_claims(places: &Places<'_>, inventory: &Snapshot, found: &mut Found) {
    for row in inventory.seats.iter().filter(|row| row.state != SeatState::Available) {
        let ClaimedSeat { event, seat, booking, state, .. } = row;
        let claim = places.claims.get(booking).filter(|claim| seat_state(claim.state) == *state);
        let claimed = claim.is_some_and(|c| c.hold.event == *event && c.want.seats().contains(seat));
        found.add_if(!claimed, Invariant::Places, || {
            format!("seat {seat} of event {event} is {} without a claim of booking {booking}", word(*state))
        });
        found.add_if(!row.in_layout, Invariant::Places, || {
            format!("event {event} has no seat {seat}, which is {} for booking {booking}", word(*state))
        });
    }
    for claim in inventory.claims.iter().filter(|claim| is_live(claim)) {
        let (event, booking, state) = (claim.hold.event, claim.booking, seat_state(claim.state));
        for seat in claim.want.seats() {
            let row = places.seats.get(&(event, *seat));
            let kept = row.is_some_and(|row| row.booking == booking && row.state == state);
            found.add_if(!kept, Invariant::Places, || {
                format!("seat {seat} of event {event} is not {} for booking {booking}", word(state))
            });
        }
    }
}

fn areas_add_up(places: &Places<'_>, inventory: &Snapshot, found: &mut Found) {
    for Area { event, name, capacity, taken } in &inventory.areas {
        let (paying, sold) = places.claimed.get(&(*event, name.as_str())).copied().unwrap_or_default();
        let claimed = u64::from(paying) + u64::from(sold);
        found.add_if(claimed != u64::from(*taken) || taken > capacity, Invariant::Places, || {
            format!(
                "area {name} of event {event}: {sold} sold + {paying} paying, {taken} taken, {capacity} capacity"
            )
        });
    }
    for (event, section) in places.claimed.keys().filter(|key| !places.areas.contains_key(key)) {
        found
            .add(Invariant::Places, format!("event {event} has no area {section}, of which places are sold"));
    }
}

/// What the server shows, with the holds that only it knows, is what is stored.
fn live_agrees(places: &Places<'_>, live: &LiveSeats, found: &mut Found) {
    let event = live.event_id;
    if let Some(seats) = &live.seats {
        let capacity = places.events.get(&event).map_or(0, |stored| stored.seats);
        found.add_if(usize::try_from(capacity) != Ok(seats.len()), Invariant::Places, || {
            format!("event {event} shows {} seats and has {capacity}", seats.len())
        });
        for (seat, shown) in seats {
            let row = places.seats.get(&(event, *seat));
            let stored = row.map_or(SeatState::Available, |row| row.state);
            // A hold is of a free seat.
            let shown_as = if *shown == SeatState::Held { SeatState::Available } else { *shown };
            found.add_if(shown_as != stored, Invariant::Places, || {
                let booking =
                    row.map(|row| format!(", the last booking {}", row.booking)).unwrap_or_default();
                let (shown, stored) = (word(*shown), word(stored));
                format!("seat {seat} of event {event} shows {shown} and is {stored}{booking}")
            });
        }
    }
    for area in live.areas.iter().flatten() {
        let name = area.name.as_str();
        let (paying, sold) = places.claimed.get(&(event, name)).copied().unwrap_or_default();
        let capacity = places.areas.get(&(event, name)).map_or(0, |stored| stored.capacity);
        let sum = [area.available, area.held, area.paying, area.sold].map(u64::from).iter().sum::<u64>();
        let agrees =
            sum == u64::from(capacity) && (area.capacity, area.paying, area.sold) == (capacity, paying, sold);
        found.add_if(!agrees, Invariant::Places, || {
            format!(
                "area {name} of event {event} shows {} sold + {} paying + {} held + {} free of {}, and is {sold} sold \
                 + {paying} paying of {capacity}",
                area.sold, area.paying, area.held, area.available, area.capacity
            )
        });
    }
}

/// The last taker of a seat has the highest fence of all that ever took it, and no two have the same. No claim's time
/// is asked: clocks are set back, fences are not.
fn fences_rise(places: &Places<'_>, inventory: &Snapshot, found: &mut Found) {
    let mut takers: HashMap<_, BookingId> = HashMap::new();
    for claim in &inventory.claims {
        let (event, booking, fence) = (claim.hold.event, claim.booking, claim.fence);
        let highest = places.events.get(&event).map(|event| event.fence);
        found.add_if(highest.is_none_or(|highest| highest < fence), Invariant::Fences, || {
            format!("event {event} is below the fence {fence} of booking {booking}")
        });
        for seat in claim.want.seats() {
            let other = takers.insert((event, *seat, fence.as_u64()), booking);
            found.add_if(other.is_some(), Invariant::Fences, || {
                let other = other.map(|other| other.to_string()).unwrap_or_default();
                format!("seat {seat} of event {event} was at {fence} for the bookings {other} and {booking}")
            });
            let Some(row) = places.seats.get(&(event, *seat)) else { continue };
            let rises = if row.booking == booking { row.fence == fence } else { row.fence > fence };
            found.add_if(!rises, Invariant::Fences, || {
                format!(
                    "seat {seat} of event {event} is at {} for booking {}, booking {booking} had {fence}",
                    row.fence, row.booking
                )
            });
        }
    }
}

fn limits_kept(places: &Places<'_>, inventory: &Snapshot, found: &mut Found) {
    let mut bought: BTreeMap<(EventId, UserId), u64> = BTreeMap::new();
    for claim in inventory.claims.iter().filter(|claim| is_live(claim)) {
        *bought.entry((claim.hold.event, claim.owner)).or_default() += u64::from(claim.want.units());
    }
    for ((event, owner), places_of_owner) in bought {
        let limit = places.events.get(&event).map_or(0, |event| event.max_per_customer);
        found.add_if(places_of_owner > u64::from(limit), Invariant::Limits, || {
            format!("customer {owner} has {places_of_owner} places of event {event}, which allows {limit}")
        });
    }
}

/// What a claim makes of its seats.
fn seat_state(claim: ClaimState) -> SeatState {
    match claim {
        ClaimState::Paying => SeatState::Paying,
        ClaimState::Sold => SeatState::Sold,
        ClaimState::Lapsed | ClaimState::Released | ClaimState::Reopened => SeatState::Available,
    }
}

fn word(state: SeatState) -> &'static str {
    match state {
        SeatState::Available => "AVAILABLE",
        SeatState::Held => "HELD",
        SeatState::Paying => "PAYING",
        SeatState::Sold => "SOLD",
    }
}
