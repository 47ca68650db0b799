//! What happens to a request, in running order.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::response::Response;
use http::request::Parts;
use ticketblitz_core::Seldom;
use tower::ServiceExt;

use super::body::{keep, read, replay};
use super::{Disposition, Execution, IdempotencyLayer, Options, Refusal, Scoped};
use crate::keys::{Admitted, Held};
use crate::{ClaimRequest, Error, Fingerprint, Finished, Key, Scope, StoredResponse};

/// A service made idempotent by [`IdempotencyLayer`].
#[derive(Debug, Clone)]
pub struct Service<N> {
    inner: N,
    layer: Arc<IdempotencyLayer<Scoped>>,
}

impl<N> Service<N> {
    pub(super) fn new(inner: N, layer: IdempotencyLayer<Scoped>) -> Self {
        Self { inner, layer: Arc::new(layer) }
    }
}

impl<N> tower::Service<Request> for Service<N>
where
    N: tower::Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    N::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that was polled ready is the one to call; its clone waits for the next request.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        let layer = Arc::clone(&self.layer);
        Box::pin(async move { Ok(layer.serve(request, inner).await) })
    }
}

/// What of a request to do with or without a key.
enum Entry {
    Keyed(ClaimRequest, Request),
    Unkeyed(Request),
}

impl IdempotencyLayer<Scoped> {
    async fn serve<N>(self: Arc<Self>, request: Request, next: N) -> Response
    where
        N: tower::Service<Request, Response = Response, Error = Infallible> + Send + 'static,
        N::Future: Send,
    {
        if request.method().is_safe() {
            return call(next, request, Execution::default()).await;
        }
        let entry = match self.enter(request).await {
            Ok(entry) => entry,
            Err(refusal) => return (self.options.render)(refusal),
        };
        // From here on something may happen, so from here on it happens whether or not the client stays.
        let layer = Arc::clone(&self);
        let task = (self.options.spawn)(Box::pin(async move {
            match entry {
                Entry::Keyed(claim, request) => layer.options.once(&claim, request, next).await,
                Entry::Unkeyed(request) => call(next, request, Execution::default()).await,
            }
        }));
        match task.await {
            Ok(response) => response,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, or whoever spawned it has ended it.
                Err(_) => (self.options.render)(Refusal::Unavailable),
            },
        }
    }

    /// Everything that comes before the claim.
    async fn enter(&self, request: Request) -> Result<Entry, Refusal> {
        let Options { keys, required, max_body, body_timeout, .. } = &self.options;
        let (parts, body) = request.into_parts();
        let Some(scope) = (self.scope.0)(&parts) else {
            return Ok(Entry::Unkeyed(Request::from_parts(parts, body)));
        };
        let values = parts.headers.get_all("idempotency-key").into_iter().map(|value| value.as_bytes());
        let key = match Key::from_headers(values).map_err(Refusal::BadKey)? {
            Some(key) => key,
            None if *required => return Err(Refusal::MissingKey),
            None => return Ok(Entry::Unkeyed(Request::from_parts(parts, body))),
        };
        let body = read(body, *max_body, *body_timeout).await?;
        let (scope, fingerprint) = identity(&scope, &parts, &body);
        let claim = keys.claim(scope, key, fingerprint);
        Ok(Entry::Keyed(claim, Request::from_parts(parts, Body::from(body))))
    }
}

/// The scope of the request's method and path, and what it asks for.
fn identity(scope: &Scope, parts: &Parts, body: &[u8]) -> (Scope, Fingerprint) {
    // A nested router sees only the rest of the path.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let (method, path) = (parts.method.as_str(), uri.path());
    let fingerprint = Fingerprint::of_request(method, path, uri.query(), body);
    (scope.within(format_args!("{method} {path}")), fingerprint)
}

async fn call<N>(next: N, mut request: Request, execution: Execution) -> Response
where
    N: tower::Service<Request, Response = Response, Error = Infallible>,
{
    request.extensions_mut().insert(execution);
    match next.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

impl Options {
    /// Executes unless that was done before.
    async fn once<N>(&self, claim: &ClaimRequest, request: Request, next: N) -> Response
    where
        N: tower::Service<Request, Response = Response, Error = Infallible>,
    {
        let mut held = match self.keys.admit(claim).await {
            Ok(Admitted::Run(held)) => held,
            Ok(Admitted::Replay(stored)) => {
                tracing::debug!(key = %claim.key, "replayed an answer");
                return replay(stored);
            }
            Err(error) => return (self.render)(error.into()),
        };
        let execution = Execution::under(held.lease().clone());
        let response = held.renewing(call(next, request, execution.clone())).await;
        if execution.has_stored(&response) {
            held.forget();
            return response;
        }
        if execution.is_superseded() {
            held.forget();
            return self.answer_of_winner(claim, response).await;
        }
        if (self.disposition)(response.status()) == Disposition::Release {
            held.release().await;
            return response;
        }
        // It is done, though its body may still break off.
        held.happened();
        match held.renewing(self.keep(response)).await {
            Some((response, stored)) => self.conclude(held, response, stored).await,
            None => (self.render)(Refusal::AnswerNotKept),
        }
    }

    /// The answer read whole, or a refusal in the place of one that cannot be kept.
    async fn keep(&self, response: Response) -> Option<(Response, StoredResponse)> {
        match keep(response, self.max_response).await {
            Some(kept) => Some(kept),
            None => keep((self.render)(Refusal::AnswerNotKept), usize::MAX).await,
        }
    }

    async fn conclude(&self, held: Held, response: Response, stored: StoredResponse) -> Response {
        match self.keys.settle(held, &stored).await {
            Ok(Finished::Stored) => response,
            Ok(Finished::Superseded(winner)) => replay(winner),
            Err(error @ (Error::InFlight { .. } | Error::Mismatch)) => (self.render)(error.into()),
            Err(error) => {
                static SAID: Seldom = Seldom::new();
                if let Some(left_out) = SAID.due() {
                    tracing::error!(%error, left_out, "cannot store an answer; a retry will execute again");
                }
                response
            }
        }
    }

    /// For a handler whose transaction was failed because the lease was lost.
    async fn answer_of_winner(&self, claim: &ClaimRequest, response: Response) -> Response {
        match self.keys.admit(claim).await {
            Ok(Admitted::Replay(winner)) => replay(winner),
            Ok(Admitted::Run(held)) => {
                // The winner gave up. This execution has done nothing, so a retry may.
                held.release().await;
                response
            }
            Err(error) => (self.render)(error.into()),
        }
    }
}
