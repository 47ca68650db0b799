//! What requests, keys and answers mean to the layer.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

mod app;

use std::time::Duration;

use app::{Runs, as_user, layer, post, send};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post as on_post};
use http::{HeaderValue, StatusCode};
use ticketblitz_idempotency::{IdempotencyLayer, Refusal, Scoped};
use tokio::sync::Notify;

/// `/run` and `/other` answer how often they ran and what they were sent.
fn app(layer: IdempotencyLayer<Scoped>) -> (Router, Runs) {
    async fn run(State(runs): State<Runs>, body: Bytes) -> Response {
        let mut response = (StatusCode::CREATED, format!("{}:{}", runs.next(), body.len())).into_response();
        let headers = response.headers_mut();
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        headers.append("x-raw", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        headers.append("connection", HeaderValue::from_static("x-hop"));
        headers.append("x-hop", HeaderValue::from_static("1"));
        headers.append("keep-alive", HeaderValue::from_static("timeout=5"));
        headers.append("date", HeaderValue::from_static("Sat, 31 Jan 2026 20:00:00 GMT"));
        response
    }
    async fn status(State(runs): State<Runs>, Path(status): Path<u16>) -> (StatusCode, String) {
        (StatusCode::from_u16(status).unwrap(), runs.next().to_string())
    }
    let runs = Runs::default();
    let router = Router::new()
        .route("/run", on_post(run).put(run).get(run))
        .route("/other", on_post(run))
        .route("/status/{status}", on_post(status))
        .nest("/nested", Router::new().route("/run", on_post(run)))
        .layer(layer)
        .with_state(runs.clone());
    (router, runs)
}

#[tokio::test]
async fn a_retry_gets_the_same_bytes() {
    let (app, runs) = app(layer());
    let first = send(&app, post("/run", "k", "{\"a\":1,\"b\":2}")).await;
    assert_eq!((first.status, first.text()), (StatusCode::CREATED, "1:13"));
    assert!(!first.is_replay());
    let again = send(&app, post("/run", "\"k\"", "{\"b\":2, \"a\":1}")).await;
    assert!(again.is_replay());
    let mut expected = first.clone();
    for hop in ["connection", "x-hop", "keep-alive", "date"] {
        assert!(expected.headers.remove(hop).is_some());
    }
    let cookies: Vec<_> = again.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(again.substance(), expected);
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_thousand_duplicates_are_one_execution_with_one_answer() {
    let release = std::sync::Arc::new(Notify::new());
    let (runs, gate) = (Runs::default(), release.clone());
    let handler = move |State(runs): State<Runs>| async move {
        let run = runs.next();
        gate.notified().await;
        format!("run {run}")
    };
    let app = Router::new().route("/run", on_post(handler)).layer(layer()).with_state(runs.clone());
    let all: Vec<_> = (0..1_000)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { send(&app, post("/run", "k", "x")).await })
        })
        .collect();
    release.notify_one();
    let mut firsts = 0;
    for answer in all {
        let answer = answer.await.unwrap();
        firsts += u32::from(!answer.is_replay());
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "run 1"));
    }
    assert_eq!((firsts, runs.count()), (1, 1));
}

#[tokio::test]
async fn another_user_route_or_method_shares_nothing() {
    let (app, runs) = app(layer());
    send(&app, post("/run", "k", "x")).await;
    let put = Request::put("/run").header("user", "ann").header("idempotency-key", "k");
    for other in [
        as_user("ben", "/run", "k", "x"),
        post("/other", "k", "x"),
        post("/nested/run", "k", "x"),
        put.body("x".into()).unwrap(),
    ] {
        let answer = send(&app, other).await;
        assert!(!answer.is_replay());
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    assert_eq!(runs.count(), 5);
}

#[tokio::test]
async fn another_payload_is_refused() {
    let (app, runs) = app(layer());
    send(&app, post("/run", "k", "{\"amount\":1}")).await;
    for other in ["{\"amount\":1.0}", "{\"amount\":2}", "{\"amount\":1,\"amount\":1}", ""] {
        let answer = send(&app, post("/run", "k", other.to_owned())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{other}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let query = send(&app, post("/run?express", "k", "{\"amount\":1}")).await;
    assert_eq!(query.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_missing_or_malformed_key_is_the_callers_fault() {
    let (app, runs) = app(layer());
    let bare = || Request::post("/run").header("user", "ann");
    let keyed = |key: &[u8]| bare().header("idempotency-key", HeaderValue::from_bytes(key).unwrap());
    let two = bare().header("idempotency-key", "a").header("idempotency-key", "b");
    let long = "k".repeat(256);
    for request in
        [bare(), keyed(b""), keyed(b"\"\""), keyed("schlüssel".as_bytes()), keyed(long.as_bytes()), two]
    {
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    }
    assert_eq!(runs.count(), 0);
}

#[tokio::test]
async fn what_needs_no_key_passes() {
    let (app, runs) = app(layer());
    let read = Request::get("/run").header("user", "ann").body(Body::empty()).unwrap();
    assert_eq!(send(&app, read).await.status, StatusCode::CREATED);
    let nobody = Request::post("/run").body(Body::empty()).unwrap();
    assert_eq!(send(&app, nobody).await.status, StatusCode::CREATED, "the handler judges it");
    assert_eq!(runs.count(), 2);

    let (app, runs) = self::app(layer().optional());
    for _ in 0..2 {
        let keyless = Request::post("/run").header("user", "ann").body("x".into()).unwrap();
        assert!(!send(&app, keyless).await.is_replay());
    }
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn a_body_over_the_limit_claims_nothing() {
    let (app, runs) = app(layer());
    for size in [65_537, 1_048_577, 100_000_000] {
        let answer = send(&app, post("/run", "k", vec![b'x'; size])).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 4_096])));
    let answer = send(&app, post("/run", "k", Body::from_stream(endless))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(runs.count(), 0);
    let answer = send(&app, post("/run", "k", vec![b'x'; 65_536])).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::CREATED, "1:65536"), "the key is still free");
}

#[tokio::test]
async fn a_body_that_drips_or_breaks_holds_no_lease() {
    let (app, runs) = app(layer().body_timeout(Duration::from_millis(50)));
    let dripping = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let slow = send(&app, post("/run", "k", dripping)).await;
    assert_eq!(slow.status, StatusCode::REQUEST_TIMEOUT);
    let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]);
    let broken = send(&app, post("/run", "k", Body::from_stream(broken))).await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert_eq!(runs.count(), 0);
    assert!(!send(&app, post("/run", "k", "another body")).await.is_replay());
}

#[tokio::test]
async fn the_status_decides_what_is_stored() {
    let (app, runs) = app(layer());
    for (status, stored) in [
        (200, true),
        (201, true),
        (303, true),
        (402, true),
        (409, true),
        (410, true),
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (408, false),
        (413, false),
        (415, false),
        (422, false),
        (425, false),
        (429, false),
        (500, false),
        (502, false),
        (503, false),
    ] {
        let path = format!("/status/{status}");
        let before = runs.count();
        let first = send(&app, post(&path, "k", "x")).await;
        let again = send(&app, post(&path, "k", "x")).await;
        assert_eq!(first.status.as_u16(), status);
        assert_eq!(again.is_replay(), stored, "{status}");
        assert_eq!(runs.count() - before, if stored { 1 } else { 2 }, "{status}");
    }
    let corrected = send(&app, post("/status/422", "k", "a better body")).await;
    assert_eq!(corrected.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(corrected.text(), runs.count().to_string(), "the handler judged it");
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_not_executed_twice() {
    let runs = Runs::default();
    let large = |State(runs): State<Runs>| async move {
        runs.next();
        vec![b'x'; 2_000]
    };
    let breaks = |State(runs): State<Runs>| async move {
        runs.next();
        let parts = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("gone"))];
        Body::from_stream(futures::stream::iter(parts))
    };
    let app = Router::new()
        .route("/large", on_post(large))
        .route("/breaks", on_post(breaks))
        .layer(layer().max_response(1_000))
        .with_state(runs.clone());
    for path in ["/large", "/breaks"] {
        let first = send(&app, post(path, "k", "x")).await;
        assert_eq!(first.status, StatusCode::INTERNAL_SERVER_ERROR);
        let again = send(&app, post(path, "k", "x")).await;
        assert!(again.is_replay());
        assert_eq!(again.substance(), first);
    }
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn the_caller_renders_refusals() {
    let render = |refusal: Refusal| match refusal {
        Refusal::MissingKey => StatusCode::IM_A_TEAPOT.into_response(),
        other => ticketblitz_idempotency::problem(other),
    };
    let app: Router =
        Router::new().route("/", get(|| async {}).post(|| async {})).layer(layer().refusals(render));
    let keyless = Request::post("/").header("user", "ann").body(Body::empty()).unwrap();
    assert_eq!(send(&app, keyless).await.status, StatusCode::IM_A_TEAPOT);
}
