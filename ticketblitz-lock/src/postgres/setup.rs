//! Making the tables.

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::ask::{SCHEMA, in_schema};
use crate::error::LockError;

/// What the comment of a schema of this version says.
const VERSION: &str = "ticketblitz-lock 1";
/// In this order.
const TEXT: &str = concat!(
    include_str!("schema/1_tables.sql"),
    include_str!("schema/2_common.sql"),
    include_str!("schema/3_ending.sql"),
    include_str!("schema/4_hold.sql"),
    include_str!("schema/5_operations.sql"),
    include_str!("schema/6_load.sql"),
    include_str!("schema/7_reading.sql"),
    include_str!("schema/8_version.sql"),
);

/// Makes the schema `ticketblitz_lock` with its tables and functions, or brings it up to date. Call it at every start,
/// from as many processes as there are: one of them does it, the others wait and find it done.
///
/// Its user must own the schema, or be allowed to create one; the store's user then needs the rights on the schema, its
/// tables and its functions. Whoever must not create anything has the files of `src/postgres/schema` run by hand, in the
/// order of their numbers, in one transaction.
///
/// The schema's comment says which version made it. A later one will go on from there, step by step, in one transaction
/// under the same lock; an earlier one refuses it.
///
/// Dropped, it has made everything or nothing: it is one transaction, sent at once.
///
/// # Errors
/// [`LockError::Backend`] if the database was not reached or refused. [`LockError::Invalid`] for a schema that has another
/// comment than this version gives it, naming both: a later version of this crate has made it, or somebody else.
pub async fn setup(pool: &PgPool) -> Result<(), LockError> {
    setup_schema(pool, SCHEMA).await
}

/// [`setup`] with a schema of the caller's choice, for [`PostgresStore::in_schema`](super::PostgresStore::in_schema).
///
/// # Errors
/// As [`setup`], and [`LockError::Invalid`] if it is no name of small letters, digits and underscores.
pub async fn setup_schema(pool: &PgPool, schema: &str) -> Result<(), LockError> {
    validate(schema)?;
    let known =
        sqlx::query("select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = $1");
    let known = known.bind(schema).fetch_optional(pool).await.map_err(LockError::backend)?;
    let known: Option<String> = known.and_then(|row| row.try_get(0).ok().flatten());
    match known.as_deref() {
        Some(VERSION) => return Ok(()),
        None => {}
        Some(other) => {
            let made_by = if other.starts_with("ticketblitz-lock ") {
                "another version of this crate has made it"
            } else {
                "nothing of this crate has made it: choose another schema, or take the comment away"
            };
            return Err(LockError::Invalid(format!(
                "the comment of the schema {schema} is {other:?} where {VERSION:?} is wanted: {made_by}"
            )));
        }
    }
    // Several statements in one message are one transaction, and the lock lasts to its end.
    let lock = format!("select pg_advisory_xact_lock(hashtextextended('setup of {schema}', 0));\n");
    let text = AssertSqlSafe(lock + in_schema(TEXT, schema).as_str());
    pool.execute(sqlx::raw_sql(text)).await.map_err(LockError::backend)?;
    Ok(())
}

/// Refuses what would have to be quoted.
pub(super) fn validate(schema: &str) -> Result<(), LockError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts =
        schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && !schema.starts_with("pg_");
    if starts && schema.len() <= 63 && schema.chars().all(plain) {
        return Ok(());
    }
    Err(LockError::Invalid(format!(
        "{schema:?} is no name of a schema: small letters, digits and underscores, at most 63, not pg_"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_taken() {
        for name in ["a", "tickets_2", "_x", &"a".repeat(63)] {
            assert!(validate(name).is_ok(), "{name}");
        }
        for name in ["", "2a", "A", "a-b", "a b", "a\"", "pg_x", "ä", &"a".repeat(64)] {
            assert!(validate(name).is_err(), "{name}");
        }
    }
}
