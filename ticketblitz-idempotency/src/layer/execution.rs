//! What the handler knows of the key it runs under.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::progress::Progress;
#[cfg(feature = "sqlite")]
use crate::store::sqlite::Finish;
use crate::{Key, Lease, StoredResponse};

/// The execution that a handler is part of; an extractor.
///
/// With it, a handler stores its answer in its own transaction: one commit for the business rows and the
/// answer (feature `sqlite`).
///
/// ```
/// # use axum::{extract::State, response::Response};
/// # use ticketblitz_core::sqlite::{self, Sqlite};
/// use ticketblitz_idempotency::{Error, Execution, StoredResponse};
///
/// async fn pay(State(db): State<Sqlite>, execution: Execution) -> Result<Response, http::StatusCode> {
///     let finish = execution.finish(StoredResponse::new(201, "paid"));
///     let answer = finish.clone();
///     db.write(move |conn| {
///         Box::pin(async move {
///             sqlite::query("INSERT INTO payments DEFAULT VALUES").execute(&mut *conn).await?;
///             finish.apply(conn).await
///         })
///     })
///     .await
///     .map_err(|_: Error| http::StatusCode::SERVICE_UNAVAILABLE)?;
///     Ok(execution.respond(answer))
/// }
/// ```
///
/// If the lease has been lost, `apply` fails, the transaction must fail with it, and whatever the handler then
/// responds the client gets the answer of the execution that took over.
///
/// Where a key is optional and the request brought none, everything works the same and nothing is stored.
#[derive(Debug, Clone, Default)]
pub struct Execution {
    lease: Option<Lease>,
    progress: Progress,
}

/// Marks a response made of an answer that may be stored.
#[derive(Clone)]
struct AlreadyStored;

impl Execution {
    pub(super) fn under(lease: Lease) -> Self {
        Self { lease: Some(lease), ..Self::default() }
    }

    /// The key, if the request brought one: for handing on to others who honour keys.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.lease.as_ref().map(|lease| &lease.claim().key)
    }

    /// `response` as the answer of this execution, to be [applied](Finish::apply) in the handler's transaction.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn finish(&self, response: StoredResponse) -> Finish {
        Finish::watched(self.lease.clone(), response, self.progress.clone())
    }

    /// Responds with an answer that is stored already. Only after the transaction has been committed; an answer
    /// that was not applied is stored by the layer as any other.
    pub fn respond(&self, answer: impl Into<StoredResponse>) -> Response {
        let mut response = answer.into().into_response();
        response.extensions_mut().insert(AlreadyStored);
        response
    }

    /// Whether `response` is this execution's answer and stored already.
    pub(super) fn has_stored(&self, response: &Response) -> bool {
        self.progress.is_applied() && response.extensions().get::<AlreadyStored>().is_some()
    }

    /// Whether the handler's transaction was failed because another execution has the key.
    pub(super) fn is_superseded(&self) -> bool {
        self.progress.is_superseded()
    }
}

/// The handler takes an [`Execution`] but is not beneath an [`IdempotencyLayer`](crate::IdempotencyLayer).
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the route has no IdempotencyLayer")]
pub struct NoExecution;

impl IntoResponse for NoExecution {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Execution {
    type Rejection = NoExecution;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoExecution> {
        parts.extensions.get().cloned().ok_or(NoExecution)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Execution {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}
