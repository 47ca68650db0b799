//! A backend as a stranger would write it, with the public API alone: everything of an event in one list that is searched
//! from end to end. It can be told to make a mistake.

mod event;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{BookingId, Clock, EventId, ManualClock, Timestamp};
use ticketblitz_lock::{
    Capabilities, Cursor, Durability, EventSnapshot, EventStatus, Expired, Fence, FenceScope, Hold, HoldId,
    HoldRef, HoldRequest, HoldState, LockError, Owner, SeatStore, Want,
};

use event::{Event, Phase, Row};

const MAX_UNITS: u32 = 1_000;
const AN_HOUR: Duration = Duration::from_secs(3_600);

/// What the toy does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    /// Takes the seats that are free, and then says that the others are not.
    HalfTaken,
    /// Numbers holds from one whenever an event is loaded.
    FencesRestart,
    /// Forgets at an unloading which fences it gave out.
    ForgetsFences,
    /// Numbers holds by the time alone: at one moment all alike.
    FencesStand,
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
    /// Takes a booking for one hold.
    ReopensOne,
    /// Asks nobody's name.
    AnyOwner,
}

#[derive(Debug)]
pub struct Toy {
    clock: ManualClock,
    scope: FenceScope,
    flaw: Option<Flaw>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: BTreeMap<EventId, Event>,
    /// The highest fences of those that were unloaded.
    left: BTreeMap<EventId, u64>,
    /// Every hold that lapsed, for ever: it is a toy.
    lapsed: Vec<Hold>,
    version: u64,
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
    pub fn new(clock: ManualClock, scope: FenceScope, flaw: Option<Flaw>) -> Self {
        Self { clock, scope, flaw, state: Mutex::default() }
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

    fn check(&self, owner: &Owner) -> Result<(), LockError> {
        if self.flaw == Some(Flaw::AnyOwner) { Ok(()) } else { owner.validate() }
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
        let fence = self.next_fence(event, want, now);
        let it = HoldRef { event: request.event, hold: HoldId::in_event(request.event) };
        event.rows.push(Row {
            it,
            attempt: Some(request.attempt),
            owner: request.owner.clone(),
            want: want.clone(),
            has: Vec::new(),
            candidates: request.candidates().cloned().collect(),
            units: want.units(),
            fence: Fence::new(fence),
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

    /// Of an event's holds, or of a seat's, as little as it may promise: those of other seats have the same ones.
    fn next_fence(&self, event: &mut Event, want: &Want, now: Timestamp) -> u64 {
        let time =
            if self.flaw == Some(Flaw::FencesRestart) { 0 } else { u64::try_from(now.as_micros()).unwrap() };
        if self.flaw == Some(Flaw::FencesStand) {
            return time;
        }
        let of_seats = want.seats().iter().filter_map(|seat| event.fences.get(seat)).max();
        let fence = time.max(event.fence + 1).max(of_seats.copied().unwrap_or_default() + 1);
        if self.scope == FenceScope::Event {
            event.fence = fence;
        }
        event.fences.extend(want.seats().iter().map(|seat| (*seat, fence)));
        fence
    }
}

fn some(duration: Duration) -> Result<(), LockError> {
    if duration.is_zero() { Err(LockError::invalid("no time at all")) } else { Ok(()) }
}

#[async_trait]
impl SeatStore for Toy {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Process, self.scope, MAX_UNITS)
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        snapshot.validate()?;
        {
            let mut state = self.state.lock().unwrap();
            let fence = state.left.get(&snapshot.event).copied().unwrap_or_default();
            let new = || Event { fence, ..Event::default() };
            state.events.entry(snapshot.event).or_insert_with(new);
        }
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
        let mut state = self.state.lock().unwrap();
        if let Some(known) = state.events.remove(&event)
            && !matches!(self.flaw, Some(Flaw::ForgetsFences | Flaw::FencesRestart))
        {
            let highest = known.fences.into_values().chain([known.fence]).max();
            state.left.extend(highest.map(|fence| (event, fence)));
        }
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
        self.check(owner)?;
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
        self.check(owner)?;
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
        self.check(owner)?;
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
            let of_it = |row: &&mut Row| row.booking == Some(booking) && row.phase == Phase::Sold;
            let sold = event.rows.iter_mut().filter(of_it);
            let most = if self.flaw == Some(Flaw::ReopensOne) { 1 } else { usize::MAX };
            sold.take(most).for_each(|row| row.phase = Phase::Ended(now + AN_HOUR));
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
