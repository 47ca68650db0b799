//! The Redis backend against its server: what goes over the wire, what stays there, and what breaks.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

mod crowd;
mod faults;
mod keys;
mod monitor;
mod own_server;
mod pool;
mod proxy;
mod server;
#[path = "../servers/soak.rs"]
mod soak;
#[path = "../servers/sold_out.rs"]
mod sold_out;
mod together;
mod trips;

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::EventId;
use ticketblitz_lock::redis::driver;
use ticketblitz_lock::{
    EventSnapshot, Hold, HoldRequest, LockError, Owner, RedisStore, SeatState, SeatStore, Want,
};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

const TTL: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_secs(120);

/// What belongs to the whole server and not to a prefix is changed by one test while no other runs.
static SERVER: RwLock<()> = RwLock::const_new(());

async fn shared() -> RwLockReadGuard<'static, ()> {
    SERVER.read().await
}

async fn alone() -> RwLockWriteGuard<'static, ()> {
    SERVER.write().await
}

/// A store of its own with one loaded event, an area `FLOOR` of ten in it, and a connection to look behind it.
struct Bench {
    store: Arc<RedisStore>,
    prefix: String,
    event: EventId,
    raw: driver::aio::MultiplexedConnection,
}

impl Bench {
    async fn new() -> Self {
        Self::at(server::url(), server::url()).await
    }

    /// The store is reached by one URL, and looked behind by another.
    async fn at(url: &str, behind: &str) -> Self {
        let prefix = server::prefix();
        let options = server::options(&prefix).response_timeout(Duration::from_secs(20));
        let store = Arc::new(RedisStore::connect_with(url, options).await.unwrap());
        let raw = driver::Client::open(behind).unwrap().get_multiplexed_async_connection().await.unwrap();
        let bench = Self { store, prefix, event: EventId::new(), raw };
        bench.store.load(&bench.snapshot()).await.unwrap();
        bench
    }

    fn snapshot(&self) -> EventSnapshot {
        EventSnapshot::new(self.event).with_area("FLOOR", 10)
    }

    fn request(&self, owner: &str, names: &[&str]) -> HoldRequest {
        HoldRequest::new(self.event, owner, seats(names)).ttl(TTL)
    }

    async fn held(&self, owner: &str, names: &[&str]) -> Hold {
        self.store.hold(&self.request(owner, names)).await.unwrap()
    }

    async fn paying(&self, owner: &str, names: &[&str]) -> Hold {
        let hold = self.held(owner, names).await;
        self.store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap()
    }

    async fn taken(&self) -> Vec<(String, SeatState)> {
        let status = self.store.status(self.event).await.unwrap();
        status.seats.iter().map(|(seat, state)| (seat.to_string(), *state)).collect()
    }

    async fn ask<T: driver::FromRedisValue>(&self, command: &[&str]) -> T {
        let (name, args) = command.split_first().unwrap();
        driver::cmd(name).arg(args).query_async(&mut self.raw.clone()).await.unwrap()
    }
}

fn seats(names: &[&str]) -> Want {
    Want::Seats(names.iter().map(|name| name.parse().unwrap()).collect())
}

fn floor(quantity: u32) -> Want {
    Want::Area { section: "FLOOR".into(), quantity }
}

fn owner(name: &str) -> Owner {
    name.into()
}

#[track_caller]
fn unknown<T: std::fmt::Debug>(answer: &Result<T, LockError>) {
    assert!(matches!(answer, Err(LockError::OutcomeUnknown { .. })), "{answer:?}");
}
