//! A backend as a stranger would write it, with the public API alone: everything in one list that is searched from end
//! to end. It can be told to make a mistake.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{BookingId, Clock, EventId, ManualClock, SeatId, Timestamp};
use ticketblitz_lock::{
    AreaConflict, AreaStatus, AttemptId, Capabilities, Channel, Conflicts, Cursor, Durability, EventSnapshot,
    EventStatus, Expired, Fence, FenceScope, Hold, HoldId, HoldRef, HoldRequest, HoldState, LockError, Owner,
    SeatConflict, SeatState, SeatStore, Taken, TakenState, Want,
};

const MAX_UNITS: u32 = 1_000;
const AN_HOUR: Duration = Duration::from_secs(3_600);

/// What the toy does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    /// Takes the seats that are free, and then says that the others are not.
    HalfTaken,
    /// Numbers holds from one whenever an event is loaded.
    FencesRestart,
    /// Frees the seats that a hold once had, whoever has them now.
    ReleasesByName,
    /// A repeat counts once more towards the owner's limit.
    RepeatsCount,
    /// At the moment of expiry the owner still has the hold, and a rival can have its seats.
    TwoWinners,
    /// Gives the old hold up before it knows whether the new one can be had.
    ReleasesFirst,
    /// Lets anybody have reserved seats.
    IgnoresChannels,
    /// Remembers of an attempt only what it got.
    ForgetsCandidates,
}

#[derive(Debug)]
pub struct Toy {
    clock: ManualClock,
    flaw: Option<Flaw>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: BTreeMap<EventId, Event>,
    /// Every hold that lapsed, for ever: it is a toy.
    lapsed: Vec<Hold>,
    version: u64,
}

#[derive(Debug, Default)]
struct Event {
    areas: BTreeMap<String, u32>,
    channels: Vec<Channel>,
    rows: Vec<Row>,
    fence: u64,
}

#[derive(Debug)]
struct Row {
    it: HoldRef,
    attempt: Option<AttemptId>,
    owner: Owner,
    want: Want,
    /// Those of its seats that it really has.
    has: Vec<SeatId>,
    candidates: Vec<Want>,
    /// Towards the owner's limit.
    units: u32,
    fence: Fence,
    ceiling_at: Timestamp,
    phase: Phase,
    booking: Option<BookingId>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
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
    fn state(&self) -> Option<SeatState> {
        match self.phase {
            Phase::Held(_) => Some(SeatState::Held),
            Phase::Paying(_) => Some(SeatState::Paying),
            Phase::Sold => Some(SeatState::Sold),
            Phase::Gone | Phase::Lapsed(_) | Phase::Ended(_) => None,
        }
    }

    fn until(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Held(until) | Phase::Paying(until) => Some(until),
            _ => None,
        }
    }

    fn answer(&self, now: Timestamp) -> Result<Hold, LockError> {
        let until = self.until().ok_or(LockError::NotHeld)?;
        let state = if matches!(self.phase, Phase::Held(_)) { HoldState::Held } else { HoldState::Paying };
        let hold = Hold::new(self.it, self.owner.clone(), self.want.clone(), self.fence, until, now);
        Ok(hold.with_state(state).with_ceiling(self.ceiling_at))
    }

    fn of(taken: &Taken, it: HoldRef, phase: Phase, ceiling_at: Timestamp) -> Self {
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
    fn live(&mut self, it: HoldRef) -> Result<&mut Row, LockError> {
        self.rows.iter_mut().find(|row| row.it == it && row.until().is_some()).ok_or(LockError::NotHeld)
    }

    fn owned(&mut self, it: HoldRef, owner: &Owner) -> Result<&mut Row, LockError> {
        self.live(it).and_then(|row| if row.owner == *owner { Ok(row) } else { Err(LockError::NotHeld) })
    }

    fn holder(&self, seat: SeatId) -> Option<&Row> {
        self.rows.iter().find(|row| row.state().is_some() && row.has.contains(&seat))
    }

    /// Gives a row those of its seats that nobody has.
    fn fill(&mut self, id: HoldId) {
        let Some(at) = self.rows.iter().position(|row| row.it.hold == id) else { return };
        let free: Vec<_> =
            self.rows[at].want.seats().iter().copied().filter(|seat| self.holder(*seat).is_none()).collect();
        self.rows[at].has.extend(free);
    }

    fn on_floor(&self, section: &str, capacity: u32) -> AreaStatus {
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

    fn conflicts(
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

    fn choose<'a>(
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

    fn merge(&mut self, taken: &Taken, event: EventId, now: Timestamp) {
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

impl State {
    /// Ends what has lapsed and forgets what need not be remembered, in one event.
    fn sweep(&mut self, event: EventId, now: Timestamp, flaw: Option<Flaw>) {
        let Some(event) = self.events.get_mut(&event) else { return };
        let mut lapsed = Vec::new();
        for row in &mut event.rows {
            // The flawed one leaves it for a moment to its owner, though rivals are told that nothing is left.
            let over = row
                .until()
                .is_some_and(|until| until < now || (until == now && flaw != Some(Flaw::TwoWinners)));
            if let (true, Ok(hold)) = (over, row.answer(now)) {
                row.phase =
                    if hold.state == HoldState::Held { Phase::Gone } else { Phase::Lapsed(now + AN_HOUR) };
                lapsed.push(hold);
            }
        }
        lapsed.sort_by_key(|hold| hold.expires_at);
        self.version += u64::from(!lapsed.is_empty());
        self.lapsed.extend(lapsed);
        event.rows.retain_mut(|row| match row.phase {
            Phase::Lapsed(until) | Phase::Ended(until) => now < until || now < row.ceiling_at,
            Phase::Gone => now < row.ceiling_at,
            _ => true,
        });
    }
}

impl Toy {
    pub fn new(clock: ManualClock, flaw: Option<Flaw>) -> Self {
        Self { clock, flaw, state: Mutex::default() }
    }

    /// One operation on a loaded event, with nothing in it that has lapsed.
    fn on<T>(
        &self,
        event: EventId,
        operation: impl FnOnce(&mut Event, Timestamp) -> Result<T, LockError>,
    ) -> Result<T, LockError> {
        let mut state = self.state.lock().unwrap();
        let now = self.clock.now();
        state.sweep(event, now, self.flaw);
        operation(state.events.get_mut(&event).ok_or(LockError::NotLoaded)?, now)
    }

    /// As `on`, for an operation that changes something if it succeeds.
    fn change<T>(
        &self,
        event: EventId,
        operation: impl FnOnce(&mut Event, Timestamp) -> Result<T, LockError>,
    ) -> Result<T, LockError> {
        let done = self.on(event, operation)?;
        self.state.lock().unwrap().version += 1;
        Ok(done)
    }

    fn take(&self, event: &mut Event, request: &HoldRequest, now: Timestamp) -> Result<Hold, LockError> {
        let remembered = |row: &&mut Row| row.until().is_some() || now < row.ceiling_at;
        let made = event.rows.iter_mut().filter(|row| row.attempt == Some(request.attempt)).find(remembered);
        if let Some(row) = made {
            if row.until().is_none() {
                return Err(LockError::AttemptLapsed);
            }
            let same = match self.flaw {
                Some(Flaw::ForgetsCandidates) => row.want == request.want,
                _ => request.candidates().eq(&row.candidates),
            };
            if row.owner != request.owner || !same {
                return Err(LockError::AttemptReused);
            }
            row.units += if self.flaw == Some(Flaw::RepeatsCount) { row.want.units() } else { 0 };
            return row.answer(now);
        }
        let mut ceiling_at = now + request.ceiling;
        if let Some(old) = request.replacing {
            let row = event.owned(old, &request.owner)?;
            if matches!(row.phase, Phase::Paying(_)) {
                return Err(LockError::InPayment);
            }
            ceiling_at = ceiling_at.min(row.ceiling_at);
            if self.flaw == Some(Flaw::ReleasesFirst) {
                row.phase = Phase::Gone;
            }
        }
        let (want, refused) = match event.choose(request, self.flaw, now) {
            Err(error @ LockError::Unavailable(_)) if self.flaw == Some(Flaw::HalfTaken) => {
                (&request.want, Some(error))
            }
            chosen => (chosen?, None),
        };
        if let Some(old) = request.replacing {
            event.owned(old, &request.owner).map(|row| row.phase = Phase::Gone).unwrap_or_default();
        }
        let time =
            if self.flaw == Some(Flaw::FencesRestart) { 0 } else { u64::try_from(now.as_micros()).unwrap() };
        event.fence = time.max(event.fence + 1);
        let it = HoldRef { event: request.event, hold: HoldId::in_event(request.event) };
        event.rows.push(Row {
            it,
            attempt: Some(request.attempt),
            owner: request.owner.clone(),
            want: want.clone(),
            has: Vec::new(),
            candidates: request.candidates().cloned().collect(),
            units: want.units(),
            fence: Fence::new(event.fence),
            ceiling_at,
            phase: Phase::Held(ceiling_at.min(now + request.ttl)),
            booking: None,
        });
        event.fill(it.hold);
        match refused {
            Some(error) => Err(error),
            None => event.live(it)?.answer(now),
        }
    }
}

fn some(duration: Duration) -> Result<(), LockError> {
    if duration.is_zero() { Err(LockError::invalid("no time at all")) } else { Ok(()) }
}

#[async_trait]
impl SeatStore for Toy {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Process, FenceScope::Event, MAX_UNITS)
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        snapshot.validate()?;
        self.state.lock().unwrap().events.entry(snapshot.event).or_default();
        self.change(snapshot.event, |event, now| {
            let fences = snapshot.taken.iter().map(|taken| taken.fence).chain([snapshot.fence_floor]);
            if self.flaw != Some(Flaw::FencesRestart) {
                event.fence = fences.map(Fence::as_u64).chain([event.fence]).max().unwrap_or_default();
            }
            event.areas.extend(snapshot.areas.iter().map(|area| (area.section.clone(), area.capacity)));
            event.channels.clone_from(&snapshot.channels);
            event.channels.sort_by(|one, other| one.name.cmp(&other.name));
            event.channels.iter_mut().for_each(|channel| channel.seats.sort());
            snapshot.taken.iter().for_each(|taken| event.merge(taken, snapshot.event, now));
            Ok(())
        })
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        self.state.lock().unwrap().events.remove(&event);
        Ok(())
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        request.validate(MAX_UNITS)?;
        self.change(request.event, |event, now| self.take(event, request, now))
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        self.on(hold.event, |event, now| event.live(hold)?.answer(now))
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        some(ttl)?;
        self.change(hold.event, |event, now| {
            let row = event.owned(hold, owner)?;
            match row.phase {
                Phase::Paying(_) => return Err(LockError::InPayment),
                _ if now + ttl > row.ceiling_at => {
                    return Err(LockError::CeilingReached { ceiling_at: row.ceiling_at });
                }
                _ => row.phase = Phase::Held(now + ttl),
            }
            row.answer(now)
        })
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        self.change(hold.event, |event, _| {
            if self.flaw == Some(Flaw::ReleasesByName) {
                let named = event
                    .rows
                    .iter()
                    .find(|row| row.it == hold)
                    .map(|row| row.has.clone())
                    .unwrap_or_default();
                let rows =
                    event.rows.iter_mut().filter(|row| named.iter().any(|seat| row.has.contains(seat)));
                rows.for_each(|row| row.phase = Phase::Gone);
                return Ok(());
            }
            let row = event.owned(hold, owner)?;
            if matches!(row.phase, Phase::Paying(_)) {
                return Err(LockError::InPayment);
            }
            row.phase = Phase::Gone;
            Ok(())
        })
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        some(grace)?;
        self.change(hold.event, |event, now| {
            let row = event.owned(hold, owner)?;
            if matches!(row.phase, Phase::Held(_)) {
                row.phase = Phase::Paying(now + grace);
            }
            row.answer(now)
        })
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        self.change(hold.event, |event, now| match event.rows.iter_mut().find(|row| row.it == hold) {
            Some(row) if row.phase == Phase::Sold => Err(LockError::NotHeld),
            Some(row) if row.until().is_some() => {
                row.phase = Phase::Ended(now + AN_HOUR);
                Ok(())
            }
            _ => Ok(()),
        })
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        self.change(hold.event, |event, now| {
            let at = event.rows.iter().position(|row| row.it == hold).ok_or(LockError::NotHeld)?;
            let row = &event.rows[at];
            if fence > row.fence {
                return Err(LockError::invalid("a fence that it never had"));
            }
            if fence < row.fence {
                return Err(LockError::StaleFence { seen: row.fence });
            }
            let rivals = row.want.seats().iter().filter_map(|seat| Some(event.holder(*seat)?.fence));
            match (row.phase, rivals.max()) {
                (Phase::Sold, _) if row.booking == Some(booking) => return Ok(()),
                (Phase::Held(_) | Phase::Paying(_), _) => {}
                (Phase::Lapsed(until), Some(seen)) if seen > fence && now < until => {
                    return Err(LockError::StaleFence { seen });
                }
                _ => return Err(LockError::NotHeld),
            }
            event.rows[at].phase = Phase::Sold;
            event.rows[at].booking = Some(booking);
            Ok(())
        })
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        self.change(event, |event, now| {
            let sold =
                event.rows.iter_mut().find(|row| row.booking == Some(booking) && row.phase == Phase::Sold);
            sold.map(|row| row.phase = Phase::Ended(now + AN_HOUR)).unwrap_or_default();
            Ok(())
        })
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        let (mut seats, areas, channels) = self.on(event, |event, _| {
            let with_state = event.rows.iter().filter_map(|row| Some((row, row.state()?)));
            let seats = with_state.flat_map(|(row, state)| row.has.iter().map(move |seat| (*seat, state)));
            let areas = event.areas.iter().map(|(section, capacity)| event.on_floor(section, *capacity));
            Ok((seats.collect::<Vec<_>>(), areas.collect(), event.channels.clone()))
        })?;
        seats.sort_unstable();
        Ok(EventStatus::new(self.state.lock().unwrap().version, seats, areas).with_channels(channels))
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        let mut state = self.state.lock().unwrap();
        for event in state.events.keys().copied().collect::<Vec<_>>() {
            state.sweep(event, self.clock.now(), self.flaw);
        }
        let from: usize = match after.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| LockError::invalid("not a cursor of this store"))?,
        };
        let holds: Vec<_> = state.lapsed.iter().skip(from).take(limit).cloned().collect();
        let next = if holds.is_empty() {
            after.clone()
        } else {
            Cursor::from_text((from + holds.len()).to_string())
        };
        Ok(Expired::new(holds, next, false))
    }
}
