//! What a service hands to whoever runs it.

use std::fmt;
use std::future::Future;

use axum::Router;
use futures::FutureExt;
use futures::future::BoxFuture;
use ticketblitz_core::sqlite::Sqlite;
use tokio_util::sync::CancellationToken;

use crate::bus::Consumer;
use crate::health::Health;
use crate::retention::Purge;

/// A service, built but not yet running.
pub struct Service {
    /// The role: `booking`.
    pub name: &'static str,
    /// Its HTTP routes, without the layers that every role has.
    pub router: Router,
    /// Their description.
    pub openapi: utoipa::openapi::OpenApi,
    /// The database whose outbox the bus delivers from.
    pub outbox: Option<Sqlite>,
    /// What it wants to be told.
    pub consumers: Vec<Consumer>,
    /// What runs beside the requests.
    pub workers: Vec<Worker>,
    /// Whether it can do its work.
    pub health: Health,
    /// What of its rows grows old, beside its outbox, inbox and sagas.
    pub purges: Vec<Purge>,
    /// What to close when everything else has ended.
    pub databases: Vec<Sqlite>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A task that runs until it is told to stop.
pub struct Worker {
    /// What it is called in the log.
    pub name: &'static str,
    /// Ends soon after the token is cancelled, with its work at rest.
    pub run: Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>,
}

impl Worker {
    /// A worker.
    pub fn new<F, R>(name: &'static str, run: F) -> Self
    where
        F: FnOnce(CancellationToken) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self { name, run: Box::new(move |shutdown| run(shutdown).boxed()) }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a role cannot start: one sentence for the operator that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl StartError {
    /// A sentence for the operator.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl From<String> for StartError {
    fn from(sentence: String) -> Self {
        Self(sentence)
    }
}

impl From<&str> for StartError {
    fn from(sentence: &str) -> Self {
        Self(sentence.to_owned())
    }
}
