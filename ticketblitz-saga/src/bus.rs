//! A durable bus within one process, fed by the outboxes of its services.

mod dead;
mod lanes;
mod relay;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::{Backoff, Clock, Envelope};
use tokio_util::sync::CancellationToken;

pub use dead::{DeadLetter, dead_letters, replay};

/// Why a message was not handled.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Runs in a task of its own and is not interrupted by a shutdown, which waits for it.
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError>;
}

/// Somebody who is told of messages.
#[derive(Clone)]
#[non_exhaustive]
pub struct Consumer {
    /// Names its position and its dead letters in the producers' databases: keep it.
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
#[derive(Debug, Clone, Copy)]
pub struct BusOptions {
    /// Messages in the hands of one consumer at the same time, each of another key. 64 by default.
    pub concurrency: usize,
    /// How long a message that failed is left alone. 50 ms, doubling up to 5 s, by default.
    pub backoff: Backoff,
    /// After how many failures a message is dead. Never by default.
    pub dead_after: Option<u32>,
    /// How long positions may stay unwritten; after a crash, what was delivered meanwhile is delivered again.
    /// 100 ms by default.
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
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, options: BusOptions::default(), outboxes: Vec::new(), consumers: Vec::new() }
    }

    /// Sets the options.
    pub fn options(mut self, options: BusOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds the outbox in `db`; `producer` is what logs call it.
    pub fn outbox(mut self, producer: impl Into<String>, db: Sqlite) -> Self {
        self.outboxes.push((producer.into(), db));
        self
    }

    /// Adds a consumer of every outbox.
    pub fn consumer(mut self, consumer: Consumer) -> Self {
        self.consumers.push(consumer);
        self
    }

    /// Delivers until `shutdown`, then waits for the handlers that are running, writes the positions and returns.
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
            // Handlers may panic; a relay that does is a fault in here. Whoever runs the bus must not think that
            // it still delivers.
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}
