//! What goes wrong in a database.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::migrate::MigrateError;

/// What SQLite says when it is not the statement that is wrong: `PERM`, `BUSY`, `LOCKED`, `NOMEM`, `READONLY`, `IOERR`,
/// `CORRUPT`, `FULL`, `CANTOPEN`, `PROTOCOL`, `NOTADB`. The low byte of every code it has.
const UNAVAILABLE: [u32; 11] = [3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 26];

/// What went wrong in the database. Cheap to clone: a failed commit is told to everyone who shared it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{context}: {source}")]
pub struct Error {
    context: Cow<'static, str>,
    source: Arc<sqlx::Error>,
    /// A piece of work's own error, not that of the transaction it was in.
    of_work: bool,
}

impl Error {
    /// Of the database as a whole: whatever the caller did, it was not that.
    pub(super) fn new(context: &'static str, source: sqlx::Error) -> Self {
        Self { context: context.into(), source: Arc::new(source), of_work: false }
    }

    pub(super) fn closed() -> Self {
        Self::new("the database is closed", sqlx::Error::PoolClosed)
    }

    /// The tables of `library` are of a later version than this program has.
    pub(super) fn newer(library: &str, found: i64, known: i64) -> Self {
        let context = format!(
            "written by a newer version of this program (the tables of {library} are of version {found}, this one \
             knows {known})"
        );
        let source = sqlx::Error::from(MigrateError::VersionTooNew(found, known));
        Self { context: context.into(), source: Arc::new(source), of_work: false }
    }

    /// The name of the broken constraint or the columns of the broken index, if one was broken: SQLite says
    /// `UNIQUE constraint failed: users.email`, this is `users.email`.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        let sqlx::Error::Database(error) = &*self.source else { return None };
        error.message().split_once("constraint failed: ").map(|(_, name)| name)
    }

    /// Whether the database cannot be used at the moment, by whomever and for whatever: the disk is full, a file
    /// cannot be written or read, or another process keeps it locked. Nothing was changed; the same may succeed later.
    ///
    /// False where trying again is of no use: a statement that is wrong, a value that cannot be read.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        !self.of_work || is_unavailable(&self.source)
    }

    /// The driver's error.
    #[must_use]
    pub fn driver_error(&self) -> &sqlx::Error {
        &self.source
    }
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .is_some_and(|code| UNAVAILABLE.contains(&(code & 0xff))),
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self { context: "the database refused".into(), source: Arc::new(source), of_work: true }
    }
}
