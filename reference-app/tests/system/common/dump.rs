//! A data directory as text and back: SQL for each database, so that a release's schema and rows can be kept under
//! version control and read.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

/// The databases in a directory, by name.
pub fn databases(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "db")).collect();
    files.sort();
    files
}

/// Writes `{name}.sql` in `to` for each database in `from`, which nobody writes to.
pub async fn keep(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for file in databases(from) {
        let mut conn = SqliteConnectOptions::new().filename(&file).connect().await.expect("opens");
        let sql = dumped(&mut conn).await;
        conn.close().await.expect("closed");
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        std::fs::write(to.join(format!("{name}.sql")), sql).expect("written");
    }
}

/// Makes `{name}.db` in `to` of each `{name}.sql` in `from`.
pub async fn restore(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_none_or(|ext| ext != "sql") {
            continue;
        }
        let sql = std::fs::read_to_string(&entry).expect("a text");
        let name = entry.file_stem().expect("a name").to_string_lossy().into_owned();
        let options = SqliteConnectOptions::new()
            .filename(to.join(format!("{name}.db")))
            .create_if_missing(true)
            .foreign_keys(false);
        let mut conn = options.connect().await.expect("opens");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.expect(&name);
        conn.close().await.expect("closed");
    }
}

/// The tables of the database and how many rows each has.
pub async fn tables(conn: &mut SqliteConnection) -> Vec<(String, i64)> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
    )
    .fetch_all(&mut *conn)
    .await
    .expect("the tables");
    let mut counted = Vec::new();
    for name in names {
        let count = format!("SELECT count(*) FROM {name}");
        let count = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut *conn).await.expect("counts");
        counted.push((name, count));
    }
    counted
}

async fn dumped(conn: &mut SqliteConnection) -> String {
    let version: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await.expect("a number");
    let mut sql = format!("PRAGMA user_version = {version};\nBEGIN;\n");
    let statement = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                     AND (type = 'table') = $1 ORDER BY rowid";
    for tables in [true, false] {
        let made: Vec<String> =
            sqlx::query_scalar(statement).bind(tables).fetch_all(&mut *conn).await.expect("the schema");
        made.iter().for_each(|made| writeln!(sql, "{made};").expect("a text"));
        if tables {
            for (table, _) in self::tables(conn).await {
                rows(conn, &table, &mut sql).await;
            }
        }
    }
    // The table of numbers outlives those that were numbered.
    let numbered = "SELECT count(*) FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'";
    if sqlx::query_scalar::<_, i64>(numbered).fetch_one(&mut *conn).await.expect("counts") > 0 {
        sql.push_str("DELETE FROM sqlite_sequence;\n");
        rows(conn, "sqlite_sequence", &mut sql).await;
    }
    sql.push_str("COMMIT;\n");
    sql
}

async fn rows(conn: &mut SqliteConnection, table: &str, sql: &mut String) {
    let columns = "SELECT name FROM pragma_table_info($1) ORDER BY cid";
    let columns: Vec<String> =
        sqlx::query_scalar(columns).bind(table).fetch_all(&mut *conn).await.expect("the columns");
    let quoted: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
    let select = format!("SELECT {} FROM {table}", quoted.join(" || ', ' || "));
    for row in sqlx::query(AssertSqlSafe(select)).fetch_all(&mut *conn).await.expect("the rows") {
        let values: String = row.get(0);
        writeln!(sql, "INSERT INTO {table} VALUES ({values});").expect("a text");
    }
}
