//! The toy's event: a list of what is held, in payment and sold.

use std::collections::BTreeMap;
use std::time::Duration;

use ticketblitz_core::{BookingId, EventId, SeatId, Timestamp};
use ticketblitz_lock::{
    AreaConflict, AreaStatus, AttemptId, Channel, Conflicts, Fence, Hold, HoldId, HoldRef, HoldRequest,
    HoldState, LockError, Owner, SeatConflict, SeatState, Taken, TakenState, Want,
};

use super::Flaw;

#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) areas: BTreeMap<String, u32>,
    pub(super) channels: Vec<Channel>,
    pub(super) rows: Vec<Row>,
    /// Every later hold has a higher one.
    pub(super) fence: u64,
    /// Every later hold of the seat has a higher one.
    pub(super) fences: BTreeMap<SeatId, u64>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) it: HoldRef,
    pub(super) attempt: Option<AttemptId>,
    pub(super) owner: Owner,
    pub(super) want: Want,
    /// Those of its seats that it really has.
    pub(super) has: Vec<SeatId>,
    pub(super) candidates: Vec<Want>,
    /// Towards the owner's limit.
    pub(super) units: u32,
    pub(super) fence: Fence,
    pub(super) ceiling_at: Timestamp,
    pub(super) phase: Phase,
    pub(super) booking: Option<BookingId>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Held(Timestamp),
    Paying(Timestamp),
    Sold,
    Gone,
    /// A payment lapsed, and is remembered until then.
    Lapsed(Timestamp),
    /// Aborted or reopened, and remembered until then.
    Ended(Timestamp),
}

impl Row {
    pub(super) fn state(&self) -> Option<SeatState> {
        match self.phase {
            Phase::Held(_) => Some(SeatState::Held),
            Phase::Paying(_) => Some(SeatState::Paying),
            Phase::Sold => Some(SeatState::Sold),
            Phase::Gone | Phase::Lapsed(_) | Phase::Ended(_) => None,
        }
    }

    pub(super) fn until(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Held(until) | Phase::Paying(until) => Some(until),
            _ => None,
        }
    }

    pub(super) fn answer(&self, now: Timestamp) -> Result<Hold, LockError> {
        let until = self.until().ok_or(LockError::NotHeld)?;
        let state = if matches!(self.phase, Phase::Held(_)) { HoldState::Held } else { HoldState::Paying };
        let hold = Hold::new(self.it, self.owner.clone(), self.want.clone(), self.fence, until, now);
        Ok(hold.with_state(state).with_ceiling(self.ceiling_at))
    }

    pub(super) fn of(taken: &Taken, it: HoldRef, phase: Phase, ceiling_at: Timestamp) -> Self {
        Self {
            it,
            attempt: None,
            owner: taken.owner.clone(),
            want: taken.want.clone(),
            has: Vec::new(),
            candidates: Vec::new(),
            units: taken.want.units(),
            fence: taken.fence,
            ceiling_at,
            phase,
            booking: taken.booking,
        }
    }
}

impl Event {
    pub(super) fn live(&mut self, it: HoldRef) -> Result<&mut Row, LockError> {
        self.rows.iter_mut().find(|row| row.it == it && row.until().is_some()).ok_or(LockError::NotHeld)
    }

    pub(super) fn owned(&mut self, it: HoldRef, owner: &Owner) -> Result<&mut Row, LockError> {
        self.live(it).and_then(|row| if row.owner == *owner { Ok(row) } else { Err(LockError::NotHeld) })
    }

    pub(super) fn holder(&self, seat: SeatId) -> Option<&Row> {
        self.rows.iter().find(|row| row.state().is_some() && row.has.contains(&seat))
    }

    /// Gives a row those of its seats that nobody has.
    pub(super) fn fill(&mut self, id: HoldId) {
        let Some(at) = self.rows.iter().position(|row| row.it.hold == id) else { return };
        let free: Vec<_> =
            self.rows[at].want.seats().iter().copied().filter(|seat| self.holder(*seat).is_none()).collect();
        self.rows[at].has.extend(free);
    }

    pub(super) fn on_floor(&self, section: &str, capacity: u32) -> AreaStatus {
        let mut area = AreaStatus::new(section, capacity);
        for row in &self.rows {
            match (&row.want, row.state()) {
                (Want::Area { section: of, quantity }, Some(state)) if of == section => match state {
                    SeatState::Held => area.held += quantity,
                    SeatState::Paying => area.paying += quantity,
                    SeatState::Sold | SeatState::Reserved => area.sold += quantity,
                },
                _ => {}
            }
        }
        area
    }

    pub(super) fn conflicts(
        &self,
        want: &Want,
        request: &HoldRequest,
        flaw: Option<Flaw>,
        now: Timestamp,
    ) -> Result<Conflicts, LockError> {
        let given_up = |row: &Row| Some(row.it) == request.replacing;
        let Want::Area { section, quantity } = want else {
            let barred = |seat: &SeatId| {
                let channel = self.channels.iter().find(|channel| channel.seats.contains(seat));
                channel.is_some_and(|channel| !request.channels.contains(&channel.name))
                    && flaw != Some(Flaw::IgnoresChannels)
            };
            let conflict = |seat: &SeatId| match self.holder(*seat) {
                _ if barred(seat) => Some(SeatConflict::new(*seat, SeatState::Reserved, None)),
                Some(row) if !given_up(row) => {
                    let wait = row.until().map(|until| until.since(now));
                    Some(SeatConflict::new(*seat, row.state()?, wait))
                        .filter(|_| wait != Some(Duration::ZERO))
                }
                _ => None,
            };
            return Ok(Conflicts::of_seats(want.seats().iter().filter_map(conflict).collect()));
        };
        let capacity = self.areas.get(section).ok_or_else(|| LockError::invalid("no such area"))?;
        let old = self.rows.iter().find(|row| given_up(row)).map_or(0, |row| match &row.want {
            Want::Area { section: of, quantity } if of == section => *quantity,
            _ => 0,
        });
        let mut area = self.on_floor(section, *capacity);
        area.held = area.held.saturating_sub(old);
        let short = (area.free() < *quantity).then(|| AreaConflict::new(section, *quantity, area.free()));
        Ok(Conflicts::of_areas(short.into_iter().collect()))
    }

    pub(super) fn choose<'a>(
        &self,
        request: &'a HoldRequest,
        flaw: Option<Flaw>,
        now: Timestamp,
    ) -> Result<&'a Want, LockError> {
        let theirs = self.rows.iter().filter(|row| row.state().is_some() && row.owner == request.owner);
        let taken: u32 = theirs.filter(|row| Some(row.it) != request.replacing).map(|row| row.units).sum();
        let limit = request.limit.unwrap_or(u32::MAX);
        let within = |want: &&Want| taken + want.units() <= limit;
        if !request.candidates().any(|want| within(&want)) {
            return Err(LockError::LimitExceeded { limit, taken });
        }
        let mut all = Conflicts::default();
        for want in request.candidates().filter(within) {
            let found = self.conflicts(want, request, flaw, now)?;
            if found == Conflicts::default() {
                return Ok(want);
            }
            all.areas.extend(found.areas);
            for conflict in found.seats {
                if all.seats.iter().all(|known| known.seat != conflict.seat) {
                    all.seats.push(conflict);
                }
            }
        }
        Err(LockError::Unavailable(all))
    }

    pub(super) fn merge(&mut self, taken: &Taken, event: EventId, now: Timestamp) {
        let phase = match taken.state {
            TakenState::Paying { until } if until <= now => return,
            TakenState::Paying { until } => Phase::Paying(until),
            TakenState::Sold => Phase::Sold,
        };
        let known = self.rows.iter().position(|row| match taken.hold {
            Some(hold) => row.it.hold == hold,
            None => row.booking == taken.booking,
        });
        let Some(at) = known else {
            let it = HoldRef { event, hold: taken.hold.unwrap_or_else(|| HoldId::in_event(event)) };
            self.rows.push(Row::of(taken, it, phase, now));
            return self.fill(it.hold);
        };
        let row = &mut self.rows[at];
        match (row.phase, phase) {
            (Phase::Ended(_), _) | (Phase::Lapsed(_), Phase::Paying(_)) => return,
            (Phase::Gone | Phase::Lapsed(_), _) => {
                row.phase = phase;
                row.has.clear();
            }
            (Phase::Held(_), _) | (Phase::Paying(_), Phase::Sold) => row.phase = phase,
            (Phase::Paying(known), Phase::Paying(until)) if until > known => row.phase = phase,
            _ => {}
        }
        row.booking = taken.booking.or(row.booking);
        let id = row.it.hold;
        self.fill(id);
    }
}
