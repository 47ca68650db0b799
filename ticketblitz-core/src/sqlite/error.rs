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
    /// A piece of work's own error, not that of the transaction it was in.
    of_work: bool,
}

impl Error {
    /// Of the database as a whole: whatever the caller did, it was not that.
    pub(super) fn new(context: &'static str, source: rusqlite::Error) -> Self {
        Self { context: context.into(), source: Arc::new(source), of_work: false }
    }

    pub(super) fn closed() -> Self {
        Self {
            context: "the database".into(),
            source: Arc::from(Boxed::from("it is closed")),
            of_work: false,
        }
    }

    /// The thread that writes cannot be had.
    pub(super) fn no_writer(source: std::io::Error) -> Self {
        Self { context: "no thread to write".into(), source: Arc::new(source), of_work: false }
    }

    pub(super) fn panicked() -> Self {
        Self { context: "the work".into(), source: Arc::from(Boxed::from("it panicked")), of_work: true }
    }

    /// What is read, or is to be written, is not what belongs there.
    pub fn decode(why: impl Into<Boxed>) -> Self {
        Self {
            context: "not what belongs in the database".into(),
            source: Arc::from(why.into()),
            of_work: true,
        }
    }

    /// The tables of `library` are of a later version than this program has.
    pub(super) fn newer(library: &str, found: i64, known: i64) -> Self {
        let why = format!("the tables of {library} are of version {found}, this one knows {known}");
        let context = "written by a newer version of this program".into();
        Self { context, source: Arc::from(Boxed::from(why)), of_work: false }
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
    /// False where trying again is of no use: a statement that is wrong, a value that cannot be read.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        !self.of_work || is_unavailable(&*self.source)
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
        Self { context: "the database refused".into(), source: Arc::new(source), of_work: true }
    }
}
