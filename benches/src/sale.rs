//! An event on a backend of the lock, and what buyers do on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ticketblitz_core::{EventId, SeatId};
use ticketblitz_lock::{EventSnapshot, LockError, SeatLocks};

/// Seats of a row.
const NUMBERS: u32 = 1_000;

/// A loaded event with seats that nobody has had.
#[derive(Debug, Clone)]
pub struct Sale {
    pub locks: SeatLocks,
    pub event: EventId,
    next: Arc<AtomicU32>,
}

impl Sale {
    /// A new event.
    ///
    /// # Errors
    /// The backend's.
    pub async fn open(locks: &SeatLocks) -> Result<Self, LockError> {
        let event = EventId::new();
        locks.load(&EventSnapshot::new(event)).await?;
        Ok(Self { locks: locks.clone(), event, next: Arc::default() })
    }

    /// The next so many.
    pub fn seats(&self, count: u32) -> Vec<SeatId> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let seat = |n: u32| SeatId::new(n / NUMBERS + 1, n % NUMBERS + 1).expect("there are so many");
        (first..first + count).map(seat).collect()
    }

    /// Holds the next so many, and keeps them.
    pub async fn hold(self, count: u32) {
        let seats = self.seats(count);
        let _kept = self.locks.hold(self.event, seats).owner("ann").await.expect("they are free");
    }

    /// Asks for seats that somebody has.
    pub async fn lose(self, taken: Arc<[SeatId]>) {
        let lost = self.locks.hold(self.event, taken.iter().copied()).owner("bob").await;
        assert!(matches!(lost, Err(LockError::Unavailable(_))), "they are held: {lost:?}");
    }

    /// Seats that somebody has.
    ///
    /// # Errors
    /// The backend's.
    pub async fn taken(&self, count: u32) -> Result<Arc<[SeatId]>, LockError> {
        let seats = self.seats(count);
        let _kept = self.locks.hold(self.event, seats.iter().copied()).owner("ann").await?;
        Ok(seats.into())
    }
}
