//! What the disk and the shared writer can do when nobody sells anything: one row a commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ticketblitz_core::sqlite::{Error, Sqlite, query, query_scalar};
use tokio::task::JoinSet;

/// As much as a small event in an outbox.
const PAYLOAD: [u8; 200] = [7; 200];

/// A file with one table. Clones are the same file.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The file, for what else is measured on it.
    pub db: Sqlite,
}

impl Disk {
    /// Makes the file.
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let db = Sqlite::open(path).await?;
        let made: Result<(), Error> = db
            .write(|conn| {
                Box::pin(async move {
                    let table = "CREATE TABLE IF NOT EXISTS floor (n INTEGER PRIMARY KEY, payload BLOB)";
                    query(table).execute(conn).await.map(drop)
                })
            })
            .await;
        made.map(|()| Self { db })
    }

    /// `INSERT` and `COMMIT` of one row, the commit shared with whoever else waits.
    ///
    /// # Errors
    /// The database refused.
    pub async fn commit(&self) -> Result<(), Error> {
        self.insert(1).await
    }

    /// `rows` rows in one transaction.
    ///
    /// # Errors
    /// The database refused.
    pub async fn insert(&self, rows: u64) -> Result<(), Error> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    for _ in 0..rows {
                        let insert = query("INSERT INTO floor (payload) VALUES ($1)");
                        insert.bind(PAYLOAD.as_slice()).execute(&mut *conn).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// One row by its key.
    ///
    /// # Errors
    /// The database refused.
    pub async fn read(&self, n: i64) -> Result<Option<Vec<u8>>, Error> {
        let found = query_scalar("SELECT payload FROM floor WHERE n = $1").bind(n);
        found.fetch_optional(self.db.readers()).await
    }
}

/// How long it takes `callers` to do `work` `times` times between them, each one after the other.
///
/// # Panics
/// The work panicked.
pub async fn shared<F>(
    callers: usize,
    times: usize,
    work: impl Fn() -> F + Clone + Send + 'static,
) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let (taken, mut tasks) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let began = Instant::now();
    for _ in 0..callers {
        let (taken, work) = (Arc::clone(&taken), work.clone());
        tasks.spawn(async move {
            while taken.fetch_add(1, Ordering::Relaxed) < times {
                work().await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("the work does not panic");
    }
    began.elapsed()
}
