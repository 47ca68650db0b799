//! Every store passes the suite; and what only the database must do.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::sqlite::{Sqlite, query, query_scalar};
use ticketblitz_core::{Clock, ManualClock, Timestamp};
use ticketblitz_idempotency::{
    Claim, ClaimRequest, Fingerprint, Finished, IdempotencyStore, Key, Lease, MemoryStore, Scope,
    SqliteStore, StoredResponse, sqlite, testing,
};

#[tokio::test]
async fn memory() {
    testing::suite(async |clock| MemoryStore::new(clock)).await;
}

#[tokio::test]
async fn sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    testing::suite(async |clock| {
        made.set(made.get() + 1);
        let db = Sqlite::open(dir.path().join(format!("{}.db", made.get()))).await.unwrap();
        sqlite::setup(&db).await.unwrap();
        SqliteStore::new(db, clock)
    })
    .await;
}

fn request(key: &str) -> ClaimRequest {
    let fingerprint = Fingerprint::of("pay").unwrap();
    ClaimRequest::new(Scope::user(1), Key::new(key).unwrap(), fingerprint, Duration::from_secs(30))
}

async fn lease(store: &SqliteStore, key: &str) -> Lease {
    match store.claim(&request(key)).await.unwrap() {
        Claim::Execute(lease) => lease,
        other => panic!("not free: {other:?}"),
    }
}

async fn open(dir: &tempfile::TempDir, clock: &ManualClock) -> (Sqlite, SqliteStore) {
    let db = Sqlite::open(dir.path().join("keys.db")).await.unwrap();
    sqlite::setup(&db).await.unwrap();
    (db.clone(), SqliteStore::new(db, Arc::new(clock.clone())))
}

async fn rows(db: &Sqlite) -> i64 {
    query_scalar("SELECT count(*) FROM idempotency_keys").fetch_one(db.readers()).await.unwrap()
}

#[tokio::test]
async fn a_restart_keeps_answers_and_take_over_ends_the_leases_of_the_dead() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(Timestamp::EPOCH));
    let (db, store) = open(&dir, &clock).await;
    let done = lease(&store, "done").await;
    store.finish(&done, &StoredResponse::new(200, "done")).await.unwrap();
    let dead = lease(&store, "dead").await;
    db.close().await;

    let (_db, store) = open(&dir, &clock).await;
    let left = store.claim(&request("dead")).await.unwrap();
    assert!(matches!(left, Claim::InFlight { .. }), "before: {left:?}");
    assert_eq!(store.take_over().await.unwrap(), 1);
    let again = lease(&store, "dead").await;
    assert!(again.sequence() > dead.sequence());
    assert_eq!(store.finish(&again, &StoredResponse::new(200, "again")).await.unwrap(), Finished::Stored);
    let replay = store.claim(&request("done")).await.unwrap();
    assert_eq!(replay, Claim::Replay(StoredResponse::new(200, "done")));
    assert_eq!(store.take_over().await.unwrap(), 0, "nothing is left to end");
}

#[tokio::test]
async fn replays_and_refusals_commit_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(Timestamp::EPOCH));
    let (db, store) = open(&dir, &clock).await;
    let before = *db.commits().borrow();
    let done = lease(&store, "done").await;
    store.finish(&done, &StoredResponse::new(200, "done")).await.unwrap();
    assert_eq!(*db.commits().borrow() - before, 2, "a first execution");
    lease(&store, "running").await;
    let before = *db.commits().borrow();
    for _ in 0..10 {
        assert!(matches!(store.claim(&request("done")).await.unwrap(), Claim::Replay(_)));
        assert!(matches!(store.claim(&request("running")).await.unwrap(), Claim::InFlight { .. }));
    }
    assert_eq!(*db.commits().borrow(), before);
}

#[tokio::test]
async fn the_table_sweeps_itself() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(Timestamp::EPOCH));
    let (db, store) = open(&dir, &clock).await;
    let store = store.retention(Duration::from_secs(60));
    for n in 0..20 {
        lease(&store, &format!("old{n}")).await;
    }
    clock.advance(Duration::from_secs(3_600));
    for n in 0..10 {
        lease(&store, &format!("new{n}")).await;
    }
    assert_eq!(rows(&db).await, 10);
}

#[tokio::test]
async fn a_damaged_row_is_an_error_and_no_panic() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(Timestamp::EPOCH));
    let (db, store) = open(&dir, &clock).await;
    let done = lease(&store, "done").await;
    store.finish(&done, &StoredResponse::new(200, "x").header("a", "b")).await.unwrap();
    let damaged: Result<(), ticketblitz_core::sqlite::Error> = db
        .write(|conn| {
            Box::pin(async move {
                query("UPDATE idempotency_keys SET headers = X'00'").execute(conn).await?;
                Ok(())
            })
        })
        .await;
    damaged.unwrap();
    let error = store.claim(&request("done")).await.unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test]
async fn time_is_the_stores_alone() {
    // Two handles on one clock stand for two nodes; a node has no other time to be wrong with.
    let clock = ManualClock::at(Timestamp::EPOCH);
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let claim = store.claim(&request("k")).await.unwrap();
    assert!(matches!(claim, Claim::Execute(_)));
    clock.set(clock.now() - Duration::from_secs(600));
    let back = store.clone().claim(&request("k")).await.unwrap();
    assert_eq!(back, Claim::InFlight { retry_after: Duration::from_secs(630) }, "nobody's lease ends early");
}
