//! What a behaviour is tested on.

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::{EventId, ManualClock, SeatId, Timestamp};

use crate::{
    EventSnapshot, FenceScope, Hold, HoldRequest, LockError, Owner, SeatLocks, SeatState, SeatStore, Want,
};

/// How long the bench's requests hold.
pub const TTL: Duration = Duration::from_secs(600);
/// How long they may hold with all extensions.
pub const CEILING: Duration = Duration::from_secs(1_800);
/// How long the bench's payments may take.
pub const GRACE: Duration = Duration::from_secs(120);
/// The least time there is.
pub const TICK: Duration = Duration::from_micros(1);

/// A store on a clock that the test moves, with one loaded event.
#[derive(Debug)]
pub struct Bench {
    /// The store under test.
    pub store: Arc<dyn SeatStore>,
    /// Its time.
    pub clock: ManualClock,
    /// The event: nothing of it taken, an area `FLOOR` of ten.
    pub event: EventId,
}

impl Bench {
    /// A bench of the store that `make` makes on the bench's clock: empty, and used by nobody else.
    pub async fn of<S: SeatStore>(make: impl AsyncFnOnce(ManualClock) -> S) -> Self {
        let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
        let store = Arc::new(make(clock.clone()).await);
        Self { store, clock, event: EventId::new() }.loaded().await
    }

    /// The same store and clock with another event.
    pub async fn another(&self) -> Self {
        self.unloaded().loaded().await
    }

    /// The same store and clock with an event that is not loaded yet.
    #[must_use]
    pub fn unloaded(&self) -> Self {
        Self { store: Arc::clone(&self.store), clock: self.clock.clone(), event: EventId::new() }
    }

    async fn loaded(self) -> Self {
        self.load(&self.snapshot()).await;
        self
    }

    /// The event as the bench loads it.
    #[must_use]
    pub fn snapshot(&self) -> EventSnapshot {
        EventSnapshot::new(self.event).with_area("FLOOR", 10)
    }

    /// Loads a snapshot.
    pub async fn load(&self, snapshot: &EventSnapshot) {
        self.store.load(snapshot).await.unwrap();
    }

    /// The callers' side of the store.
    #[must_use]
    pub fn locks(&self) -> SeatLocks {
        SeatLocks::from_arc(Arc::clone(&self.store))
    }

    /// A request for these seats, for [`TTL`] and up to [`CEILING`].
    #[must_use]
    pub fn request(&self, owner: &str, names: &[&str]) -> HoldRequest {
        HoldRequest::new(self.event, owner, Want::Seats(seats(names))).ttl(TTL).ceiling(CEILING)
    }

    /// A request for units of `FLOOR`.
    #[must_use]
    pub fn floor(&self, owner: &str, quantity: u32) -> HoldRequest {
        let want = Want::Area { section: "FLOOR".into(), quantity };
        HoldRequest::new(self.event, owner, want).ttl(TTL).ceiling(CEILING)
    }

    /// Tries to hold these seats.
    ///
    /// # Errors
    /// The store's.
    pub async fn hold(&self, owner: &str, names: &[&str]) -> Result<Hold, LockError> {
        self.store.hold(&self.request(owner, names)).await
    }

    /// Holds these seats.
    pub async fn held(&self, owner: &str, names: &[&str]) -> Hold {
        self.hold(owner, names).await.unwrap()
    }

    /// Holds these seats and begins to pay for them.
    pub async fn paying(&self, owner: &str, names: &[&str]) -> Hold {
        let hold = self.held(owner, names).await;
        self.store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap()
    }

    /// Whether a hold is held or in payment.
    pub async fn is_live(&self, hold: &Hold) -> bool {
        match self.store.get(hold.reference()).await {
            Ok(_) => true,
            Err(LockError::NotHeld) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Whether the store promises that the later of these holds has the higher fence.
    #[must_use]
    pub fn orders(&self, one: &Hold, other: &Hold) -> bool {
        match self.store.capabilities().fence_scope {
            FenceScope::Event => true,
            FenceScope::Seat => one.seats().iter().any(|seat| other.seats().contains(seat)),
        }
    }

    /// The event's seats that are held, in payment or sold, by name.
    pub async fn taken(&self) -> Vec<(String, SeatState)> {
        let status = self.store.status(self.event).await.unwrap();
        status.seats.iter().map(|(seat, state)| (seat.to_string(), *state)).collect()
    }

    /// Held, paying and sold units of `FLOOR`.
    pub async fn on_floor(&self) -> (u32, u32, u32) {
        let status = self.store.status(self.event).await.unwrap();
        let floor = status.areas.iter().find(|area| area.section == "FLOOR").unwrap();
        assert_eq!(floor.held + floor.paying + floor.sold + floor.free(), floor.capacity);
        (floor.held, floor.paying, floor.sold)
    }
}

/// The seat of this name.
#[must_use]
pub fn seat(name: &str) -> SeatId {
    name.parse().unwrap()
}

/// The seats of these names.
#[must_use]
pub fn seats(names: &[&str]) -> Vec<SeatId> {
    names.iter().map(|name| seat(name)).collect()
}

/// The owner of this name.
#[must_use]
pub fn owner(name: &str) -> Owner {
    name.into()
}
