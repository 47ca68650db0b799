//! Charges and refunds at the payment provider, each exactly once.
//!
//! A booking orders its payment by a message; what is kept of it and the saga that charges it are one commit.
//! Its sagas ask the provider outside any transaction and under keys made of the booking's id, so that a repeat
//! is never a second charge, and look up what they got no answer to. Everybody else is told by events.

pub mod audit;
pub mod domain;
mod events;
mod http;
mod messages;
pub mod provider;
mod sagas;
pub mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use platform::{Health, Purge, Service, StartError, Worker};
use ticketblitz_core::Clock;

pub use provider::PspClient;

use messages::Inbox;
use sagas::Parts;
use store::{SqliteStore, Store};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Beyond the provider's timeout: what a charge may take on its way after nobody waits for it any more.
const SETTLING_MARGIN: Duration = Duration::from_secs(5);

/// What can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The instance's data directory; this service's file there is `payment.db`.
    pub data_dir: PathBuf,
    /// How long to wait for the provider's answer before looking it up.
    pub provider_timeout: Duration,
}

/// What this service works with.
#[derive(Debug, Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
    pub provider: PspClient,
}

/// Opens the payments and takes up what was left when the process before ended.
///
/// # Errors
/// The database cannot be opened, or holds sagas that this version cannot continue.
pub async fn start(config: Config, deps: Deps) -> Result<Service, StartError> {
    let Deps { clock, provider } = deps;
    let db = platform::db::open(&config.data_dir, "payment", &MIGRATIONS).await?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db.clone()));
    let provider = provider.timeout(config.provider_timeout);
    let settling = sagas::charge::START_WITHIN + config.provider_timeout + SETTLING_MARGIN;
    let parts = Parts::new(Arc::clone(&store), provider, Arc::clone(&clock), settling);
    let (engine, handles) = sagas::engine(db.clone(), parts).await?;
    let inbox = Inbox { store: Arc::clone(&store), handles: Arc::clone(&handles), clock };
    let worker = Worker::new("payment sagas", move |shutdown| async move {
        engine.run(shutdown).await;
        // The sagas reach each other through these for as long as they run.
        drop(handles);
    });
    // Their order is in no outbox any more: whatever is older than the oldest message on its way is not waited for.
    let ordered = Arc::clone(&store);
    let voided = Purge::new("voided bookings", move |before, limit| {
        let store = Arc::clone(&ordered);
        async move { store.forget_voided(before, limit).await }
    });
    let (router, openapi) = http::router(store);
    Ok(Service {
        name: "payment",
        router,
        openapi,
        outbox: Some(db.clone()),
        consumers: vec![inbox.consumer()],
        workers: vec![worker],
        health: Health::new().database(&db),
        purges: vec![voided],
        databases: vec![db],
    })
}
