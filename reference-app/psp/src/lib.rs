//! The simulated payment provider: a stranger to the rest, with its own storage, paid by its HTTP API only.
//!
//! It honours `Idempotency-Key` as Stripe does, and some of its payment methods answer late or break the
//! connection, so that whoever pays here has to cope with answers that never come. Its ledger is the independent
//! witness of every audit.

pub mod audit;
mod domain;
mod error;
mod http;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use platform::StartError;
use platform::health::Health;
use platform::service::Service;
use ticketblitz_core::Clock;

use store::SqliteStore;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
}

/// What this service is given.
#[derive(Debug, Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
}

/// Starts the provider on `{data_dir}/psp.db`.
///
/// # Errors
/// A sentence for the operator: the database cannot be used.
pub async fn start(config: Config, deps: Deps) -> Result<Service, StartError> {
    let Config { data_dir } = config;
    let db = platform::db::open(&data_dir, "psp", &MIGRATIONS).await?;
    let store = Arc::new(SqliteStore::new(db.clone()));
    let (router, openapi) = http::router(http::AppState::new(store, deps.clock));
    Ok(Service {
        name: "psp",
        router,
        openapi,
        outbox: None,
        consumers: Vec::new(),
        workers: Vec::new(),
        health: Health::new().database(&db),
        purges: Vec::new(),
        databases: vec![db],
    })
}
