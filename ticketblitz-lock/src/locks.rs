//! The callers' side: what [`SeatStore`] can do, in fewer words.

mod builder;
mod guard;
mod handles;

use std::sync::Arc;

use ticketblitz_core::{BookingId, EventId, ParseSeatError, SeatId};

use crate::error::LockError;
use crate::store::SeatStore;
use crate::types::{
    Capabilities, Cursor, EventSnapshot, EventStatus, Expired, Hold, HoldRef, HoldState, Owner, Want,
};
pub use builder::{HoldBuilder, NoOwner};
pub use guard::{HoldGuard, Release};
pub use handles::{Held, Paying};

/// Seat locks on some backend. Cheap to clone; it has no type parameter, so it stands in anybody's struct.
///
/// Everything here is one call of a [`SeatStore`] operation and inherits its promises: moments are the store's, and a dropped
/// future had its effect whole or not at all. What is asked of it changes nothing when it only looks ([`get`](Self::get),
/// [`held`](Self::held), [`paying`](Self::paying), [`status`](Self::status), [`expired`](Self::expired)).
///
/// ```
/// use ticketblitz_core::EventId;
/// use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};
///
/// struct BoxOffice {
///     locks: SeatLocks,
/// }
///
/// # async fn run() -> Result<(), LockError> {
/// let office = BoxOffice { locks: SeatLocks::new(MemoryStore::default()) };
/// let event = EventId::new();
/// assert!(matches!(office.locks.status(event).await, Err(LockError::NotLoaded)));
/// office.locks.load(&EventSnapshot::new(event)).await?;
/// assert!(office.locks.status(event).await?.seats.is_empty());
/// # Ok(())
/// # }
/// # futures::executor::block_on(run()).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SeatLocks {
    store: Arc<dyn SeatStore>,
}

impl SeatLocks {
    /// Locks on this backend.
    #[must_use]
    pub fn new(store: impl SeatStore) -> Self {
        Self::from_arc(Arc::new(store))
    }

    /// Locks on a backend that others share.
    #[must_use]
    pub fn from_arc(store: Arc<dyn SeatStore>) -> Self {
        Self { store }
    }

    /// The backend, for what is not repeated here.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SeatStore> {
        &self.store
    }

    /// What the backend promises beyond the contract.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    /// Holds these seats, all or none. Name the [owner](HoldBuilder::owner), then `.await`.
    ///
    /// ```
    /// # use ticketblitz_core::EventId;
    /// # use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};
    /// # async fn run() -> Result<(), LockError> {
    /// # let locks = SeatLocks::new(MemoryStore::default());
    /// # let event = EventId::new();
    /// # locks.load(&EventSnapshot::new(event)).await?;
    /// let hold = locks.hold(event, ["A1", "A2"]).owner("alice").limit(8).await?;
    /// assert_eq!(hold.seats().len(), 2);
    /// hold.release().await?;
    /// # Ok(())
    /// # }
    /// # futures::executor::block_on(run()).unwrap();
    /// ```
    pub fn hold<S>(&self, event: EventId, seats: S) -> HoldBuilder
    where
        S: IntoIterator<Item: ToSeat>,
    {
        HoldBuilder::new(Arc::clone(&self.store), event, builder::wanted(seats))
    }

    /// Holds the first of these sets of seats that is wholly available: best seats first, say. One round trip,
    /// however many there are; [`Held::seats`] says which it is.
    ///
    /// ```
    /// # use ticketblitz_core::EventId;
    /// # use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};
    /// # async fn run() -> Result<(), LockError> {
    /// # let locks = SeatLocks::new(MemoryStore::default());
    /// # let event = EventId::new();
    /// # locks.load(&EventSnapshot::new(event)).await?;
    /// locks.hold(event, ["A2"]).owner("alice").await?;
    /// let hold = locks.hold_first(event, [["A1", "A2"], ["A3", "A4"], ["B1", "B2"]]).owner("bob").await?;
    /// assert_eq!(hold.seats()[0].to_string(), "A3");
    ///
    /// // Others, and at no moment neither.
    /// let hold = hold.replace(["B1", "B2"]).await?;
    /// assert_eq!(hold.seats()[0].to_string(), "B1");
    /// # Ok(())
    /// # }
    /// # futures::executor::block_on(run()).unwrap();
    /// ```
    pub fn hold_first<C, S>(&self, event: EventId, candidates: C) -> HoldBuilder
    where
        C: IntoIterator<Item = S>,
        S: IntoIterator<Item: ToSeat>,
    {
        let mut wants = candidates.into_iter().map(builder::wanted);
        let none = || Err(LockError::invalid("a hold needs at least one candidate"));
        let first = HoldBuilder::new(Arc::clone(&self.store), event, wants.next().unwrap_or_else(none));
        wants.fold(first, HoldBuilder::or_want)
    }

    /// Holds some units of a general-admission area, all or none. Name the [owner](HoldBuilder::owner), then `.await`.
    ///
    /// ```
    /// # use ticketblitz_core::EventId;
    /// # use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};
    /// # async fn run() -> Result<(), LockError> {
    /// # let locks = SeatLocks::new(MemoryStore::default());
    /// # let event = EventId::new();
    /// locks.load(&EventSnapshot::new(event).with_area("FLOOR", 100)).await?;
    /// let hold = locks.area(event, "FLOOR", 4).owner("alice").await?;
    /// assert_eq!(hold.hold().want.units(), 4);
    /// assert_eq!(locks.status(event).await?.areas[0].free(), 96);
    /// # Ok(())
    /// # }
    /// # futures::executor::block_on(run()).unwrap();
    /// ```
    pub fn area(&self, event: EventId, section: impl Into<String>, quantity: u32) -> HoldBuilder {
        let want = Want::Area { section: section.into(), quantity };
        HoldBuilder::new(Arc::clone(&self.store), event, Ok(want))
    }

    /// A live hold, whoever's it is. Dropped before its answer, it has changed nothing.
    ///
    /// # Errors
    /// [`LockError::NotHeld`], [`LockError::NotLoaded`].
    pub async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        self.store.get(hold).await
    }

    /// The handle of a hold made earlier, in another request say. Dropped before its answer, it has changed nothing.
    ///
    /// # Errors
    /// [`LockError::NotHeld`] also if it is not `owner`'s, [`LockError::InPayment`].
    pub async fn held(&self, hold: HoldRef, owner: &Owner) -> Result<Held, LockError> {
        let hold = self.store.get(hold).await?;
        if hold.owner != *owner {
            return Err(LockError::NotHeld);
        }
        match hold.state {
            HoldState::Held => Ok(Held::new(Arc::clone(&self.store), hold)),
            HoldState::Paying => Err(LockError::InPayment),
        }
    }

    /// The handle of a payment begun earlier, whoever's it is. Dropped before its answer, it has changed nothing.
    ///
    /// # Errors
    /// [`LockError::NotHeld`] also if no payment has begun.
    pub async fn paying(&self, hold: HoldRef) -> Result<Paying, LockError> {
        let hold = self.store.get(hold).await?;
        match hold.state {
            HoldState::Paying => Ok(Paying::new(Arc::clone(&self.store), hold)),
            HoldState::Held => Err(LockError::NotHeld),
        }
    }

    /// Frees all that was sold to a booking, after a refund. Dropped before its answer, it may have happened; repeated, it
    /// changes nothing more.
    ///
    /// # Errors
    /// [`LockError::NotLoaded`], or the backend's.
    pub async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        self.store.reopen(event, booking).await
    }

    /// Tells the store what is sold and in payment: see [`SeatStore::load`]. Dropped before its answer, it may have
    /// happened, whole; repeat it.
    ///
    /// # Errors
    /// [`LockError::Invalid`], or the backend's.
    pub async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        self.store.load(snapshot).await
    }

    /// Forgets an event with all its holds. Dropped before its answer, it may have happened; repeat it.
    ///
    /// # Errors
    /// The backend's.
    pub async fn unload(&self, event: EventId) -> Result<(), LockError> {
        self.store.unload(event).await
    }

    /// The whole event at one moment of the store's. Dropped before its answer, it has changed nothing.
    ///
    /// # Errors
    /// [`LockError::NotLoaded`], or the backend's.
    pub async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        self.store.status(event).await
    }

    /// At most `limit` holds that lapsed after the cursor, oldest first: see [`SeatStore::expired`]. Dropped before its
    /// answer, it has passed over nothing: the same cursor answers the same.
    ///
    /// # Errors
    /// [`LockError::Invalid`] for another backend's cursor, or the backend's.
    pub async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        self.store.expired(after, limit).await
    }
}

/// What names a seat: a [`SeatId`], or text such as `"A1"`.
pub trait ToSeat {
    /// The seat.
    ///
    /// # Errors
    /// The text names none.
    fn to_seat(self) -> Result<SeatId, ParseSeatError>;
}

impl ToSeat for SeatId {
    fn to_seat(self) -> Result<SeatId, ParseSeatError> {
        Ok(self)
    }
}

impl ToSeat for &SeatId {
    fn to_seat(self) -> Result<SeatId, ParseSeatError> {
        Ok(*self)
    }
}

impl ToSeat for &str {
    fn to_seat(self) -> Result<SeatId, ParseSeatError> {
        self.parse()
    }
}

impl ToSeat for String {
    fn to_seat(self) -> Result<SeatId, ParseSeatError> {
        self.parse()
    }
}
