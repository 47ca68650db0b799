//! A snapshot as the statement takes it.

use std::time::Duration;

use sqlx::SqlStr;
use ticketblitz_core::id::Uuid;

use super::Query;
use crate::types::{EventSnapshot, HoldId, TakenState, Want};

pub(super) fn query(statement: SqlStr, snapshot: &EventSnapshot, now: Option<i64>) -> Query {
    let sections: Vec<String> = snapshot.areas.iter().map(|area| area.section.clone()).collect();
    let capacities: Vec<i64> = snapshot.areas.iter().map(|area| i64::from(area.capacity)).collect();
    let reserved = || snapshot.channels.iter().flat_map(|c| c.seats.iter().map(move |seat| (seat, &c.name)));
    let query = sqlx::query(statement)
        .bind(snapshot.event.as_uuid())
        .bind(snapshot.fence_floor.to_string())
        .bind(sections)
        .bind(capacities)
        .bind(reserved().map(|(seat, _)| seat.to_string()).collect::<Vec<_>>())
        .bind(reserved().map(|(_, name)| name.clone()).collect::<Vec<_>>());
    let entries = Entries::of(snapshot);
    query
        .bind(entries.ids)
        .bind(entries.holds)
        .bind(entries.bookings)
        .bind(entries.owners)
        .bind(entries.sections)
        .bind(entries.quantities)
        .bind(entries.untils)
        .bind(entries.fences)
        .bind(entries.seats)
        .bind(entries.of)
        .bind(now)
}

/// What the size of a snapshot adds to the time that its load may take: five times what it takes on two busy cores.
pub(super) fn longer(snapshot: &EventSnapshot) -> Duration {
    let seats = snapshot.taken.iter().map(|taken| taken.want.seats().len());
    let reserved = snapshot.channels.iter().map(|channel| channel.seats.len());
    let parts = snapshot.taken.len() + seats.chain(reserved).sum::<usize>();
    Duration::from_micros(100).saturating_mul(u32::try_from(parts).unwrap_or(u32::MAX))
}

/// What is taken, in parallel arrays; the seats of all in two of their own.
#[derive(Default)]
struct Entries {
    ids: Vec<Uuid>,
    holds: Vec<Option<Uuid>>,
    bookings: Vec<Option<Uuid>>,
    owners: Vec<String>,
    sections: Vec<Option<String>>,
    quantities: Vec<i64>,
    untils: Vec<Option<i64>>,
    fences: Vec<String>,
    seats: Vec<String>,
    of: Vec<i32>,
}

impl Entries {
    fn of(snapshot: &EventSnapshot) -> Self {
        let mut all = Self::default();
        for (place, taken) in (1..).zip(&snapshot.taken) {
            all.ids.push(HoldId::in_event(snapshot.event).as_uuid());
            all.holds.push(taken.hold.map(|hold| hold.as_uuid()));
            all.bookings.push(taken.booking.map(|booking| booking.as_uuid()));
            all.owners.push(taken.owner.as_str().to_owned());
            all.sections.push(match &taken.want {
                Want::Seats(seats) => {
                    all.seats.extend(seats.iter().map(ToString::to_string));
                    all.of.resize(all.seats.len(), place);
                    None
                }
                Want::Area { section, .. } => Some(section.clone()),
            });
            all.quantities.push(i64::from(taken.want.units()));
            all.untils.push(match taken.state {
                TakenState::Paying { until } => Some(until.as_micros()),
                TakenState::Sold => None,
            });
            all.fences.push(taken.fence.to_string());
        }
        all
    }
}
