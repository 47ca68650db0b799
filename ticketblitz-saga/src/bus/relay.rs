//! From one outbox to one consumer.

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::Clock;
use ticketblitz_core::sqlite::Sqlite;
use tokio_util::sync::CancellationToken;

use super::handling::Handling;
use super::lanes::Lanes;
use super::rows::{self, Changes};
use super::{BusOptions, Consumer, HandleError};
use crate::Error;
use crate::timer::sleep_until;

/// Messages in memory that nothing stands in the way of; the others wait in the outbox.
const AHEAD: usize = 2_048;
/// Messages in memory altogether, also those that wait for a failed one of their key.
const AT_MOST: usize = 65_536;
/// Messages that are done behind one that is not: more than these are not delivered again after a crash.
const REPEATED: usize = 256;
/// After the database failed.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// How often to look for what no commit of this process announces: replays by an operator's tool.
const SEARCH: Duration = Duration::from_secs(1);

pub(super) struct Relay {
    producer: String,
    db: Sqlite,
    consumer: Consumer,
    /// See [`rows::reading_on`].
    reading_on: String,
    clock: Arc<dyn Clock>,
    options: BusOptions,
    lanes: Lanes,
    /// Everything up to here is in the lanes or behind them.
    read: i64,
    written: i64,
}

impl Relay {
    pub(super) fn new(
        producer: String,
        db: Sqlite,
        consumer: Consumer,
        clock: Arc<dyn Clock>,
        options: BusOptions,
    ) -> Self {
        let reading_on = rows::reading_on(&consumer.topics);
        Self {
            producer,
            db,
            consumer,
            reading_on,
            clock,
            options,
            lanes: Lanes::default(),
            read: 0,
            written: 0,
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        while let Err(error) = self.resume().await {
            self.warn(&error);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(AFTER_ERROR) => {}
            }
        }
        let mut handling = Handling::default();
        let mut news = self.db.news();
        let mut flushes = every(self.options.flush_interval);
        let mut searches = every(SEARCH);
        let mut more = true;
        let mut latest = self.clock.now();
        while !shutdown.is_cancelled() {
            if more && self.lanes.moving() < AHEAD && self.lanes.len() < AT_MOST {
                more = self.fetch().await;
            }
            let most = self.options.concurrency.max(1);
            while handling.len() < most {
                let Some(message) = self.lanes.take(self.clock.now()) else { break };
                handling.begin(Arc::clone(&self.consumer.handler), message);
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some((key, result)) = handling.ended() => self.ended(&key, result),
                changed = news.changed(), if !more => match changed {
                    Ok(()) => more = true,
                    Err(_) => break, // the database is closed
                },
                // With every hand full, one that is due has to wait all the same.
                () = sleep_until(&*self.clock, self.lanes.next_due()), if handling.len() < most => {}
                _ = flushes.tick() => self.flush().await,
                _ = searches.tick() => {
                    let now = self.clock.now();
                    if now < latest {
                        self.lanes.hurry(now);
                    }
                    latest = now;
                    more = true;
                    self.take_replays().await;
                }
            }
        }
        while let Some((key, result)) = handling.ended().await {
            self.ended(&key, result);
        }
        self.flush().await;
    }

    /// Goes on where the last run of the bus ended.
    async fn resume(&mut self) -> Result<(), Error> {
        let consumer = &self.consumer.name;
        self.read = rows::position(&self.db, consumer).await?;
        self.written = self.read;
        let dead = rows::dead_keys(&self.db, consumer).await?;
        self.lanes = Lanes::resumed(dead, rows::written_after(&self.db, consumer, self.read).await?);
        for (message, failures, _) in rows::kept(self.db.readers(), consumer, "waiting").await? {
            // At once, whatever clock its moment is of.
            self.lanes.restore(message, failures, Some(self.clock.now()));
        }
        // Before anything new of their keys.
        self.take_replays().await;
        Ok(())
    }

    /// Reads on; answers whether there is more to be read. What is committed from now on is news.
    async fn fetch(&mut self) -> bool {
        match rows::after(&self.db, self.read, (&self.reading_on, &self.consumer.topics)).await {
            Ok((messages, seen, more)) => {
                messages.into_iter().for_each(|message| self.lanes.push(message));
                self.read = seen;
                more
            }
            Err(error) => {
                self.warn(&error);
                false // the next news or search tries again
            }
        }
    }

    async fn take_replays(&mut self) {
        if let Err(error) = self.replay_whole_keys().await {
            return self.warn(&error);
        }
        match rows::kept(self.db.readers(), &self.consumer.name, "replay").await {
            Ok(replays) => {
                for (message, _, _) in replays {
                    self.lanes.replay(message, self.clock.now());
                }
            }
            Err(error) => self.warn(&error),
        }
    }

    /// What died since the replay was asked for is behind it, and comes along in its place.
    async fn replay_whole_keys(&mut self) -> Result<(), Error> {
        if !rows::any_replays(&self.db, &self.consumer.name).await? {
            return Ok(());
        }
        self.flush().await;
        let consumer = self.consumer.name.clone();
        self.db
            .write(move |conn| Box::pin(async move { rows::replay_whole_keys(conn, &consumer).await }))
            .await
    }

    fn ended(&mut self, key: &str, result: Result<(), HandleError>) {
        match result {
            Ok(()) => self.lanes.done(key),
            Err(HandleError::Poison(error)) => self.died(key, &error),
            Err(HandleError::Retry(error)) => {
                let failures = self.lanes.failures(key) + 1;
                if self.options.dead_after.is_some_and(|most| failures >= most) {
                    return self.died(key, &error);
                }
                let Self { producer, consumer, .. } = &*self;
                tracing::debug!(producer, consumer = consumer.name, key, %error, "delivered again later");
                self.lanes.failed(key, error, self.clock.now() + self.options.backoff.delay(failures));
            }
        }
    }

    fn died(&mut self, key: &str, error: &str) {
        let Self { producer, consumer, .. } = &*self;
        tracing::error!(
            producer,
            consumer = consumer.name,
            key,
            error,
            "dead letters until they are replayed"
        );
        self.lanes.died(key, error);
    }

    /// Writes what has changed. What is lost with a crash before is delivered again.
    async fn flush(&mut self) {
        self.lanes.keep_up(REPEATED);
        let position = self.lanes.position(self.read);
        let (blocked, done) = self.lanes.take_changes();
        if position == self.written && blocked.is_empty() && done.is_empty() {
            return;
        }
        let changes = Arc::new(Changes { position, blocked, done });
        let (consumer, written) = (self.consumer.name.clone(), Arc::clone(&changes));
        let result: Result<(), Error> = self
            .db
            .write(move |conn| Box::pin(async move { rows::write(conn, &consumer, &written).await }))
            .await;
        match result {
            Ok(()) => self.written = position,
            Err(error) => {
                self.warn(&error);
                self.lanes.restore_changes(changes.blocked.clone(), changes.done.clone());
            }
        }
    }

    fn warn(&self, error: &Error) {
        let Self { producer, consumer, .. } = self;
        tracing::warn!(producer, consumer = consumer.name, %error, "the outbox cannot be read or written");
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}
