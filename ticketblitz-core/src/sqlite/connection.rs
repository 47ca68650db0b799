//! Connections: one that writes, some that read, and what statements run on.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Error;
use super::row::Shapes;

/// How long a statement waits for another process's write (`users create` beside a running server).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements that a connection keeps prepared: more than any one service has.
const PREPARED: usize = 256;
/// Readers that are kept open when nobody reads.
const IDLE: usize = 8;

/// A connection, or the transaction that it is in.
///
/// Statements run on the thread that polls them.
#[derive(Debug)]
pub struct SqliteConnection {
    raw: Connection,
    shapes: Shapes,
    news: bool,
    after: After,
}

/// What is called once what is being written is committed.
#[derive(Default)]
struct After(Vec<Box<dyn FnOnce() + Send>>);

impl fmt::Debug for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|_| "FnOnce()")).finish()
    }
}

impl SqliteConnection {
    pub(super) fn writer(path: &Path) -> Result<Self, Error> {
        let raw = Connection::open(path)?;
        raw.busy_timeout(BUSY_TIMEOUT)?;
        // Savepoints keep what they would undo in memory, not in files.
        raw.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY;",
        )?;
        Self::prepared(raw)
    }

    /// Opens a file to read it, beside whoever owns it: nothing is made or written.
    ///
    /// # Errors
    /// The file is not there or cannot be read.
    pub fn read_only(path: impl AsRef<Path>) -> Result<Self, Error> {
        let raw = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        raw.busy_timeout(BUSY_TIMEOUT)?;
        // Whatever it keeps is out of date with the next commit.
        raw.execute_batch("PRAGMA cache_size = -256")?;
        Self::prepared(raw)
    }

    /// Statements stay prepared, and one plan does for all values: else SQLite, where it was built with STAT4, plans
    /// each range anew for the values of the day.
    fn prepared(raw: Connection) -> Result<Self, Error> {
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        raw.set_prepared_statement_cache_capacity(PREPARED);
        Ok(Self { raw, shapes: Shapes::default(), news: false, after: After::default() })
    }

    /// Tells whoever waits for [`news`](super::Sqlite::news) of this database, once what is being written is
    /// committed. Without effect on a connection that only reads.
    pub fn announce(&mut self) {
        self.news = true;
    }

    /// Has `told` called once what is being written is committed: on the thread that writes, before any later work and
    /// before the callers have their answers. If it is not committed, `told` is dropped. It must be quick; a panic in it
    /// changes nothing, since what it is about is committed. A savepoint of one's own that is rolled back does not take it
    /// back. Without effect on a connection that only reads.
    ///
    /// ```
    /// # use ticketblitz_core::sqlite::{Error, Sqlite};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// # let dir = tempfile::tempdir().expect("a directory");
    /// # let db = Sqlite::open(dir.path().join("example.db")).await?;
    /// let (sender, committed) = std::sync::mpsc::channel();
    /// db.write(move |conn| {
    ///     Box::pin(async move {
    ///         conn.execute_batch("CREATE TABLE seats (id TEXT PRIMARY KEY)")?;
    ///         conn.after_commit(move || drop(sender.send("the table is there")));
    ///         Ok::<_, Error>(())
    ///     })
    /// })
    /// .await?;
    /// assert_eq!(committed.recv(), Ok("the table is there"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn after_commit(&mut self, told: impl FnOnce() + Send + 'static) {
        self.after.0.push(Box::new(told));
    }

    /// How many are called after the commit as things stand.
    pub(super) fn after(&self) -> usize {
        self.after.0.len()
    }

    /// Only the first `kept` of them are called: what the others were for is undone.
    pub(super) fn forget_after(&mut self, kept: usize) {
        self.after.0.truncate(kept);
    }

    pub(super) fn committed(&mut self) {
        for told in self.after.0.drain(..) {
            // The thread that writes goes on. The panic's own message has been printed.
            let _panicked = catch_unwind(AssertUnwindSafe(told));
        }
    }

    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// One statement that begins or ends a transaction, which stays prepared.
    pub(super) fn run(&mut self, sql: &str, context: &'static str) -> Result<(), Error> {
        let run = self.raw.prepare_cached(sql).and_then(|mut statement| statement.raw_execute());
        run.map(drop).map_err(|error| Error::of_transaction(context, error))
    }

    /// Runs statements that bind nothing and answer nothing, one after another.
    ///
    /// # Errors
    /// The database refused one; those before it have run.
    pub fn execute_batch(&mut self, sql: &str) -> Result<(), Error> {
        Ok(self.raw.execute_batch(sql)?)
    }
}

/// Sealed: what a statement does with a connection is this crate's own.
mod sealed {
    pub trait Executor: Send {
        fn with<T>(
            self,
            work: impl FnOnce(&rusqlite::Connection, &super::Shapes) -> rusqlite::Result<T>,
        ) -> Result<T, super::Error>;
    }
}

/// What a statement can run on: a connection, or [`Readers`].
pub trait Executor: sealed::Executor {}

impl<E: sealed::Executor> Executor for E {}

impl sealed::Executor for &mut SqliteConnection {
    fn with<T>(self, work: impl FnOnce(&Connection, &Shapes) -> rusqlite::Result<T>) -> Result<T, Error> {
        Ok(work(&self.raw, &self.shapes)?)
    }
}

impl sealed::Executor for &Readers {
    fn with<T>(self, work: impl FnOnce(&Connection, &Shapes) -> rusqlite::Result<T>) -> Result<T, Error> {
        sealed::Executor::with(&mut *self.acquire()?, work)
    }
}

/// Connections for reading. Each sees every commit that was answered before its statement began.
#[derive(Debug, Clone)]
pub struct Readers {
    path: Arc<Path>,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let readers = Self { path: path.into(), idle: Arc::default() };
        drop(readers.acquire()?);
        Ok(readers)
    }

    /// A connection of one's own, which comes back when it is dropped. Nobody waits for one: another is opened.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn acquire(&self) -> Result<Reader, Error> {
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| SqliteConnection::read_only(&self.path), Ok)?;
        Ok(Reader { connection: Some(connection), home: self.clone() })
    }

    /// As [`acquire`](Self::acquire); what is read on it until it is dropped is of one moment.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn begin(&self) -> Result<Reader, Error> {
        let mut reader = self.acquire()?;
        reader.run("BEGIN", "cannot begin a transaction")?;
        Ok(reader)
    }

    pub(super) fn close(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        // Every state of it is a good one.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection of [`Readers`].
#[derive(Debug)]
pub struct Reader {
    /// None once it is being dropped.
    connection: Option<SqliteConnection>,
    home: Readers,
}

impl Deref for Reader {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("it is not being dropped")
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("it is not being dropped")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        connection.forget_after(0);
        let at_rest =
            connection.raw.is_autocommit() || connection.run("ROLLBACK", "cannot roll back").is_ok();
        let mut idle = self.home.idle();
        if at_rest && idle.len() < IDLE {
            idle.push(connection);
        }
    }
}
