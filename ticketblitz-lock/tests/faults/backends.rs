//! The stores under test, by name: another process opens the same one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ticketblitz_core::{Clock, EventId, ManualClock, SystemClock};
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::postgres::{PostgresStore, setup};
use ticketblitz_lock::{EventSnapshot, HoldRequest, MemoryStore, RedisStore, SeatState, SeatStore, Want};

use super::{postgres_server, redis_server};

/// Longer than any answer takes, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Memory,
    Redis,
    Postgres,
}

impl Backend {
    /// A name that no other store has, ready to be opened.
    pub async fn name(self) -> String {
        match self {
            Self::Memory => String::new(),
            Self::Redis => redis_server::prefix(),
            Self::Postgres => {
                postgres_server::schema(&postgres_server::pool(&postgres_server::url(), 1).await).await
            }
        }
    }

    /// With so many connections, where there is a pool; on the server's time, unless a clock is given.
    pub async fn open(self, name: &str, connections: u32, clock: Option<&ManualClock>) -> Arc<dyn SeatStore> {
        match self {
            Self::Memory => {
                let clock: Arc<dyn Clock> = match clock {
                    Some(clock) => Arc::new(clock.clone()),
                    None => Arc::new(SystemClock),
                };
                Arc::new(MemoryStore::new(clock))
            }
            Self::Redis => {
                let options = redis_server::options(name).response_timeout(PATIENCE);
                let options = match clock {
                    Some(clock) => options.clock(clock.clone()),
                    None => options,
                };
                Arc::new(RedisStore::connect_with(redis_server::url(), options).await.unwrap())
            }
            Self::Postgres => {
                let pool = postgres_server::pool(&postgres_server::url(), connections).await;
                let store = PostgresStore::in_schema(pool, name).unwrap().with_timeout(PATIENCE);
                match clock {
                    Some(clock) => Arc::new(store.with_clock(Arc::new(clock.clone()))),
                    None => Arc::new(store),
                }
            }
        }
    }

    /// A new one.
    pub async fn store(self, connections: u32, clock: Option<&ManualClock>) -> Arc<dyn SeatStore> {
        self.open(&self.name().await, connections, clock).await
    }

    /// On a server of the test's own. Who waits for an answer that was lost tries again soon.
    pub async fn at(self, url: &str) -> Arc<dyn SeatStore> {
        match self {
            Self::Memory => unreachable!("there is no server"),
            Self::Redis => {
                let options = redis_server::options("own").response_timeout(Duration::from_secs(5));
                Arc::new(RedisStore::connect_with(url, options).await.unwrap())
            }
            Self::Postgres => {
                let pool = postgres_server::pool(url, 8).await;
                setup(&pool).await.unwrap();
                Arc::new(PostgresStore::new(pool))
            }
        }
    }
}

/// `short` in the ordinary suite, `full` where `SOAK` is set.
pub fn size<T>(short: T, full: T) -> T {
    if super::soak::soak(0, 1) == 0 { short } else { full }
}

/// An event of seats alone, loaded.
pub async fn load(store: &dyn SeatStore) -> EventId {
    let event = EventId::new();
    store.load(&EventSnapshot::new(event)).await.unwrap();
    event
}

pub fn request(event: EventId, owner: &str, names: &[&str], ttl: Duration) -> HoldRequest {
    HoldRequest::new(event, owner, Want::Seats(seats(names))).ttl(ttl)
}

/// What is taken, by name.
pub async fn taken(store: &dyn SeatStore, event: EventId) -> Vec<(String, SeatState)> {
    let status = store.status(event).await.unwrap();
    status.seats.iter().map(|(seat, state)| (seat.to_string(), *state)).collect()
}

/// Waits until nothing is taken, and says how long that took.
pub async fn all_free(store: &dyn SeatStore, event: EventId) -> Duration {
    let start = Instant::now();
    while !taken(store, event).await.is_empty() {
        assert!(start.elapsed() < PATIENCE, "seats stay taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}
