//! What goes wrong in a database.

use std::borrow::Cow;
use std::sync::Arc;

/// What SQLite says when it is not the statement that is wrong: `PERM`, `BUSY`, `LOCKED`, `NOMEM`, `READONLY`, `IOERR`,
/// `CORRUPT`, `FULL`, `CANTOPEN`, `PROTOCOL`, `NOTADB`. The low byte of every code it has.
const UNAVAILABLE: [i32; 11] = [3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 26];

/// What went wrong in the database. Cheap to clone: a failed commit is told to everyone who shared it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{context}: {source}")]
pub struct Error {
    context: Cow<'static, str>,
    source: Arc<dyn std::error::Error + Send + Sync>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A piece of work's own: what SQLite says tells whether the database could be used.
    Work,
    /// Of the transaction that the work was in, or of the thread that writes: whatever the caller did, it was not that.
    Transaction,
    Closed,
    Newer,
}

impl Error {
    fn told(kind: Kind, context: &'static str, why: impl Into<Boxed>) -> Self {
        Self { context: context.into(), source: Arc::from(why.into()), kind }
    }

    /// Of the database as a whole.
    pub(super) fn of_transaction(context: &'static str, source: rusqlite::Error) -> Self {
        Self { context: context.into(), source: Arc::new(source), kind: Kind::Transaction }
    }

    pub(super) fn closed() -> Self {
        Self::told(Kind::Closed, "the database", "it is closed")
    }

    /// The thread that writes cannot be had.
    pub(super) fn no_writer(source: std::io::Error) -> Self {
        Self::told(Kind::Transaction, "no thread to write", source)
    }

    pub(super) fn no_runtime(source: tokio::runtime::TryCurrentError) -> Self {
        Self::told(Kind::Work, "a database is opened within a tokio runtime", source)
    }

    /// It would wait for the work that waits for it.
    pub(super) fn within_itself() -> Self {
        Self::told(
            Kind::Work,
            "the work",
            "it writes to the database whose transaction it is in, other than by that",
        )
    }

    pub(super) fn panicked() -> Self {
        Self::told(Kind::Work, "the work", "it panicked")
    }

    /// What is read, or is to be written, is not what belongs there.
    pub fn decode(why: impl Into<Boxed>) -> Self {
        Self::told(Kind::Work, "not what belongs in the database", why)
    }

    /// The tables of `library` are of a later version than this program has.
    pub(super) fn newer(library: &str, found: i64, known: i64) -> Self {
        let why = format!("the tables of {library} are of version {found}, this one knows {known}");
        Self::told(Kind::Newer, "written by a newer version of this program", why)
    }

    /// The name of the broken constraint or the columns of the broken index, if one was broken: SQLite says
    /// `UNIQUE constraint failed: users.email`, this is `users.email`.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        let Some(rusqlite::Error::SqliteFailure(_, Some(message))) = self.source.downcast_ref() else {
            return None;
        };
        message.split_once("constraint failed: ").map(|(_, name)| name)
    }

    /// Whether the database cannot be used at the moment, by whomever and for whatever: the disk is full, a file
    /// cannot be written or read, or another process keeps it locked. Nothing was changed; the same may succeed later.
    ///
    /// False where trying again is of no use: a statement that is wrong, a value that cannot be bound or read, a
    /// database that is [closed](Self::is_closed) or of a [newer version](Self::is_newer).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self.kind {
            Kind::Transaction => true,
            Kind::Work => is_unavailable(&*self.source),
            Kind::Closed | Kind::Newer => false,
        }
    }

    /// Whether this database was [closed](super::Sqlite::close): it does not come back, another may be opened.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.kind == Kind::Closed
    }

    /// Whether a later version of the program wrote the tables, which this one cannot read: see
    /// [`bring_up`](super::Sqlite::bring_up).
    #[must_use]
    pub fn is_newer(&self) -> bool {
        self.kind == Kind::Newer
    }
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

fn is_unavailable(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(rusqlite::Error::SqliteFailure(failure, _)) if UNAVAILABLE.contains(&(failure.extended_code & 0xff))
    )
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        Self { context: "the database refused".into(), source: Arc::new(source), kind: Kind::Work }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
    }

    #[test]
    fn each_kind_says_what_can_be_done() {
        let (full, constraint) = (13, 19);
        let io = std::io::Error::other("no thread");
        for (error, unavailable, closed, newer) in [
            (Error::from(failure(full)), true, false, false),
            (Error::from(failure(constraint)), false, false, false),
            (Error::from(rusqlite::Error::QueryReturnedNoRows), false, false, false),
            (Error::of_transaction("cannot commit", failure(full)), true, false, false),
            (Error::no_writer(io), true, false, false),
            (Error::decode("a letter"), false, false, false),
            (Error::panicked(), false, false, false),
            (Error::within_itself(), false, false, false),
            (Error::closed(), false, true, false),
            (Error::newer("parcels", 2, 1), false, false, true),
        ] {
            let said = (error.is_unavailable(), error.is_closed(), error.is_newer());
            assert_eq!(said, (unavailable, closed, newer), "{error}");
        }
    }
}
