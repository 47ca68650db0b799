//! A router with an idempotent route, and a client of it.
#![allow(dead_code, unreachable_pub)] // each test file uses a part

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use ticketblitz_core::SystemClock;
use ticketblitz_idempotency::{IdempotencyLayer, MemoryStore, Scope, Scoped};
use tower::ServiceExt;

/// A layer over a new memory store; the user is whom the header `user` names.
pub fn layer() -> IdempotencyLayer<Scoped> {
    scoped(IdempotencyLayer::new(MemoryStore::new(Arc::new(SystemClock))))
}

pub fn scoped(layer: IdempotencyLayer) -> IdempotencyLayer<Scoped> {
    layer.scope(|parts| parts.headers.get("user").and_then(|user| user.to_str().ok()).map(Scope::user))
}

/// Counts executions.
#[derive(Clone, Default)]
pub struct Runs(Arc<AtomicU32>);

impl Runs {
    pub fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What came back, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn is_replay(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
    }

    /// Without what tells a replay from the first answer.
    pub fn substance(mut self) -> Self {
        self.headers.remove("idempotent-replayed");
        self
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Ann posts `body` with `key`.
pub fn post(path: &str, key: &str, body: impl Into<Body>) -> Request {
    as_user("ann", path, key, body)
}

pub fn as_user(user: &str, path: &str, key: &str, body: impl Into<Body>) -> Request {
    let request = Request::post(path).header("user", user).header("idempotency-key", key);
    request.body(body.into()).unwrap()
}

pub async fn send(app: &Router, request: Request) -> Answer {
    let response: Response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body }
}
