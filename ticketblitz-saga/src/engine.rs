//! The engine: registers definitions, hands out handles, drives sagas.

mod drive;
mod view;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::Clock;
use ticketblitz_core::sqlite::{Sqlite, query_as};
use tokio_util::sync::CancellationToken;

use crate::definition::Definition;
use crate::run::Data;
use crate::token::Shared;
use crate::{Error, Handle, Saga, sqlite};

pub use view::{Filter, Status, View};

/// What can be set about an engine.
///
/// ```
/// use ticketblitz_saga::EngineOptions;
/// let options = EngineOptions::default().concurrency(32).undo_limit(u32::MAX);
/// # assert_eq!((options.concurrency, options.undo_limit), (32, u32::MAX));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Sagas that are worked on at the same time. 256 by default.
    pub concurrency: usize,
    /// After how many failures in a row an undo, a lookup or the close is given up and the saga parked. 50 by
    /// default.
    pub undo_limit: u32,
    /// How often to search for sagas that something outside this process has moved, an operator's tool say. What
    /// happens through this engine's handles is seen at once. 1 s by default.
    pub search_interval: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { concurrency: 256, undo_limit: 50, search_interval: Duration::from_secs(1) }
    }
}

impl EngineOptions {
    /// Sets [`concurrency`](Self::concurrency).
    #[must_use]
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets [`undo_limit`](Self::undo_limit).
    #[must_use]
    pub const fn undo_limit(mut self, failures: u32) -> Self {
        self.undo_limit = failures;
        self
    }

    /// Sets [`search_interval`](Self::search_interval).
    #[must_use]
    pub const fn search_interval(mut self, interval: Duration) -> Self {
        self.search_interval = interval;
        self
    }
}

/// Why an engine or a bus does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database has sagas in progress that no registered definition fits.
    #[error("{0}")]
    Unregistered(String),
    /// A definition is wrong in itself.
    #[error("{0}")]
    Definition(String),
    /// A consumer or an outbox was given to a bus twice.
    #[error("{0}")]
    Repeated(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// An engine in the making. See [`Engine::new`].
#[derive(Debug)]
#[must_use = "nothing happens until `build`"]
pub struct EngineBuilder {
    db: Sqlite,
    clock: Arc<dyn Clock>,
    options: EngineOptions,
    sagas: Vec<Arc<Definition>>,
}

impl EngineBuilder {
    /// Sets the options.
    pub fn options(mut self, options: EngineOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds a definition. Several versions of one name may be registered: new sagas begin on the highest, those
    /// in progress finish on theirs.
    pub fn register<S: Data>(mut self, saga: Saga<S>) -> Self {
        self.sagas.push(saga.definition);
        self
    }

    /// Makes the tables where they are absent and checks that every saga in progress has its definition.
    ///
    /// # Errors
    /// Sagas in progress would be stranded, a definition is wrong, or the database failed.
    pub async fn build(self) -> Result<Engine, StartError> {
        let Self { db, clock, options, sagas } = self;
        let mut definitions: BTreeMap<String, BTreeMap<u32, Arc<Definition>>> = BTreeMap::new();
        for saga in sagas {
            if let Some(fault) = saga.fault() {
                return Err(StartError::Definition(fault));
            }
            let (name, version) = (saga.name.clone(), saga.version);
            if definitions.entry(name.clone()).or_default().insert(version, saga).is_some() {
                let fault = format!("saga {name} version {version} is registered twice");
                return Err(StartError::Definition(fault));
            }
        }
        sqlite::setup(&db).await?;
        check(&db, &definitions).await?;
        let shared = Arc::new(Shared::new(clock, definitions, db.commits()));
        Ok(Engine { db, options, shared })
    }
}

/// Refuses rather than strand a saga in the middle.
async fn check(
    db: &Sqlite,
    definitions: &BTreeMap<String, BTreeMap<u32, Arc<Definition>>>,
) -> Result<(), StartError> {
    let live: Vec<(String, u32, i64, String, i64)> = query_as(
        // By this index: most sagas have ended.
        concat!(
            "SELECT name, definition, node, node_name, count(*)
             FROM saga_instance INDEXED BY saga_instance_in_progress WHERE ",
            sqlite::in_progress!(),
            " GROUP BY name, definition, node, node_name"
        ),
    )
    .fetch_all(db.readers())
    .await
    .map_err(Error::from)?;
    for (name, version, node, node_name, count) in live {
        let Some(definition) = definitions.get(&name).and_then(|versions| versions.get(&version)) else {
            return Err(StartError::Unregistered(format!(
                "{count} of the sagas in progress are {name} version {version}, which is not registered: \
                 register it too until they have finished"
            )));
        };
        let there = usize::try_from(node).ok().and_then(|node| definition.shape.nodes.get(node));
        if there.is_none_or(|there| there.name != node_name) {
            return Err(StartError::Unregistered(format!(
                "{count} sagas {name} version {version} stand at node {node}, {node_name}, which the registered \
                 definition does not have there: a changed definition needs a new version"
            )));
        }
    }
    Ok(())
}

/// Drives the sagas of one database. Clones are the same engine.
#[derive(Debug, Clone)]
pub struct Engine {
    db: Sqlite,
    options: EngineOptions,
    shared: Arc<Shared>,
}

impl Engine {
    /// An engine for the sagas in `db`, which this process owns.
    #[allow(clippy::new_ret_no_self)] // what is left to say has names: `options`, `register`
    pub fn new(db: Sqlite, clock: Arc<dyn Clock>) -> EngineBuilder {
        EngineBuilder { db, clock, options: EngineOptions::default(), sagas: Vec::new() }
    }

    /// The handle of the sagas `name`.
    ///
    /// # Panics
    /// No saga of this name with data of type `S` was registered: a mistake in the program, not in its input.
    #[must_use]
    pub fn handle<S: Data>(&self, name: &str) -> Handle<S> {
        Handle::new(Arc::clone(&self.shared), name)
    }

    /// Drives all sagas in progress until `shutdown`, then waits for the steps that are running and returns.
    ///
    /// Every step runs in a task of its own. Dropping this future stops them where they are, as a crash would:
    /// the next `run` resumes each saga at its last commit.
    pub async fn run(&self, shutdown: CancellationToken) {
        worker::run(self, shutdown).await;
    }
}
