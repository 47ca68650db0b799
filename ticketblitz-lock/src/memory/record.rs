//! What the store remembers of a hold.

use std::time::Duration;

use ticketblitz_core::{BookingId, EventId, Timestamp};

use crate::types::{Fence, Hold, HoldId, HoldRef, HoldRequest, HoldState, Owner, SeatState, Want};

/// How long ended payments and sales are remembered.
const KEEP_ENDED: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) struct Record {
    pub(super) owner: Owner,
    pub(super) want: Want,
    /// Whatever the request would have done with, `want` among it. Empty if there was nothing else.
    pub(super) candidates: Box<[Want]>,
    pub(super) fence: Fence,
    pub(super) ceiling_at: Timestamp,
    pub(super) phase: Phase,
    /// Whom it was sold to, or is being paid for if the truth said so. Kept when it has ended.
    pub(super) booking: Option<BookingId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Held {
        until: Timestamp,
    },
    Paying {
        until: Timestamp,
    },
    Sold,
    /// The grace ran out. Remembered until then, so that a sale that comes too late learns whether a rival was faster.
    Lapsed {
        until: Timestamp,
    },
    /// Aborted or reopened. Remembered until then, so that a snapshot from before does not bring it back.
    Ended {
        until: Timestamp,
    },
}

impl Phase {
    /// Its grace ran out, noticed now.
    pub(super) fn lapsed(now: Timestamp) -> Self {
        Self::Lapsed { until: now + KEEP_ENDED }
    }

    /// Aborted or reopened now.
    pub(super) fn ended(now: Timestamp) -> Self {
        Self::Ended { until: now + KEEP_ENDED }
    }

    /// Until when it is remembered after its end; `None` if it has not ended.
    pub(super) fn remembered_until(self) -> Option<Timestamp> {
        match self {
            Self::Lapsed { until } | Self::Ended { until } => Some(until),
            Self::Held { .. } | Self::Paying { .. } | Self::Sold => None,
        }
    }

    /// What its seats are; `None` if it has none any more.
    pub(super) fn seat_state(self) -> Option<SeatState> {
        match self {
            Self::Held { .. } => Some(SeatState::Held),
            Self::Paying { .. } => Some(SeatState::Paying),
            Self::Sold => Some(SeatState::Sold),
            Self::Lapsed { .. } | Self::Ended { .. } => None,
        }
    }

    /// When it lapses; `None` if it does not.
    pub(super) fn deadline(self) -> Option<Timestamp> {
        match self {
            Self::Held { until } | Self::Paying { until } => Some(until),
            Self::Sold | Self::Lapsed { .. } | Self::Ended { .. } => None,
        }
    }

    /// Held or in payment, and not lapsed.
    pub(super) fn is_live(self, now: Timestamp) -> bool {
        self.deadline().is_some_and(|until| now < until)
    }
}

impl Record {
    /// The hold that a request gets if it gets this candidate.
    pub(super) fn held(request: &HoldRequest, want: Want, fence: Fence, now: Timestamp) -> Self {
        let candidates = match request.alternatives[..] {
            [] => Box::default(),
            [..] => request.candidates().cloned().collect(),
        };
        let (owner, ceiling_at) = (request.owner.clone(), now + request.ceiling);
        let phase = Phase::Held { until: now + request.ttl };
        Self { owner, want, candidates, fence, ceiling_at, phase, booking: None }
    }

    /// Makes a hold end at this moment at the latest.
    pub(super) fn end_by(&mut self, ceiling_at: Timestamp) {
        self.ceiling_at = self.ceiling_at.min(ceiling_at);
        if let Phase::Held { until } = &mut self.phase {
            *until = self.ceiling_at.min(*until);
        }
    }

    /// Whether it is what this request asks for.
    pub(super) fn answers(&self, request: &HoldRequest) -> bool {
        let asked =
            if self.candidates.is_empty() { std::slice::from_ref(&self.want) } else { &*self.candidates };
        self.owner == request.owner && request.candidates().eq(asked)
    }

    /// The hold as its owner sees it; `None` if it is neither held nor in payment.
    pub(super) fn to_hold(&self, id: HoldId, event: EventId, now: Timestamp) -> Option<Hold> {
        let (state, expires_at) = match self.phase {
            Phase::Held { until } => (HoldState::Held, until),
            Phase::Paying { until } => (HoldState::Paying, until),
            Phase::Sold | Phase::Lapsed { .. } | Phase::Ended { .. } => return None,
        };
        let (reference, owner, want) = (HoldRef { event, hold: id }, self.owner.clone(), self.want.clone());
        let hold = Hold::new(reference, owner, want, self.fence, expires_at, now);
        Some(hold.with_state(state).with_ceiling(self.ceiling_at))
    }
}
