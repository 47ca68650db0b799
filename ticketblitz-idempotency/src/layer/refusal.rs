//! What the layer answers by itself.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use ticketblitz_core::Seldom;

use crate::{Error, KeyError};

/// Why the layer answers instead of the handler. Its text tells the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no `Idempotency-Key`, and the route requires one.
    #[error("this operation requires an Idempotency-Key header")]
    MissingKey,
    /// The `Idempotency-Key` is none.
    #[error("{0}")]
    BadKey(KeyError),
    /// The body is over the limit.
    #[error("the request body is too large")]
    TooLarge,
    /// The body took too long to arrive.
    #[error("the request body took too long to arrive")]
    TooSlow,
    /// The body broke off.
    #[error("the request body is incomplete")]
    Incomplete,
    /// The key was used for another request, or is being used for it.
    #[error("this Idempotency-Key was used before with a different request")]
    PayloadMismatch,
    /// The first request with this key is still being processed.
    #[error("the first request with this Idempotency-Key is still being processed")]
    InFlight {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The request was executed, and its answer is lost: too large to keep, or broken off.
    #[error("the request was executed, but its answer could not be kept")]
    AnswerNotKept,
    /// The store of keys fails.
    #[error("idempotency keys cannot be checked at the moment")]
    Unavailable,
}

impl Refusal {
    /// The status that fits, by the IETF draft where it names one.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::MissingKey | Self::BadKey(_) | Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::PayloadMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InFlight { .. } => StatusCode::CONFLICT,
            Self::AnswerNotKept => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// For `Retry-After`: whole seconds, at least one; `None` where a retry changes nothing.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::InFlight { retry_after } => {
                let begun = u64::from(retry_after.subsec_nanos() > 0);
                Some((retry_after.as_secs() + begun).max(1))
            }
            Self::Unavailable => Some(1),
            _ => None,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Mismatch => Self::PayloadMismatch,
            Error::InFlight { retry_after } => Self::InFlight { retry_after },
            Error::Key(reason) => Self::BadKey(reason),
            error => {
                static SAID: Seldom = Seldom::new();
                if let Some(left_out) = SAID.due() {
                    tracing::error!(%error, left_out, "cannot check an idempotency key");
                }
                Self::Unavailable
            }
        }
    }
}

/// `refusal` as a problem document (RFC 9457), with `Retry-After` where a retry helps.
#[must_use]
pub fn problem(refusal: Refusal) -> Response {
    let status = refusal.status();
    let document = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": refusal.to_string(),
    });
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}
