//! The truth about seats in payment and sold; holds through the seat lock.
//!
//! Holds live in the lock and may be lost with it. What is in payment or sold is in this service's database,
//! whose constraints decide, whatever the lock says; the lock is loaded from it.

pub mod audit;
mod desk;
mod domain;
mod error;
mod holds;
mod http;
mod payments;
mod store;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use platform::{Health, Purge, Service, StartError, Worker};
use ticketblitz_core::Clock;
use ticketblitz_lock::SeatStore;

use desk::Desk;
use store::{SqliteStore, Store};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where `inventory.db` is.
    pub data_dir: PathBuf,
    /// How long a hold lasts unless extended.
    pub hold_ttl: Duration,
    /// How long a hold lasts with all its extensions.
    pub hold_ceiling: Duration,
}

/// What this service is given.
#[derive(Debug, Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
    pub locks: Arc<dyn SeatStore>,
}

/// Starts the service on `{data_dir}/inventory.db`.
///
/// # Errors
/// A sentence for the operator: a setting is impossible, or the database cannot be used.
pub async fn start(config: Config, deps: Deps) -> Result<Service, StartError> {
    if config.hold_ttl.is_zero() || config.hold_ttl > config.hold_ceiling {
        return Err(StartError::new(format!(
            "a hold of {:?} does not fit under its ceiling of {:?}; set TICKETBLITZ_HOLD_TTL to less than \
             TICKETBLITZ_HOLD_CEILING, and to more than nothing",
            config.hold_ttl, config.hold_ceiling
        )));
    }
    let db = platform::db::open(&config.data_dir, "inventory", &MIGRATIONS).await?;
    let store = Arc::new(SqliteStore::new(db.clone()));
    let voided = voided(Arc::clone(&store));
    let desk = Arc::new(Desk::new(store, deps.locks, deps.clock, config.hold_ttl, config.hold_ceiling));
    let (router, openapi) = http::router(Arc::clone(&desk));
    Ok(Service {
        name: "inventory",
        router,
        openapi,
        outbox: None,
        consumers: Vec::new(),
        workers: vec![Worker::new("lapsed-payments", move |shutdown| worker::run(desk, shutdown))],
        health: Health::new().database(&db),
        purges: vec![voided],
        databases: vec![db],
    })
}

/// A booking begins within the request that made its id: one that was released before is not waited for any longer.
fn voided(store: Arc<SqliteStore>) -> Purge {
    Purge::new("voided bookings", move |before, limit| {
        let store = Arc::clone(&store);
        async move { store.forget_voided(before, limit).await }
    })
}

#[cfg(test)]
mod tests;
