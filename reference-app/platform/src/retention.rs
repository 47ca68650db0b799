//! Forgetting what nobody needs any more: by age, a bounded batch at a time.
//!
//! What guards against a repeat is kept for as long as the repeat can come. A message that is not delivered yet, or
//! dead, can be for any time; so ages are counted back from the oldest such message, not only from now.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::{Clock, Timestamp};
use ticketblitz_saga::{inbox, outbox};
use tokio_util::sync::CancellationToken;

/// Rows in one transaction at the most: other writes wait for no more than these.
const BATCH: u32 = 500;
/// Between two batches, so that a backlog is not all that the disk does.
const PAUSE: Duration = Duration::from_millis(5);
/// Between two rounds; less where little is kept.
const MOST_BETWEEN: Duration = Duration::from_secs(60);
const LEAST_BETWEEN: Duration = Duration::from_secs(1);

type Batch = Arc<dyn Fn(Timestamp, u32) -> BoxFuture<'static, Result<u64, String>> + Send + Sync>;

/// Rows of a service's own that grow old.
#[derive(Clone)]
pub struct Purge {
    /// What they are called in the log.
    pub name: &'static str,
    batch: Batch,
}

impl Purge {
    /// `batch` deletes at most so many of those from before a moment, in one transaction, and answers how many.
    pub fn new<F, R, E>(name: &'static str, batch: F) -> Self
    where
        F: Fn(Timestamp, u32) -> R + Send + Sync + 'static,
        R: Future<Output = Result<u64, E>> + Send + 'static,
        E: fmt::Display + 'static,
    {
        let batch = move |before, limit| {
            batch(before, limit).map(|done| done.map_err(|error| error.to_string())).boxed()
        };
        Self { name, batch: Arc::new(batch) }
    }
}

impl fmt::Debug for Purge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purge").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Everything in a process that grows old.
#[derive(Debug)]
pub struct Retention {
    pub clock: Arc<dyn Clock>,
    /// How long things are kept once nobody needs them.
    pub keep: Duration,
    /// The outboxes that the bus delivers from, to all of `consumers`.
    pub outboxes: Vec<Sqlite>,
    pub consumers: Vec<String>,
    /// The databases with inboxes and sagas.
    pub databases: Vec<Sqlite>,
    pub purges: Vec<Purge>,
}

impl Retention {
    /// Forgets until it is told to stop. A round that fails is repeated at the next.
    pub async fn run(self, shutdown: CancellationToken) {
        let between = (self.keep / 10).clamp(LEAST_BETWEEN, MOST_BETWEEN);
        let rounds = async {
            loop {
                if let Err(error) = self.round().await {
                    tracing::warn!(%error, "what is old stays until the next round");
                }
                tokio::time::sleep(between).await;
            }
        };
        // Dropping it is safe: each batch is one transaction, and the next start goes on.
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = rounds => {}
        }
    }

    /// Forgets what is old enough now; answers how many rows that were.
    ///
    /// # Errors
    /// A database failed; what was deleted before that stays deleted.
    pub async fn round(&self) -> Result<u64, String> {
        let now = self.clock.now();
        let mut settled = now;
        for db in &self.outboxes {
            let oldest = outbox::oldest_undelivered(db, &self.consumers).await.map_err(text)?;
            settled = oldest.map_or(settled, |oldest| oldest.min(settled));
        }
        let (old, settled) = (now - self.keep, settled - self.keep);
        let mut gone = 0;
        for db in &self.outboxes {
            let batch = |_, limit| async move { outbox::purge(db, &self.consumers, old, limit).await };
            gone += batches(old, batch).await?;
        }
        for db in &self.databases {
            batches(now, |now, limit| async move { inbox::note(db, now, limit).await }).await?;
            gone += batches(settled, |before, limit| async move { inbox::purge(db, before, limit).await })
                .await?;
            let sagas = |before, limit| async move { ticketblitz_saga::purge(db, before, limit).await };
            gone += batches(settled, sagas).await?;
        }
        for purge in &self.purges {
            let done = batches(settled, |before, limit| (purge.batch)(before, limit)).await;
            gone += done.map_err(|error| format!("{}: {error}", purge.name))?;
        }
        if gone > 0 {
            tracing::info!(rows = gone, "forgot what was old");
        }
        Ok(gone)
    }
}

async fn batches<R, E>(before: Timestamp, batch: impl Fn(Timestamp, u32) -> R) -> Result<u64, String>
where
    R: Future<Output = Result<u64, E>>,
    E: fmt::Display,
{
    let mut gone = 0;
    loop {
        let rows = batch(before, BATCH).await.map_err(text)?;
        gone += rows;
        if rows < u64::from(BATCH) {
            return Ok(gone);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use ticketblitz_core::ManualClock;
    use ticketblitz_core::sqlite;
    use ticketblitz_saga::Error;

    const DAY: Duration = Duration::from_secs(86_400);

    async fn push(db: &Sqlite, occurred_at: Timestamp) {
        let event = crate::bus::event("told", "key", 1, &(), occurred_at);
        let pushed: Result<(), Error> =
            db.write(move |conn| Box::pin(async move { outbox::push(conn, &event).await })).await;
        pushed.expect("pushed");
    }

    async fn execute(db: &Sqlite, sql: &'static str) {
        let done: Result<(), Error> = db
            .write(move |conn| Box::pin(async move { Ok(sqlite::query(sql).execute(conn).await.map(drop)?) }))
            .await;
        done.expect(sql);
    }

    async fn count(db: &Sqlite, sql: &'static str) -> i64 {
        sqlite::query_scalar(sql).fetch_one(db.readers()).await.expect("counts")
    }

    #[tokio::test]
    async fn age_counts_back_from_the_oldest_message_on_its_way() {
        let dir = tempfile::tempdir().expect("a directory");
        let producer =
            crate::db::open(dir.path(), "producer", &sqlx::migrate::Migrator::DEFAULT).await.expect("opens");
        let consumer =
            crate::db::open(dir.path(), "consumer", &sqlx::migrate::Migrator::DEFAULT).await.expect("opens");
        let clock = ManualClock::at("2026-11-25T06:00:00Z".parse().expect("a time"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&asked);
        let retention = Retention {
            clock: Arc::new(clock.clone()),
            keep: DAY,
            outboxes: vec![producer.clone()],
            consumers: vec!["consumer".to_owned()],
            databases: vec![consumer.clone()],
            purges: vec![Purge::new("own", move |before, limit| {
                own.lock().expect("not poisoned").push((before, limit));
                async { Ok::<_, Error>(0) }
            })],
        };
        let begin = clock.now();
        push(&producer, begin).await;
        execute(&consumer, "INSERT INTO inbox (consumer, id) VALUES ('consumer', 'a'), ('consumer', 'b')")
            .await;
        assert_eq!(retention.round().await, Ok(0), "the ids are noted");
        clock.advance(DAY * 30);
        assert_eq!(retention.round().await, Ok(0), "the message may still come, for the first time or again");
        assert_eq!(asked.lock().expect("not poisoned").last(), Some(&(begin - DAY, BATCH)));
        execute(&producer, "INSERT INTO outbox_position (consumer, seq) VALUES ('consumer', 1)").await;
        assert_eq!(retention.round().await, Ok(3), "the message and both ids");
        assert_eq!(asked.lock().expect("not poisoned").last(), Some(&(clock.now() - DAY, BATCH)));
        assert_eq!(count(&producer, "SELECT count(*) FROM outbox").await, 0);
        push(&producer, clock.now()).await;
        assert_eq!(count(&producer, "SELECT max(seq) FROM outbox").await, 2, "no number is given twice");
    }

    #[tokio::test]
    async fn a_database_that_fails_does_not_end_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let db = crate::db::open(dir.path(), "test", &sqlx::migrate::Migrator::DEFAULT).await.expect("opens");
        let failures = Arc::new(Mutex::new(0));
        let failing = Arc::clone(&failures);
        let retention = Retention {
            clock: Arc::new(ticketblitz_core::SystemClock),
            keep: LEAST_BETWEEN,
            outboxes: Vec::new(),
            consumers: Vec::new(),
            databases: vec![db],
            purges: vec![Purge::new("own", move |_, _| {
                *failing.lock().expect("not poisoned") += 1;
                async { Err("no disk") }
            })],
        };
        assert_eq!(retention.round().await, Err("own: no disk".to_owned()));
        let stop = CancellationToken::new();
        let running = tokio::spawn(retention.run(stop.clone()));
        let again = async {
            while *failures.lock().expect("not poisoned") < 3 {
                tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
            }
        };
        tokio::time::timeout(Duration::from_secs(60), again).await.expect("it goes on");
        stop.cancel();
        running.await.expect("it ends");
    }
}
