//! Merging a snapshot into an event.

use ticketblitz_core::{BookingId, Timestamp};

use super::event::Event;
use super::record::{Phase, Record};
use super::reserved::Reserved;
use crate::types::{AreaStatus, EventSnapshot, HoldId, Taken, TakenState};

impl Event {
    /// Merges a snapshot that is [valid](EventSnapshot::validate).
    pub(super) fn load(&mut self, snapshot: &EventSnapshot, now: Timestamp) {
        // Only then is every seat that the store takes for taken really so.
        self.reclaim_all(now);
        self.fence = self.fence.max(snapshot.fence_floor);
        for area in &snapshot.areas {
            let new = || AreaStatus::new(&area.section, area.capacity);
            let known = self.areas.entry(area.section.clone()).or_insert_with(new);
            known.capacity = area.capacity;
        }
        self.reserved = Reserved::new(&snapshot.channels);
        for taken in &snapshot.taken {
            self.fence = self.fence.max(taken.fence);
            self.merge(taken, now);
        }
        self.changed();
    }

    fn merge(&mut self, taken: &Taken, now: Timestamp) {
        let phase = match taken.state {
            TakenState::Paying { until } if until <= now => return,
            TakenState::Paying { until } => Phase::Paying { until },
            TakenState::Sold => Phase::Sold,
        };
        let by_booking = taken.booking.and_then(|booking| self.hold_of(booking));
        let id = taken.hold.or(by_booking).unwrap_or_else(|| HoldId::in_event(self.id));
        match self.holds.get(&id).map(|record| record.phase) {
            None => self.add(id, record_of(taken, phase)),
            Some(Phase::Lapsed { .. }) if phase == Phase::Sold => self.add(id, record_of(taken, phase)),
            Some(Phase::Lapsed { .. } | Phase::Ended { .. }) => {}
            Some(known) => {
                if is_later(phase, known) {
                    self.advance(id, phase);
                }
                if let Some(booking) = taken.booking {
                    self.book(id, booking);
                }
                self.complete(id);
            }
        }
    }

    /// Of the holds of a booking the one that an entry without a hold means: that has its seats, and of those the last.
    fn hold_of(&self, booking: BookingId) -> Option<HoldId> {
        let rank = |record: &Record| (record.phase.seat_state().is_some(), record.fence);
        self.holds_of(booking).max_by_key(|(_, record)| rank(record)).map(|(id, _)| id)
    }
}

fn is_later(new: Phase, known: Phase) -> bool {
    match (known, new) {
        (Phase::Held { .. }, _) | (Phase::Paying { .. }, Phase::Sold) => true,
        (Phase::Paying { until: known }, Phase::Paying { until }) => until > known,
        _ => false,
    }
}

fn record_of(taken: &Taken, phase: Phase) -> Record {
    Record {
        owner: taken.owner.clone(),
        want: taken.want.clone(),
        candidates: Box::default(),
        fence: taken.fence,
        ceiling_at: phase.deadline().unwrap_or(Timestamp::EPOCH),
        phase,
        booking: taken.booking,
    }
}
