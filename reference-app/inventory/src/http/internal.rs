//! For other services: events that are sold, and the inventory's side of bookings.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::StatusCode;
use contract::inventory::{BeginPayment, InPayment, InventoryEvent, Sold};
use platform::Problem;
use platform::auth::ServiceCaller;
use platform::extract::{Json, Path};
use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::Want;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::desk::Desk;
use crate::store::Claim;

pub(super) fn routes() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new()
        .routes(routes!(put_event))
        .routes(routes!(close_event))
        .routes(routes!(begin_payment))
        .routes(routes!(sell))
        .routes(routes!(release))
        .routes(routes!(reopen))
}

/// Makes an event holdable, or changes it.
#[utoipa::path(put, path = "/internal/inventory/events/{eventId}", tag = "internal",
    params(("eventId" = String, Path, description = "The event")), request_body = InventoryEvent,
    responses(
        (status = 204, description = "It can be held"),
        (status = 409, description = "event-on-sale: what is fixed would change"),
        (status = 422, description = "validation-failed"),
    ))]
async fn put_event(
    _service: ServiceCaller,
    State(desk): State<Arc<Desk>>,
    Path(event): Path<EventId>,
    Json(body): Json<InventoryEvent>,
) -> Result<StatusCode, Problem> {
    desk.put_event(event, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the sale of an event.
#[utoipa::path(post, path = "/internal/inventory/events/{eventId}/close", tag = "internal",
    params(("eventId" = String, Path, description = "The event")),
    responses((status = 204, description = "Nothing of it is sold any more")))]
async fn close_event(
    _service: ServiceCaller,
    State(desk): State<Arc<Desk>>,
    Path(event): Path<EventId>,
) -> Result<StatusCode, Problem> {
    desk.close_event(event).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves a hold into payment for a booking: the first that asked for this hold.
#[utoipa::path(post, path = "/internal/inventory/payments", tag = "internal", request_body = BeginPayment,
    responses(
        (status = 200, body = InPayment),
        (status = 409, description = "hold-not-live, sales-closed"),
        (status = 422, description = "customer-limit-exceeded"),
    ))]
async fn begin_payment(
    _service: ServiceCaller,
    State(desk): State<Arc<Desk>>,
    Json(ask): Json<BeginPayment>,
) -> Result<JsonBody<InPayment>, Problem> {
    Ok(JsonBody(in_payment(desk.begin(&ask).await?)))
}

/// Sells a booking its places.
#[utoipa::path(post, path = "/internal/inventory/bookings/{bookingId}/sell", tag = "internal",
    params(("bookingId" = String, Path, description = "The booking")),
    responses((status = 200, body = Sold, description = "For good, either way")))]
async fn sell(
    _service: ServiceCaller,
    State(desk): State<Arc<Desk>>,
    Path(booking): Path<BookingId>,
) -> Result<JsonBody<Sold>, Problem> {
    Ok(JsonBody(Sold { outcome: desk.sell(booking).await? }))
}

/// Frees the places of a booking that will not be paid.
#[utoipa::path(post, path = "/internal/inventory/bookings/{bookingId}/release", tag = "internal",
    params(("bookingId" = String, Path, description = "The booking")),
    responses((status = 204, description = "It has nothing in payment, and never will")))]
async fn release(
    _service: ServiceCaller,
    State(desk): State<Arc<Desk>>,
    Path(booking): Path<BookingId>,
) -> Result<StatusCode, Problem> {
    desk.release(booking).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Frees the places of a booking that was refunded.
#[utoipa::path(post, path = "/internal/inventory/bookings/{bookingId}/reopen", tag = "internal",
    params(("bookingId" = String, Path, description = "The booking")),
    responses((status = 204, description = "It has nothing any more")))]
async fn reopen(
    _service: ServiceCaller,
    State(desk): State<Arc<Desk>>,
    Path(booking): Path<BookingId>,
) -> Result<StatusCode, Problem> {
    desk.reopen(booking).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn in_payment(claim: Claim) -> InPayment {
    let quantity = claim.want.units();
    let (seat_ids, section) = match claim.want {
        Want::Seats(seats) => (seats, None),
        Want::Area { section, .. } => (Vec::new(), Some(section)),
    };
    InPayment {
        booking_id: claim.booking,
        hold_id: claim.hold.hold,
        event_id: claim.hold.event,
        seat_ids,
        section,
        quantity,
        amount: claim.amount,
        currency: claim.currency,
        fence: claim.fence.as_u64(),
        deadline: claim.deadline,
    }
}
