//! SQLite: one database file, one writer whose callers share commits, a pool of readers.
//!
//! SQLite has one writer at a time and a commit waits for the disk, so a commit each would cap a service at
//! what the disk can sync. [`Sqlite::write`] hands its work to a thread that runs all the work that waits, each
//! piece behind a savepoint of its own, in one transaction: a piece that fails is undone alone, and nobody is
//! answered before the commit that holds their work is on the disk (WAL, `synchronous=FULL`).
//!
//! # What work may do
//!
//! Everybody's work runs on the one thread, one piece after another, and each piece keeps the others waiting until it
//! ends. So work is statements on the connection that it is given, and what is computed between them:
//!
//! - It awaits nothing that takes its time: no network, no lock, no channel, no sleep. Whatever has to be waited for is
//!   fetched before [`Sqlite::write`] is called.
//! - It writes to its database by its connection alone. A [`Sqlite::write`] to the same database waits for the work that
//!   waits for it: from within the work it is refused with an error; from a task that the work has spawned and awaits it
//!   cannot be told apart from anybody else's, and stops the writer for ever.
//! - It does not write to another database either. That is not refused, but two databases whose work writes to each
//!   other wait for each other in the same way, and one that is slow holds up both.
//!
//! # Which driver
//!
//! The driver is rusqlite, and public: `FromSql` and `ToSql` of its [`types`] are what is read and bound, and
//! [`DriverError`] becomes an [`Error`]. This version goes with **rusqlite 0.39**, whose libsqlite3-sys is 0.37; another
//! rusqlite has other traits, and Cargo builds only one libsqlite3-sys into a program. Whoever uses sqlx beside it
//! takes one that accepts that version, as sqlx 0.9 does. A new rusqlite is a breaking change of this crate.
//!
//! [`query`] and its relatives have sqlx's words, so that a store for PostgreSQL reads like the one beside it.

mod connection;
mod error;
mod query;
mod row;
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
pub use query::{FromRow, Query, QueryAs, query, query_as, query_scalar};
pub use row::Row;
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
    /// The file cannot be opened, made or read as a database, or there is no runtime.
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

    /// As [`commits`](Self::commits), of those commits alone whose work
    /// [announced](SqliteConnection::announce) something: for who waits for what few of them have.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.writer.news()
    }

    /// Runs `work` in a transaction and commits it, in one commit with other callers' work where they wait.
    ///
    /// All of `work`'s effects are on the disk when this answers `Ok`, none of them when it answers `Err`.
    ///
    /// `work` runs on the thread that writes while everybody else waits, and must not wait itself: see [what work may
    /// do](self#what-work-may-do).
    ///
    /// Cancel safe in this sense: the work is done as a whole or not at all even if the future is dropped; whoever
    /// drops it does not learn which.
    ///
    /// # Errors
    /// What `work` returned, or that the transaction could not be begun or committed, that the database is closed, or
    /// that this is called from within work on this same database, which would wait for itself.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit(work).await
    }

    /// Waits for the work that was handed in, then closes the file. Later writes fail. From within work it does not
    /// wait: the file is closed after that work.
    pub async fn close(&self) {
        // The last to close moves the log into the file and removes it, which a reader could not.
        self.readers.close();
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

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
    async fn what_comes_after_a_commit_comes_after_it_and_only_then() {
        let (_dir, db) = numbers().await;
        let (told, heard) = std::sync::mpsc::channel();
        let work = |sql: &'static str, fails: bool| {
            let (db, told, path) = (db.clone(), told.clone(), db.path().to_owned());
            async move {
                let written = db.write(move |conn| {
                    Box::pin(async move {
                        query(sql).execute(&mut *conn).await?;
                        conn.after_commit(move || {
                            let seen = rusqlite::Connection::open(path).expect("opens");
                            let count = seen.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0));
                            told.send((sql, count.expect("a count"))).expect("heard");
                        });
                        if fails { Err(TestError::Refused) } else { Ok(()) }
                    })
                });
                written.await.is_ok()
            }
        };
        let panics: Result<(), TestError> = db
            .write(|conn| {
                Box::pin(async move {
                    conn.after_commit(|| panic!("it tells nobody"));
                    Ok(())
                })
            })
            .await;
        panics.expect("it is committed all the same");
        let (one, two) = ("INSERT INTO numbers VALUES (1)", "INSERT INTO numbers VALUES (2), (3)");
        assert_eq!(tokio::join!(work(one, false), work("DELETE FROM numbers", true)), (true, false));
        assert!(work(two, false).await);
        let told: Vec<(&str, i64)> = heard.try_iter().collect();
        assert_eq!(told, [(one, 1), (two, 3)]);

        let child = "CREATE TABLE child (n REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)";
        assert!(work(child, false).await);
        assert!(!work("INSERT INTO child VALUES (9)", false).await, "the commit fails");
        assert!(work("INSERT INTO child VALUES (1)", false).await);
        let told: Vec<_> = heard.try_iter().map(|(sql, _)| sql).collect();
        assert_eq!(told, [child, "INSERT INTO child VALUES (1)"]);
    }

    #[tokio::test]
    async fn news_are_told_once_they_are_committed_and_other_commits_are_none() {
        let (_dir, db) = numbers().await;
        let (commits, news) = (db.commits(), db.news());
        let before = (*commits.borrow(), *news.borrow());
        insert(&db, 1, false).await.expect("written");
        let announced = db.write(|conn| {
            Box::pin(async move {
                conn.announce();
                query("INSERT INTO numbers VALUES (2)").execute(conn).await?;
                Ok::<_, TestError>(())
            })
        });
        announced.await.expect("written");
        insert(&db, 3, false).await.expect("written");
        let after = (*commits.borrow(), *news.borrow());
        assert_eq!((after.0 - before.0, after.1 - before.1), (3, 1));
    }

    /// Two rows, `n` and `-n`, with a moment between them in which everybody else may run.
    async fn pair(conn: &mut SqliteConnection, n: i64, between: impl Future) -> Result<(), TestError> {
        query("INSERT INTO numbers VALUES ($1)").bind(n).execute(&mut *conn).await?;
        between.await;
        query("INSERT INTO numbers VALUES ($1)").bind(-n).execute(conn).await?;
        Ok(())
    }

    async fn insert_pair(db: &Sqlite, n: i64) -> Result<(), TestError> {
        db.write(move |conn| Box::pin(pair(conn, n, tokio::task::yield_now()))).await
    }

    /// How many pairs there are. None may be half there.
    async fn pairs(db: &Sqlite) -> i64 {
        let halves = "SELECT count(*) FROM numbers WHERE -n NOT IN (SELECT n FROM numbers)";
        let halves: i64 = query_scalar(halves).fetch_one(db.readers()).await.expect("counts");
        assert_eq!(halves, 0, "work is whole or not there");
        count(db).await / 2
    }

    #[tokio::test]
    async fn a_caller_dropped_in_the_middle_of_its_work_leaves_it_whole() {
        let (_dir, db) = numbers().await;
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let write = db.write(move |conn| {
            Box::pin(async move {
                let between = async {
                    begun.send(()).expect("the test waits");
                    may_go_on.await.expect("the test says so");
                };
                pair(conn, 1, between).await
            })
        });
        tokio::select! { _ = write => unreachable!(), begun = has_begun => begun.expect("it has begun") }
        go_on.send(()).expect("the writer waits");
        insert_pair(&db, 2).await.expect("the writer goes on");
        assert_eq!(pairs(&db).await, 2);
    }

    #[tokio::test]
    async fn callers_dropped_before_their_work_began_leave_it_whole_or_undone() {
        let (_dir, db) = numbers().await;
        let queue = i64::try_from(writer::QUEUE).expect("few");
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let keeps_the_writer = db.write(move |_| {
            Box::pin(async move {
                begun.send(()).expect("the test waits");
                may_go_on.await.expect("the test says so");
                Ok::<(), TestError>(())
            })
        });
        let drops = async {
            has_begun.await.expect("it has begun");
            // More than the queue takes: some are dropped in it, the rest before it. Tokio would interrupt so many.
            let writes = futures::future::join_all((1..=queue + 100).map(|n| insert_pair(&db, n)));
            let mut writes = tokio::task::unconstrained(writes);
            assert!(futures::poll!(&mut writes).is_pending());
            drop(writes);
            go_on.send(()).expect("the writer waits");
        };
        let (kept, ()) = tokio::join!(keeps_the_writer, drops);
        kept.expect("it changed nothing");
        insert_pair(&db, queue + 101).await.expect("the writer goes on");
        assert_eq!(pairs(&db).await, queue + 1, "those that were handed in, and the last");
    }

    #[tokio::test]
    async fn a_write_within_a_write_is_refused_and_another_database_is_not() {
        let ((_dir, db), (_other_dir, other)) = (numbers().await, numbers().await);
        let (inner, elsewhere) = (db.clone(), other.clone());
        let nested = db.write(move |conn| {
            Box::pin(async move {
                query("INSERT INTO numbers VALUES (1)").execute(conn).await?;
                insert(&elsewhere, 1, false).await?;
                insert(&inner, 2, false).await
            })
        });
        let nested =
            tokio::time::timeout(Duration::from_secs(10), nested).await.expect("nobody waits for ever");
        let error = nested.expect_err("it would wait for itself");
        assert!(matches!(&error, TestError::Database(error) if !error.is_unavailable()), "{error}");
        assert!(error.to_string().contains("whose transaction it is in"), "{error}");
        assert_eq!((count(&db).await, count(&other).await), (0, 1));
        insert(&db, 1, false).await.expect("the writer goes on");
    }

    #[tokio::test]
    async fn work_that_closes_its_database_is_kept() {
        let (dir, db) = numbers().await;
        let inner = db.clone();
        let closing = db.write(move |conn| {
            Box::pin(async move {
                query("INSERT INTO numbers VALUES (1)").execute(conn).await?;
                inner.close().await;
                Ok::<(), TestError>(())
            })
        });
        let closing =
            tokio::time::timeout(Duration::from_secs(10), closing).await.expect("nobody waits for ever");
        closing.expect("written");
        db.close().await;
        let late = insert(&db, 2, false).await.expect_err("closed");
        assert!(matches!(late, TestError::Database(error) if error.is_closed()));
        let again = Sqlite::open(dir.path().join("test.db")).await.expect("opens again");
        assert_eq!(count(&again).await, 1);
    }

    #[test]
    fn without_a_runtime_there_is_an_error_and_no_panic() {
        let dir = tempfile::tempdir().expect("a directory");
        let opened = futures::executor::block_on(Sqlite::open(dir.path().join("test.db")));
        let error = opened.expect_err("no runtime");
        assert!(error.to_string().contains("within a tokio runtime"), "{error}");
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
