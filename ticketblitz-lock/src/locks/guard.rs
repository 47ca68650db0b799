//! A hold that goes with the scope that has it.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use super::Held;
use crate::error::LockError;

/// A release that is under way, for a runtime to finish.
pub type Release = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A [`Held`] that is released when it is dropped, unless it was [kept](Self::keep): an early `return` or `?`, a panic, a
/// handler whose client has hung up leave no seats held.
///
/// The release is the best that can be done and no promise: it is handed to the runtime, which may be about to end, and
/// its answer reaches nobody. What is not released lapses. A hold that is in payment by then stays: the payment goes on.
///
/// ```
/// use ticketblitz_core::EventId;
/// use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), LockError> {
/// let locks = SeatLocks::new(MemoryStore::default());
/// let event = EventId::new();
/// locks.load(&EventSnapshot::new(event)).await?;
///
/// let spawn = |release| drop(tokio::spawn(release)); // whatever runtime you have
/// let guard = locks.hold(event, ["A1"]).owner("alice").await?.guard(spawn);
/// assert!(!guard.lost().await?);
/// drop(guard);
/// tokio::task::yield_now().await;
/// assert!(locks.status(event).await?.seats.is_empty());
///
/// let guard = locks.hold(event, ["A1"]).owner("alice").await?.guard(spawn);
/// let held = guard.keep(); // from here on it lives until it lapses, is released or sold
/// # held.release().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropped at once, it releases at once"]
pub struct HoldGuard {
    held: Held,
    /// Taken once the hold is no longer this guard's to release.
    spawn: Option<Box<dyn FnOnce(Release) + Send + Sync>>,
}

impl HoldGuard {
    pub(super) fn new(held: Held, spawn: impl FnOnce(Release) + Send + Sync + 'static) -> Self {
        Self { held, spawn: Some(Box::new(spawn)) }
    }

    /// Frees the seats, and tells how that went. Dropped before its answer, this future is a dropped guard: the release
    /// is sent once more.
    ///
    /// # Errors
    /// As [`Held::release`]; after one the guard is gone and nothing more is tried.
    pub async fn release(mut self) -> Result<(), LockError> {
        let answer = self.held.release().await;
        self.spawn = None;
        answer
    }

    /// Gives the hold back: from now on nothing releases it by itself.
    pub fn keep(mut self) -> Held {
        self.spawn = None;
        self.held.clone()
    }

    /// Makes the hold lapse `ttl` from now, as [`Held::extend`] does: for work that takes longer than was thought. The guard
    /// stays the guard of it, whatever the answer.
    ///
    /// # Errors
    /// As [`Held::extend`]; a refusal leaves the expiry as it was.
    pub async fn extend(&mut self, ttl: Duration) -> Result<(), LockError> {
        self.held.extend(ttl).await
    }

    /// Whether the hold is no longer live (dropped before its answer, this changes nothing): it lapsed, say, while its owner was busy. Asks the store; true for good once
    /// it is true, whereas a hold that is not lost now can be so a moment later. The fence is what a database can rely
    /// on.
    ///
    /// # Errors
    /// [`LockError::NotLoaded`], or the backend's: then it is not known.
    pub async fn lost(&self) -> Result<bool, LockError> {
        match self.held.look().await {
            Ok(_) => Ok(false),
            Err(LockError::NotHeld) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Deref for HoldGuard {
    type Target = Held;
    fn deref(&self) -> &Held {
        &self.held
    }
}

impl Drop for HoldGuard {
    fn drop(&mut self) {
        if let Some(spawn) = self.spawn.take() {
            let held = self.held.clone();
            spawn(Box::pin(async move { drop(held.release().await) }));
        }
    }
}

impl fmt::Debug for HoldGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HoldGuard").field("held", &self.held).finish_non_exhaustive()
    }
}
