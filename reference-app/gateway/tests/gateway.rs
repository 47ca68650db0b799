//! The gateway before a role that tells what reached it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::any;
use gateway::{RateLimit, Route, router};
use http_body_util::BodyExt;
use platform::auth::{AuthContext, Jwks, KeySource, ServiceTokens, TokenVerifier};
use platform::{Problem, Transport, kinds};
use ticketblitz_core::SystemClock;
use tower::ServiceExt;

#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Jwks, String> {
        Err("no token is checked here".to_owned())
    }
}

fn gateway(limit: RateLimit) -> Router {
    let told = async |headers: HeaderMap, body: String| {
        let seen: Vec<_> = headers.keys().map(ToString::to_string).collect();
        ([("x-seen", seen.join(","))], body)
    };
    let refusing =
        async || Problem::new(kinds::REQUEST_IN_FLIGHT, "wait").retry_after(Duration::from_secs(3));
    let role = Router::new().route("/api/events/{id}", any(told)).route("/api/events", any(refusing));
    let nowhere = Transport::http("http://127.0.0.1:1", Duration::from_secs(5)).expect("an address");
    let routes = vec![
        Route { prefix: "/api/events", role: "event", transport: Transport::in_process(role) },
        Route { prefix: "/api/auth", role: "auth", transport: nowhere },
    ];
    let verifier = TokenVerifier::new(Arc::new(NoKeys), Arc::new(SystemClock));
    router(routes, AuthContext { verifier, services: ServiceTokens::new(b"secret") }, limit)
}

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (head, body) = router.clone().oneshot(request).await.expect("infallible").into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    (head.status, head.headers, String::from_utf8_lossy(&bytes).into_owned())
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::from("the body")).expect("a request")
}

#[tokio::test]
async fn a_request_passes_whole_and_without_what_is_meant_for_one_connection() {
    let mut sent = request("GET", "/api/events/x?y=z");
    for name in ["connection", "keep-alive", "te", "x-own"] {
        sent.headers_mut().insert(name, "value".parse().expect("a value"));
    }
    let (status, headers, body) = send(&gateway(RateLimit::off()), sent).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "the body"));
    assert_eq!(headers["x-seen"], "x-own");
}

#[tokio::test]
async fn a_refusal_passes_with_its_headers() {
    let (status, headers, body) = send(&gateway(RateLimit::off()), request("GET", "/api/events")).await;
    assert_eq!((status, headers["retry-after"].as_bytes()), (StatusCode::CONFLICT, &b"3"[..]));
    assert!(body.contains("request-in-flight"), "{body}");
}

#[tokio::test]
async fn what_is_not_routed_is_404_and_what_needs_a_token_401() {
    let gateway = gateway(RateLimit::off());
    for (method, path, status) in [
        ("GET", "/internal/auth/users/x", StatusCode::NOT_FOUND),
        ("GET", "/api/eventsx", StatusCode::NOT_FOUND),
        ("GET", "/", StatusCode::NOT_FOUND),
        ("POST", "/api/events", StatusCode::UNAUTHORIZED),
        ("GET", "/api/auth/me", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(send(&gateway, request(method, path)).await.0, status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_role_that_is_away_is_503_with_a_time() {
    let (status, headers, body) = send(&gateway(RateLimit::off()), request("POST", "/api/auth/login")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(headers.contains_key("retry-after") && body.contains("the auth service"), "{body}");
}

#[tokio::test]
async fn over_the_rate_nothing_passes() {
    let gateway = gateway(RateLimit::per_second(NonZeroU32::MIN));
    assert_eq!(send(&gateway, request("GET", "/api/events/x")).await.0, StatusCode::OK);
    let (status, headers, _) = send(&gateway, request("GET", "/api/events/x")).await;
    assert_eq!((status, headers["retry-after"].as_bytes()), (StatusCode::TOO_MANY_REQUESTS, &b"1"[..]));
}
