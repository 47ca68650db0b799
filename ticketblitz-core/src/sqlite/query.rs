//! Statements: text, values, rows. The words are sqlx's, so that a store on SQLite reads like one on PostgreSQL.

use std::borrow::Cow;

use rusqlite::types::{FromSql, ToSql, ToSqlOutput, Value};

use super::row::Row;
use super::{Error, Executor};

/// A statement and its values. See [`query`].
#[derive(Debug)]
#[must_use = "nothing happens until it is executed or fetched"]
pub struct Query {
    sql: Cow<'static, str>,
    values: Result<Vec<Value>, Error>,
}

/// A statement with `$1`, `$2` and so on for the values that are bound to it, in that order. It is prepared once
/// a connection.
///
/// A statement runs to its end when its future is first polled and blocks that thread for as long, a few
/// microseconds where the pages are in memory: dropping the future later undoes nothing.
pub fn query(sql: impl Into<Cow<'static, str>>) -> Query {
    Query { sql: sql.into(), values: Ok(Vec::new()) }
}

/// As [`query`], for the first column of each row.
pub fn query_scalar<T: FromSql>(sql: impl Into<Cow<'static, str>>) -> QueryAs<T> {
    QueryAs { query: query(sql), read: |row| row.column(0) }
}

/// As [`query`], for rows of a type.
pub fn query_as<T: FromRow>(sql: impl Into<Cow<'static, str>>) -> QueryAs<T> {
    QueryAs { query: query(sql), read: T::from_row }
}

impl Query {
    /// Binds the next value. One that cannot be stored is told when the statement is executed.
    pub fn bind(mut self, value: impl ToSql) -> Self {
        if let Ok(values) = &mut self.values {
            match owned(&value) {
                Ok(value) => values.push(value),
                Err(error) => self.values = Err(error.into()),
            }
        }
        self
    }

    /// Runs the statement to its end, whatever rows it has; answers how many it inserted, updated or deleted, which is
    /// none for one that defines tables or sets a pragma. What triggers and foreign keys change besides is not counted.
    ///
    /// # Errors
    /// The database refused.
    pub async fn execute(self, executor: impl Executor) -> Result<u64, Error> {
        let Self { sql, values } = self;
        let values = values?;
        executor.with(move |connection, shapes| {
            let mut statement = connection.prepare_cached(&sql)?;
            let shape = shapes.of(&sql, &statement)?;
            bind(&mut statement, &shape.numbers, &values)?;
            let before = connection.total_changes();
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            drop(rows);
            // Where a statement counts nothing, `changes` is still that of the one before.
            Ok(if connection.total_changes() == before { 0 } else { connection.changes() })
        })
    }

    /// All rows.
    ///
    /// # Errors
    /// The database refused.
    pub async fn fetch_all(self, executor: impl Executor) -> Result<Vec<Row>, Error> {
        self.fetch(executor, usize::MAX)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// The database refused.
    pub async fn fetch_optional(self, executor: impl Executor) -> Result<Option<Row>, Error> {
        Ok(self.fetch(executor, 1)?.pop())
    }

    /// The first row.
    ///
    /// # Errors
    /// There is none, or the database refused.
    pub async fn fetch_one(self, executor: impl Executor) -> Result<Row, Error> {
        self.fetch_optional(executor).await?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    fn fetch(self, executor: impl Executor, most: usize) -> Result<Vec<Row>, Error> {
        let Self { sql, values } = self;
        let values = values?;
        executor.with(move |connection, shapes| {
            let mut statement = connection.prepare_cached(&sql)?;
            let shape = shapes.of(&sql, &statement)?;
            bind(&mut statement, &shape.numbers, &values)?;
            let mut found = statement.raw_query();
            let mut rows = Vec::new();
            while rows.len() < most {
                let Some(row) = found.next()? else { break };
                rows.push(Row::read(&shape.columns, row)?);
            }
            Ok(rows)
        })
    }
}

fn owned(value: &impl ToSql) -> rusqlite::Result<Value> {
    Ok(match value.to_sql()? {
        ToSqlOutput::Borrowed(value) => value.try_into()?,
        ToSqlOutput::Owned(value) => value,
        _ => return Err(rusqlite::Error::ToSqlConversionFailure("not a value of its own".into())),
    })
}

fn bind(
    statement: &mut rusqlite::Statement<'_>,
    numbers: &[usize],
    values: &[Value],
) -> rusqlite::Result<()> {
    for (at, number) in (1..).zip(numbers) {
        let value = number.checked_sub(1).and_then(|number| values.get(number));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), at))?;
        statement.raw_bind_parameter(at, value)?;
    }
    Ok(())
}

/// A statement whose rows are read as `T`. See [`query_as`] and [`query_scalar`].
#[derive(Debug)]
#[must_use = "nothing happens until it is fetched"]
pub struct QueryAs<T> {
    query: Query,
    read: fn(&Row) -> Result<T, Error>,
}

impl<T> QueryAs<T> {
    /// Binds the next value.
    pub fn bind(self, value: impl ToSql) -> Self {
        Self { query: self.query.bind(value), ..self }
    }

    /// All rows.
    ///
    /// # Errors
    /// The database refused, or a row is not what `T` reads.
    pub async fn fetch_all(self, executor: impl Executor) -> Result<Vec<T>, Error> {
        self.query.fetch_all(executor).await?.iter().map(self.read).collect()
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// The database refused, or the row is not what `T` reads.
    pub async fn fetch_optional(self, executor: impl Executor) -> Result<Option<T>, Error> {
        self.query.fetch_optional(executor).await?.as_ref().map(self.read).transpose()
    }

    /// The first row.
    ///
    /// # Errors
    /// There is none, the database refused, or the row is not what `T` reads.
    pub async fn fetch_one(self, executor: impl Executor) -> Result<T, Error> {
        (self.read)(&self.query.fetch_one(executor).await?)
    }
}

/// What a row can be read as.
pub trait FromRow: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// A column is absent or holds something else.
    fn from_row(row: &Row) -> Result<Self, Error>;
}

macro_rules! tuple {
    ($($name:ident $at:literal),+) => {
        impl<$($name: FromSql),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row) -> Result<Self, Error> {
                Ok(($(row.column::<$name>($at)?,)+))
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);

#[cfg(test)]
mod tests {
    use super::super::SqliteConnection;
    use super::*;

    async fn connection(dir: &tempfile::TempDir) -> SqliteConnection {
        let path = dir.path().join("test.db");
        let mut connection = SqliteConnection::writer(&path).expect("opens");
        connection.execute_batch("CREATE TABLE numbers (n INTEGER PRIMARY KEY)").expect("a table");
        connection
    }

    #[tokio::test]
    async fn what_is_counted_is_what_the_statement_changed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = connection(&dir).await;
        for (sql, changed) in [
            ("INSERT INTO numbers VALUES (1), (2), (3)", 3),
            ("CREATE TABLE others (n INTEGER PRIMARY KEY)", 0),
            ("INSERT INTO others SELECT n FROM numbers", 3),
            ("DROP TABLE others", 0),
            ("PRAGMA user_version = 7", 0),
            ("SELECT n FROM numbers", 0),
            ("UPDATE numbers SET n = n + 10 WHERE n < 3", 2),
            ("DELETE FROM numbers WHERE n > 100", 0),
            ("DELETE FROM numbers", 3),
        ] {
            assert_eq!(query(sql).execute(&mut connection).await.expect(sql), changed, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_row_is_what_the_table_has() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = connection(&dir).await;
        let row = query("SELECT $2 AS text, 7 AS number, NULL AS none, $1 AS blob, 0.5 AS real, '' AS empty")
            .bind(vec![0_u8, 255])
            .bind("a\u{e9}");
        let row = row.fetch_one(&mut connection).await.expect("a row");
        assert_eq!(row.try_get::<String>("text").expect("a text"), "a\u{e9}");
        assert_eq!(row.try_get::<i64>("number").expect("a number"), 7);
        assert_eq!(row.try_get::<Option<i64>>("none").expect("none"), None);
        assert_eq!(row.try_get::<Vec<u8>>("blob").expect("a blob"), [0, 255]);
        assert!((row.try_get::<f64>("real").expect("a number") - 0.5).abs() < f64::EPSILON);
        assert_eq!(row.try_get::<String>("empty").expect("a text"), "");
        let error = row.try_get::<i64>("text").expect_err("a text").to_string();
        assert!(error.contains("the column text"), "{error}");
        assert!(row.try_get::<i64>("other").is_err());
    }

    #[tokio::test]
    async fn a_column_that_is_added_later_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = connection(&dir).await;
        query("INSERT INTO numbers VALUES (7)").execute(&mut connection).await.expect("a row");
        for column in ["n", "one", "two"] {
            // What it was like is known from before.
            query("SELECT * FROM numbers").fetch_all(&mut connection).await.expect("rows");
            let row = query("SELECT * FROM numbers").fetch_one(&mut connection).await.expect("a row");
            assert_eq!(row.try_get::<i64>(column).expect(column), 7);
            let made = query("SELECT * FROM numbers".to_owned()).fetch_one(&mut connection).await;
            assert_eq!(made.expect("a row").try_get::<i64>(column).expect(column), 7);
            let next = if column == "n" { "one" } else { "two" };
            let add = format!("ALTER TABLE numbers ADD COLUMN {next} INTEGER NOT NULL DEFAULT 7");
            // Of the last there is one already.
            assert_eq!(connection.execute_batch(&add).is_ok(), column != "two");
        }
    }

    #[tokio::test]
    async fn values_are_bound_by_their_numbers() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = connection(&dir).await;
        for text in ["SELECT $2 - $1", "SELECT -$1 + $2 * 1"] {
            let of = query_scalar::<i64>(text).bind(3).bind(10).fetch_one(&mut connection).await;
            assert_eq!(of.expect(text), 7, "{text}");
            let made = query_scalar::<i64>(text.to_owned()).bind(3).bind(10).fetch_one(&mut connection).await;
            assert_eq!(made.expect(text), 7, "{text}");
        }
        for text in ["SELECT $3", "SELECT $0", "SELECT ?", "SELECT :name"] {
            let refused = query_scalar::<i64>(text).bind(1).fetch_optional(&mut connection).await;
            refused.expect_err(text);
        }
    }

    #[tokio::test]
    async fn a_value_that_cannot_be_bound_is_the_callers() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = connection(&dir).await;
        let large = query("INSERT INTO numbers VALUES ($1)").bind(u64::MAX).bind(1);
        let error = large.execute(&mut connection).await.expect_err("no SQLite integer");
        assert!(!error.is_unavailable(), "{error}");
    }
}
