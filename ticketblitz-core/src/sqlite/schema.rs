//! The versions of a library's tables, beside the application's own in one file.

use super::{Error, Sqlite, SqliteConnection, query, query_scalar};

/// Not `PRAGMA user_version` and no migration tool's table: those are the application's.
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS library_schema (library TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID";

impl Sqlite {
    /// Brings the tables of `library` to the latest version. `versions` are the statements that make each version of
    /// the one before, the first those that make it of nothing; what was released is never changed, new ones are added
    /// at the end. All of it is one commit.
    ///
    /// A file that has the tables but was written before they were counted is taken for one that has none: the first
    /// statements have to bear that (`CREATE TABLE IF NOT EXISTS`).
    ///
    /// ```
    /// # use ticketblitz_core::sqlite::{Error, Sqlite};
    /// # async fn setup(db: &Sqlite) -> Result<(), Error> {
    /// const VERSIONS: [&str; 2] = [
    ///     "CREATE TABLE IF NOT EXISTS parcel (id TEXT PRIMARY KEY)",
    ///     "ALTER TABLE parcel ADD COLUMN weight INTEGER",
    /// ];
    /// db.bring_up("parcels", &VERSIONS).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The tables are of a later version than the last of `versions`, or the database refused.
    pub async fn bring_up(
        &self,
        library: &'static str,
        versions: &'static [&'static str],
    ) -> Result<(), Error> {
        self.write(move |conn| Box::pin(bring_up(conn, library, versions))).await
    }
}

async fn bring_up(
    conn: &mut SqliteConnection,
    library: &'static str,
    versions: &'static [&'static str],
) -> Result<(), Error> {
    let known = i64::try_from(versions.len()).unwrap_or(i64::MAX);
    conn.execute_batch(VERSIONS)?;
    let found: Option<i64> = query_scalar("SELECT version FROM library_schema WHERE library = $1")
        .bind(library)
        .fetch_optional(&mut *conn)
        .await?;
    let found = found.unwrap_or(0);
    if found > known {
        return Err(Error::newer(library, found, known));
    }
    if found == known {
        return Ok(());
    }
    for statements in &versions[usize::try_from(found).unwrap_or(0)..] {
        conn.execute_batch(statements)?;
    }
    query(
        "INSERT INTO library_schema (library, version) VALUES ($1, $2)
         ON CONFLICT (library) DO UPDATE SET version = excluded.version",
    )
    .bind(library)
    .bind(known)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: [&str; 1] = ["CREATE TABLE IF NOT EXISTS parcel (id TEXT PRIMARY KEY)"];
    const SECOND: [&str; 2] = [FIRST[0], "ALTER TABLE parcel ADD COLUMN weight INTEGER"];
    const BROKEN: [&str; 3] = [FIRST[0], SECOND[1], "CREATE TABLE box (id TEXT); no SQL"];

    async fn columns(db: &Sqlite) -> i64 {
        let columns = query_scalar("SELECT count(*) FROM pragma_table_info('parcel')");
        columns.fetch_one(db.readers()).await.expect("counts")
    }

    #[tokio::test]
    async fn each_version_is_made_once_and_a_later_one_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let db = Sqlite::open(dir.path().join("test.db")).await.expect("opens");
        for _ in 0..2 {
            db.bring_up("parcels", &FIRST).await.expect("the first");
            db.bring_up("others", &FIRST).await.expect("counted for itself");
        }
        for _ in 0..2 {
            db.bring_up("parcels", &SECOND).await.expect("the second");
            assert_eq!(columns(&db).await, 2);
        }
        let newer = db.bring_up("parcels", &FIRST).await.expect_err("newer").to_string();
        assert!(newer.contains("newer version") && newer.contains("parcels"), "{newer}");
        assert_eq!(columns(&db).await, 2);
    }

    #[tokio::test]
    async fn a_version_that_fails_leaves_the_one_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let db = Sqlite::open(dir.path().join("test.db")).await.expect("opens");
        db.bring_up("parcels", &FIRST).await.expect("the first");
        db.bring_up("parcels", &BROKEN).await.expect_err("no SQL");
        assert_eq!(columns(&db).await, 1);
        db.bring_up("parcels", &SECOND).await.expect("the second");
    }

    #[tokio::test]
    async fn tables_from_before_they_were_counted_are_brought_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let db = Sqlite::open(dir.path().join("test.db")).await.expect("opens");
        let made: Result<(), Error> =
            db.write(|conn| Box::pin(async move { conn.execute_batch(FIRST[0]) })).await;
        made.expect("made");
        db.bring_up("parcels", &SECOND).await.expect("the second");
        assert_eq!(columns(&db).await, 2);
    }
}
