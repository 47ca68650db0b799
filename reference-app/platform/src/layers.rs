//! What every role's router is wrapped in, so that requests are treated alike in every role.

mod actuator;
pub mod body;
mod outcome;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{HOST, X_CONTENT_TYPE_OPTIONS};
use http::uri::Authority;
use http::{HeaderValue, Method, Version};

use crate::auth::{AuthContext, ServiceCaller};
use crate::health::Health;
use crate::problem::{Problem, kinds};
use crate::server::PeerAddress;
use crate::telemetry::{self, TRACEPARENT, TraceContext};

/// What the layers of a role need.
#[derive(Debug, Clone)]
pub struct AppLayers {
    /// The role, as metrics name it.
    pub role: &'static str,
    /// Who may call.
    pub auth: AuthContext,
    /// Whether the role can do its work.
    pub health: Health,
    /// Whether it serves paths under `/internal/`: then whoever shows no service token is refused on all of them,
    /// also where there is nothing, and learns only that.
    pub internal: bool,
}

/// Makes a router fit to be served, or to be called in the same process: every request has a trace, a bounded
/// body and a metric; every refusal is a problem document; a panic is one too; and what changes something is
/// done as a whole even if the client hangs up.
pub fn standard(router: Router, app: AppLayers) -> Router {
    // The last one added is the first to see a request.
    let mut router = router.merge(actuator::routes(app.health)).layer(from_fn(body::bounded));
    if app.internal {
        router = router.layer(from_fn(internal));
    }
    router
        .layer(from_fn_with_state(app.auth, with_context))
        .layer(from_fn(for_one_host))
        .layer(from_fn(in_own_task))
        .layer(from_fn_with_state(app.role, outcome::observed))
        .layer(from_fn(traced))
}

async fn internal(request: Request, next: Next) -> Result<Response, Problem> {
    if request.uri().path().starts_with("/internal/") {
        let auth = request.extensions().get::<AuthContext>().cloned();
        let auth = auth.ok_or_else(|| Problem::internal("the layers are missing: nobody can be known"))?;
        ServiceCaller::check(request.headers(), &auth).await?;
    }
    Ok(next.run(request).await)
}

/// A request of HTTP/1.1 names its host once (RFC 9112, 3.2): two who read another one of two would disagree on
/// whom it is for. What comes from within the process names none.
async fn for_one_host(request: Request, next: Next) -> Result<Response, Problem> {
    let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
    let host = |value: &HeaderValue| value.is_empty() || Authority::try_from(value.as_bytes()).is_ok();
    let right = match *hosts {
        [] => request.version() < Version::HTTP_11,
        [one] => host(one),
        _ => false,
    };
    if right || request.extensions().get::<PeerAddress>().is_none() {
        return Ok(next.run(request).await);
    }
    Err(Problem::new(kinds::MALFORMED_REQUEST, "a request names its host once, in the header Host"))
}

async fn with_context(State(auth): State<AuthContext>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(auth);
    next.run(request).await
}

async fn traced(request: Request, next: Next) -> Response {
    let sent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let context = TraceContext::continued(sent);
    let mut response = telemetry::scope(context, next.run(request)).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(context.to_string()) {
        headers.insert(TRACEPARENT, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A future that is dropped stops in the middle, and hyper drops it when the client hangs up: what changes
/// something runs in a task that nobody drops. A panic ends that task alone.
async fn in_own_task(request: Request, next: Next) -> Response {
    let context = telemetry::current().unwrap_or_else(TraceContext::root);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let task = tokio::spawn(telemetry::scope(context, next.run(request)));
    let ended = if changes { task.await } else { AbortOnDrop(task).await };
    ended.unwrap_or_else(|error| Problem::internal(&error).into_response())
}

/// For what only reads: nobody waits for it any more, so it need not go on.
struct AbortOnDrop(tokio::task::JoinHandle<Response>);

impl Future for AbortOnDrop {
    type Output = Result<Response, tokio::task::JoinError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
