//! Statements: text, values, rows. The words are sqlx's, so that a store on SQLite reads like one on PostgreSQL.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::types::{FromSql, ToSql, ToSqlOutput, Value};

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
        executor.with(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            bind(&mut statement, &values)?;
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
        executor.with(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let columns = Arc::new(Columns::of(&statement.column_names()));
            bind(&mut statement, &values)?;
            let mut found = statement.raw_query();
            let mut rows = Vec::new();
            while rows.len() < most {
                let Some(row) = found.next()? else { break };
                let values = (0..columns.ends.len()).map(|at| row.get(at));
                let values = values.collect::<Result<_, rusqlite::Error>>()?;
                rows.push(Row { columns: Arc::clone(&columns), values });
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

/// SQLite numbers `$2` by where it first stands in the text, not by its name.
fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    for at in 1..=statement.parameter_count() {
        let name = statement.parameter_name(at).and_then(|name| name.strip_prefix('$'));
        let number = name.and_then(|number| number.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
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

/// The names of columns, one behind the other: every statement that reads makes them, most of them for one row.
#[derive(Debug)]
struct Columns {
    text: String,
    ends: Vec<usize>,
}

impl Columns {
    fn of(names: &[&str]) -> Self {
        let ends = names.iter().scan(0, |end, name| {
            *end += name.len();
            Some(*end)
        });
        Self { ends: ends.collect(), text: names.concat() }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(&0).chain(&self.ends);
        begins.zip(&self.ends).map(|(begin, end)| &self.text[*begin..*end])
    }
}

/// A row that was read.
#[derive(Debug)]
pub struct Row {
    columns: Arc<Columns>,
    values: Vec<Value>,
}

impl Row {
    /// The value of the column of this name.
    ///
    /// # Errors
    /// There is no such column, or its value is no `T`.
    pub fn try_get<T: FromSql>(&self, column: &str) -> Result<T, Error> {
        let at = self.columns.names().position(|name| name == column);
        self.column(at.ok_or_else(|| rusqlite::Error::InvalidColumnName(column.to_owned()))?)
    }

    fn column<T: FromSql>(&self, at: usize) -> Result<T, Error> {
        let value = self.values.get(at).ok_or(rusqlite::Error::InvalidColumnIndex(at))?;
        T::column_result(value.into()).map_err(|error| {
            let column = self.columns.names().nth(at).unwrap_or_default();
            Error::decode(format!("the column {column}: {error}"))
        })
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
    async fn a_value_that_cannot_be_bound_is_the_callers() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = connection(&dir).await;
        let large = query("INSERT INTO numbers VALUES ($1)").bind(u64::MAX).bind(1);
        let error = large.execute(&mut connection).await.expect_err("no SQLite integer");
        assert!(!error.is_unavailable(), "{error}");
    }
}
