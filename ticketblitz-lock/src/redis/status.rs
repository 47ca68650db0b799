//! Reading an event as a whole.

use std::collections::BTreeMap;

use super::driver::Value;
use super::wire;
use crate::error::LockError;
use crate::types::{AreaStatus, EventStatus};

/// The status from the fields and values of what is taken.
pub(super) fn read(answer: Value) -> Result<EventStatus, LockError> {
    let parts = wire::list(answer)?;
    let [kind, taken] = &parts[..] else { return Err(wire::refusal(&parts, 0)) };
    if wire::text(kind)? != "STATUS" {
        return Err(wire::refusal(&parts, 0));
    }
    let Value::Array(taken) = taken else { return Err(wire::unreadable(taken)) };
    let (mut version, mut seats, mut channels) = (0, Vec::new(), Vec::new());
    let mut areas: BTreeMap<&str, AreaStatus> = BTreeMap::new();
    for entry in taken.chunks(2) {
        let [field, value] = entry else { return Err(wire::unreadable(entry)) };
        let (field, value) = (wire::text(field)?, wire::text(value)?);
        let Some((kind, name)) = field.split_at_checked(1) else { return Err(wire::unreadable(field)) };
        match kind {
            "s" => {
                let seat = name.parse().map_err(|_| wire::unreadable(field))?;
                seats.push((seat, wire::seat_state(value.get(..1).unwrap_or_default())?));
            }
            "g" | "1" | "2" | "3" => {
                let area = areas.entry(name).or_insert_with(|| AreaStatus::new(name, 0));
                let units: u64 = value.parse().map_err(|_| wire::unreadable(entry))?;
                // The numbers of a snapshot may be absurd; added up they may not be one of these.
                let units = u32::try_from(units).unwrap_or(u32::MAX);
                match kind {
                    "g" => area.capacity = units,
                    "1" => area.held = units,
                    "2" => area.paying = units,
                    _ => area.sold = units,
                }
            }
            "v" => version = value.parse().map_err(|_| wire::unreadable(entry))?,
            "c" => channels = wire::read_channels(value)?,
            _ => {}
        }
    }
    seats.sort_unstable();
    Ok(EventStatus::new(version, seats, areas.into_values().collect()).with_channels(channels))
}
