//! The operations from payment to sale and back.

use std::time::Duration;

use ticketblitz_core::{BookingId, Timestamp};

use super::event::Event;
use super::record::{Phase, Record};
use crate::error::LockError;
use crate::types::{Fence, Hold, HoldId, Owner};

impl Event {
    pub(super) fn begin_commit(
        &mut self,
        id: HoldId,
        owner: &Owner,
        grace: Duration,
        now: Timestamp,
    ) -> Result<Hold, LockError> {
        if !matches!(self.owned(id, owner, now)?.phase, Phase::Paying { .. }) {
            self.advance(id, Phase::Paying { until: now + grace });
        }
        self.get(id, now)
    }

    pub(super) fn abort_commit(&mut self, id: HoldId, now: Timestamp) -> Result<(), LockError> {
        match self.holds.get(&id).map(|record| record.phase) {
            Some(Phase::Sold) => return Err(LockError::NotHeld),
            Some(phase) if phase.is_live(now) => self.end(id, Some(Phase::ended(now))),
            // It has lapsed and a batch has not come to it: it lapsed, it was not aborted.
            Some(phase) if phase.deadline().is_some() => self.lapse(id, now),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn sold(
        &mut self,
        id: HoldId,
        fence: Fence,
        booking: BookingId,
        now: Timestamp,
    ) -> Result<(), LockError> {
        let record = self.holds.get(&id).ok_or(LockError::NotHeld)?;
        if fence > record.fence {
            return Err(LockError::invalid("the hold never had this fence"));
        }
        if fence < record.fence {
            return Err(LockError::StaleFence { seen: record.fence });
        }
        match record.phase {
            Phase::Sold if record.booking == Some(booking) => Ok(()),
            phase if phase.is_live(now) => {
                self.advance(id, Phase::Sold);
                self.book(id, booking);
                Ok(())
            }
            Phase::Lapsed { .. } => Err(match self.highest_fence_on(record) {
                Some(seen) if seen > fence => LockError::StaleFence { seen },
                _ => LockError::NotHeld,
            }),
            _ => Err(LockError::NotHeld),
        }
    }

    fn highest_fence_on(&self, record: &Record) -> Option<Fence> {
        let seats = record.want.seats().iter();
        seats.filter_map(|seat| Some(self.holds.get(&self.seats.get(seat)?.hold)?.fence)).max()
    }

    pub(super) fn reopen(&mut self, booking: BookingId, now: Timestamp) {
        let sold = self.holds_of(booking).filter(|(_, record)| record.phase == Phase::Sold);
        for id in sold.map(|(id, _)| id).collect::<Vec<_>>() {
            self.end(id, Some(Phase::ended(now)));
        }
    }
}
