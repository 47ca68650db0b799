//! A service's database.

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::sqlite::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use ticketblitz_core::sqlite::sqlx::{self, ConnectOptions, Connection};

use crate::service::StartError;

/// Opens `{dir}/{name}.db`, brings its tables up to date and makes those of sagas, outbox and inbox.
///
/// # Errors
/// A sentence that names the file: it cannot be opened, is another program's, is damaged, or newer than this
/// program.
pub async fn open(dir: &Path, name: &str, migrations: &Migrator) -> Result<Sqlite, StartError> {
    let path = dir.join(format!("{name}.db"));
    migrate(&path, migrations).await?;
    let db = Sqlite::open(&path).await.map_err(|error| sentence(&path, &error))?;
    ticketblitz_saga::sqlite::setup(&db).await.map_err(|error| sentence(&path, &error))?;
    Ok(db)
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

fn sentence(path: &Path, error: &dyn std::fmt::Display) -> StartError {
    let reason = error.to_string();
    let what = if reason.contains("not a database") || reason.contains("malformed") {
        "is not a database of this program, or is damaged; restore it from a copy, or choose another --data-dir"
    } else if reason.contains("readonly") || reason.contains("unable to open") {
        "cannot be written; check the permissions of the data directory"
    } else if reason.contains("disk is full") {
        "cannot be written: the disk is full"
    } else {
        "cannot be used"
    };
    StartError(format!("{} {what} ({reason})", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("test.db"), vec![b'x'; 8_192]).expect("written");
        let migrations = Migrator::DEFAULT;
        let error = open(dir.path(), "test", &migrations).await.expect_err("no database").to_string();
        assert!(error.contains("test.db") && error.contains("not a database of this program"), "{error}");
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let error =
            open(&dir.path().join("gone"), "test", &Migrator::DEFAULT).await.expect_err("gone").to_string();
        assert!(error.contains("test.db") && error.contains("cannot be written"), "{error}");
    }
}
