//! One event: its seats, areas and holds, and the few moves that all operations are made of.
//!
//! Nothing here waits or reads a clock: the caller has the event's lock and says what time it is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use ticketblitz_core::id::Uuid;
use ticketblitz_core::{BookingId, EventId, SeatId, Timestamp};

use super::events::Left;
use super::record::{Phase, Record};
use super::reserved::Reserved;
use crate::types::{AreaStatus, AttemptId, EventStatus, Fence, Hold, HoldId, Owner, SeatState, Want};

#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: EventId,
    pub(super) seats: HashMap<SeatId, Seat>,
    pub(super) areas: BTreeMap<String, AreaStatus>,
    pub(super) reserved: Reserved,
    pub(super) holds: HashMap<HoldId, Record>,
    /// Which holds are of a booking: it may have several.
    bookings: BTreeSet<(BookingId, HoldId)>,
    pub(super) attempts: HashMap<AttemptId, HoldId>,
    /// Units per owner that has any.
    pub(super) owners: HashMap<Owner, u32>,
    /// Exactly the holds that can lapse, the next one first.
    deadlines: BTreeSet<(Timestamp, HoldId)>,
    memories: BinaryHeap<Reverse<(Timestamp, Memory)>>,
    pub(super) fence: Fence,
    version: u64,
    lapsed: Vec<Hold>,
    unloaded: bool,
}

/// A seat that is not free. The state is its hold's, here too because a status reads every seat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) hold: HoldId,
    pub(super) state: SeatState,
}

/// What is forgotten some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Memory {
    Attempt(AttemptId),
    Ended(HoldId),
}

impl Event {
    pub(super) fn new(id: EventId, left: Left, now: Timestamp) -> Self {
        Self {
            id,
            seats: HashMap::new(),
            areas: BTreeMap::new(),
            reserved: Reserved::default(),
            holds: HashMap::new(),
            bookings: BTreeSet::new(),
            attempts: HashMap::new(),
            owners: HashMap::new(),
            deadlines: BTreeSet::new(),
            memories: BinaryHeap::new(),
            fence: left.fence,
            // From the time on, so that a store that lost its memory does not repeat its versions either.
            version: micros(now).max(left.version),
            lapsed: Vec::new(),
            unloaded: false,
        }
    }

    /// For those who found the event before it was taken off the map and get its lock only later.
    pub(super) fn unload(&mut self) -> Left {
        self.unloaded = true;
        Left { fence: self.fence, version: self.version }
    }

    pub(super) fn is_unloaded(&self) -> bool {
        self.unloaded
    }

    pub(super) fn take_lapsed(&mut self) -> Vec<Hold> {
        std::mem::take(&mut self.lapsed)
    }

    pub(super) fn next_fence(&mut self, now: Timestamp) -> Fence {
        self.fence = Fence::new(self.fence.as_u64().saturating_add(1).max(micros(now)));
        self.fence
    }

    /// Adds a hold whose seats are free, or are to be passed over.
    pub(super) fn add(&mut self, id: HoldId, record: Record) {
        self.occupy(id, &record);
        if let Some(until) = record.phase.deadline() {
            self.deadlines.insert((until, id));
        }
        if let Some(booking) = record.booking {
            self.bookings.insert((booking, id));
        }
        self.holds.insert(id, record);
        self.version += 1;
    }

    /// Moves a hold that has its seats to another phase in which it has them.
    pub(super) fn advance(&mut self, id: HoldId, to: Phase) {
        let Some(record) = self.holds.get_mut(&id) else { return };
        let from = std::mem::replace(&mut record.phase, to);
        let (Some(old), Some(new)) = (from.seat_state(), to.seat_state()) else { return };
        match &record.want {
            Want::Seats(wanted) if old != new => {
                for seat in wanted {
                    if let Some(seat) = self.seats.get_mut(seat).filter(|seat| seat.hold == id) {
                        seat.state = new;
                    }
                }
            }
            Want::Area { section, quantity } if old != new => {
                if let Some(area) = self.areas.get_mut(section) {
                    change(area, from, |units| units.saturating_sub(*quantity));
                    change(area, to, |units| units.saturating_add(*quantity));
                }
            }
            Want::Seats(_) | Want::Area { .. } => {}
        }
        if let Some(until) = from.deadline() {
            self.deadlines.remove(&(until, id));
        }
        if let Some(until) = to.deadline() {
            self.deadlines.insert((until, id));
        }
        self.version += 1;
    }

    /// Frees all that a hold has and forgets it, or remembers it for a while as what it ended as.
    pub(super) fn end(&mut self, id: HoldId, remember: Option<Phase>) {
        let Some(mut record) = self.holds.remove(&id) else { return };
        self.vacate(id, &record);
        if let Some(until) = record.phase.deadline() {
            self.deadlines.remove(&(until, id));
        }
        if let Some(phase) = remember {
            record.phase = phase;
            self.holds.insert(id, record);
            let until = phase.remembered_until();
            self.memories.extend(until.map(|until| Reverse((until, Memory::Ended(id)))));
        } else {
            self.unbook(id, &record);
        }
        self.version += 1;
    }

    /// Says to which booking a hold belongs.
    pub(super) fn book(&mut self, id: HoldId, booking: BookingId) {
        let Some(record) = self.holds.get_mut(&id) else { return };
        if let Some(former) = record.booking.replace(booking) {
            self.bookings.remove(&(former, id));
        }
        self.bookings.insert((booking, id));
    }

    /// The holds of a booking, whatever they ended as.
    pub(super) fn holds_of(&self, booking: BookingId) -> impl Iterator<Item = (HoldId, &Record)> {
        let [first, last] = [Uuid::nil(), Uuid::max()].map(HoldId::from_uuid);
        let ids = self.bookings.range((booking, first)..=(booking, last)).map(|&(_, id)| id);
        let known = ids.filter_map(|id| Some((id, self.holds.get(&id)?)));
        // A snapshot may have given a hold to another one since.
        known.filter(move |(_, record)| record.booking == Some(booking))
    }

    fn unbook(&mut self, id: HoldId, record: &Record) {
        if let Some(booking) = record.booking {
            self.bookings.remove(&(booking, id));
        }
    }

    fn occupy(&mut self, id: HoldId, record: &Record) {
        let Some(state) = record.phase.seat_state() else { return };
        match &record.want {
            Want::Seats(wanted) => take_free(&mut self.seats, wanted, Seat { hold: id, state }),
            Want::Area { section, quantity } => {
                if let Some(area) = self.areas.get_mut(section) {
                    change(area, record.phase, |units| units.saturating_add(*quantity));
                }
            }
        }
        let units = record.want.units();
        match self.owners.get_mut(&record.owner) {
            Some(taken) => *taken = taken.saturating_add(units),
            None => drop(self.owners.insert(record.owner.clone(), units)),
        }
    }

    /// Takes those of a hold's seats that it does not have and that have become free.
    pub(super) fn complete(&mut self, id: HoldId) {
        let Some(record) = self.holds.get(&id) else { return };
        if let Some(state) = record.phase.seat_state() {
            take_free(&mut self.seats, record.want.seats(), Seat { hold: id, state });
        }
    }

    fn vacate(&mut self, id: HoldId, record: &Record) {
        if record.phase.seat_state().is_none() {
            return;
        }
        match &record.want {
            Want::Seats(wanted) => {
                for seat in wanted {
                    if self.seats.get(seat).is_some_and(|seat| seat.hold == id) {
                        self.seats.remove(seat);
                    }
                }
            }
            Want::Area { section, quantity } => {
                if let Some(area) = self.areas.get_mut(section) {
                    change(area, record.phase, |units| units.saturating_sub(*quantity));
                }
            }
        }
        if let Some(taken) = self.owners.get_mut(&record.owner) {
            *taken = taken.saturating_sub(record.want.units());
            if *taken == 0 {
                self.owners.remove(&record.owner);
            }
        }
    }

    pub(super) fn remember_attempt(&mut self, attempt: AttemptId, hold: HoldId, until: Timestamp) {
        self.attempts.insert(attempt, hold);
        self.memories.push(Reverse((until, Memory::Attempt(attempt))));
    }

    /// Ends a hold that has lapsed and tells the expiry stream.
    pub(super) fn lapse(&mut self, id: HoldId, now: Timestamp) {
        let Some(record) = self.holds.get(&id) else { return };
        self.lapsed.extend(record.to_hold(id, self.id, now));
        let remember = matches!(record.phase, Phase::Paying { .. }).then_some(Phase::lapsed(now));
        self.end(id, remember);
    }

    /// Cleans up at most `most` holds that have lapsed and as many memories.
    pub(super) fn reclaim(&mut self, now: Timestamp, most: usize) {
        for _ in 0..most {
            match self.deadlines.first() {
                Some(&(until, id)) if until <= now => self.lapse(id, now),
                _ => break,
            }
        }
        for _ in 0..most {
            match self.memories.peek() {
                Some(&Reverse((until, memory))) if until <= now => {
                    self.memories.pop();
                    self.forget(memory, now);
                }
                _ => break,
            }
        }
    }

    /// Cleans up everything that has lapsed: for answers that counts decide. Each hold lapses once, so on
    /// average this costs an operation no more than its own hold.
    pub(super) fn reclaim_all(&mut self, now: Timestamp) {
        self.reclaim(now, usize::MAX);
    }

    fn forget(&mut self, memory: Memory, now: Timestamp) {
        match memory {
            Memory::Ended(id) => {
                // Unless a snapshot knew that it was sold; reopened since, it is remembered for longer.
                let due = |record: &Record| record.phase.remembered_until().is_some_and(|until| until <= now);
                if self.holds.get(&id).is_some_and(due)
                    && let Some(record) = self.holds.remove(&id)
                {
                    self.unbook(id, &record);
                }
            }
            Memory::Attempt(attempt) => {
                // A payment may outlast the ceiling, and its hold's attempt with it.
                let outlasting =
                    self.attempts.get(&attempt).and_then(|id| self.holds.get(id)?.phase.deadline());
                match outlasting {
                    Some(until) => self.memories.push(Reverse((until, memory))),
                    None => drop(self.attempts.remove(&attempt)),
                }
            }
        }
    }

    /// The event as it is, its seats in no order.
    pub(super) fn status(&mut self, now: Timestamp) -> EventStatus {
        self.reclaim_all(now);
        let seats = self.seats.iter().map(|(seat, taken)| (*seat, taken.state)).collect();
        let areas = self.areas.values().cloned().collect();
        EventStatus::new(self.version, seats, areas).with_channels(self.reserved.channels().to_vec())
    }

    pub(super) fn changed(&mut self) {
        self.version += 1;
    }
}

fn take_free(seats: &mut HashMap<SeatId, Seat>, wanted: &[SeatId], taken: Seat) {
    for seat in wanted {
        seats.entry(*seat).or_insert(taken);
    }
}

/// Changes how many units of an area are in a phase. Callers saturate, because the numbers of a snapshot are not this
/// store's: absurd ones may not stop an event.
fn change(area: &mut AreaStatus, phase: Phase, to: impl FnOnce(u32) -> u32) {
    let units = match phase {
        Phase::Held { .. } => &mut area.held,
        Phase::Paying { .. } => &mut area.paying,
        Phase::Sold => &mut area.sold,
        Phase::Lapsed { .. } | Phase::Ended { .. } => return,
    };
    *units = to(*units);
}

fn micros(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or_default()
}
