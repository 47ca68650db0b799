//! A durable bus within one process, fed by the outboxes of its services.

mod dead;
mod handling;
mod lanes;
mod relay;
mod rows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::{Backoff, Clock, Envelope};
use tokio_util::sync::CancellationToken;

use crate::StartError;

pub use dead::{DeadLetter, dead_letters, replay};

/// Why a message was not handled. Displayed as the reason alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
#[non_exhaustive]
pub enum HandleError {
    /// Not now: deliver it again after a backoff. Later messages of its key wait.
    Retry(String),
    /// Never: it and the later messages of its key go to the dead letters of this consumer.
    Poison(String),
}

impl From<crate::Error> for HandleError {
    fn from(error: crate::Error) -> Self {
        if error.is_invalid_payload() {
            Self::Poison(error.to_string())
        } else {
            Self::Retry(error.to_string())
        }
    }
}

/// What a consumer does with a message.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles `message`, at least once: [`inbox::claim`](crate::inbox::claim) in the transaction of its effect
    /// makes that once. Messages of one key come one after the other, in the order in which they were pushed.
    ///
    /// Runs in a task of its own. A shutdown waits for it; where [`InProcessBus::run`] is dropped, it is dropped
    /// too, at the next `.await` it comes to. One that panics has failed, as with [`HandleError::Retry`].
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError>;
}

/// Somebody who is told of messages.
#[derive(Clone)]
#[non_exhaustive]
pub struct Consumer {
    /// Names its position and its dead letters in the producers' databases: keep it. No two consumers of an outbox
    /// may have the same, in whatever bus or process: each would take what the other is told for its own.
    pub name: String,
    /// The kinds of messages it is told of.
    pub topics: Vec<String>,
    /// What it does with one.
    pub handler: Arc<dyn Handler>,
}

impl Consumer {
    /// A consumer of `topics`. One that is new begins with the first message there is.
    pub fn new<T: Into<String>>(
        name: impl Into<String>,
        topics: impl IntoIterator<Item = T>,
        handler: Arc<dyn Handler>,
    ) -> Self {
        Self { name: name.into(), topics: topics.into_iter().map(Into::into).collect(), handler }
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("name", &self.name)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

/// What can be set about the bus.
///
/// ```
/// use ticketblitz_saga::BusOptions;
/// let options = BusOptions::default().concurrency(8).dead_after(20);
/// # assert_eq!((options.concurrency, options.dead_after), (8, Some(20)));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct BusOptions {
    /// Messages in the hands of one consumer at the same time, each of another key. 64 by default.
    pub concurrency: usize,
    /// How long a message that failed is left alone. 50 ms, doubling up to 5 s, by default.
    pub backoff: Backoff,
    /// After how many failures a message is dead. Never by default.
    pub dead_after: Option<u32>,
    /// How often positions are written. 100 ms by default.
    ///
    /// After a crash a consumer is given again what it has handled since the last writing, and at most 256 messages
    /// of before that were handled while an earlier one was not done yet.
    pub flush_interval: Duration,
}

impl Default for BusOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            backoff: Backoff::default(),
            dead_after: None,
            flush_interval: Duration::from_millis(100),
        }
    }
}

impl BusOptions {
    /// Sets [`concurrency`](Self::concurrency).
    #[must_use]
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets [`dead_after`](Self::dead_after).
    #[must_use]
    pub const fn dead_after(mut self, failures: u32) -> Self {
        self.dead_after = Some(failures);
        self
    }

    /// Sets [`flush_interval`](Self::flush_interval).
    #[must_use]
    pub const fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }
}

/// A bus in the making. See [`InProcessBus::new`].
#[derive(Debug)]
#[must_use = "nothing happens until `build`"]
pub struct BusBuilder {
    bus: InProcessBus,
}

impl BusBuilder {
    /// Sets the options.
    pub fn options(mut self, options: BusOptions) -> Self {
        self.bus.options = options;
        self
    }

    /// Adds the outbox in `db`; `producer` is what logs call it.
    pub fn outbox(mut self, producer: impl Into<String>, db: Sqlite) -> Self {
        self.bus.outboxes.push((producer.into(), db));
        self
    }

    /// Adds a consumer of every outbox.
    pub fn consumer(mut self, consumer: Consumer) -> Self {
        self.bus.consumers.push(consumer);
        self
    }

    /// Checks that nobody is there twice: of one name, consumers would share a position, and so would the relays of
    /// one outbox, and what one of them has not delivered yet would count as delivered.
    ///
    /// # Errors
    /// [`StartError::Repeated`]: two consumers have one name, or two outboxes one database.
    pub fn build(self) -> Result<InProcessBus, StartError> {
        let InProcessBus { outboxes, consumers, .. } = &self.bus;
        let mut names = HashSet::new();
        if let Some(Consumer { name, .. }) = consumers.iter().find(|consumer| !names.insert(&consumer.name)) {
            return Err(StartError::Repeated(format!("two consumers of the bus are named {name}")));
        }
        let mut files = HashMap::new();
        for (producer, db) in outboxes {
            // A file that is opened already can be found, under any of its paths.
            let file = db.path().canonicalize().unwrap_or_else(|_| db.path().to_owned());
            if let Some(other) = files.insert(file, producer) {
                let file = db.path().display();
                let fault = format!("the outboxes {other} and {producer} are both of the database {file}");
                return Err(StartError::Repeated(fault));
            }
        }
        Ok(self.bus)
    }
}

/// Delivers what services push to their outboxes to the consumers of this process, at least once each.
#[derive(Debug)]
#[must_use = "nothing is delivered until `run`"]
pub struct InProcessBus {
    clock: Arc<dyn Clock>,
    options: BusOptions,
    outboxes: Vec<(String, Sqlite)>,
    consumers: Vec<Consumer>,
}

impl InProcessBus {
    /// A bus without producers and consumers.
    #[allow(clippy::new_ret_no_self)] // what is left to say has names: `outbox`, `consumer`
    pub fn new(clock: Arc<dyn Clock>) -> BusBuilder {
        let (options, outboxes, consumers) = (BusOptions::default(), Vec::new(), Vec::new());
        BusBuilder { bus: Self { clock, options, outboxes, consumers } }
    }

    /// Delivers until `shutdown`, then waits for the handlers that are running, writes the positions and returns.
    ///
    /// Dropping this future stops relays and handlers where they are, as a crash would: the next `run` goes on from
    /// the positions that were written last, and what was handled after them is delivered again.
    ///
    /// # Panics
    /// A relay did, which is a fault in here: whoever runs the bus must not think that it still delivers. Handlers
    /// may panic.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut relays = tokio::task::JoinSet::new();
        for (producer, db) in &self.outboxes {
            for consumer in &self.consumers {
                let relay = relay::Relay::new(
                    producer.clone(),
                    db.clone(),
                    consumer.clone(),
                    Arc::clone(&self.clock),
                    self.options,
                );
                relays.spawn(relay.run(shutdown.clone()));
            }
        }
        while let Some(ended) = relays.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}
