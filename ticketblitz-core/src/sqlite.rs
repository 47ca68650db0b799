//! SQLite: one database file, one writer whose callers share commits, a pool of readers.
//!
//! SQLite has one writer at a time and a commit waits for the disk, so a commit each would cap a service at
//! what the disk can sync. [`Sqlite::write`] hands its work to a thread that runs all the work that waits, each
//! piece behind a savepoint of its own, in one transaction: a piece that fails is undone alone, and nobody is
//! answered before the commit that holds their work is on the disk (WAL, `synchronous=FULL`).

mod connection;
mod error;
mod query;
mod schema;
mod text;
mod writer;

use std::path::{Path, PathBuf};

pub use futures::future::BoxFuture;
/// The driver's words for what can be bound to a statement and read from a row.
pub use rusqlite::{Error as DriverError, types};
use tokio::sync::watch;

pub use connection::{Executor, Reader, Readers, SqliteConnection};
pub use error::Error;
pub use query::{FromRow, Query, QueryAs, Row, query, query_as, query_scalar};
use writer::Writer;

/// A database. Clones share the writer and the readers.
#[derive(Debug, Clone)]
pub struct Sqlite {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
}

impl Sqlite {
    /// Opens the file at `path`, making it if there is none, in WAL mode with `synchronous=FULL`: what has been
    /// answered survives a power cut.
    ///
    /// Must be called within a tokio runtime, which the work that is written may use. The thread that writes ends
    /// with the last clone.
    ///
    /// # Errors
    /// The file cannot be opened, made or read as a database.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        // The writer first: it makes the file and turns it to WAL, and readers of an absent file would fail.
        let writer = Writer::spawn(SqliteConnection::writer(&path)?)?;
        let readers = Readers::open(&path)?;
        Ok(Self { path, writer, readers })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Connections for reading.
    #[must_use]
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// How many commits this database has made since it was opened, for whoever waits for news in it: the
    /// receiver wakes after each commit, once for several that came close together.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.writer.commits()
    }

    /// Runs `work` in a transaction and commits it, in one commit with other callers' work where they wait.
    ///
    /// All of `work`'s effects are on the disk when this answers `Ok`, none of them when it answers `Err`.
    ///
    /// Cancel safe in this sense: once called, the work is done or undone as a whole even if the future is
    /// dropped; whoever drops it does not learn which.
    ///
    /// # Errors
    /// What `work` returned, or that the transaction could not be begun or committed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit(work).await
    }

    /// Waits for the work that was handed in, then closes the file. Later writes fail.
    pub async fn close(&self) {
        // The last to close moves the log into the file and removes it, which a reader could not.
        self.readers.close();
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum TestError {
        #[error("refused")]
        Refused,
        #[error(transparent)]
        Database(#[from] Error),
    }

    async fn numbers() -> (tempfile::TempDir, Sqlite) {
        let dir = tempfile::tempdir().expect("a directory");
        let db = Sqlite::open(dir.path().join("test.db")).await.expect("opens");
        let made: Result<_, TestError> = db
            .write(|conn| {
                Box::pin(async {
                    query("CREATE TABLE numbers (n INTEGER PRIMARY KEY)").execute(conn).await?;
                    Ok(())
                })
            })
            .await;
        made.expect("a table");
        (dir, db)
    }

    async fn insert(db: &Sqlite, n: i64, fail: bool) -> Result<(), TestError> {
        db.write(move |conn| {
            Box::pin(async move {
                query("INSERT INTO numbers VALUES ($1)").bind(n).execute(conn).await?;
                if fail { Err(TestError::Refused) } else { Ok(()) }
            })
        })
        .await
    }

    async fn count(db: &Sqlite) -> i64 {
        query_scalar("SELECT count(*) FROM numbers").fetch_one(db.readers()).await.expect("counts")
    }

    #[tokio::test]
    async fn work_that_fails_is_undone_alone() {
        let (_dir, db) = numbers().await;
        let all = futures::future::join_all((0..200).map(|n| insert(&db, n, n % 2 == 1))).await;
        assert_eq!(all.iter().filter(|r| r.is_ok()).count(), 100);
        assert_eq!(count(&db).await, 100);
        let twice = insert(&db, 0, false).await.expect_err("a key twice");
        assert!(matches!(twice, TestError::Database(e) if e.constraint() == Some("numbers.n")));
    }

    #[tokio::test]
    async fn callers_who_wait_together_share_commits() {
        let (_dir, db) = numbers().await;
        let before = *db.commits().borrow();
        futures::future::join_all((0..500).map(|n| insert(&db, n, false))).await;
        let commits = *db.commits().borrow() - before;
        assert!(commits < 100, "500 writes took {commits} commits");
        assert_eq!(count(&db).await, 500);
    }

    #[tokio::test]
    async fn a_dropped_caller_leaves_whole_work_behind() {
        let (_dir, db) = numbers().await;
        for n in 0..50 {
            let write = insert(&db, n, false);
            tokio::select! { biased; _ = write => {}, () = tokio::task::yield_now() => {} }
        }
        insert(&db, 1_000, false).await.expect("the writer goes on");
        assert!(count(&db).await >= 1);
    }

    #[tokio::test]
    async fn a_panic_in_work_stops_nobody_else() {
        let (_dir, db) = numbers().await;
        let inner = db.clone();
        let panicked = tokio::spawn(async move {
            inner
                .write(|conn| {
                    Box::pin(async move {
                        query("INSERT INTO numbers VALUES (7)").execute(conn).await?;
                        if true {
                            panic!("on purpose");
                        }
                        Ok::<(), TestError>(())
                    })
                })
                .await
        });
        let error = panicked.await.expect("the caller does not panic").expect_err("the work failed");
        assert!(error.to_string().contains("panicked"), "{error}");
        assert_eq!(count(&db).await, 0, "what the panicking work wrote is undone");
        insert(&db, 7, false).await.expect("the writer goes on");
    }

    async fn pragma(db: &Sqlite, sql: &'static str) {
        let set: Result<(), TestError> = db
            .write(move |conn| Box::pin(async move { Ok(query(sql).execute(conn).await.map(drop)?) }))
            .await;
        set.expect(sql);
    }

    #[tokio::test]
    async fn a_full_disk_undoes_what_it_hits_is_told_and_passes() {
        let (_dir, db) = numbers().await;
        pragma(&db, "CREATE TABLE blobs (n INTEGER PRIMARY KEY, b BLOB NOT NULL)").await;
        pragma(&db, "PRAGMA max_page_count = 40").await;
        let large = |n: i64| {
            db.write(move |conn| {
                Box::pin(async move {
                    let insert = query("INSERT INTO blobs VALUES ($1, zeroblob(10000))").bind(n);
                    Ok::<_, TestError>(insert.execute(conn).await.map(drop)?)
                })
            })
        };
        let all = futures::future::join_all((0..40).map(large)).await;
        let kept = all.iter().filter(|result| result.is_ok()).count();
        assert!(kept < 40, "40 pages of 4 KiB do not take 400 kB");
        for error in all.into_iter().filter_map(Result::err) {
            assert!(matches!(&error, TestError::Database(error) if error.is_unavailable()), "{error}");
        }
        let count = "SELECT count(*) FROM blobs";
        let there: i64 = query_scalar(count).fetch_one(db.readers()).await.expect("counts");
        assert_eq!(
            usize::try_from(there).expect("few"),
            kept,
            "what was answered is there, and nothing else"
        );
        pragma(&db, "PRAGMA max_page_count = 100000").await;
        futures::future::join_all((100..140).map(large))
            .await
            .into_iter()
            .for_each(|r| r.expect("room again"));
        let refused = insert(&db, 0, true).await.expect_err("refused");
        assert!(!matches!(refused, TestError::Database(_)));
        insert(&db, 0, false).await.expect("written");
        let twice = insert(&db, 0, false).await.expect_err("a key twice");
        assert!(matches!(twice, TestError::Database(error) if !error.is_unavailable()));
    }

    #[tokio::test]
    async fn writes_after_close_fail_and_nothing_is_lost() {
        let (dir, db) = numbers().await;
        insert(&db, 1, false).await.expect("written");
        db.close().await;
        assert!(insert(&db, 2, false).await.is_err());
        assert!(!dir.path().join("test.db-wal").exists(), "a file that is closed is all there is");
        let again = Sqlite::open(dir.path().join("test.db")).await.expect("opens again");
        assert_eq!(count(&again).await, 1);
    }
}
