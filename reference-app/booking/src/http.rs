//! The HTTP side: reads requests, lists what is wrong with them, words the answers.

mod prefer;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::middleware::from_extractor;
use axum::response::{IntoResponse, Response};
use axum::{Json as JsonBody, Router};
use contract::booking::{Booking as BookingBody, BookingRequest, Ticket};
use platform::auth::Caller;
use platform::extract::{Json, Listed, Parameters, Path, Query};
use platform::{Invalid, Problem, kinds, telemetry};
use ticketblitz_core::BookingId;
use ticketblitz_idempotency::sqlite::{Finish, SqliteStore as Keys};
use ticketblitz_idempotency::{Execution, IdempotencyLayer, Refusal, Scope, Scoped, StoredResponse};
use ticketblitz_lock::HoldId;
use tracing::Instrument;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::bookings::Bookings;
use crate::domain::{Booking, PaymentMethod};
use crate::error::Error;

pub(crate) fn router(bookings: Bookings, keys: Keys) -> (Router, OpenApi) {
    OpenApiRouter::new()
        // On this method alone: another one, with a key or without, is 405.
        .routes(routes!(book).map(|router| router.route_layer(idempotency(keys))))
        .routes(routes!(list))
        .routes(routes!(get, cancel))
        .routes(routes!(tickets))
        // Who may not ask is told so before their key and body are looked at.
        .layer(from_extractor::<Caller>())
        .with_state(Arc::new(bookings))
        .split_for_parts()
}

/// A key is its user's own: the user is the token's subject, which the extractor before has verified.
fn idempotency(keys: Keys) -> IdempotencyLayer<Scoped> {
    IdempotencyLayer::new(keys)
        .scope(|parts| parts.extensions.get::<Caller>().map(|caller| Scope::user(caller.user)))
        .refusals(|refusal| refused(&refusal).into_response())
        .spawn_with(|task| match telemetry::current() {
            Some(trace) => tokio::spawn(telemetry::scope(trace, task).in_current_span()),
            None => tokio::spawn(task.in_current_span()),
        })
}

fn refused(refusal: &Refusal) -> Problem {
    let kind = match refusal {
        Refusal::TooLarge => kinds::TOO_LARGE,
        Refusal::PayloadMismatch => kinds::IDEMPOTENCY_KEY_REUSED,
        Refusal::InFlight { .. } => kinds::REQUEST_IN_FLIGHT,
        Refusal::Unavailable => return Problem::unavailable("the booking service"),
        Refusal::AnswerNotKept => return Problem::internal(refusal),
        _ => kinds::MALFORMED_REQUEST,
    };
    let problem = Problem::new(kind, refusal.to_string());
    match refusal.retry_after() {
        Some(seconds) => problem.retry_after(std::time::Duration::from_secs(seconds)),
        None => problem,
    }
}

impl From<Booking> for BookingBody {
    fn from(booking: Booking) -> Self {
        Self {
            id: booking.id,
            user_id: booking.user,
            event_id: booking.event,
            hold_id: booking.hold,
            seat_ids: booking.seats,
            section: booking.section,
            quantity: booking.quantity,
            amount: booking.amount,
            currency: booking.currency,
            status: booking.status.into(),
            failure_reason: booking.failure,
            created_at: booking.created_at,
            expires_at: booking.expires_at,
            confirmed_at: booking.confirmed_at,
        }
    }
}

/// Books what the caller holds: the booking is PENDING and on its way to be paid.
#[utoipa::path(post, path = "/api/bookings", tag = "bookings", request_body = BookingRequest,
    params(("Idempotency-Key" = String, Header, description = "The same in every try of this booking")),
    responses(
        (status = 201, body = BookingBody, headers(("Location" = String))),
        (status = 400, description = "malformed-request: also without Idempotency-Key"),
        (status = 401, description = "unauthenticated"),
        (status = 409, description = "hold-not-live, booking-exists (with bookingId), sales-closed, request-in-flight"),
        (status = 422, description = "validation-failed, customer-limit-exceeded, idempotency-key-reused"),
        (status = 503, description = "dependency-unavailable"),
    ),
)]
async fn book(
    caller: Caller,
    State(bookings): State<Arc<Bookings>>,
    execution: Execution,
    Json(request): Json<BookingRequest>,
) -> Result<Response, Problem> {
    let (hold, method) = wanted(&request)?;
    let made = |booking: &Booking| made(booking, &execution).map_err(Error::Answer);
    let finish = bookings.book(caller.user, hold, method, made).await?;
    Ok(execution.respond(finish))
}

fn wanted(request: &BookingRequest) -> Result<(HoldId, PaymentMethod), Problem> {
    let mut invalid = Invalid::default();
    let hold = match request.hold_id.as_deref().map(str::parse) {
        Some(Ok(hold)) => Some(hold),
        Some(Err(_)) => {
            invalid.push("holdId", "is not the id of a hold");
            None
        }
        None => {
            invalid.push("holdId", "is required");
            None
        }
    };
    let method = match request.payment_method.as_deref().map(str::parse) {
        None => PaymentMethod::default(),
        Some(Ok(method)) => method,
        Some(Err(_)) => {
            invalid.push("paymentMethod", "is not known");
            PaymentMethod::default()
        }
    };
    match hold {
        Some(hold) if invalid.is_empty() => Ok((hold, method)),
        _ => Err(invalid.into()),
    }
}

/// The answer to a new booking, to be stored with it.
fn made(booking: &Booking, execution: &Execution) -> Result<Finish, ticketblitz_idempotency::Error> {
    let location = format!("/api/bookings/{}", booking.id);
    let answer = StoredResponse::json(201, &BookingBody::from(booking.clone()))?;
    Ok(execution.finish(answer.header(header::LOCATION.as_str(), location)))
}

/// The caller's bookings, newest first.
#[utoipa::path(get, path = "/api/bookings", tag = "bookings",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if absent"),
        ("cursor" = Option<String>, Query, description = "As the page before gave it"),
    ),
    responses((status = 200, body = Listed<BookingBody>), (status = 400, description = "malformed-request")),
)]
async fn list(
    caller: Caller,
    State(bookings): State<Arc<Bookings>>,
    query: Query,
) -> Result<JsonBody<Listed<BookingBody>>, Problem> {
    let page = query.read(Parameters::page)?;
    let found = bookings.list(caller.user, page.after, page.one_more()).await?;
    Ok(JsonBody(Listed::page(found, page.limit, |booking| booking.id, BookingBody::from)))
}

/// A booking of the caller's. With `Prefer: wait=10` the answer waits until it is no longer PENDING.
#[utoipa::path(get, path = "/api/bookings/{id}", tag = "bookings",
    params(
        ("id" = String, Path, description = "The booking"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, at most 30 seconds (RFC 7240)"),
    ),
    responses((status = 200, body = BookingBody), (status = 404, description = "not-found: or somebody else's")),
)]
async fn get(
    caller: Caller,
    State(bookings): State<Arc<Bookings>>,
    Path(id): Path<BookingId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wait = prefer::wait(&headers);
    let booking = bookings.settled(caller.user, id, prefer::patience(wait)).await?;
    let mut response = JsonBody(BookingBody::from(booking)).into_response();
    if let Some(seconds) = wait {
        let (name, value) = prefer::applied(seconds);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Cancels a booking of the caller's; it is refunded if it was paid.
#[utoipa::path(delete, path = "/api/bookings/{id}", tag = "bookings",
    params(("id" = String, Path, description = "The booking")),
    responses(
        (status = 200, body = BookingBody),
        (status = 404, description = "not-found: or somebody else's"),
        (status = 409, description = "not-cancellable"),
        (status = 503, description = "dependency-unavailable: it is being cancelled, and takes longer than usual"),
    ),
)]
async fn cancel(
    caller: Caller,
    State(bookings): State<Arc<Bookings>>,
    Path(id): Path<BookingId>,
) -> Result<JsonBody<BookingBody>, Problem> {
    Ok(JsonBody(bookings.cancel(caller.user, id).await?.into()))
}

/// The tickets of a booking of the caller's, in the order of its seats: none until it is CONFIRMED.
#[utoipa::path(get, path = "/api/bookings/{id}/tickets", tag = "bookings",
    params(
        ("id" = String, Path, description = "The booking"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if absent"),
        ("cursor" = Option<String>, Query, description = "As the page before gave it"),
    ),
    responses(
        (status = 200, body = Listed<Ticket>),
        (status = 400, description = "malformed-request"),
        (status = 404, description = "not-found: or somebody else's"),
    ),
)]
async fn tickets(
    caller: Caller,
    State(bookings): State<Arc<Bookings>>,
    Path(id): Path<BookingId>,
    query: Query,
) -> Result<JsonBody<Listed<Ticket>>, Problem> {
    let page = query.read(Parameters::page)?;
    let found = bookings.tickets(caller.user, id, page.after, page.one_more()).await?;
    Ok(JsonBody(Listed::page(found, page.limit, |ticket| ticket.ticket_id, |ticket| ticket)))
}
