//! Servers that do the least there is to do: the floors of what goes over HTTP.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path as Named, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::floors::Floors;

/// Serves `GET /` until it is killed.
pub(crate) fn hello() -> Result<(), String> {
    serve(async { Ok(Router::new().route("/", get(|| async { "hello" }))) })
}

/// Sells whatever it is asked for and knows nothing of it: it answers a buyer's requests when the commits are on the disk
/// that the system makes before its answer, and makes those that come afterwards. So its bookings a second are the
/// bookings that one commit carries on, times the commits a second that this machine can make while as many buyers
/// ask, by the commits of a booking; measured, not computed, since none of these is known before.
pub(crate) fn shop(dir: &Path) -> Result<(), String> {
    serve(async {
        let shop = Shop { floors: Floors::open(dir).await?, selling: Arc::default() };
        Ok(Router::new()
            .route("/api/inventory/holds", post(hold))
            .route("/api/bookings", post(book))
            .route("/api/bookings/{id}", get(wait))
            .with_state(shop))
    })
}

/// The first line it prints is its address.
fn serve(app: impl Future<Output = Result<Router, String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let app = app.await?;
        // With the backlog of the server, so that the same crowd gets in.
        let any_port = ([127, 0, 0, 1], 0).into();
        let listener = platform::server::bind(any_port).map_err(|error| error.to_string())?;
        println!("{}", listener.local_addr().map_err(|error| error.to_string())?);
        axum::serve(listener, app).await.map_err(|error| error.to_string())
    })
}

#[derive(Debug, Clone)]
struct Shop {
    floors: Floors,
    /// What is left of each booking after its answer.
    selling: Arc<Mutex<HashMap<Uuid, JoinHandle<()>>>>,
}

async fn hold() -> impl IntoResponse {
    (StatusCode::CREATED, Json(json!({"holdId": Uuid::now_v7(), "status": "HELD"})))
}

async fn book(State(shop): State<Shop>) -> impl IntoResponse {
    let (id, floors) = (Uuid::now_v7(), shop.floors.clone());
    floors.until_answered().await;
    let rest = tokio::spawn(async move {
        floors.until_confirmed().await;
        tokio::spawn(async move { floors.beside().await });
    });
    shop.selling.lock().unwrap_or_else(PoisonError::into_inner).insert(id, rest);
    (StatusCode::CREATED, Json(json!({"id": id, "status": "PENDING"})))
}

async fn wait(State(shop): State<Shop>, Named(id): Named<Uuid>) -> impl IntoResponse {
    let selling = shop.selling.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    let confirmed = match selling {
        Some(selling) => selling.await.is_ok(),
        None => false,
    };
    if confirmed {
        (StatusCode::OK, Json(json!({"id": id, "status": "CONFIRMED"})))
    } else {
        (StatusCode::NOT_FOUND, Json(json!({"id": id})))
    }
}
