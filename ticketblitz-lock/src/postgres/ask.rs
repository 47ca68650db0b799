//! Sending a statement, and what its failure means.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use tokio::time::{Instant, timeout};

use super::{PostgresStore, Query};
use crate::error::LockError;
use crate::types::AttemptId;

/// The name of the schema in the statements and in the files of the schema.
pub(super) const SCHEMA: &str = "ticketblitz_lock";

/// The statements in one schema. Each has its text once: the connections know what they have prepared by it.
#[derive(Debug, Clone)]
pub(super) struct Statements(Arc<[SqlStr; COUNT]>);

macro_rules! statements {
    ($($name:ident $place:literal $call:literal)+) => {
        const COUNT: usize = [$($place),+].len();
        const TEXTS: [&str; COUNT] = [$(concat!("select ", $call)),+];
        impl Statements {
            $(pub(super) fn $name(&self) -> SqlStr { self.0[$place].clone() })+
        }
    };
}

statements! {
    load 0 "ticketblitz_lock.load($1, $2::text::numeric, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    unload 1 "ticketblitz_lock.unload($1)"
    hold 2 "ticketblitz_lock.hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    get 3 "ticketblitz_lock.get($1, $2, $3)"
    extend 4 "ticketblitz_lock.extend($1, $2, $3, $4, $5)"
    release 5 "ticketblitz_lock.release($1, $2, $3, $4)"
    begin_commit 6 "ticketblitz_lock.begin_commit($1, $2, $3, $4, $5)"
    abort_commit 7 "ticketblitz_lock.abort_commit($1, $2, $3)"
    sold 8 "ticketblitz_lock.sold($1, $2, $3::text::numeric, $4, $5)"
    reopen 9 "ticketblitz_lock.reopen($1, $2, $3)"
    status 10 "* from ticketblitz_lock.status($1, $2)"
    expired 11 "* from ticketblitz_lock.expired($1, $2, $3)"
    losers 12 "* from ticketblitz_lock.losers($1, $2, $3, $4, $5, $6, $7)"
}

impl Default for Statements {
    fn default() -> Self {
        Self(Arc::new(TEXTS.map(SqlSafeStr::into_sql_str)))
    }
}

impl Statements {
    /// Those in another schema, whose name has been found to be one.
    pub(super) fn of(schema: &str) -> Self {
        Self(Arc::new(TEXTS.map(|text| in_schema(text, schema))))
    }
}

/// The text with another schema in place of the default one; in quotes, as it may be a word that means something else.
pub(super) fn in_schema(text: &str, schema: &str) -> SqlStr {
    AssertSqlSafe(text.replace(SCHEMA, &format!("\"{schema}\""))).into_sql_str()
}

/// What a statement may have done when its answer is lost.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    /// Nothing that anybody sees.
    None,
    Change,
    Hold(AttemptId),
}

impl Effect {
    /// For a statement that was sent.
    pub(super) fn failed(self, error: sqlx::Error) -> LockError {
        match self {
            Self::None => LockError::backend(error),
            _ if is_refusal(&error) => LockError::backend(error),
            _ => self.unknown(),
        }
    }

    fn unknown(self) -> LockError {
        let attempt = if let Self::Hold(attempt) = self { Some(attempt) } else { None };
        LockError::OutcomeUnknown { attempt }
    }
}

/// Whether the server said that it did not do it.
fn is_refusal(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| is_before_commit(&code)))
}

/// Whether the server raises this code only before it commits. All others may come after: an end of the connection on its
/// side, an internal error, and whatever a pooler in between says of a server that it lost.
fn is_before_commit(code: &str) -> bool {
    /// Not supported; wrong numbers and data; constraints; statements that are not there; rights; databases and schemas that
    /// are not there; syntax and names; too little of something; too much of something; objects that are not ready; what a
    /// function raises by itself, ours with a code of their own too.
    const CLASSES: [&str; 14] =
        ["0A", "21", "22", "23", "26", "28", "3D", "3F", "42", "53", "54", "55", "P0", "TB"];
    /// A transaction that may only read, serialization, deadlock, and a statement that was cancelled or took too long.
    const CODES: [&str; 4] = ["25006", "40001", "40P01", "57014"];
    CODES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class))
}

#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {0:?}")]
pub(super) struct TimedOut(Duration);

impl PostgresStore {
    /// Sends one statement and waits for its rows, for as long as an operation may take.
    pub(super) async fn rows(&self, query: Query, effect: Effect) -> Result<Vec<PgRow>, LockError> {
        self.rows_since(Instant::now(), query, effect).await
    }

    /// The same for an operation that began at this time.
    pub(super) async fn rows_since(
        &self,
        began: Instant,
        query: Query,
        effect: Effect,
    ) -> Result<Vec<PgRow>, LockError> {
        let rest = || self.timeout.saturating_sub(began.elapsed());
        // A wait for a connection is no statement sent. Dropped, it gives its place in the line away.
        let connection = timeout(rest(), self.pool.acquire()).await;
        let mut connection = match connection {
            Ok(connection) => connection.map_err(LockError::backend)?,
            Err(_) => return Err(LockError::backend(TimedOut(self.timeout))),
        };
        match timeout(rest(), query.fetch_all(&mut *connection)).await {
            Ok(rows) => rows.map_err(|error| effect.failed(error)),
            Err(_) => {
                // Nobody knows when the server will answer; the next user of the connection is not to wait for it.
                connection.close_on_drop();
                Err(match effect {
                    Effect::None => LockError::backend(TimedOut(self.timeout)),
                    _ => effect.unknown(),
                })
            }
        }
    }
}

pub(super) fn positive(duration: Duration) -> Result<(), LockError> {
    if duration.as_micros() == 0 {
        return Err(LockError::invalid("a duration of no time at all"));
    }
    Ok(())
}

/// A duration as the statements take it; the longest reaches the end of time from anywhere.
pub(super) fn micros(duration: Duration) -> i64 {
    const LONGEST: i64 = 400_000_000_000_000_000;
    i64::try_from(duration.as_micros()).unwrap_or(LONGEST).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the server's list; 40003 is "statement completion unknown", 08P01 what PgBouncer says of all that goes wrong.
    #[test]
    fn only_what_comes_before_the_commit_is_a_refusal() {
        for code in ["22021", "23505", "25006", "26000", "40P01", "42501", "53300", "55P03", "57014", "P0001"]
        {
            assert!(is_before_commit(code), "{code}");
        }
        for code in ["08006", "08P01", "25P03", "40003", "57P01", "57P05", "58000", "58030", "XX000", ""] {
            assert!(!is_before_commit(code), "{code}");
        }
    }
}
