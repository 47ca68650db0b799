//! Which of its candidates a request gets, if any.

use std::collections::HashSet;

use ticketblitz_core::{SeatId, Timestamp};

use super::event::Event;
use crate::error::{AreaConflict, Conflicts, LockError, SeatConflict};
use crate::types::{AreaStatus, HoldId, HoldRequest, SeatState, Want};

/// A live hold that is given up for the new one: what it has counts as free.
pub(super) struct Replaced {
    pub(super) id: HoldId,
    pub(super) want: Want,
    pub(super) ceiling_at: Timestamp,
}

impl Event {
    /// The first candidate that is wholly available. Changes nothing but to clean up what has lapsed.
    pub(super) fn choose<'a>(
        &mut self,
        request: &'a HoldRequest,
        replaced: Option<&Replaced>,
        now: Timestamp,
    ) -> Result<&'a Want, LockError> {
        let mut conflicts = Conflicts::default();
        let mut refused = None;
        for want in request.candidates() {
            if let Err(exceeded) = self.check_limit(want, request, replaced, now) {
                refused = Some(exceeded);
                continue;
            }
            let (seats, areas) = (conflicts.seats.len(), conflicts.areas.len());
            match want {
                Want::Seats(wanted) => self.check_seats(wanted, request, replaced, now, &mut conflicts.seats),
                Want::Area { section, quantity } => {
                    conflicts.areas.extend(self.check_area(section, *quantity, replaced, now)?);
                }
            }
            if (conflicts.seats.len(), conflicts.areas.len()) == (seats, areas) {
                return Ok(want);
            }
        }
        match refused {
            Some(exceeded) if conflicts == Conflicts::default() => Err(exceeded),
            _ => {
                if !request.alternatives.is_empty() {
                    let mut named = HashSet::new();
                    conflicts.seats.retain(|conflict| named.insert(conflict.seat));
                }
                Err(LockError::Unavailable(conflicts))
            }
        }
    }

    fn check_limit(
        &mut self,
        want: &Want,
        request: &HoldRequest,
        replaced: Option<&Replaced>,
        now: Timestamp,
    ) -> Result<(), LockError> {
        let Some(limit) = request.limit else { return Ok(()) };
        let given_up = replaced.map_or(0, |replaced| replaced.want.units());
        let exceeded = |event: &Self| {
            let taken =
                event.owners.get(&request.owner).copied().unwrap_or_default().saturating_sub(given_up);
            (taken.saturating_add(want.units()) > limit).then_some(taken)
        };
        if exceeded(self).is_none() {
            return Ok(());
        }
        self.reclaim_all(now);
        exceeded(self).map_or(Ok(()), |taken| Err(LockError::LimitExceeded { limit, taken }))
    }

    fn check_seats(
        &mut self,
        wanted: &[SeatId],
        request: &HoldRequest,
        replaced: Option<&Replaced>,
        now: Timestamp,
        conflicts: &mut Vec<SeatConflict>,
    ) {
        for &seat in wanted {
            if self.reserved.bars(seat, request) {
                conflicts.push(SeatConflict::new(seat, SeatState::Reserved, None));
                continue;
            }
            let Some(taken) = self.seats.get(&seat).copied() else { continue };
            if replaced.is_some_and(|replaced| replaced.id == taken.hold) {
                continue;
            }
            let deadline = self.holds.get(&taken.hold).and_then(|record| record.phase.deadline());
            if deadline.is_some_and(|until| until <= now) {
                self.lapse(taken.hold, now);
                continue;
            }
            let retry_after = deadline.map(|until| until.since(now));
            conflicts.push(SeatConflict::new(seat, taken.state, retry_after));
        }
    }

    fn check_area(
        &mut self,
        section: &str,
        requested: u32,
        replaced: Option<&Replaced>,
        now: Timestamp,
    ) -> Result<Option<AreaConflict>, LockError> {
        let given_up = match replaced.map(|replaced| &replaced.want) {
            Some(Want::Area { section: of, quantity }) if of == section => *quantity,
            _ => 0,
        };
        let free = |event: &Self| {
            let area = event.areas.get(section);
            let area = area.ok_or_else(|| LockError::Invalid(format!("the event has no area {section}")))?;
            Ok(free_without(area, given_up))
        };
        if free(self)? >= requested {
            return Ok(None);
        }
        self.reclaim_all(now);
        let available = free(self)?;
        Ok((available < requested).then(|| AreaConflict::new(section, requested, available)))
    }
}

/// How many units are free once so many of those held are given up.
fn free_without(area: &AreaStatus, given_up: u32) -> u32 {
    let taken = area.held.saturating_sub(given_up).saturating_add(area.paying).saturating_add(area.sold);
    area.capacity.saturating_sub(taken)
}
