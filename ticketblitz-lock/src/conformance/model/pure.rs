//! The model: every hold that was ever made, in a list that is searched from end to end. It has no store, no index and
//! no clean-up, and is too simple to be wrong.

use ticketblitz_core::{BookingId, SeatId, Timestamp};

use super::{Answer, FLOOR, HOUSE, Step, owner_of, secs};
use crate::{Hold, HoldRequest, HoldState, SeatState, Want};

#[derive(Default)]
pub(super) struct Model {
    pub(super) holds: Vec<Known>,
    /// The seats that are reserved for the house.
    pub(super) house: Vec<SeatId>,
}

pub(super) struct Known {
    pub(super) request: HoldRequest,
    /// As the store answered it first; of that, its names and its fence.
    pub(super) hold: Hold,
    pub(super) booking: BookingId,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Held(Timestamp),
    Paying(Timestamp),
    Sold,
    Lapsed(HoldState),
    Over,
}

impl Known {
    /// What its seats are, and until when.
    pub(super) fn state(&self) -> Option<(SeatState, Option<Timestamp>)> {
        match self.phase {
            Phase::Held(until) => Some((SeatState::Held, Some(until))),
            Phase::Paying(until) => Some((SeatState::Paying, Some(until))),
            Phase::Sold => Some((SeatState::Sold, None)),
            Phase::Lapsed(_) | Phase::Over => None,
        }
    }

    fn answer(&self, until: Timestamp) -> Answer {
        Answer::Hold { want: self.hold.want.clone(), until, ceiling: self.hold.ceiling_at }
    }

    /// What a step on this hold answers; the phase that it leaves the hold in is set.
    pub(super) fn step(&mut self, step: &Step, seen: Option<crate::Fence>, now: Timestamp) -> Answer {
        let theirs = |who: usize| self.hold.owner == owner_of(who);
        let refused = |why| (self.phase, Answer::Refused(why));
        let (phase, answer) = match (step, self.phase) {
            (Step::Repeat { .. }, Phase::Held(until) | Phase::Paying(until)) => {
                (self.phase, self.answer(until))
            }
            (Step::Repeat { .. }, _) => refused("attempt lapsed"),
            (Step::Extend { who, .. } | Step::Release { who, .. }, Phase::Paying(_)) if theirs(*who) => {
                refused("in payment")
            }
            (Step::Extend { who, ttl, .. }, Phase::Held(_)) if theirs(*who) => {
                let until = now + secs(*ttl);
                if until > self.hold.ceiling_at {
                    refused("ceiling")
                } else {
                    (Phase::Held(until), self.answer(until))
                }
            }
            (Step::Release { who, .. }, Phase::Held(_)) if theirs(*who) => (Phase::Over, Answer::Done),
            (Step::Begin { who, grace, .. }, Phase::Held(_)) if theirs(*who) => {
                let until = now + secs(*grace);
                (Phase::Paying(until), self.answer(until))
            }
            (Step::Begin { who, .. }, Phase::Paying(until)) if theirs(*who) => {
                (self.phase, self.answer(until))
            }
            (Step::Abort { .. }, Phase::Held(_) | Phase::Paying(_)) => (Phase::Over, Answer::Done),
            (Step::Abort { .. }, Phase::Over | Phase::Lapsed(_)) => (self.phase, Answer::Done),
            (Step::Sold { .. }, Phase::Held(_) | Phase::Paying(_) | Phase::Sold) => {
                (Phase::Sold, Answer::Done)
            }
            (Step::Sold { .. }, Phase::Lapsed(HoldState::Paying)) if seen.is_some() => {
                (self.phase, Answer::Stale(seen))
            }
            (Step::Reopen { .. }, Phase::Sold) => (Phase::Over, Answer::Done),
            (Step::Reopen { .. }, _) => (self.phase, Answer::Done),
            _ => refused("not held"),
        };
        self.phase = phase;
        answer
    }
}

impl Model {
    /// Which hold is meant by a number; `None` as long as there is none.
    pub(super) fn nth(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.holds.len())
    }

    pub(super) fn lapse(&mut self, now: Timestamp) {
        for known in &mut self.holds {
            known.phase = match known.phase {
                Phase::Held(until) if until <= now => Phase::Lapsed(HoldState::Held),
                Phase::Paying(until) if until <= now => Phase::Lapsed(HoldState::Paying),
                phase => phase,
            };
        }
    }

    pub(super) fn taken(&self) -> Vec<(SeatId, SeatState)> {
        let with_state = self.holds.iter().filter_map(|known| Some((known, known.state()?.0)));
        let seats =
            with_state.flat_map(|(known, state)| known.hold.seats().iter().map(move |seat| (*seat, state)));
        let mut taken: Vec<_> = seats.collect();
        taken.sort_unstable();
        taken
    }

    pub(super) fn floor(&self, of: SeatState) -> u32 {
        let there = self.holds.iter().filter(|known| known.state().is_some_and(|(state, _)| state == of));
        there.filter(|known| known.hold.seats().is_empty()).map(|known| known.hold.want.units()).sum()
    }

    /// The highest fence on the seats of a hold, if that is not its own.
    pub(super) fn seen(&self, at: usize) -> Option<crate::Fence> {
        let late = self.holds.get(at)?;
        let others = self.holds.iter().filter(|known| known.state().is_some());
        let there =
            others.filter(|known| known.hold.seats().iter().any(|seat| late.hold.seats().contains(seat)));
        there.map(|known| known.hold.fence).max().filter(|fence| *fence > late.hold.fence)
    }

    /// What a request that was not made before answers.
    pub(super) fn hold(&self, request: &HoldRequest, now: Timestamp) -> Answer {
        let replaced =
            request.replacing.map(|it| self.holds.iter().find(|known| known.hold.reference() == it));
        let replaced = match replaced.map(|found| found.filter(|known| known.hold.owner == request.owner)) {
            None => None,
            Some(Some(known)) if matches!(known.phase, Phase::Held(_)) => Some(known),
            Some(Some(known)) if matches!(known.phase, Phase::Paying(_)) => {
                return Answer::Refused("in payment");
            }
            Some(_) => return Answer::Refused("not held"),
        };
        let standing = self.holds.iter().filter(|known| known.state().is_some());
        let standing = standing.filter(|known| replaced.is_none_or(|old| old.hold.id != known.hold.id));
        let standing: Vec<&Known> = standing.collect();
        let theirs = standing.iter().filter(|known| known.hold.owner == request.owner);
        let taken: u32 = theirs.map(|known| known.hold.want.units()).sum();
        let within = |want: &&Want| request.limit.is_none_or(|limit| taken + want.units() <= limit);
        let (mut seats, mut areas) = (Vec::new(), Vec::new());
        for want in request.candidates().filter(within) {
            let (blocked, short) = self.conflicts(want, request, &standing, now);
            if blocked.is_empty() && short.is_empty() {
                let ceiling = now + request.ceiling;
                let ceiling = replaced.map_or(ceiling, |known| known.hold.ceiling_at.min(ceiling));
                return Answer::Hold { want: want.clone(), until: ceiling.min(now + request.ttl), ceiling };
            }
            seats.extend(blocked);
            areas.extend(short);
        }
        if request.candidates().any(|want| within(&want)) {
            return Answer::blocked(seats, areas);
        }
        Answer::Limit(taken)
    }

    fn conflicts(
        &self,
        want: &Want,
        request: &HoldRequest,
        standing: &[&Known],
        now: Timestamp,
    ) -> (Vec<super::Blocked>, Vec<(u32, u32)>) {
        let conflict = |seat: &SeatId| {
            if self.house.contains(seat) && !request.channels.iter().any(|name| name == HOUSE) {
                return Some((*seat, SeatState::Reserved, None));
            }
            let (state, until) = standing.iter().find(|known| known.hold.seats().contains(seat))?.state()?;
            Some((*seat, state, until.map(|until| until.since(now))))
        };
        let Want::Area { quantity, .. } = want else {
            return (want.seats().iter().filter_map(conflict).collect(), Vec::new());
        };
        let units = standing.iter().filter(|known| known.hold.seats().is_empty());
        let free = FLOOR - units.map(|known| known.hold.want.units()).sum::<u32>();
        (Vec::new(), if free < *quantity { vec![(*quantity, free)] } else { Vec::new() })
    }

    /// Notes a hold that the store made.
    pub(super) fn add(&mut self, request: HoldRequest, hold: Hold) {
        if let Some(old) =
            self.holds.iter_mut().find(|known| Some(known.hold.reference()) == request.replacing)
        {
            old.phase = Phase::Over;
        }
        let phase = Phase::Held(hold.expires_at);
        self.holds.push(Known { request, hold, booking: BookingId::new(), phase });
    }
}
