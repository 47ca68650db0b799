//! Handles: a hold beside the store that keeps it.

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::{BookingId, SeatId, Timestamp};

use super::builder::wanted;
use super::{HoldBuilder, HoldGuard, Release, ToSeat};
use crate::error::LockError;
use crate::store::SeatStore;
use crate::types::{Fence, Hold, HoldRef, Owner};

/// A hold that was got.
///
/// A plain handle: dropping it releases nothing, the hold lives on in the store until it lapses, unless a
/// [guard](Self::guard) is made of it. Its operations borrow it, so that one whose answer was lost, or whose future was
/// dropped, can be sent again.
#[derive(Debug, Clone)]
#[must_use = "the seats stay held until the hold lapses or is released"]
pub struct Held {
    store: Arc<dyn SeatStore>,
    hold: Hold,
}

impl Held {
    pub(super) fn new(store: Arc<dyn SeatStore>, hold: Hold) -> Self {
        Self { store, hold }
    }

    /// The hold as the store last answered it.
    #[must_use]
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// What names it to a store, and to [`SeatLocks::held`](crate::SeatLocks::held) later.
    #[must_use]
    pub fn reference(&self) -> HoldRef {
        self.hold.reference()
    }

    /// Its fence.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.hold.fence
    }

    /// When it lapses, by the store's clock: at this very moment it has.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.hold.expires_at
    }

    /// The held seats; none if it holds units of an area.
    #[must_use]
    pub fn seats(&self) -> &[SeatId] {
        self.hold.seats()
    }

    /// Makes it lapse `ttl` from now, by the store's clock: later or earlier than before.
    ///
    /// Dropped before its answer, it may have happened, and [`expires_at`](Self::expires_at) is still the old one; repeat it.
    ///
    /// # Errors
    /// As [`SeatStore::extend`]; a refusal leaves the expiry as it was.
    pub async fn extend(&mut self, ttl: Duration) -> Result<(), LockError> {
        self.hold = self.store.extend(self.reference(), &self.hold.owner, ttl).await?;
        Ok(())
    }

    /// Holds these seats in place of its own, which may be among them. `.await` makes the new hold and ends this one
    /// in one step; refused, this one stays as it is. It lasts no longer than this one's ceiling.
    ///
    /// A [channel](HoldBuilder::channel) and a [limit](HoldBuilder::limit) have to be named again.
    pub fn replace<S>(&self, seats: S) -> HoldBuilder<Owner>
    where
        S: IntoIterator<Item: ToSeat>,
    {
        let builder = HoldBuilder::new(Arc::clone(&self.store), self.hold.event, wanted(seats));
        builder.owner(&self.hold.owner).replacing(self.reference())
    }

    /// Releases it when it goes out of scope. `spawn` hands the release to the runtime:
    /// `|release| drop(tokio::spawn(release))`.
    pub fn guard(self, spawn: impl FnOnce(Release) + Send + Sync + 'static) -> HoldGuard {
        HoldGuard::new(self, spawn)
    }

    /// The hold as it is now in the store.
    pub(super) async fn look(&self) -> Result<Hold, LockError> {
        self.store.get(self.reference()).await
    }

    /// Frees the seats. Dropped before its answer, it may have happened; repeat it.
    ///
    /// # Errors
    /// As [`SeatStore::release`]. [`LockError::NotHeld`] says that they are not held (any more), whatever
    /// the reason: nothing remains to be done.
    pub async fn release(&self) -> Result<(), LockError> {
        self.store.release(self.reference(), &self.hold.owner).await
    }

    /// Begins the payment: for `grace` the seats can neither lapse nor be released. Begun already, the answer is
    /// the payment begun first, with its grace.
    ///
    /// Dropped before its answer, it may have happened: then the seats stay in payment for the grace, unless it is repeated
    /// and [aborted](Paying::abort).
    ///
    /// # Errors
    /// As [`SeatStore::begin_commit`].
    pub async fn begin_commit(&self, grace: Duration) -> Result<Paying, LockError> {
        let hold = self.store.begin_commit(self.reference(), &self.hold.owner, grace).await?;
        Ok(Paying::new(Arc::clone(&self.store), hold))
    }
}

/// A hold in payment. As with [`Held`], dropping it does nothing: run charge and sale in a task of their own, which a client
/// that hangs up does not end.
#[derive(Debug, Clone)]
#[must_use = "the seats stay in payment until sold, aborted or the grace has run out"]
pub struct Paying {
    store: Arc<dyn SeatStore>,
    hold: Hold,
}

impl Paying {
    pub(super) fn new(store: Arc<dyn SeatStore>, hold: Hold) -> Self {
        Self { store, hold }
    }

    /// The hold as the store last answered it.
    #[must_use]
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// What names it to a store, and to [`SeatLocks::paying`](crate::SeatLocks::paying) later.
    #[must_use]
    pub fn reference(&self) -> HoldRef {
        self.hold.reference()
    }

    /// Its fence.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.hold.fence
    }

    /// When the grace has run out, by the store's clock.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.hold.expires_at
    }

    /// Sells the seats, for ever unless [reopened](crate::SeatLocks::reopen). Dropped before its answer, it may have happened;
    /// repeat it with the same booking.
    ///
    /// # Errors
    /// As [`SeatStore::sold`].
    pub async fn sold(&self, booking: BookingId) -> Result<(), LockError> {
        self.store.sold(self.reference(), self.hold.fence, booking).await
    }

    /// Frees the seats: the payment did not happen. Dropped before its answer, it may have happened; repeat it.
    ///
    /// # Errors
    /// As [`SeatStore::abort_commit`].
    pub async fn abort(&self) -> Result<(), LockError> {
        self.store.abort_commit(self.reference()).await
    }
}
