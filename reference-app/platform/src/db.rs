//! A service's database.

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};
use ticketblitz_core::sqlite::{self, BoxFuture, Sqlite, SqliteConnection};

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
    let unreadable =
        |error: sqlite::Error| StartError(format!("{} cannot be read ({error})", path.display()));
    let mut connection = SqliteConnection::read_only(&path).map_err(unreadable)?;
    connection.execute_batch("BEGIN").map_err(unreadable)?;
    look(&mut connection).await.map_err(unreadable)
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

    #[tokio::test]
    async fn a_look_sees_one_moment_and_makes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let count = |dir: &Path| {
            let dir = dir.to_owned();
            async move {
                look(&dir, "test", |conn| {
                    Box::pin(sqlite::query_scalar::<i64>("SELECT count(*) FROM outbox").fetch_one(conn))
                })
                .await
            }
        };
        let error = count(dir.path()).await.expect_err("no file").to_string();
        assert!(error.contains("test.db"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0, "nothing was made");

        let db = open(dir.path(), "test", &Migrator::DEFAULT).await.expect("opens");
        assert_eq!(count(dir.path()).await.expect("beside its owner"), 0);
        db.close().await;
        let before = std::fs::read(dir.path().join("test.db")).expect("the file");
        assert_eq!(count(dir.path()).await.expect("without an owner"), 0);
        assert_eq!(std::fs::read(dir.path().join("test.db")).expect("the file"), before);

        let write = look(dir.path(), "test", |conn| {
            Box::pin(async move { sqlite::query("DELETE FROM outbox").execute(conn).await.map(drop) })
        });
        assert!(write.await.expect_err("it only reads").to_string().contains("readonly"));
    }
}
