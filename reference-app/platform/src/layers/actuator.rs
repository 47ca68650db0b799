//! How a role is watched: health and metrics.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::health::Health;
use crate::telemetry;

pub(super) fn routes(health: Health) -> Router {
    // From here on this process records.
    telemetry::metrics();
    Router::new()
        .route("/actuator/health", get(up))
        .route("/actuator/health/readiness", get(readiness))
        .route("/actuator/health/liveness", get(async || Json(json!({"status": "UP"}))))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn up(State(health): State<Health>) -> Response {
    let up = health.readiness().await.values().all(|there| *there);
    answer(up, json!({"status": word(up)}))
}

async fn readiness(State(health): State<Health>) -> Response {
    let checks = health.readiness().await;
    let up = checks.values().all(|there| *there);
    let checks: serde_json::Map<_, _> =
        checks.into_iter().map(|(name, there)| (name.to_owned(), json!({"status": word(there)}))).collect();
    answer(up, json!({"status": word(up), "components": checks}))
}

fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

fn answer(up: bool, body: serde_json::Value) -> Response {
    let status = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

async fn metrics() -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::render()).into_response()
}
