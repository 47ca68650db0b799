//! What the server tells about an event.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::PgRow;
use ticketblitz_core::SeatId;

use super::answer::{list, seats, state, units};
use super::ask::Effect;
use crate::error::LockError;
use crate::types::{AreaStatus, Channel, EventStatus, SeatState};

pub(super) fn read(row: &PgRow) -> Result<EventStatus, LockError> {
    columns(row).map_err(|error| Effect::None.failed(error))
}

fn columns(row: &PgRow) -> Result<EventStatus, sqlx::Error> {
    let states: Result<Vec<SeatState>, _> =
        list::<String>(row, "states")?.iter().map(|name| state(name)).collect();
    let mut taken: Vec<(SeatId, SeatState)> =
        seats(&list::<String>(row, "seats")?)?.into_iter().zip(states?).collect();
    // By number, as no collation of the server does it.
    taken.sort_unstable();
    let version = u64::try_from(row.try_get::<i64, _>("version")?).unwrap_or_default();
    Ok(EventStatus::new(version, taken, areas(row)?).with_channels(channels(row)?))
}

fn areas(row: &PgRow) -> Result<Vec<AreaStatus>, sqlx::Error> {
    let sections = list::<String>(row, "sections")?;
    let [capacities, held, paying, sold] =
        ["capacities", "held", "paying", "sold"].map(|column| list::<i64>(row, column));
    let (capacities, held, paying, sold) = (capacities?, held?, paying?, sold?);
    let count = |of: &[i64], at: usize| units(of.get(at).copied().unwrap_or_default());
    let areas = sections.into_iter().enumerate().map(|(at, section)| {
        let mut area = AreaStatus::new(section, count(&capacities, at));
        (area.held, area.paying, area.sold) = (count(&held, at), count(&paying, at), count(&sold, at));
        area
    });
    Ok(areas.collect())
}

fn channels(row: &PgRow) -> Result<Vec<Channel>, sqlx::Error> {
    let mut by_name: BTreeMap<String, Vec<SeatId>> = BTreeMap::new();
    let reserved = seats(&list::<String>(row, "reserved")?)?;
    for (name, seat) in list::<String>(row, "channels")?.into_iter().zip(reserved) {
        by_name.entry(name).or_default().push(seat);
    }
    let channels = by_name.into_iter().map(|(name, mut seats)| {
        seats.sort_unstable();
        Channel::new(name, seats)
    });
    Ok(channels.collect())
}
