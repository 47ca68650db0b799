//! Panics, clients that hang up, executions that outlive their lease.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

mod app;

use std::sync::Arc;
use std::time::Duration;

use app::{Runs, layer, post, scoped, send};
use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::routing::post as on_post;
use http::StatusCode;
use ticketblitz_core::{ManualClock, SystemClock, Timestamp};
use ticketblitz_idempotency::{
    Claim, ClaimRequest, Error, Finished, IdempotencyLayer, IdempotencyStore, InFlightPolicy, Lease,
    MemoryStore, StoredResponse,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// A handler that tells when it has begun and waits to be let go on.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    ended: Arc<Notify>,
    runs: Runs,
}

async fn gated(State(gate): State<Gate>) -> String {
    let run = gate.runs.next();
    gate.begun.notify_one();
    gate.go_on.notified().await;
    gate.ended.notify_one();
    format!("run {run}")
}

fn gated_app(gate: &Gate, layer: IdempotencyLayer<ticketblitz_idempotency::Scoped>) -> Router {
    Router::new().route("/run", on_post(gated)).layer(layer).with_state(gate.clone())
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_a_whole_execution() {
    let gate = Gate::default();
    let app = gated_app(&gate, layer());
    let client: JoinHandle<_> = tokio::spawn(app.clone().oneshot(post("/run", "k", "x")));
    gate.begun.notified().await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    gate.go_on.notify_one();
    let retry = send(&app, post("/run", "k", "x")).await;
    assert!(retry.is_replay());
    assert_eq!((retry.text(), gate.runs.count()), ("run 1", 1));
}

#[tokio::test]
async fn without_a_key_a_client_that_hangs_up_stops_nothing_either() {
    let gate = Gate::default();
    let app = gated_app(&gate, layer().optional());
    let request =
        axum::extract::Request::post("/run").header("user", "ann").body(axum::body::Body::from("x")).unwrap();
    let client: JoinHandle<_> = tokio::spawn(app.oneshot(request));
    gate.begun.notified().await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    gate.go_on.notify_one();
    let ended = tokio::time::timeout(Duration::from_secs(10), gate.ended.notified()).await;
    ended.expect("the handler goes on to its end");
}

#[tokio::test]
async fn a_panic_frees_the_key_and_reaches_the_caller() {
    let runs = Runs::default();
    let handler = |State(runs): State<Runs>| async move {
        assert!(runs.next() > 1, "the first run panics on purpose");
        "survived"
    };
    let app = Router::new().route("/run", on_post(handler)).layer(layer()).with_state(runs.clone());
    let first = tokio::spawn(app.clone().oneshot(post("/run", "k", "x"))).await;
    assert!(first.unwrap_err().is_panic(), "whoever catches panics outside sees this one");
    let retry = send(&app, post("/run", "k", "x")).await;
    assert_eq!((retry.text(), retry.is_replay(), runs.count()), ("survived", false, 2));
}

/// The application ends the task while the answer is being read: it was given all the same.
#[tokio::test]
async fn a_task_that_is_ended_after_the_handler_frees_no_key() {
    let (runs, reading) = (Runs::default(), Arc::new(Notify::new()));
    let handler = {
        let (runs, reading) = (runs.clone(), Arc::clone(&reading));
        move || async move {
            if runs.next() > 1 {
                return axum::body::Body::from("again");
            }
            let endless = futures::stream::poll_fn(move |_| {
                reading.notify_one();
                std::task::Poll::<Option<Result<Vec<u8>, std::io::Error>>>::Pending
            });
            axum::body::Body::from_stream(endless)
        }
    };
    let tasks = Arc::new(std::sync::Mutex::new(Vec::new()));
    let layer = layer().in_flight(InFlightPolicy::Refuse).spawn_with({
        let tasks = Arc::clone(&tasks);
        move |task| {
            let task = tokio::spawn(task);
            tasks.lock().unwrap().push(task.abort_handle());
            task
        }
    });
    let app: Router = Router::new().route("/run", on_post(handler)).layer(layer);
    let first = tokio::spawn(app.clone().oneshot(post("/run", "k", "x")));
    reading.notified().await;
    tasks.lock().unwrap()[0].abort();
    assert_eq!(first.await.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..100 {
        tokio::task::yield_now().await; // whatever would free the key has its turn
    }
    let retry = send(&app, post("/run", "k", "x")).await;
    assert_eq!((retry.status, runs.count()), (StatusCode::CONFLICT, 1));
}

#[tokio::test]
async fn a_duplicate_is_refused_where_it_may_not_wait() {
    for policy in [InFlightPolicy::Refuse, InFlightPolicy::Wait { at_most: Duration::from_millis(30) }] {
        let gate = Gate::default();
        let app = gated_app(&gate, layer().in_flight(policy));
        let first = tokio::spawn({
            let app = app.clone();
            async move { send(&app, post("/run", "k", "x")).await }
        });
        gate.begun.notified().await;
        let other = send(&app, post("/run", "k", "other")).await;
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "another payload, while in flight");
        let second = send(&app, post("/run", "k", "x")).await;
        assert_eq!(second.status, StatusCode::CONFLICT);
        let seconds: u64 = second.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=30).contains(&seconds), "{seconds}");
        gate.go_on.notify_one();
        assert_eq!(first.await.unwrap().text(), "run 1");
    }
}

/// Two layers over one store stand for two processes.
#[tokio::test]
async fn a_zombie_writes_nothing_and_answers_as_the_winner() {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let (stopped, winner) = (Gate::default(), Gate::default());
    winner.runs.next(); // tells its answer from the zombie's
    winner.go_on.notify_one();
    let stopped_app = gated_app(&stopped, scoped(IdempotencyLayer::new(store.clone())));
    let winner_app = gated_app(&winner, scoped(IdempotencyLayer::new(store)));

    let zombie = tokio::spawn({
        let app = stopped_app.clone();
        async move { send(&app, post("/run", "k", "x")).await }
    });
    stopped.begun.notified().await;
    clock.advance(Duration::from_secs(31));
    let won = send(&winner_app, post("/run", "k", "x")).await;
    assert_eq!((won.text(), won.is_replay()), ("run 2", false));
    stopped.go_on.notify_one();
    let late = zombie.await.unwrap();
    assert!(late.is_replay());
    assert_eq!(late.substance(), won);
    assert_eq!(send(&stopped_app, post("/run", "k", "x")).await.text(), "run 2");
}

/// A store that fails where it is told to.
#[derive(Debug)]
struct Failing {
    inner: MemoryStore,
    at_claim: bool,
}

#[async_trait]
impl IdempotencyStore for Failing {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, Error> {
        if self.at_claim { Err(Error::backend("no disk")) } else { self.inner.claim(request).await }
    }
    async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        self.inner.renew(lease).await
    }
    async fn finish(&self, _: &Lease, _: &StoredResponse) -> Result<Finished, Error> {
        Err(Error::backend("no disk"))
    }
    async fn release(&self, lease: &Lease) -> Result<(), Error> {
        self.inner.release(lease).await
    }
    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        self.inner.purge(limit).await
    }
}

#[tokio::test]
async fn a_failing_store_lets_nothing_run_unprotected_and_hides_no_outcome() {
    let runs = Runs::default();
    let app = |at_claim| {
        let store = Failing { inner: MemoryStore::new(Arc::new(SystemClock)), at_claim };
        let layer = scoped(IdempotencyLayer::new(store)).in_flight(InFlightPolicy::Refuse);
        let handler = |State(runs): State<Runs>| async move { runs.next().to_string() };
        Router::new().route("/run", on_post(handler)).layer(layer).with_state(runs.clone())
    };
    let refused = send(&app(true), post("/run", "k", "x")).await;
    assert_eq!((refused.status, runs.count()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(!refused.text().contains("disk"), "no internals");

    let app = app(false);
    let done = send(&app, post("/run", "k", "x")).await;
    assert_eq!((done.status, done.text()), (StatusCode::OK, "1"));
    let retry = send(&app, post("/run", "k", "x")).await;
    assert_eq!((retry.status, runs.count()), (StatusCode::CONFLICT, 1), "the lease holds until it ends");
}

tokio::task_local! {
    static TRACE: &'static str;
}

#[tokio::test]
async fn the_application_starts_the_tasks() {
    let handler = || async { TRACE.with(|trace| *trace) };
    let layer = layer().spawn_with(|task| {
        let trace = TRACE.with(|trace| *trace);
        tokio::spawn(TRACE.scope(trace, task))
    });
    let app: Router = Router::new().route("/run", on_post(handler)).layer(layer);
    let answer = TRACE.scope("4bf92f", send(&app, post("/run", "k", "x"))).await;
    assert_eq!(answer.text(), "4bf92f");
}
