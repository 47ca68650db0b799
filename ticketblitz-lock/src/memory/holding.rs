//! The operations on what is held.

use std::time::Duration;

use ticketblitz_core::{SeatId, Timestamp};

use super::event::Event;
use super::record::{Phase, Record};
use crate::error::{AreaConflict, Conflicts, LockError, SeatConflict};
use crate::types::{Hold, HoldId, HoldRequest, Owner, Want};

impl Event {
    pub(super) fn hold(&mut self, request: &HoldRequest, now: Timestamp) -> Result<Hold, LockError> {
        if let Some(id) = self.attempts.get(&request.attempt) {
            return self.repeat(*id, request, now);
        }
        self.check_limit(request, now)?;
        match &request.want {
            Want::Seats(wanted) => self.check_seats(wanted, now)?,
            Want::Area { section, quantity } => self.check_area(section, *quantity, now)?,
        }
        let id = HoldId::in_event(self.id);
        let record = Record {
            owner: request.owner.clone(),
            want: request.want.clone(),
            fence: self.next_fence(now),
            ceiling_at: now + request.ceiling,
            phase: Phase::Held { until: now + request.ttl },
            booking: None,
        };
        self.remember_attempt(request.attempt, id, record.ceiling_at);
        self.add(id, record);
        self.get(id, now)
    }

    fn repeat(&self, id: HoldId, request: &HoldRequest, now: Timestamp) -> Result<Hold, LockError> {
        let record = self.holds.get(&id).filter(|record| record.phase.is_live(now));
        let record = record.ok_or(LockError::AttemptLapsed)?;
        if record.owner != request.owner || record.want != request.want {
            return Err(LockError::AttemptReused);
        }
        record.to_hold(id, self.id, now).ok_or(LockError::AttemptLapsed)
    }

    fn check_limit(&mut self, request: &HoldRequest, now: Timestamp) -> Result<(), LockError> {
        let Some(limit) = request.limit else { return Ok(()) };
        let exceeded = |event: &Self| {
            let taken = event.owners.get(&request.owner).copied().unwrap_or_default();
            (taken.saturating_add(request.want.units()) > limit).then_some(taken)
        };
        if exceeded(self).is_none() {
            return Ok(());
        }
        self.reclaim_all(now);
        exceeded(self).map_or(Ok(()), |taken| Err(LockError::LimitExceeded { limit, taken }))
    }

    fn check_seats(&mut self, wanted: &[SeatId], now: Timestamp) -> Result<(), LockError> {
        let mut conflicts = Vec::new();
        for &seat in wanted {
            let Some(taken) = self.seats.get(&seat).copied() else { continue };
            let deadline = self.holds.get(&taken.hold).and_then(|record| record.phase.deadline());
            if deadline.is_some_and(|until| until <= now) {
                self.lapse(taken.hold, now);
                continue;
            }
            let retry_after = deadline.map(|until| until.since(now));
            conflicts.push(SeatConflict::new(seat, taken.state, retry_after));
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        Err(LockError::Unavailable(Conflicts::of_seats(conflicts)))
    }

    fn check_area(&mut self, section: &str, requested: u32, now: Timestamp) -> Result<(), LockError> {
        let free = |event: &Self| event.areas.get(section).map(crate::types::AreaStatus::free);
        let unknown = || LockError::Invalid(format!("the event has no area {section}"));
        if free(self).ok_or_else(unknown)? >= requested {
            return Ok(());
        }
        self.reclaim_all(now);
        let available = free(self).ok_or_else(unknown)?;
        if available >= requested {
            return Ok(());
        }
        let conflict = AreaConflict::new(section, requested, available);
        Err(LockError::Unavailable(Conflicts::of_areas(vec![conflict])))
    }

    /// The record of a live hold.
    pub(super) fn live(&self, id: HoldId, now: Timestamp) -> Result<&Record, LockError> {
        self.holds.get(&id).filter(|record| record.phase.is_live(now)).ok_or(LockError::NotHeld)
    }

    /// The record of a live hold of this owner. Somebody else's is not told from none.
    pub(super) fn owned(&self, id: HoldId, owner: &Owner, now: Timestamp) -> Result<&Record, LockError> {
        let record = self.live(id, now)?;
        if record.owner == *owner { Ok(record) } else { Err(LockError::NotHeld) }
    }

    pub(super) fn get(&self, id: HoldId, now: Timestamp) -> Result<Hold, LockError> {
        self.live(id, now)?.to_hold(id, self.id, now).ok_or(LockError::NotHeld)
    }

    pub(super) fn extend(
        &mut self,
        id: HoldId,
        owner: &Owner,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Hold, LockError> {
        let record = self.owned(id, owner, now)?;
        let until = now + ttl;
        match record.phase {
            Phase::Paying { .. } => return Err(LockError::InPayment),
            _ if until > record.ceiling_at => {
                return Err(LockError::CeilingReached { ceiling_at: record.ceiling_at });
            }
            _ => self.advance(id, Phase::Held { until }),
        }
        self.get(id, now)
    }

    pub(super) fn release(&mut self, id: HoldId, owner: &Owner, now: Timestamp) -> Result<(), LockError> {
        if matches!(self.owned(id, owner, now)?.phase, Phase::Paying { .. }) {
            return Err(LockError::InPayment);
        }
        self.end(id, None, now);
        Ok(())
    }
}
