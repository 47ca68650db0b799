//! The tower layer for axum.

mod body;
mod disposition;
mod execution;
mod refusal;
mod service;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use tokio::task::JoinHandle;
use tracing::Instrument;

pub use disposition::{Disposition, default_disposition};
pub use execution::{Execution, NoExecution};
pub use refusal::{Refusal, problem};
pub use service::Service;

use crate::{IdempotencyStore, InFlightPolicy, Keys, Scope};

/// Makes the routes beneath it idempotent for requests with an `Idempotency-Key`.
///
/// ```
/// # use std::sync::Arc;
/// # use axum::{Router, routing::post};
/// # use ticketblitz_core::SystemClock;
/// use ticketblitz_idempotency::{IdempotencyLayer, MemoryStore, Scope};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// let store = MemoryStore::new(Arc::new(SystemClock));
/// let layer = IdempotencyLayer::new(store)
///     .scope(|parts| parts.extensions.get::<User>().map(|user| Scope::user(&user.0)));
/// let app: Router = Router::new().route("/payments", post(|| async { "paid" })).layer(layer);
/// ```
///
/// A layer that is not told whose keys they are does not build into a router:
///
/// ```compile_fail,E0277
/// # use std::sync::Arc;
/// # use axum::{Router, routing::post};
/// # use ticketblitz_core::SystemClock;
/// # use ticketblitz_idempotency::{IdempotencyLayer, MemoryStore};
/// let layer = IdempotencyLayer::new(MemoryStore::new(Arc::new(SystemClock)));
/// let app: Router = Router::new().route("/payments", post(|| async { "paid" })).layer(layer);
/// ```
///
/// # What happens to a request
///
/// 1. `GET`, `HEAD`, `OPTIONS` and `TRACE` pass: they change nothing.
/// 2. A request without a scope passes *unprotected*, so that the handler says what is wrong with it (401): let
///    the scope be `None` only for what the handler refuses.
/// 3. The key is read: missing or malformed is 400. Each method and path has keys of its own.
/// 4. The body is read whole, within its limits of size and time, before anything is claimed.
/// 5. The key is claimed. Answered before: the same answer with `Idempotent-Replayed: true`, without hop-by-hop
///    headers and `Date`. Used for another request: 422. In flight: as [`in_flight`](Self::in_flight) says.
/// 6. The handler runs in a task of its own: a client that hangs up stops nothing. Its answer is stored or the
///    key is released, by [status](default_disposition). A panic releases the key and goes on to the caller.
///
/// The answer's body is read whole before it is passed on, so that it can be stored: keep endless streams off
/// these routes. An answer above [`max_response`](Self::max_response), or one that breaks off, is replaced by a
/// [refusal](Refusal::AnswerNotKept), the first time as in every replay: it was executed, and is not again.
///
/// An answer that could not be stored because the store failed is given all the same, being the truth; the key
/// is then free when its lease ends.
#[derive(Clone)]
pub struct IdempotencyLayer<S = Unscoped> {
    options: Options,
    scope: S,
}

/// A layer that does not know yet whose keys they are.
#[derive(Debug, Clone, Copy)]
pub struct Unscoped;

/// A layer that is ready to use.
#[derive(Clone)]
pub struct Scoped(Arc<ScopeFn>);

type ScopeFn = dyn Fn(&Parts) -> Option<Scope> + Send + Sync;

type Task = Pin<Box<dyn Future<Output = Response> + Send>>;

#[derive(Clone)]
struct Options {
    keys: Keys,
    required: bool,
    max_body: usize,
    body_timeout: Duration,
    max_response: usize,
    disposition: Arc<dyn Fn(StatusCode) -> Disposition + Send + Sync>,
    render: Arc<dyn Fn(Refusal) -> Response + Send + Sync>,
    spawn: Arc<dyn Fn(Task) -> JoinHandle<Response> + Send + Sync>,
}

impl IdempotencyLayer {
    /// Keys in `store`; an `Arc<dyn IdempotencyStore>` is a store too.
    #[must_use]
    pub fn new(store: impl IdempotencyStore) -> Self {
        let options = Options {
            keys: Keys::new(store),
            required: true,
            max_body: 64 * 1024,
            body_timeout: Duration::from_secs(10),
            max_response: 1024 * 1024,
            disposition: Arc::new(default_disposition),
            render: Arc::new(problem),
            spawn: Arc::new(|task| tokio::spawn(task.in_current_span())),
        };
        Self { options, scope: Unscoped }
    }

    /// Says whose key a request brings, by what earlier layers have authenticated.
    #[must_use]
    pub fn scope<F>(self, scope: F) -> IdempotencyLayer<Scoped>
    where
        F: Fn(&Parts) -> Option<Scope> + Send + Sync + 'static,
    {
        IdempotencyLayer { options: self.options, scope: Scoped(Arc::new(scope)) }
    }
}

impl<S> IdempotencyLayer<S> {
    /// Lets requests without a key pass; by default they are refused with 400.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.options.required = false;
        self
    }

    /// How long after a crash a key can be claimed again; 30 s by default, renewed while the handler runs.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.keys = self.options.keys.lease(lease);
        self
    }

    /// What a duplicate does while the first is running; by default it waits for 10 s, then it gets 409.
    #[must_use]
    pub fn in_flight(mut self, policy: InFlightPolicy) -> Self {
        self.options.keys = self.options.keys.in_flight(policy);
        self
    }

    /// Largest body of a request with a key, in bytes; 64 KiB by default. Above it 413.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.options.max_body = bytes;
        self
    }

    /// How long a body may take to arrive; 10 s by default. Above it 408.
    #[must_use]
    pub fn body_timeout(mut self, at_most: Duration) -> Self {
        self.options.body_timeout = at_most;
        self
    }

    /// Largest body of an answer, in bytes; 1 MiB by default.
    #[must_use]
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.options.max_response = bytes;
        self
    }

    /// Decides by status what is stored, instead of [`default_disposition`].
    #[must_use]
    pub fn by_status<F>(mut self, disposition: F) -> Self
    where
        F: Fn(StatusCode) -> Disposition + Send + Sync + 'static,
    {
        self.options.disposition = Arc::new(disposition);
        self
    }

    /// Renders refusals, instead of [`problem`].
    #[must_use]
    pub fn refusals<F>(mut self, render: F) -> Self
    where
        F: Fn(Refusal) -> Response + Send + Sync + 'static,
    {
        self.options.render = Arc::new(render);
        self
    }

    /// Starts the tasks that handlers run in, instead of `tokio::spawn` within the current span. Called in the
    /// request's own task, so that it can hand on task-locals, or count tasks for a shutdown that waits.
    #[must_use]
    pub fn spawn_with<F>(mut self, spawn: F) -> Self
    where
        F: Fn(Pin<Box<dyn Future<Output = Response> + Send>>) -> JoinHandle<Response> + Send + Sync + 'static,
    {
        self.options.spawn = Arc::new(spawn);
        self
    }
}

impl<N> tower::Layer<N> for IdempotencyLayer<Scoped> {
    type Service = Service<N>;

    fn layer(&self, inner: N) -> Service<N> {
        Service::new(inner, self.clone())
    }
}

impl<S> fmt::Debug for IdempotencyLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyLayer")
            .field("keys", &self.options.keys)
            .field("required", &self.options.required)
            .field("max_body", &self.options.max_body)
            .field("body_timeout", &self.options.body_timeout)
            .field("max_response", &self.options.max_response)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Scoped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scoped")
    }
}
