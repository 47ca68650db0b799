//! Confirmation mail, sent at least once under one Message-ID.
//!
//! That a booking is confirmed is heard once: the notification's row and the saga that mails it are one commit.
//! The mail is SENT only once the mail server has it. A crash in between sends it again under the same
//! Message-ID and file name, so that the repeat replaces the first.

pub mod audit;
pub mod domain;
mod http;
pub mod mailer;
mod message;
mod messages;
mod sagas;
pub mod store;

use std::path::PathBuf;
use std::sync::Arc;

use contract::{AuthClient, EventClient};
use platform::{Health, Service, StartError, Worker};
use ticketblitz_core::Clock;

use mailer::{FileMailer, Mailer};
use messages::Inbox;
use sagas::Parts;
use store::{SqliteStore, Store};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// What can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The instance's data directory: `notification.db`, and the mails in `mail/`.
    pub data_dir: PathBuf,
}

/// What this service works with.
#[derive(Debug, Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
    /// Whom a mail goes to.
    pub auth: AuthClient,
    /// What the booking was for.
    pub events: EventClient,
}

/// Opens the notifications and goes on with the mails that were not sent when the process before ended.
///
/// # Errors
/// The database or the mail directory cannot be used, or there are sagas that this version cannot continue.
pub async fn start(config: Config, deps: Deps) -> Result<Service, StartError> {
    let mailer = FileMailer::open(config.data_dir.join("mail")).await.map_err(|error| {
        StartError::new(format!("cannot write mails in {}: {error}", config.data_dir.join("mail").display()))
    })?;
    start_with(config, deps, Arc::new(mailer)).await
}

async fn start_with(config: Config, deps: Deps, mailer: Arc<dyn Mailer>) -> Result<Service, StartError> {
    let db = platform::db::open(&config.data_dir, "notification", &MIGRATIONS).await?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db.clone()));
    let parts = Parts { store: Arc::clone(&store), mailer: Arc::clone(&mailer), deps: deps.clone() };
    let (engine, mails) = sagas::engine(db.clone(), parts).await?;
    let inbox = Inbox { store: Arc::clone(&store), mails, clock: deps.clock };
    let (router, openapi) = http::router(http::AppState { store, mailer });
    Ok(Service {
        name: "notification",
        router,
        openapi,
        outbox: Some(db.clone()),
        consumers: vec![inbox.consumer()],
        workers: vec![Worker::new("mail sagas", |shutdown| async move { engine.run(shutdown).await })],
        health: Health::new().database(&db),
        purges: Vec::new(),
        databases: vec![db],
    })
}

#[cfg(test)]
mod tests;
