//! A service's database.

mod copy;
mod kept;

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};
use ticketblitz_core::sqlite::{self, BoxFuture, Sqlite, SqliteConnection};

use crate::service::StartError;
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

fn sentence(path: &Path, error: &dyn std::fmt::Display) -> StartError {
    let reason = error.to_string();
    let what = if reason.contains("newer version of this program") {
        "was written by a newer version of this program; start that version"
    } else if reason.contains("not a database") || reason.contains("malformed") {
        "is not a database of this program, or is damaged; restore it from a copy, or choose another --data-dir"
    } else if reason.contains("readonly") || reason.contains("unable to open") {
        "cannot be written; check the permissions of the data directory"
    } else if reason.contains("disk is full") || reason.contains("disk I/O error") {
        "cannot be read or written: the disk is full or failing"
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

    fn of(name: &'static str) -> Migrator {
        let sql = sqlx::AssertSqlSafe(format!("CREATE TABLE {name} (id INTEGER)"));
        let kind = sqlx::migrate::MigrationType::Simple;
        let migration =
            sqlx::migrate::Migration::new(1, name.into(), kind, sqlx::SqlSafeStr::into_sql_str(sql), false);
        Migrator::with_migrations(vec![migration])
    }

    #[tokio::test]
    async fn a_file_that_is_anothers_is_left_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        open(dir.path(), "booking", &of("bookings")).await.expect("opens").close().await;
        let (right, wrong) = (dir.path().join("booking.db"), dir.path().join("payment.db"));
        std::fs::copy(&right, &wrong).expect("copied");
        let error = open(dir.path(), "payment", &of("payments")).await.expect_err("bookings").to_string();
        assert!(error.contains("payment.db") && error.contains("not one of payment"), "{error}");

        std::fs::remove_file(&wrong).expect("removed");
        let options = SqliteConnectOptions::new().filename(&wrong).create_if_missing(true);
        let mut other = options.connect().await.expect("opens");
        sqlx::query("CREATE TABLE recipes (id INTEGER)").execute(&mut other).await.expect("made");
        other.close().await.expect("closed");
        let before = std::fs::read(&wrong).expect("the file");
        let error = open(dir.path(), "payment", &of("payments")).await.expect_err("recipes").to_string();
        assert!(error.contains("payment.db") && error.contains("not one of payment"), "{error}");
        assert_eq!(std::fs::read(&wrong).expect("the file"), before);

        std::fs::remove_file(&wrong).expect("removed");
        std::fs::create_dir(&wrong).expect("a directory");
        let error = open(dir.path(), "payment", &of("payments")).await.expect_err("a directory").to_string();
        assert!(error.contains("payment.db is a directory"), "{error}");
    }

    #[tokio::test]
    async fn a_database_that_was_there_is_not_begun_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("booking.db");
        for _ in 0..2 {
            open(dir.path(), "booking", &of("bookings")).await.expect("opens").close().await;
        }
        let whole = std::fs::read(&file).expect("the file");
        for damaged in [None, Some(0), Some(1_000), Some(whole.len() - 4_096)] {
            match damaged {
                None => std::fs::remove_file(&file).expect("removed"),
                Some(length) => std::fs::write(&file, &whole[..length]).expect("truncated"),
            }
            let error = open(dir.path(), "booking", &of("bookings")).await.expect_err("damaged").to_string();
            assert!(error.contains("booking.db") && error.contains("from a copy"), "{damaged:?}: {error}");
        }
        std::fs::write(&file, &whole).expect("restored");
        open(dir.path(), "booking", &of("bookings")).await.expect("opens");
    }

    #[tokio::test]
    async fn tables_of_a_newer_version_are_refused() {
        for newer in [
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'newer', true, x'00', 0)",
            "UPDATE library_schema SET version = 99 WHERE library = 'ticketblitz-saga'",
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            open(dir.path(), "booking", &of("bookings")).await.expect("opens").close().await;
            let options = SqliteConnectOptions::new().filename(dir.path().join("booking.db"));
            let mut other = options.connect().await.expect("opens");
            sqlx::query(newer).execute(&mut other).await.expect("newer");
            other.close().await.expect("closed");
            let error = open(dir.path(), "booking", &of("bookings")).await.expect_err("newer").to_string();
            assert!(error.contains("booking.db was written by a newer version"), "{error}");
            assert!(error.contains("99") && error.contains("start that version"), "{error}");
        }
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
