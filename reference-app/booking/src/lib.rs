//! Bookings from hold to ticket, and back by refund.
//!
//! A booking is made with its saga, its first event and the answer to its request in one commit. From there
//! [`sagas::booking`] brings it to tickets or gives back what it took; [`sagas::cancellation`] refunds one that
//! was called off after that. What others tell comes in through [`worker`].

pub mod audit;
pub mod bookings;
pub mod domain;
pub mod error;
mod events;
mod http;
pub mod sagas;
pub mod store;
mod tickets;
pub mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::InventoryClient;
use platform::{Health, Purge, Service, StartError, Worker};
use ticketblitz_core::Clock;
use ticketblitz_idempotency::IdempotencyStore;

use bookings::Bookings;
use sagas::Services;
use store::{SqliteStore, Store};
use worker::Inbox;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// What can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The instance's data directory; this service's file there is `booking.db`.
    pub data_dir: PathBuf,
    /// How long a booking can be paid.
    pub payment_deadline: Duration,
    /// How much longer its seats are kept for a charge on its way.
    pub payment_grace: Duration,
    /// How long the answer to a request is kept for those who send it again.
    pub key_retention: Duration,
}

/// What this service works with.
#[derive(Debug, Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
    pub inventory: InventoryClient,
}

/// Opens the bookings and takes up what was left when the process before ended.
///
/// # Errors
/// The database cannot be opened, or holds sagas that this version cannot continue.
pub async fn start(config: Config, deps: Deps) -> Result<Service, StartError> {
    let Deps { clock, inventory } = deps;
    let db = platform::db::open(&config.data_dir, "booking", &MIGRATIONS).await?;
    let keys = ticketblitz_idempotency::SqliteStore::new(db.clone(), Arc::clone(&clock))
        .retention(config.key_retention);
    let cannot =
        |error| StartError::new(format!("the idempotency keys in booking.db cannot be used: {error}"));
    ticketblitz_idempotency::sqlite::setup(&db).await.map_err(cannot)?;
    // One process owns the file, so whoever held these leases is gone.
    keys.take_over().await.map_err(cannot)?;

    let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db.clone()));
    let services =
        Services { store: Arc::clone(&store), inventory: inventory.clone(), clock: Arc::clone(&clock) };
    let (engine, handles) = sagas::engine(db.clone(), &services).await?;
    let inbox = Inbox { store: Arc::clone(&store), handles: Arc::clone(&handles), clock: Arc::clone(&clock) };
    let bookings = Bookings {
        store,
        inventory,
        handles,
        clock,
        payment_deadline: config.payment_deadline,
        payment_grace: config.payment_grace,
    };
    // By the age that each was given when it was claimed.
    let kept = keys.clone();
    let old_keys = Purge::new("idempotency keys", move |_, limit| {
        let keys = kept.clone();
        async move { keys.purge(limit).await }
    });
    let (router, openapi) = http::router(bookings, keys);
    Ok(Service {
        name: "booking",
        router,
        openapi,
        outbox: Some(db.clone()),
        consumers: inbox.consumers(),
        workers: vec![Worker::new(
            "booking sagas",
            move |shutdown| async move { engine.run(shutdown).await },
        )],
        health: Health::new().database(&db),
        purges: vec![old_keys],
        databases: vec![db],
    })
}
