//! The HTTP side: customers look at their payments; nobody makes one here.

use std::sync::Arc;

use axum::extract::State;
use axum::{Json as JsonBody, Router};
use contract::PaymentId;
use contract::payment::{Payment as PaymentBody, PaymentStatus};
use platform::Problem;
use platform::auth::Caller;
use platform::extract::{Listed, Path, Query};
use ticketblitz_core::BookingId;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{Payment, Status};
use crate::store::{Store, StoreError};

pub(crate) fn router(store: Arc<dyn Store>) -> (Router, OpenApi) {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).with_state(store).split_for_parts()
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::of_store(&error, error.is_unavailable())
    }
}

impl From<Status> for PaymentStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Unknown => Self::Unknown,
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Refunded => Self::Refunded,
        }
    }
}

impl From<Payment> for PaymentBody {
    fn from(payment: Payment) -> Self {
        Self {
            id: payment.id,
            booking_id: payment.booking,
            amount: payment.amount,
            currency: payment.currency,
            status: payment.status.into(),
            provider_charge_id: payment.charge,
            created_at: payment.created_at,
        }
    }
}

/// Somebody else's payment is none.
fn visible(caller: &Caller, payment: &Payment) -> bool {
    caller.user == payment.user
}

/// The caller's payments, newest first.
#[utoipa::path(get, path = "/api/payments", tag = "payments",
    params(
        ("bookingId" = Option<String>, Query, description = "Only the payment of this booking"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if absent"),
        ("cursor" = Option<String>, Query, description = "As the page before gave it"),
    ),
    responses((status = 200, body = Listed<PaymentBody>), (status = 400, description = "malformed-request")),
)]
async fn list(
    caller: Caller,
    State(store): State<Arc<dyn Store>>,
    query: Query,
) -> Result<JsonBody<Listed<PaymentBody>>, Problem> {
    let (booking, page) = query.read(|parameters| {
        let booking = parameters.parsed::<BookingId>("bookingId", "must be the id of a booking");
        (booking, parameters.page::<PaymentId>())
    })?;
    let found = match booking {
        Some(booking) => {
            let found = store.of_booking(booking).await?.filter(|payment| visible(&caller, payment));
            found.into_iter().filter(|payment| page.after.is_none_or(|after| payment.id < after)).collect()
        }
        None => store.list(caller.user, page.after, page.one_more()).await?,
    };
    Ok(JsonBody(Listed::page(found, page.limit, |payment| payment.id, PaymentBody::from)))
}

/// A payment of the caller's.
#[utoipa::path(get, path = "/api/payments/{id}", tag = "payments",
    params(("id" = String, Path, description = "The payment")),
    responses((status = 200, body = PaymentBody), (status = 404, description = "not-found: or somebody else's")),
)]
async fn get(
    caller: Caller,
    State(store): State<Arc<dyn Store>>,
    Path(id): Path<PaymentId>,
) -> Result<JsonBody<PaymentBody>, Problem> {
    let found = store.get(id).await?.filter(|payment| visible(&caller, payment));
    let payment = found.ok_or_else(|| Problem::not_found(format!("there is no payment {id}")))?;
    Ok(JsonBody(payment.into()))
}
