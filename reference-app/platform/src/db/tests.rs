use std::time::Duration;

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

#[test]
fn a_full_disk_is_said_once() {
    let full = std::io::Error::other("while executing migrations: (code: 13) database or disk is full");
    let error = sentence(Path::new("data/auth.db"), &full).to_string();
    assert_eq!(error, "data/auth.db cannot be read or written: the disk is full");
    let failing = std::io::Error::other("(code: 266) disk I/O error");
    let error = sentence(Path::new("data/auth.db"), &failing).to_string();
    assert!(error.ends_with("the disk is full or failing ((code: 266) disk I/O error)"), "{error}");
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
async fn what_comes_after_the_close_is_for_the_next_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = open(dir.path(), "booking", &of("bookings")).await.expect("opens");
    db.close().await;
    let late: Result<(), sqlite::Error> = db.write(|_| Box::pin(async { Ok(()) })).await;
    assert!(will_pass(&late.expect_err("closed")));
    assert!(!will_pass(&sqlite::Error::decode("a letter")));
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

async fn insert(db: &Sqlite) {
    let written: Result<(), ticketblitz_core::sqlite::Error> = db
        .write(|conn| {
            Box::pin(async move {
                let insert = "INSERT INTO inbox (consumer, id) VALUES ('test', hex(randomblob(16)))";
                sqlite::query(insert).execute(conn).await.map(drop)
            })
        })
        .await;
    written.expect("written");
}

#[tokio::test]
async fn a_file_that_is_locked_for_long_keeps_nobody_from_writing_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) =
        (open(dir.path(), "first", &Migrator::DEFAULT), open(dir.path(), "second", &Migrator::DEFAULT));
    let (first, second) = (first.await.expect("opens"), second.await.expect("opens"));
    let mut other = SqliteConnectOptions::new().filename(second.path()).connect().await.expect("opens");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("locked");
    let (from, place) = (dir.path().to_owned(), tempfile::tempdir().expect("a directory"));
    let to = place.path().to_owned();
    let copying = tokio::spawn(async move { copy_together(&from, &["first", "second"], &to).await });
    // For longer than one try holds the first: it is let go each time.
    let began = std::time::Instant::now();
    let mut written = 0;
    while began.elapsed() < Duration::from_secs(1) || written < 10 {
        insert(&first).await;
        written += 1;
    }
    assert!(!copying.is_finished(), "the second is locked");
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("unlocked");
    copying.await.expect("it ends").expect("copied");
    let count = look(place.path(), "first", |conn| {
        Box::pin(sqlite::query_scalar::<i64>("SELECT count(*) FROM inbox").fetch_one(conn))
    });
    assert_eq!(count.await.expect("a copy"), written);
    open(place.path(), "second", &Migrator::DEFAULT).await.expect("opens");
}
