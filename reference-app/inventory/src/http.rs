//! The HTTP side: live seats and holds for customers, sales for other services.

mod internal;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::{Json as JsonBody, Router};
use contract::inventory::{ExtendRequest, Hold, HoldRequest, LiveSeats};
use platform::auth::Caller;
use platform::extract::{Json, Path};
use platform::{Problem, kinds};
use ticketblitz_core::EventId;
use ticketblitz_idempotency::Key;
use ticketblitz_lock::HoldId;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::desk::Desk;
use crate::domain::Asked;
use crate::error::Error;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(crate) fn router(desk: Arc<Desk>) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(live_seats))
        .routes(routes!(hold))
        .routes(routes!(get_hold, release_hold))
        .routes(routes!(extend_hold))
        .merge(internal::routes())
        .with_state(desk)
        .split_for_parts()
}

/// Every seat, or every area, and its state now.
#[utoipa::path(get, path = "/api/inventory/events/{eventId}/seats", tag = "inventory",
    params(("eventId" = String, Path, description = "The event")),
    responses((status = 200, body = LiveSeats), (status = 404, description = "not-found")))]
async fn live_seats(
    State(desk): State<Arc<Desk>>,
    Path(event): Path<EventId>,
) -> Result<JsonBody<LiveSeats>, Problem> {
    Ok(JsonBody(desk.live(event).await?))
}

/// Holds seats, or a quantity of a section: all or nothing.
#[utoipa::path(post, path = "/api/inventory/holds", tag = "inventory", request_body = HoldRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key answers the same hold")),
    responses(
        (status = 201, body = Hold),
        (status = 400, description = "malformed-request: the body or the Idempotency-Key"),
        (status = 401, description = "unauthenticated"),
        (status = 404, description = "not-found: the event"),
        (status = 409, description = "seats-unavailable with each blocked seat, sales-closed, hold-not-live"),
        (status = 422, description = "validation-failed, customer-limit-exceeded, idempotency-key-reused"),
        (status = 503, description = "dependency-unavailable"),
    ))]
async fn hold(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    headers: HeaderMap,
    Json(request): Json<HoldRequest>,
) -> Result<(StatusCode, JsonBody<Hold>), Problem> {
    let key = idempotency_key(&headers)?;
    let asked = Asked {
        seats: request.seat_ids.as_deref(),
        section: request.section.as_deref(),
        quantity: request.quantity,
    };
    let hold =
        desk.hold(caller.user, request.event_id.as_deref(), &asked, key.as_ref().map(Key::as_str)).await?;
    Ok((StatusCode::CREATED, JsonBody(hold)))
}

/// One of the caller's live holds.
#[utoipa::path(get, path = "/api/inventory/holds/{holdId}", tag = "inventory",
    params(("holdId" = String, Path, description = "The hold")),
    responses((status = 200, body = Hold), (status = 404, description = "not-found: lapsed, or not the caller's")))]
async fn get_hold(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Path(hold): Path<HoldId>,
) -> Result<JsonBody<Hold>, Problem> {
    Ok(JsonBody(desk.get(caller.user, hold).await?))
}

/// Makes a hold end `seconds` from now.
#[utoipa::path(post, path = "/api/inventory/holds/{holdId}/extend", tag = "inventory",
    params(("holdId" = String, Path, description = "The hold")), request_body = ExtendRequest,
    responses(
        (status = 200, body = Hold),
        (status = 404, description = "not-found: lapsed, or not the caller's"),
        (status = 409, description = "hold-in-payment"),
        (status = 422, description = "validation-failed; hold-ceiling-reached, and nothing has changed"),
    ))]
async fn extend_hold(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Path(hold): Path<HoldId>,
    Json(request): Json<ExtendRequest>,
) -> Result<JsonBody<Hold>, Problem> {
    let seconds = match request.seconds.map(u64::try_from) {
        Some(Ok(seconds @ 1..)) => seconds,
        Some(_) => return Err(Error::Invalid(vec![("seconds", "at least 1".to_owned())]).into()),
        None => return Err(Error::Invalid(vec![("seconds", "required".to_owned())]).into()),
    };
    Ok(JsonBody(desk.extend(caller.user, hold, Duration::from_secs(seconds)).await?))
}

/// Gives the places of a hold back.
#[utoipa::path(delete, path = "/api/inventory/holds/{holdId}", tag = "inventory",
    params(("holdId" = String, Path, description = "The hold")),
    responses(
        (status = 204, description = "The places are free"),
        (status = 404, description = "not-found: lapsed, or not the caller's"),
        (status = 409, description = "hold-in-payment"),
    ))]
async fn release_hold(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Path(hold): Path<HoldId>,
) -> Result<StatusCode, Problem> {
    desk.release_hold(caller.user, hold).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The one `Idempotency-Key` of a request, if it has one.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    Key::from_headers(headers.get_all(IDEMPOTENCY_KEY).iter().map(HeaderValue::as_bytes))
        .map_err(|error| Problem::new(kinds::MALFORMED_REQUEST, error.to_string()))
}
