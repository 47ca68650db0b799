//! What every backend must do, written against the trait alone: one function a behaviour, each with a bench of its
//! own. A backend's test file lists them beside the way to make a bench.
#![allow(unreachable_pub)] // written as the public module that other backends' tests will use

pub mod areas;
pub mod attempts;
pub mod expiry;
pub mod holds;
pub mod loading;
pub mod model;
pub mod races;
pub mod sales;

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::{EventId, ManualClock, SeatId};
use ticketblitz_lock::{
    AttemptId, EventSnapshot, Hold, HoldRequest, LockError, Owner, SeatLocks, SeatState, SeatStore, Want,
};

pub const TTL: Duration = Duration::from_secs(600);
pub const CEILING: Duration = Duration::from_secs(1_800);
pub const GRACE: Duration = Duration::from_secs(120);
pub const TICK: Duration = Duration::from_micros(1);

/// An empty store on a clock that the test moves, with one loaded event.
pub struct Bench {
    pub store: Arc<dyn SeatStore>,
    pub clock: ManualClock,
    pub event: EventId,
}

impl Bench {
    pub fn new(store: impl SeatStore, clock: ManualClock) -> Self {
        Self { store: Arc::new(store), clock, event: EventId::new() }
    }

    /// Loads the event with nothing taken and an area FLOOR of ten.
    pub async fn loaded(self) -> Self {
        self.load(&self.snapshot()).await;
        self
    }

    pub fn snapshot(&self) -> EventSnapshot {
        EventSnapshot::new(self.event).with_area("FLOOR", 10)
    }

    pub async fn load(&self, snapshot: &EventSnapshot) {
        self.store.load(snapshot).await.unwrap();
    }

    pub fn locks(&self) -> SeatLocks {
        SeatLocks::from_arc(Arc::clone(&self.store))
    }

    pub fn request(&self, owner: &str, names: &[&str]) -> HoldRequest {
        HoldRequest::new(self.event, owner, Want::Seats(seats(names))).ttl(TTL).ceiling(CEILING)
    }

    pub fn floor(&self, owner: &str, quantity: u32) -> HoldRequest {
        let want = Want::Area { section: "FLOOR".into(), quantity };
        HoldRequest::new(self.event, owner, want).ttl(TTL).ceiling(CEILING)
    }

    pub async fn hold(&self, owner: &str, names: &[&str]) -> Result<Hold, LockError> {
        self.store.hold(&self.request(owner, names)).await
    }

    pub async fn held(&self, owner: &str, names: &[&str]) -> Hold {
        self.hold(owner, names).await.unwrap()
    }

    pub async fn paying(&self, owner: &str, names: &[&str]) -> Hold {
        let hold = self.held(owner, names).await;
        self.store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap()
    }

    pub async fn is_live(&self, hold: &Hold) -> bool {
        match self.store.get(hold.reference()).await {
            Ok(_) => true,
            Err(LockError::NotHeld) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// The event's seats that are not free, as text.
    pub async fn taken(&self) -> Vec<(String, SeatState)> {
        let status = self.store.status(self.event).await.unwrap();
        status.seats.iter().map(|(seat, state)| (seat.to_string(), *state)).collect()
    }

    /// Held, paying and sold units of FLOOR.
    pub async fn on_floor(&self) -> (u32, u32, u32) {
        let status = self.store.status(self.event).await.unwrap();
        let floor = status.areas.iter().find(|area| area.section == "FLOOR").unwrap();
        assert_eq!(floor.held + floor.paying + floor.sold + floor.free(), floor.capacity);
        (floor.held, floor.paying, floor.sold)
    }
}

pub fn seat(name: &str) -> SeatId {
    name.parse().unwrap()
}

pub fn seats(names: &[&str]) -> Vec<SeatId> {
    names.iter().map(|name| seat(name)).collect()
}

pub fn owner(name: &str) -> Owner {
    name.into()
}

pub fn attempt() -> AttemptId {
    AttemptId::new()
}

#[macro_export]
macro_rules! refused {
    ($answer:expr, $error:pat) => {{
        let answer = $answer;
        assert!(matches!(answer, Err($error)), "{} expected, got {answer:?}", stringify!($error));
    }};
}
