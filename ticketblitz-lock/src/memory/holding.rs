//! The operations on what is held.

use std::time::Duration;

use ticketblitz_core::Timestamp;

use super::choosing::Replaced;
use super::event::Event;
use super::record::{Phase, Record};
use crate::error::LockError;
use crate::types::{Hold, HoldId, HoldRequest, Owner};

impl Event {
    pub(super) fn hold(&mut self, request: &HoldRequest, now: Timestamp) -> Result<Hold, LockError> {
        if let Some(id) = self.attempts.get(&request.attempt) {
            return self.repeat(*id, request, now);
        }
        let replaced =
            request.replacing.map(|hold| self.replaced(hold.hold, &request.owner, now)).transpose()?;
        let want = self.choose(request, replaced.as_ref(), now)?.clone();
        let id = HoldId::in_event(self.id);
        let mut record = Record::held(request, want, self.next_fence(now), now);
        if let Some(replaced) = replaced {
            record.end_by(replaced.ceiling_at);
            self.end(replaced.id, None);
        }
        self.remember_attempt(request.attempt, id, record.ceiling_at);
        self.add(id, record);
        self.get(id, now)
    }

    /// What is given up for a new hold, if it can be.
    fn replaced(&self, id: HoldId, owner: &Owner, now: Timestamp) -> Result<Replaced, LockError> {
        let record = self.owned(id, owner, now)?;
        if matches!(record.phase, Phase::Paying { .. }) {
            return Err(LockError::InPayment);
        }
        Ok(Replaced { id, want: record.want.clone(), ceiling_at: record.ceiling_at })
    }

    fn repeat(&self, id: HoldId, request: &HoldRequest, now: Timestamp) -> Result<Hold, LockError> {
        let record = self.holds.get(&id).filter(|record| record.phase.is_live(now));
        let record = record.ok_or(LockError::AttemptLapsed)?;
        if !record.answers(request) {
            return Err(LockError::AttemptReused);
        }
        record.to_hold(id, self.id, now).ok_or(LockError::AttemptLapsed)
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
        self.end(id, None);
        Ok(())
    }
}
