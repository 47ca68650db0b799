//! The desk: what holds and payments share. It keeps the lock's memory in step with the store.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::inventory::{InventoryEvent, LiveArea, LiveSeats, SeatState};
use moka::future::Cache;
use platform::{Stripes, apart};
use ticketblitz_core::{Clock, EventId};
use ticketblitz_lock::{AttemptId, EventStatus, HoldId, HoldRef, LockError, SeatStore};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::domain::{self, Plan};
use crate::error::{Error, seat_state};
use crate::store::Store;

/// Events that share a gate wait for each other's loads, which are rare.
const GATES: usize = 64;
/// Seats whose plans are kept in memory.
const CACHED_SEATS: u64 = 5_000_000;
/// Idempotency keys that are remembered; one costs about a hundred bytes.
const REMEMBERED_KEYS: u64 = 500_000;
/// An event of more seats is shown apart: a hundred thousand take tens of milliseconds.
const LARGE: usize = 2_000;
/// How often an event is loaded for one request: a store that forgets faster is out of order.
const LOADS: usize = 3;

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) locks: Arc<dyn SeatStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hold_ttl: Duration,
    pub(crate) hold_ceiling: Duration,
    /// What each keyed attempt asked for, so that a key used for another event is noticed too.
    pub(crate) attempts: Cache<AttemptId, [u8; 32]>,
    plans: Cache<EventId, Arc<Plan>>,
    tagged: Cache<u32, Arc<[EventId]>>,
    /// One an event: those who change store and lock share it, those who load have it alone, so that no lock is loaded
    /// with what stopped being true meanwhile.
    gates: Stripes<RwLock<()>>,
    /// Events whose lock could not be told what the store knows. The sweeper tells it again.
    behind: Mutex<HashSet<EventId>>,
}

impl Desk {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        locks: Arc<dyn SeatStore>,
        clock: Arc<dyn Clock>,
        hold_ttl: Duration,
        hold_ceiling: Duration,
    ) -> Self {
        let weight = |_: &EventId, plan: &Arc<Plan>| u32::try_from(plan.size()).unwrap_or(u32::MAX);
        Self {
            store,
            locks,
            clock,
            hold_ttl,
            hold_ceiling,
            attempts: Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(hold_ceiling * 2).build(),
            plans: Cache::builder().max_capacity(CACHED_SEATS).weigher(weight).build(),
            tagged: Cache::builder().max_capacity(100_000).build(),
            gates: Stripes::new(GATES),
            behind: Mutex::default(),
        }
    }

    /// Makes an event holdable, or changes it.
    pub(crate) async fn put_event(&self, id: EventId, event: InventoryEvent) -> Result<(), Error> {
        let wrong = domain::check_event(&event);
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        let _alone = self.alone(id).await;
        let other_layout = self.store.put_event(id, event, self.clock.now()).await?;
        self.forget(id).await;
        if other_layout {
            // Before the sale there is nothing to lose, and a load would not remove an area.
            self.locks.unload(id).await?;
        }
        Ok(())
    }

    /// Ends the sale of an event, and its holds.
    pub(crate) async fn close_event(&self, id: EventId) -> Result<(), Error> {
        let _alone = self.alone(id).await;
        self.store.close_event(id).await?;
        self.forget(id).await;
        if let Err(error) = self.locks.unload(id).await {
            // The store refuses every payment from now on; the holds lapse by themselves.
            tracing::warn!(event = %id, %error, "holds of a closed event were left to lapse");
        }
        Ok(())
    }

    async fn forget(&self, id: EventId) {
        self.plans.invalidate(&id).await;
        self.tagged.invalidate(&ticketblitz_lock::EventTag::of(id).as_u32()).await;
    }

    /// The event as it is sold.
    pub(crate) async fn plan(&self, id: EventId) -> Result<Arc<Plan>, Error> {
        if let Some(plan) = self.plans.get(&id).await {
            return Ok(plan);
        }
        // Alone: a crowd at the opening reads the layout once, and nothing changes it meanwhile.
        let _alone = self.alone(id).await;
        if let Some(plan) = self.plans.get(&id).await {
            return Ok(plan);
        }
        let (event, closed) = self.store.event(id).await?.ok_or(Error::NotFound("event"))?;
        let plan = Arc::new(Plan::new(event, closed));
        self.plans.insert(id, Arc::clone(&plan)).await;
        Ok(plan)
    }

    /// The events that a hold with this id may be in: one, or a few whose tags collide.
    pub(crate) async fn events_of(&self, hold: HoldId) -> Result<Arc<[EventId]>, Error> {
        let tag = hold.event_tag();
        if let Some(events) = self.tagged.get(&tag.as_u32()).await {
            return Ok(events);
        }
        let events: Arc<[EventId]> = self.store.events_tagged(tag).await?.into();
        if !events.is_empty() {
            self.tagged.insert(tag.as_u32(), Arc::clone(&events)).await;
        }
        Ok(events)
    }

    /// Asks the lock, loading the event into it as often as it does not know it.
    pub(crate) async fn loaded<T, F>(
        &self,
        event: EventId,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, LockFailure>
    where
        F: Future<Output = Result<T, LockError>>,
    {
        for _ in 0..LOADS {
            match ask().await {
                Err(LockError::NotLoaded) => self.load(event).await.map_err(LockFailure::Load)?,
                answer => return answer.map_err(LockFailure::Lock),
            }
        }
        Err(LockFailure::Lock(LockError::NotLoaded))
    }

    /// Loads an event that the lock does not know; a crowd that finds it missing loads it once.
    async fn load(&self, event: EventId) -> Result<(), Error> {
        let _alone = self.alone(event).await;
        match self.locks.status(event).await {
            Err(LockError::NotLoaded) => self.load_alone(event).await,
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    /// Tells the lock again what the store knows; if that fails, the sweeper goes on trying.
    pub(crate) async fn catch_up(&self, event: EventId) {
        let _alone = self.alone(event).await;
        if let Err(error) = self.load_alone(event).await {
            tracing::warn!(%event, %error, "the seat lock is behind the store");
            self.behind.lock().unwrap_or_else(PoisonError::into_inner).insert(event);
        }
    }

    /// The caller has the event's gate for itself: nothing moves between the snapshot and the load.
    async fn load_alone(&self, event: EventId) -> Result<(), Error> {
        let snapshot = self.store.snapshot(event, self.clock.now()).await?;
        let snapshot = snapshot.ok_or(Error::NotFound("event"))?;
        Ok(self.locks.load(&snapshot).await?)
    }

    /// Keeps everybody else from changing store and lock.
    pub(crate) async fn alone(&self, event: EventId) -> RwLockWriteGuard<'_, ()> {
        self.gates.of(event).write().await
    }

    /// Keeps loads of this event away while store and lock are changed one after the other.
    pub(crate) async fn pass(&self, event: EventId) -> RwLockReadGuard<'_, ()> {
        self.gates.of(event).read().await
    }

    /// Every place and its state, now.
    pub(crate) async fn live(&self, event: EventId) -> Result<LiveSeats, Error> {
        let plan = self.plan(event).await?;
        let status = self.loaded(event, || self.locks.status(event)).await?;
        if plan.size() > LARGE {
            Ok(apart(move || shown(event, &plan, status)).await)
        } else {
            Ok(shown(event, &plan, status))
        }
    }

    /// Tells the lock at start what a crash may have kept from it.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        for event in self.store.open_events(self.clock.now()).await? {
            self.catch_up(event).await;
        }
        Ok(())
    }

    /// Frees payments that lapsed, and brings up the locks that are behind.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        // The lock's grace ended at that moment too. It is not told to abort: a late sale may still come.
        loop {
            let lapsed = self.store.lapse(self.clock.now()).await?;
            if lapsed.is_empty() {
                break;
            }
            for claim in lapsed {
                tracing::info!(booking = %claim.booking, "a payment lapsed: its places are free");
            }
        }
        let behind = std::mem::take(&mut *self.behind.lock().unwrap_or_else(PoisonError::into_inner));
        for event in behind {
            self.catch_up(event).await;
        }
        Ok(())
    }

    /// Frees a hold in the lock. The store has spoken: a lock that cannot be told lets go at the end of the grace.
    pub(crate) async fn abort(&self, hold: HoldRef) {
        match self.locks.abort_commit(hold).await {
            Ok(()) | Err(LockError::NotLoaded) => {}
            Err(error) => {
                tracing::warn!(hold = %hold.hold, %error, "the seat lock keeps a hold until it lapses");
            }
        }
    }
}

/// The lock's refusal, or that the event could not be loaded into it.
#[derive(Debug)]
pub(crate) enum LockFailure {
    Lock(LockError),
    Load(Error),
}

impl From<LockFailure> for Error {
    fn from(failure: LockFailure) -> Self {
        match failure {
            LockFailure::Lock(error) => error.into(),
            LockFailure::Load(error) => error,
        }
    }
}

/// Every place of the event and its state.
fn shown(event: EventId, plan: &Plan, status: EventStatus) -> LiveSeats {
    let mut live = LiveSeats { event_id: event, version: status.version, seats: None, areas: None };
    if plan.event.booking_mode == contract::event::BookingMode::Visual {
        let mut seats: BTreeMap<_, _> = plan.seats().map(|seat| (seat, SeatState::Available)).collect();
        for (seat, state) in status.seats {
            if let Some(entry) = seats.get_mut(&seat) {
                *entry = seat_state(state);
            }
        }
        live.seats = Some(seats);
    } else {
        let areas = plan.event.sections.iter().filter_map(|section| {
            let area = status.areas.iter().find(|area| area.section == section.name)?;
            Some(LiveArea {
                name: area.section.clone(),
                capacity: area.capacity,
                available: area.free(),
                held: area.held,
                paying: area.paying,
                sold: area.sold,
            })
        });
        live.areas = Some(areas.collect());
    }
    live
}
