//! Schemas that somebody else has made, and users who may not do everything.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use ticketblitz_core::{Clock, EventId, ManualClock, SystemClock};
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::postgres::{PostgresStore, setup_schema};
use ticketblitz_lock::{EventSnapshot, HoldRequest, LockError, SeatStore, Want};

use super::plans::all_operations;
use super::server::{new_schema, pool, schema, url};

const MINUTE: Duration = Duration::from_secs(60);

async fn run(pool: &PgPool, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(pool).await.unwrap();
}

/// A database of its own, which is removed at the end of a test that went well.
struct Database {
    admin: PgPool,
    name: String,
}

impl Database {
    async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let admin = pool(&url(), 1).await;
        let name = format!("tb_own_{}_{}_{number}", SystemClock.now().as_secs(), std::process::id());
        run(&admin, &format!("create database {name}")).await;
        Self { admin, name }
    }

    fn options(&self) -> PgConnectOptions {
        url().parse::<PgConnectOptions>().unwrap().database(&self.name)
    }

    async fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(2).connect_with(self.options()).await.unwrap()
    }

    /// What a user of this name may do.
    async fn pool_of(&self, role: &str) -> PgPool {
        let options = self.options().options([("role", role)]);
        PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap()
    }

    async fn remove(self, roles: &[&str]) {
        run(&self.admin, &format!("drop database {} with (force)", self.name)).await;
        for role in roles {
            run(&self.admin, &format!("drop role {role}")).await;
        }
    }
}

async fn one_is_held(pool: &PgPool, schema: &str) {
    let store = PostgresStore::in_schema(pool.clone(), schema).unwrap().with_timeout(MINUTE);
    let event = EventId::new();
    store.load(&EventSnapshot::new(event)).await.unwrap();
    store.hold(&HoldRequest::new(event, "alice", Want::Seats(seats(&["A1"])))).await.unwrap();
}

/// What a word means to SQL does not matter.
#[tokio::test]
async fn a_schema_may_be_called_by_any_word() {
    let database = Database::new().await;
    let pool = database.pool().await;
    for schema in ["user", "select"] {
        for _ in 0..2 {
            setup_schema(&pool, schema).await.unwrap();
        }
        one_is_held(&pool, schema).await;
    }
    database.remove(&[]).await;
}

/// The lines that the documentation has for the store's user.
fn documented_grants(schema: &str, user: &str) -> String {
    let lines = include_str!("../../src/postgres/setup.rs").lines();
    let grants: Vec<&str> = lines.filter_map(|line| line.strip_prefix("/// grant ")).collect();
    assert_eq!(grants.len(), 3);
    let grants: String = grants.iter().map(|rest| format!("grant {rest}\n")).collect();
    grants.replace("ticketblitz_lock", schema).replace("tickets", user)
}

/// Whoever owns the schema may be somebody who can make none; whoever sells needs not own it.
#[tokio::test]
async fn the_owner_makes_it_and_another_uses_it() {
    let database = Database::new().await;
    let admin = database.pool().await;
    let (owner, user, schema) =
        (format!("{}_owner", database.name), format!("{}_user", database.name), "locks");
    run(
        &admin,
        &format!("create role {owner}; create role {user}; create schema {schema} authorization {owner}"),
    )
    .await;
    let (owners, users) = (database.pool_of(&owner).await, database.pool_of(&user).await);
    let refused = setup_schema(&owners, "another").await;
    assert!(matches!(refused, Err(LockError::Backend { .. })), "there it can be seen: {refused:?}");
    for _ in 0..2 {
        setup_schema(&owners, schema).await.unwrap();
    }
    let store = PostgresStore::in_schema(users.clone(), schema).unwrap();
    let refused = store.load(&EventSnapshot::new(EventId::new())).await;
    assert!(matches!(refused, Err(LockError::Backend { .. })), "{refused:?}");
    run(&owners, &documented_grants(schema, &user)).await;
    setup_schema(&users, schema).await.unwrap();
    let clock = ManualClock::at(SystemClock.now());
    all_operations(&store.with_timeout(MINUTE).with_clock(std::sync::Arc::new(clock.clone())), &clock).await;
    for pool in [admin, owners, users] {
        pool.close().await;
    }
    database.remove(&[&owner, &user]).await;
}

/// Their comments are theirs.
#[tokio::test]
async fn a_comment_on_the_schema_is_nobodys_business() {
    let pool = pool(&url(), 1).await;
    let schema = new_schema(&pool).await;
    run(&pool, &format!("create schema {schema}; comment on schema {schema} is 'of the ticket shop'")).await;
    for _ in 0..2 {
        setup_schema(&pool, &schema).await.unwrap();
        one_is_held(&pool, &schema).await;
    }
}

/// Files run by hand, one by one, and not to the end.
#[tokio::test]
async fn what_was_begun_by_hand_is_gone_on_with() {
    let pool = pool(&url(), 1).await;
    let schema = schema(&pool).await;
    run(&pool, &format!("delete from {schema}.lock_version; drop table {schema}.stream")).await;
    setup_schema(&pool, &schema).await.unwrap();
    one_is_held(&pool, &schema).await;
}

/// Tables of these names that the crate did not make are not taken for its own.
#[tokio::test]
async fn somebody_elses_tables_are_left_alone() {
    let pool = pool(&url(), 1).await;
    for table in ["events", "holds"] {
        let schema = new_schema(&pool).await;
        run(&pool, &format!("create schema {schema}; create table {schema}.{table} (id int)")).await;
        let refused = setup_schema(&pool, &schema).await.unwrap_err();
        assert!(matches!(refused, LockError::Invalid(_)), "{refused:?}");
        assert!(refused.to_string().contains(table), "{refused}");
        // Other tables are no obstacle.
        run(&pool, &format!("alter table {schema}.{table} rename to theirs")).await;
        setup_schema(&pool, &schema).await.unwrap();
        one_is_held(&pool, &schema).await;
    }
}
