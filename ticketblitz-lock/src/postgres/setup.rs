//! Making the tables.

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::ask::{SCHEMA, in_schema};
use crate::error::LockError;

/// What a schema of this version says that it is.
const VERSION: &str = "ticketblitz-lock 1";
/// The table that says so.
const VERSIONED: &str = "lock_version";
/// All tables that the files make.
const TABLES: [&str; 8] = [VERSIONED, "events", "unloaded", "areas", "seats", "holds", "expiries", "stream"];
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
/// Its user must own the schema, or be allowed to create one in the database. The store's user may be another, who needs no
/// more than this (and may call this function all the same, which finds everything done):
///
/// ```sql
/// grant usage on schema ticketblitz_lock to tickets;
/// grant select, insert, update, delete on all tables in schema ticketblitz_lock to tickets;
/// grant execute on all functions in schema ticketblitz_lock to tickets;
/// ```
///
/// Whoever must not create anything has the files of `src/postgres/schema` run by hand, in the order of their numbers, in one
/// transaction.
///
/// A table of its own, `lock_version`, says which version made the schema. A later one will go on from there, step by step,
/// in one transaction under the same lock; an earlier one refuses it. So is a schema that has tables of the same names and
/// not this one: they are somebody else's.
///
/// Dropped, it has made everything or nothing: it is one transaction, sent at once.
///
/// # Errors
/// [`LockError::Backend`] if the database was not reached or refused. [`LockError::Invalid`] for a schema that another
/// version of this crate has made, or that has somebody else's tables of these names.
pub async fn setup(pool: &PgPool) -> Result<(), LockError> {
    setup_schema(pool, SCHEMA).await
}

/// [`setup`] with a schema of the caller's choice, for [`PostgresStore::in_schema`](super::PostgresStore::in_schema).
///
/// # Errors
/// As [`setup`], and [`LockError::Invalid`] if it is no name of small letters, digits and underscores.
pub async fn setup_schema(pool: &PgPool, schema: &str) -> Result<(), LockError> {
    validate(schema)?;
    if is_made(pool, schema).await? {
        return Ok(());
    }
    // Several statements in one message are one transaction, and the lock lasts to its end.
    let lock = format!(
        "select pg_advisory_xact_lock(hashtextextended('ticketblitz-lock: setup of {schema}', 0));\n"
    );
    let text = AssertSqlSafe(lock + in_schema(TEXT, schema).as_str());
    pool.execute(sqlx::raw_sql(text)).await.map_err(LockError::backend)?;
    Ok(())
}

/// Whether this version has made the schema already.
async fn is_made(pool: &PgPool, schema: &str) -> Result<bool, LockError> {
    let tables = "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relname = any ($2) and c.relkind in ('r', 'p', 'v', 'm', 'f')";
    let tables = sqlx::query(tables).bind(schema).bind(&TABLES[..]).fetch_all(pool).await;
    let tables: Result<Vec<String>, _> =
        tables.map_err(LockError::backend)?.iter().map(|row| row.try_get(0)).collect();
    let tables = tables.map_err(LockError::backend)?;
    let Some(first) = tables.first() else { return Ok(false) };
    if !tables.iter().any(|table| table == VERSIONED) {
        return Err(LockError::Invalid(format!(
            "the schema {schema} has a table {first} that nothing of this crate has made: choose another schema"
        )));
    }
    let version = format!("select version from {SCHEMA}.{VERSIONED}");
    let version = sqlx::query(in_schema(&version, schema)).fetch_optional(pool).await;
    let version: Option<String> = match version.map_err(LockError::backend)? {
        Some(row) => row.try_get(0).map_err(LockError::backend)?,
        None => None,
    };
    match version.as_deref() {
        Some(VERSION) => Ok(true),
        // Made by hand, and not to the end: all of it can be run again.
        None => Ok(false),
        Some(other) => Err(LockError::Invalid(format!(
            "the schema {schema} is of {other} where {VERSION} is wanted: another version of this crate has made it"
        ))),
    }
}

/// Refuses what could not stand between quotes as it is.
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
    fn all_tables_are_known() {
        let made = TEXT.split("create table if not exists ticketblitz_lock.").skip(1);
        let made: Vec<&str> = made.filter_map(|rest| rest.split(' ').next()).collect();
        assert_eq!(made, TABLES);
        assert!(include_str!("schema/8_version.sql").contains(&format!("'{VERSION}'")));
    }

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
