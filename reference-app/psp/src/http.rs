//! The HTTP side, broken connections included.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json as JsonBody, Router};
use platform::extract::{Json, Query};
use platform::problem::{Invalid, Kind, Problem, kinds};
use serde::{Deserialize, Serialize};
use ticketblitz_core::Clock;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{self, Charge, ChargeRequest, Ledger, Refund, RefundRequest, Reply};
use crate::error::StoreError;
use crate::store::{Charged, Refunded, Store};

const NOT_REFUNDABLE: Kind = Kind::new("not-refundable", 409, "The charge cannot be refunded");
const SLOW_REPLY: Duration = Duration::from_secs(5);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

#[derive(Debug, Clone)]
pub(crate) struct AppState {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    slow_reply: Duration,
}

impl AppState {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, slow_reply: SLOW_REPLY }
    }
}

pub(crate) fn router(state: AppState) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(create_charge, list_charges))
        .routes(routes!(create_refund))
        .routes(routes!(ledger))
        .with_state(state)
        .split_for_parts()
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::KeyReused => Self::new(kinds::IDEMPOTENCY_KEY_REUSED, detail),
            StoreError::UnknownCharge => Self::new(kinds::NOT_FOUND, detail),
            StoreError::NotCharged | StoreError::AlreadyRefunded => Self::new(NOT_REFUNDABLE, detail),
            StoreError::Database(error) => Self::of_store(&error, platform::db::will_pass(&error)),
        }
    }
}

/// `POST /v1/charges`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChargeBody {
    /// The merchant's own name for what is paid.
    reference: Option<String>,
    /// Minor units, at least 1.
    amount: Option<i64>,
    currency: Option<String>,
    payment_method: Option<String>,
}

impl ChargeBody {
    fn check(self) -> Result<ChargeRequest, Problem> {
        let mut invalid = Invalid::default();
        let reference = checked(&mut invalid, "reference", self.reference, |text| {
            domain::check_reference(&text).map(|()| text)
        });
        let amount = checked(&mut invalid, "amount", self.amount, |amount| {
            domain::check_amount(amount).map(|()| amount)
        });
        let currency = checked(&mut invalid, "currency", self.currency, |text| {
            domain::check_currency(&text).map(|()| text)
        });
        let method = checked(&mut invalid, "paymentMethod", self.payment_method, |text| text.parse());
        invalid.finish()?;
        match (reference, amount, currency, method) {
            (Some(reference), Some(amount), Some(currency), Some(payment_method)) => {
                Ok(ChargeRequest { reference, amount, currency, payment_method })
            }
            _ => Err(Problem::new(kinds::VALIDATION_FAILED, "the request is incomplete")),
        }
    }
}

/// `POST /v1/refunds`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefundBody {
    charge_id: Option<String>,
}

/// The charges with one reference, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct Charges {
    charges: Vec<Charge>,
}

/// Charges a payment method.
#[utoipa::path(post, path = "/v1/charges", tag = "provider", request_body = ChargeBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "One charge for each key")),
    responses(
        (status = 201, body = Charge),
        (status = 422, description = "validation-failed, idempotency-key-reused"),
    ),
)]
async fn create_charge(
    State(state): State<AppState>,
    headers: HeaderMap,
    Json(body): Json<ChargeBody>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let request = body.check()?;
    match state.store.charge(key, &request, state.clock.now()).await? {
        Charged::Replayed(charge) => Ok(created(charge, true)),
        Charged::Made { charge, reply: Reply::Prompt } => Ok(created(charge, false)),
        Charged::Made { charge, reply: Reply::Late } => {
            tokio::time::sleep(state.slow_reply).await;
            Ok(created(charge, false))
        }
        Charged::Made { reply: Reply::Lost, .. } | Charged::Lost => Ok(broken_connection()),
    }
}

/// The charges with one reference.
#[utoipa::path(get, path = "/v1/charges", tag = "provider",
    params(("reference" = String, Query, description = "The merchant's own name for what was paid")),
    responses((status = 200, body = Charges), (status = 400, description = "malformed-request")),
)]
async fn list_charges(State(state): State<AppState>, query: Query) -> Result<JsonBody<Charges>, Problem> {
    let reference = query.read(|parameters| parameters.required("reference"))?;
    Ok(JsonBody(Charges { charges: state.store.charges(&reference).await? }))
}

/// Refunds a charge as a whole.
#[utoipa::path(post, path = "/v1/refunds", tag = "provider", request_body = RefundBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "One refund for each key")),
    responses(
        (status = 201, body = Refund),
        (status = 404, description = "not-found"),
        (status = 409, description = "not-refundable: the charge failed or was refunded already"),
        (status = 422, description = "validation-failed, idempotency-key-reused"),
    ),
)]
async fn create_refund(
    State(state): State<AppState>,
    headers: HeaderMap,
    Json(body): Json<RefundBody>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let mut invalid = Invalid::default();
    let charge_id = checked(&mut invalid, "chargeId", body.charge_id, Ok);
    invalid.finish()?;
    let request = RefundRequest { charge_id: charge_id.unwrap_or_default() };
    match state.store.refund(key, &request, state.clock.now()).await? {
        Refunded::Made(refund) => Ok(created(refund, false)),
        Refunded::Replayed(refund) => Ok(created(refund, true)),
    }
}

/// Every charge and every refund.
#[utoipa::path(get, path = "/v1/ledger", tag = "provider", responses((status = 200, body = Ledger)))]
async fn ledger(State(state): State<AppState>) -> Result<JsonBody<Ledger>, Problem> {
    Ok(JsonBody(state.store.ledger().await?))
}

fn created(body: impl Serialize, replayed: bool) -> Response {
    let mut response = (StatusCode::CREATED, JsonBody(body)).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// An answer whose body fails at once: the server hangs up in the middle of it, and a caller in this process
/// sees the body's error.
fn broken_connection() -> Response {
    let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(futures::stream::iter([Err::<String, _>(error)])))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    let malformed = |reason| Problem::new(kinds::MALFORMED_REQUEST, reason);
    domain::check_key(key).map_err(malformed)?;
    Ok(Some(key))
}

/// The value of a field as `check` reads it; without one, `invalid` says why.
fn checked<T, U>(
    invalid: &mut Invalid,
    field: &str,
    value: Option<T>,
    check: impl FnOnce(T) -> Result<U, &'static str>,
) -> Option<U> {
    value.ok_or("is required").and_then(check).map_err(|reason| invalid.push(field, reason)).ok()
}

#[cfg(test)]
mod tests;
