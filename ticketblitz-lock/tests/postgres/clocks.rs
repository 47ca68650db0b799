//! What goes wrong by a clock that moves while an operation is under way.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use ticketblitz_core::EventId;
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{EventSnapshot, HoldRequest, LockError, SeatStore, Want};

use super::database::agree;
use super::server::{pool, schema, url};

const MINUTE: Duration = Duration::from_secs(60);

async fn run(pool: &PgPool, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await.unwrap();
}

/// A store whose every look at the clock is a microsecond after the last.
async fn ticking() -> (PostgresStore, PgPool, String) {
    let pool = pool(&url(), 1).await;
    let schema = schema(&pool).await;
    let clock = format!(
        "create sequence {schema}.ticks start 1800000000000000;
        create or replace function {schema}.clock(_now bigint) returns bigint language sql volatile as
            'select nextval(''{schema}.ticks'')'"
    );
    run(&pool, clock).await;
    (PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(MINUTE), pool, schema)
}

/// However the end of a hold falls between two looks at the clock, what it has is given back once. For each look there is
/// a round in which the hold that is replaced lapses just before it.
#[tokio::test]
async fn what_lapses_while_it_is_replaced_is_given_back_once() {
    let (store, pool, schema) = ticking().await;
    let wants = [
        Want::Area { section: "FLOOR".into(), quantity: 2 },
        Want::Area { section: "BALCONY".into(), quantity: 1 },
        Want::Seats(seats(&["A1", "A2"])),
        Want::Seats(seats(&["B1"])),
    ];
    let (mut done, mut late) = (0, 0);
    for (old, new) in wants.iter().flat_map(|old| wants.iter().map(move |new| (old, new))) {
        for left in 0..8 {
            let event = EventId::new();
            store
                .load(&EventSnapshot::new(event).with_area("FLOOR", 4).with_area("BALCONY", 4))
                .await
                .unwrap();
            let request = HoldRequest::new(event, "alice", old.clone());
            let hold = store.hold(&request).await.unwrap();
            let before = hold.expires_at.as_micros() - left;
            run(&pool, format!("select setval('{schema}.ticks', {before}, false)")).await;
            let swap = HoldRequest::new(event, "alice", new.clone()).replacing(hold.reference());
            match store.hold(&swap).await {
                Ok(_) => done += 1,
                Err(LockError::NotHeld) => late += 1,
                other => panic!("{old:?} for {new:?} with {left} looks left: {other:?}"),
            }
            agree(&pool, &schema).await;
        }
    }
    assert!(done > 0 && late > 0, "{done} done, {late} too late");
}
