//! A service's database.

mod copy;
mod kept;

use std::error::Error;
use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};
use ticketblitz_core::sqlite::{self, BoxFuture, Sqlite, SqliteConnection};

use crate::service::StartError;
use crate::telemetry;
pub use copy::copy_together;
use kept::Kept;

/// Opens `{dir}/{name}.db`, brings its tables up to date and makes those of sagas, outbox and inbox.
///
/// # Errors
/// A sentence that names the file: it cannot be opened, is another program's or service's, is damaged or gone, or newer
/// than this program.
pub async fn open(dir: &Path, name: &str, migrations: &Migrator) -> Result<Sqlite, StartError> {
    let path = dir.join(format!("{name}.db"));
    let kept = Kept::read(dir)?;
    kept.expect(&path, name)?;
    inspect(&path, name, migrations).await?;
    migrate(&path, migrations).await?;
    let db = Sqlite::open(&path).await.map_err(|error| sentence(&path, &error))?;
    ticketblitz_saga::sqlite::setup(&db).await.map_err(|error| sentence(&path, &error))?;
    kept.add(name)?;
    telemetry::count_commits(name, &db);
    Ok(db)
}

/// Looks into `{dir}/{name}.db` beside whoever owns it: nothing is made, migrated or written, and all that `look`
/// reads is of one moment.
///
/// # Errors
/// A sentence that names the file: it is not there, cannot be read, or has not the tables of this program.
pub async fn look<T, F>(dir: &Path, name: &str, look: F) -> Result<T, StartError>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, sqlite::Error>>,
{
    let path = dir.join(format!("{name}.db"));
    let unreadable = |error: sqlite::Error| {
        refused(&path, &error)
            .unwrap_or_else(|| StartError(format!("{} cannot be read ({error})", path.display())))
    };
    let mut connection = SqliteConnection::read_only(&path).map_err(unreadable)?;
    connection.execute_batch("BEGIN").map_err(unreadable)?;
    look(&mut connection).await.map_err(unreadable)
}

/// Whose file it is, before anything is written to it.
async fn inspect(path: &Path, name: &str, migrations: &Migrator) -> Result<(), StartError> {
    match path.metadata() {
        Ok(file) if file.is_dir() => {
            return Err(StartError(format!("{} is a directory, where a database is kept", path.display())));
        }
        Ok(file) if file.len() > 0 => {}
        _ => return Ok(()), // there is none yet, or no more of one than its name
    }
    let unusable = |error: sqlite::Error| sentence(path, &error);
    let mut connection = SqliteConnection::read_only(path).map_err(unusable)?;
    let tables = "SELECT count(*), coalesce(sum(name = '_sqlx_migrations'), 0) FROM sqlite_master WHERE type = 'table'";
    let (tables, ours): (i64, i64) =
        sqlite::query_as(tables).fetch_one(&mut connection).await.map_err(unusable)?;
    let first = migrations.iter().next().filter(|_| ours > 0);
    let theirs: Option<Vec<u8>> = match first {
        Some(first) => sqlite::query_scalar("SELECT checksum FROM _sqlx_migrations WHERE version = $1")
            .bind(first.version)
            .fetch_optional(&mut connection)
            .await
            .map_err(unusable)?,
        None => None,
    };
    drop(connection);
    let another = match (first, theirs) {
        (Some(first), Some(theirs)) => theirs != *first.checksum,
        _ => tables > 0 && ours == 0,
    };
    if another {
        let path = path.display();
        return Err(StartError(format!(
            "{path} is a database, but not one of {name}; put the right one there, or choose another --data-dir"
        )));
    }
    Ok(())
}

/// On a connection of its own: a failed migration must not leave a half open one among the others.
async fn migrate(path: &Path, migrations: &Migrator) -> Result<(), StartError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| sentence(path, &error))?;
    let migrated = migrations.run(&mut connection).await;
    let closed = connection.close().await;
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StartError(format!(
            "{} was written by a newer version of this program (migration {version}); start that version",
            path.display()
        )),
        other => sentence(path, &other),
    })?;
    closed.map_err(|error| sentence(path, &error))
}

/// Whether asking again may do: of this process, or of the next one where this one is shutting down.
#[must_use]
pub fn will_pass(error: &sqlite::Error) -> bool {
    error.is_unavailable() || error.is_closed()
}

/// Of a library's tables; the error may stand behind one of the library's own.
fn is_newer(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(sqlite::Error::is_newer) || error.source().is_some_and(is_newer)
}

/// Why a file cannot be read that is there, where the system knows: SQLite does not tell. Also to read, it has to make
/// files beside a database that nobody has open.
fn refused(path: &Path, error: &(dyn Error + 'static)) -> Option<StartError> {
    let reason = error.to_string();
    if !path.exists() || !(reason.contains("unable to open") || reason.contains("readonly")) {
        return None;
    }
    if let Err(why) = std::fs::File::open(path) {
        return Some(StartError(format!("{} cannot be read: {why}", path.display())));
    }
    let dir = path.parent()?;
    let why = rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).err()?;
    Some(StartError(format!(
        "{} cannot be read: SQLite has to make files beside it, and {} is read-only ({}); copy it to where files can be \
         made",
        path.display(),
        dir.display(),
        std::io::Error::from(why)
    )))
}

fn sentence(path: &Path, error: &(dyn Error + 'static)) -> StartError {
    let reason = error.to_string();
    let what = if is_newer(error) {
        "was written by a newer version of this program; start that version"
    } else if reason.contains("not a database") || reason.contains("malformed") {
        "is not a database of this program, or is damaged; restore it from a copy, or choose another --data-dir"
    } else if reason.contains("readonly") || reason.contains("unable to open") {
        "cannot be written; check the permissions of the data directory"
    } else if reason.contains("disk is full") {
        // The reason says no more.
        return StartError(format!("{} cannot be read or written: the disk is full", path.display()));
    } else if reason.contains("disk I/O error") {
        "cannot be read or written: the disk is full or failing"
    } else {
        "cannot be used"
    };
    StartError(format!("{} {what} ({reason})", path.display()))
}

#[cfg(test)]
mod tests;
