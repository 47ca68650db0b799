//! The answer in the handler's own transaction.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

mod app;

use std::sync::Arc;
use std::time::Duration;

use app::{Runs, post, scoped, send};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post as on_post;
use http::StatusCode;
use ticketblitz_core::sqlite::{Sqlite, query, query_scalar};
use ticketblitz_core::{Clock, ManualClock, Timestamp};
use ticketblitz_idempotency::{Error, Execution, IdempotencyLayer, SqliteStore, StoredResponse, sqlite};
use tokio::sync::Notify;

/// What the payment handler is to do in its transaction after it has stored the answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Commit,
    RollBack,
}

#[derive(Clone)]
struct Shop {
    db: Sqlite,
    clock: ManualClock,
    runs: Runs,
    then: Then,
    /// Told when a handler has begun, then awaited before its transaction.
    gate: Option<(Arc<Notify>, Arc<Notify>)>,
}

async fn pay(State(shop): State<Shop>, execution: Execution) -> Response {
    let run = shop.runs.next();
    if let Some((begun, go_on)) = &shop.gate {
        begun.notify_one();
        go_on.notified().await;
    }
    let finish = execution.finish(StoredResponse::new(201, format!("paid {run}")).header("x-run", "1"));
    let (answer, then) = (finish.clone(), shop.then);
    let paid = shop
        .db
        .write(move |conn| {
            Box::pin(async move {
                query("INSERT INTO payments DEFAULT VALUES").execute(&mut *conn).await?;
                finish.apply(conn).await?;
                if then == Then::Commit { Ok(()) } else { Err(Error::backend("rolled back")) }
            })
        })
        .await;
    match paid {
        Ok(()) => execution.respond(answer),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Shop {
    async fn open(dir: &tempfile::TempDir) -> Self {
        let db = Sqlite::open(dir.path().join("shop.db")).await.unwrap();
        sqlite::setup(&db).await.unwrap();
        let made: Result<(), Error> = db
            .write(|conn| {
                Box::pin(async move {
                    query("CREATE TABLE IF NOT EXISTS payments (id INTEGER PRIMARY KEY)")
                        .execute(conn)
                        .await?;
                    Ok(())
                })
            })
            .await;
        made.unwrap();
        let clock = ManualClock::at(Timestamp::EPOCH);
        Self { db, clock, runs: Runs::default(), then: Then::Commit, gate: None }
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::new(self.db.clone(), Arc::new(self.clock.clone()) as Arc<dyn Clock>)
    }

    fn app(&self) -> Router {
        let layer = scoped(IdempotencyLayer::new(self.store())).optional();
        Router::new().route("/payments", on_post(pay)).layer(layer).with_state(self.clone())
    }

    async fn payments(&self) -> i64 {
        query_scalar("SELECT count(*) FROM payments").fetch_one(self.db.readers()).await.unwrap()
    }
}

#[tokio::test]
async fn one_commit_carries_the_business_and_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(&dir).await;
    let app = shop.app();
    let before = *shop.db.commits().borrow();
    let first = send(&app, post("/payments", "k", "x")).await;
    assert_eq!((first.status, first.text()), (StatusCode::CREATED, "paid 1"));
    assert_eq!(*shop.db.commits().borrow() - before, 2, "the claim, and the payment with its answer");
    let again = send(&app, post("/payments", "k", "x")).await;
    assert!(again.is_replay());
    assert_eq!(again.substance(), first);
    assert_eq!((shop.payments().await, shop.runs.count()), (1, 1));
}

#[tokio::test]
async fn a_thousand_duplicates_pay_once() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(&dir).await;
    let app = shop.app();
    let all = futures::future::join_all((0..1_000).map(|_| send(&app, post("/payments", "k", "x")))).await;
    let first = all.iter().find(|answer| !answer.is_replay()).unwrap().clone();
    assert!(all.into_iter().all(|answer| answer.substance() == first));
    assert_eq!((shop.payments().await, shop.runs.count()), (1, 1));
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_the_key_free() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(&dir).await;
    let failing = Shop { then: Then::RollBack, ..shop.clone() };
    let refused = send(&failing.app(), post("/payments", "k", "x")).await;
    assert_eq!((refused.status, shop.payments().await), (StatusCode::SERVICE_UNAVAILABLE, 0));
    let retry = send(&shop.app(), post("/payments", "k", "x")).await;
    assert_eq!((retry.text(), retry.is_replay()), ("paid 2", false));
    assert_eq!(shop.payments().await, 1);
}

#[tokio::test]
async fn a_zombies_transaction_fails_and_its_client_gets_the_winners_answer() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(&dir).await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let stopped = Shop { gate: Some((begun.clone(), go_on.clone())), ..shop.clone() };
    let app = stopped.app();
    let zombie = tokio::spawn(async move { send(&app, post("/payments", "k", "x")).await });
    begun.notified().await;
    shop.clock.advance(Duration::from_secs(31));
    let won = send(&shop.app(), post("/payments", "k", "x")).await;
    assert_eq!((won.text(), won.is_replay()), ("paid 2", false));
    go_on.notify_one();
    let late = zombie.await.unwrap();
    assert!(late.is_replay());
    assert_eq!(late.substance(), won);
    assert_eq!(shop.payments().await, 1, "the zombie's row went with its transaction");
}

#[tokio::test]
async fn after_a_crash_the_retry_runs_at_once_and_what_was_committed_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(&dir).await;
    let paid = send(&shop.app(), post("/payments", "paid", "x")).await;
    let begun = Arc::new(Notify::new());
    let dies = Shop { gate: Some((begun.clone(), Arc::new(Notify::new()))), ..shop.clone() };
    let app = dies.app();
    let client = tokio::spawn(async move { send(&app, post("/payments", "dies", "x")).await });
    begun.notified().await; // and never goes on: its process is gone
    shop.db.close().await;

    let restarted = Shop::open(&dir).await;
    assert_eq!(restarted.store().take_over().await.unwrap(), 1);
    let app = restarted.app();
    let replay = send(&app, post("/payments", "paid", "x")).await;
    assert_eq!((replay.is_replay(), replay.substance()), (true, paid));
    let retry = send(&app, post("/payments", "dies", "x")).await;
    assert_eq!((retry.text(), retry.is_replay()), ("paid 1", false));
    assert_eq!(restarted.payments().await, 2);
    client.abort();
}

#[tokio::test]
async fn without_a_key_the_same_handler_pays_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(&dir).await;
    for run in 1..=2 {
        let request = axum::extract::Request::post("/payments").header("user", "ann").body("x".into());
        assert_eq!(send(&shop.app(), request.unwrap()).await.text(), format!("paid {run}"));
    }
    assert_eq!(shop.payments().await, 2);
}

#[tokio::test]
async fn an_answer_that_was_never_applied_is_stored_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(&dir).await;
    let handler = |State(runs): State<Runs>, execution: Execution| async move {
        execution.respond(StoredResponse::new(200, runs.next().to_string()))
    };
    let layer = scoped(IdempotencyLayer::new(shop.store()));
    let app = Router::new().route("/run", on_post(handler)).layer(layer).with_state(Runs::default());
    send(&app, post("/run", "k", "x")).await;
    let again = send(&app, post("/run", "k", "x")).await;
    assert_eq!((again.text(), again.is_replay()), ("1", true));
}
