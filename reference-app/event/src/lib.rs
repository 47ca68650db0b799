//! Events, their layouts and how many seats are left.
//!
//! An event is kept as a draft until the inventory knows it, so that whoever sees it can hold its seats.

pub mod audit;
mod catalog;
mod counts;
mod domain;
mod error;
mod http;
mod samples;
mod store;
mod unfinished;

use std::path::PathBuf;
use std::sync::Arc;

use contract::InventoryClient;
use contract::events::{BOOKING_CANCELLED, BOOKING_CONFIRMED};
use platform::bus::Consumer;
use platform::{Health, Service, StartError, Worker};
use ticketblitz_core::Clock;

use catalog::Catalog;
use store::{SqliteStore, Store};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where `event.db` is.
    pub data_dir: PathBuf,
    /// Whether the first start makes sample events.
    pub sample_data: bool,
}

/// What this service is given.
#[derive(Debug, Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
    pub inventory: InventoryClient,
}

/// Starts the service on `{data_dir}/event.db`.
///
/// # Errors
/// A sentence for the operator: the database cannot be used.
pub async fn start(config: Config, deps: Deps) -> Result<Service, StartError> {
    let db = platform::db::open(&config.data_dir, "event", &MIGRATIONS).await?;
    let store = Arc::new(SqliteStore::new(db.clone()));
    // Before the first request: later a draft may be somebody's who waits for the answer.
    let abandoned = store.discard_abandoned().await.map_err(|error| StartError::new(error.to_string()))?;
    if abandoned > 0 {
        tracing::info!(abandoned, "events that were never answered for were dropped");
    }
    let catalog = Arc::new(Catalog::new(store, deps.inventory, deps.clock));
    if config.sample_data {
        samples::keep(&catalog).await.map_err(|error| StartError::new(error.to_string()))?;
    }
    let mut workers = Vec::new();
    // At once where the inventory is there, so that a first buyer finds them.
    if let Err(error) = samples::publish_all(&catalog).await {
        tracing::warn!(%error, "the sample events are published later");
        let catalog = Arc::clone(&catalog);
        workers.push(Worker::new("sample-events", move |shutdown| samples::publish(catalog, shutdown)));
    }
    // At once too: what is shown is what is sold. What the inventory does not answer now, it is asked again.
    if let Err(error) = catalog.settle_all().await {
        tracing::warn!(%error, "a change of an event is finished later");
    }
    let unfinished = Arc::clone(&catalog);
    workers.push(Worker::new("unfinished-changes", move |shutdown| unfinished::finish(unfinished, shutdown)));
    let (router, openapi) = http::router(Arc::clone(&catalog));
    let counts = Arc::new(counts::Counts::new(catalog));
    let topics = vec![BOOKING_CONFIRMED.to_owned(), BOOKING_CANCELLED.to_owned()];
    Ok(Service {
        name: "event",
        router,
        openapi,
        outbox: Some(db.clone()),
        consumers: vec![Consumer::new("event", topics, counts)],
        workers,
        health: Health::new().database(&db),
        purges: Vec::new(),
        databases: vec![db],
    })
}

#[cfg(test)]
mod tests;
