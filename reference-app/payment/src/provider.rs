//! The payment provider, as this service speaks to it. A stranger: it gets no token of ours, and what it did not
//! answer may have happened all the same.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use platform::transport::Body;
use platform::{Transport, TransportError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ticketblitz_core::BookingId;

use crate::domain::Payment;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no answer to act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It was never sent, or the provider said that it was turned away unread.
    #[error("the payment provider is not reachable: {0}")]
    NotSent(String),
    /// It may have been done.
    #[error("the payment provider's answer was lost: {0}")]
    OutcomeUnknown(String),
    /// It was not done, and a repeat would not be either.
    #[error("the payment provider refused: {0}")]
    Refused(String),
}

/// What a charge came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChargeStatus {
    Succeeded,
    Failed,
}

/// A charge in the provider's books.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    pub id: String,
    pub status: ChargeStatus,
    pub failure_reason: Option<String>,
}

impl Charge {
    /// Why the charge failed, in words for the buyer.
    #[must_use]
    pub fn decline(&self) -> String {
        format!("declined: {}", self.failure_reason.as_deref().unwrap_or("the provider gave no reason"))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChargeRequest<'a> {
    reference: String,
    amount: i64,
    currency: &'a str,
    payment_method: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundRequest<'a> {
    charge_id: &'a str,
}

#[derive(Deserialize)]
struct Charges {
    charges: Vec<Charge>,
}

#[derive(Deserialize)]
struct Refunded {
    #[serde(rename = "id")]
    _id: String,
}

/// Calls to the payment provider. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PspClient {
    transport: Transport,
    timeout: Duration,
}

impl PspClient {
    /// A client that waits ten seconds for an answer.
    #[must_use]
    pub fn new(transport: Transport) -> Self {
        Self { transport, timeout: DEFAULT_TIMEOUT }
    }

    /// How long to wait for an answer.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Charges the payment, at most once however often it is asked: the key is the booking's.
    ///
    /// # Errors
    /// See [`ProviderError`]. A declined card is no error but a charge that [failed](ChargeStatus::Failed).
    pub async fn charge(&self, payment: &Payment) -> Result<Charge, ProviderError> {
        let body = ChargeRequest {
            reference: payment.booking.to_string(),
            amount: payment.amount,
            currency: payment.currency.as_str(),
            payment_method: &payment.method,
        };
        self.post("/v1/charges", &format!("charge-{}", payment.booking), &body).await
    }

    /// The charge of a booking, if there is one: one that succeeded rather than one that failed.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub async fn find(&self, booking: BookingId) -> Result<Option<Charge>, ProviderError> {
        let request = Request::get(format!("/v1/charges?reference={booking}")).body(Body::empty());
        let Charges { charges } = self.send(request).await?;
        Ok(charges.into_iter().max_by_key(|charge| charge.status == ChargeStatus::Succeeded))
    }

    /// Gives the charge back, at most once however often it is asked.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub async fn refund(&self, booking: BookingId, charge_id: &str) -> Result<(), ProviderError> {
        let body = RefundRequest { charge_id };
        let _: Refunded = self.post("/v1/refunds", &format!("refund-{booking}"), &body).await?;
        Ok(())
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<T, ProviderError> {
        let body = serde_json::to_vec(body).map_err(|error| ProviderError::Refused(error.to_string()))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body));
        self.send(request).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Result<Request<Body>, http::Error>,
    ) -> Result<T, ProviderError> {
        let request = request.map_err(|error| ProviderError::Refused(error.to_string()))?;
        let answer =
            self.transport.send_within(request, self.timeout).await.map_err(|error| match error {
                TransportError::Unreachable(reason) => ProviderError::NotSent(reason),
                TransportError::OutcomeUnknown(reason) => ProviderError::OutcomeUnknown(reason),
            })?;
        let status = answer.status();
        if status.is_success() {
            return serde_json::from_slice(answer.body())
                .map_err(|error| ProviderError::OutcomeUnknown(error.to_string()));
        }
        Err(refusal(status))
    }
}

/// What an answer that is no success says about the request.
fn refusal(status: StatusCode) -> ProviderError {
    let answer = format!("it answered {status}");
    match status {
        StatusCode::TOO_MANY_REQUESTS => ProviderError::NotSent(answer),
        // A repeat met the first request on its way, or the provider itself gave up half way.
        StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT => ProviderError::OutcomeUnknown(answer),
        _ if status.is_client_error() => ProviderError::Refused(answer),
        _ => ProviderError::OutcomeUnknown(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_says_so_is_taken_for_a_refusal() {
        for (status, refused) in
            [(400, true), (402, true), (422, true), (409, false), (500, false), (502, false)]
        {
            let error = refusal(StatusCode::from_u16(status).expect("a status"));
            assert_eq!(matches!(error, ProviderError::Refused(_)), refused, "{status}: {error}");
        }
        assert!(matches!(refusal(StatusCode::TOO_MANY_REQUESTS), ProviderError::NotSent(_)));
        assert!(matches!(refusal(StatusCode::SERVICE_UNAVAILABLE), ProviderError::OutcomeUnknown(_)));
    }
}
