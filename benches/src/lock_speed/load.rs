//! What is done to a backend and to its floor alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use benches::disk::shared;
use benches::table::{median, percentile};
use ticketblitz_core::{EventId, SeatId};
use ticketblitz_lock::{EventSnapshot, LockError, SeatLocks};

/// Callers at once, where there are many.
pub(crate) const CLIENTS: usize = 50;
const NUMBERS: u32 = 1_000;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// The medians are of so many.
    pub(crate) rounds: usize,
    /// Everything is divided by this.
    pub(crate) divisor: usize,
}

impl Scale {
    pub(crate) fn of(self, whole: usize) -> usize {
        whole / self.divisor
    }
}

/// How often a second many callers do this.
#[allow(clippy::cast_precision_loss)] // a rate to be read
pub(crate) async fn rate<F>(times: usize, work: impl Fn() -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    times as f64 / shared(CLIENTS, times, work).await.as_secs_f64()
}

/// The median of how long this takes one caller, in microseconds. In a task, as a handler runs.
pub(crate) async fn alone<F>(times: usize, work: impl Fn() -> F + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let run = async move {
        let mut took = Vec::with_capacity(times);
        for _ in 0..times {
            let began = Instant::now();
            work().await;
            took.push(began.elapsed().as_secs_f64() * 1e6);
        }
        percentile(&took, 50)
    };
    tokio::spawn(run).await.expect("the work does not panic")
}

/// Medians of what was measured in each round, of each thing.
pub(crate) fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|at| median(rounds.iter().map(|round| round[at]).collect()))
}

/// A loaded event with seats that nobody has had.
#[derive(Debug, Clone)]
pub(crate) struct Sale {
    pub(crate) locks: SeatLocks,
    pub(crate) event: EventId,
    next: Arc<AtomicU32>,
}

impl Sale {
    pub(crate) async fn open(locks: &SeatLocks) -> Result<Self, LockError> {
        let event = EventId::new();
        locks.load(&EventSnapshot::new(event)).await?;
        Ok(Self { locks: locks.clone(), event, next: Arc::default() })
    }

    /// The next so many.
    pub(crate) fn seats(&self, count: u32) -> Vec<SeatId> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let seat = |n: u32| SeatId::new(n / NUMBERS + 1, n % NUMBERS + 1).expect("there are so many");
        (first..first + count).map(seat).collect()
    }

    /// Holds the next so many, and keeps them.
    pub(crate) async fn hold(self, count: u32) {
        let seats = self.seats(count);
        let _kept = self.locks.hold(self.event, seats).owner("ann").await.expect("they are free");
    }

    /// Asks for seats that somebody has.
    pub(crate) async fn lose(self, taken: Arc<[SeatId]>) {
        let lost = self.locks.hold(self.event, taken.iter().copied()).owner("bob").await;
        assert!(matches!(lost, Err(LockError::Unavailable(_))), "they are held: {lost:?}");
    }

    /// Seats that somebody has.
    pub(crate) async fn taken(&self, count: u32) -> Result<Arc<[SeatId]>, LockError> {
        let seats = self.seats(count);
        let _kept = self.locks.hold(self.event, seats.iter().copied()).owner("ann").await?;
        Ok(seats.into())
    }
}
