use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;
use ticketblitz_core::SystemClock;
use tokio::sync::Notify;
use tower::ServiceExt;

use super::*;
use crate::auth::{Jwks, KeySource, ServiceTokens, TokenVerifier};
use crate::extract::Json;

#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Jwks, String> {
        Err("none".to_owned())
    }
}

#[derive(Deserialize)]
struct Thing {
    size: u32,
}

fn app(router: Router) -> Router {
    app_with(router, Health::new())
}

fn app_with(router: Router, health: Health) -> Router {
    let verifier = TokenVerifier::new(Arc::new(NoKeys), Arc::new(SystemClock));
    let auth = AuthContext { verifier, services: ServiceTokens::new(b"secret") };
    standard(router, AppLayers { role: "test", auth, health, internal: true })
}

fn things() -> Router {
    app(Router::new()
        .route("/things", post(async |Json(thing): Json<Thing>| thing.size.to_string()))
        .route("/panic", get(async || if true { panic!("on purpose") } else { "" }))
        .route(
            "/internal/things",
            get(async || "inside").put(async |Json(thing): Json<Thing>| thing.size.to_string()),
        ))
}

async fn send(router: &Router, request: http::Request<Body>) -> (u16, http::HeaderMap, Value) {
    let response = router.clone().oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    (head.status.as_u16(), head.headers, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn request(method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> http::Request<Body> {
    let request = http::Request::builder().method(method).uri(path).header("content-type", content_type);
    request.body(body.into()).expect("a request")
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let router = things();
    let json = "application/json";
    for (method, path, content_type, body, status, kind) in [
        ("GET", "/nowhere", json, "", 404, "not-found"),
        ("GET", "/things", json, "", 405, "method-not-allowed"),
        ("POST", "/things", "text/plain", "{}", 415, "unsupported-media-type"),
        ("POST", "/things", json, "{", 400, "malformed-request"),
        ("POST", "/things", json, "[1]", 400, "malformed-request"),
        ("POST", "/things", json, "{\"size\":1} x", 400, "malformed-request"),
        ("GET", "/internal/things", json, "", 401, "unauthenticated"),
        ("GET", "/internal/nothing", json, "", 401, "unauthenticated"),
        ("GET", "/panic", json, "", 500, "internal"),
    ] {
        let (answered, headers, problem) = send(&router, request(method, path, content_type, body)).await;
        assert_eq!(
            (answered, &problem["type"]),
            (status, &format!("urn:ticketblitz:problem:{kind}").into()),
            "{path}"
        );
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(problem["traceId"].as_str().map(str::len), Some(32), "{problem}");
        assert_eq!(headers.contains_key("allow"), status == 405);
    }
}

#[tokio::test]
async fn a_wrong_type_names_its_field() {
    let (status, _, problem) =
        send(&things(), request("POST", "/things", "application/json", "{\"size\":\"x\"}")).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (400, &"size".into()), "{problem}");
}

#[tokio::test]
async fn a_body_is_bounded_also_when_its_length_is_not_told() {
    for size in [body::MOST + 1, 900_000, 3_000_000] {
        let chunk = |_| Ok::<_, std::io::Error>(vec![b' '; 10_000]);
        let chunks = futures::stream::iter((0..=size / 10_000).map(chunk));
        let sent = request("POST", "/things", "application/json", Body::from_stream(chunks));
        let (status, _, problem) = send(&things(), sent).await;
        assert_eq!((status, &problem["type"]), (413, &"urn:ticketblitz:problem:too-large".into()));
    }
    // Who may not ask, or asks for nothing, is told that instead.
    let nothing = request("POST", "/nowhere", "application/json", vec![b' '; body::MOST + 1]);
    assert_eq!(send(&things(), nothing).await.0, 404);
    let fits = format!("{}{{\"size\":7}}", " ".repeat(body::MOST - 10));
    assert_eq!(send(&things(), request("POST", "/things", "application/json", fits)).await.0, 200);
}

#[tokio::test]
async fn a_service_token_opens_what_is_internal() {
    let token = ServiceTokens::new(b"secret").mint("booking");
    let mut sent = request("GET", "/internal/things", "text/plain", "");
    sent.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    assert_eq!(send(&things(), sent).await.0, 200);
    let other = ServiceTokens::new(b"another").mint("booking");
    let mut sent = request("GET", "/internal/things", "text/plain", "");
    sent.headers_mut().insert("authorization", format!("Bearer {other}").parse().expect("a header"));
    assert_eq!(send(&things(), sent).await.0, 401);
}

#[tokio::test]
async fn only_a_service_may_send_much() {
    let stadium = format!("{}{{\"size\":7}}", " ".repeat(1_500_000));
    let mut sent = request("PUT", "/internal/things", "application/json", stadium.clone());
    assert_eq!(send(&things(), sent).await.0, 401);
    sent = request("PUT", "/internal/things", "application/json", stadium);
    let token = ServiceTokens::new(b"secret").mint("event");
    sent.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    assert_eq!(send(&things(), sent).await.0, 200);
}

#[tokio::test]
async fn what_changes_something_goes_on_without_its_client() {
    let (begun, go_on, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go_on, done) = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&done));
        async move || {
            begun.notify_one();
            go_on.notified().await;
            done.notify_one();
        }
    };
    let router = app(Router::new().route("/change", post(handler)));
    let client = tokio::spawn(router.oneshot(request("POST", "/change", "text/plain", "")));
    begun.notified().await;
    client.abort();
    assert!(client.await.expect_err("hung up").is_cancelled());
    go_on.notify_one();
    tokio::time::timeout(Duration::from_secs(30), done.notified()).await.expect("it went on");
}

#[tokio::test]
async fn a_role_is_watched() {
    let router = things();
    let (status, _, health) = send(&router, request("GET", "/actuator/health", "text/plain", "")).await;
    assert_eq!((status, health), (200, serde_json::json!({"status": "UP"})));
    let down = Health::new().check("database", async || Err("gone".to_owned()));
    let router = app_with(Router::new(), down);
    let (status, _, health) = send(&router, request("GET", "/actuator/health", "text/plain", "")).await;
    assert_eq!((status, health), (503, serde_json::json!({"status": "DOWN"})));
    let (_, _, readiness) =
        send(&router, request("GET", "/actuator/health/readiness", "text/plain", "")).await;
    assert_eq!(readiness["components"]["database"]["status"], "DOWN");
}
