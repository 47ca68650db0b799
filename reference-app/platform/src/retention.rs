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
mod tests;
