//! What every role's router is wrapped in, so that requests are treated alike in every role.

mod actuator;
pub mod body;
mod outcome;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{HOST, X_CONTENT_TYPE_OPTIONS};
use http::uri::Authority;
use http::{HeaderValue, Method, Version};

use crate::auth::{AuthContext, ServiceCaller};
use crate::health::Health;
use crate::problem::{Problem, kinds};
use crate::server::PeerAddress;
use crate::telemetry::{self, TRACEPARENT, TraceContext};
use outcome::{Observer, Seen};

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
    let AppLayers { role, auth, health, internal } = app;
    let around = Arc::new(Around { auth, internal, observer: Observer::new(role) });
    // One layer: each one is an allocation and a copy of the router's services.
    router.merge(actuator::routes(health)).layer(from_fn_with_state(around, handled))
}

/// What surrounds a role's handlers.
struct Around {
    auth: AuthContext,
    internal: bool,
    observer: Observer,
}

async fn handled(State(around): State<Arc<Around>>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let context = TraceContext::continued(sent);
    let seen = Seen::begin(&request);
    let inner = Arc::clone(&around);
    let answered = async {
        let method = request.method().clone();
        // In a box: it is handed on several times, each a copy of all that it will ever keep.
        let answer = undisturbed(&method, context, Box::pin(inner.admitted(request, next))).await;
        around.observer.ended(&seen, answer)
    };
    let mut response = telemetry::scope(context, answered).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(context.to_string()) {
        headers.insert(TRACEPARENT, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Around {
    /// Asks the handler, if the request is one that it should see.
    async fn admitted(self: Arc<Self>, mut request: Request, next: Next) -> Response {
        request.extensions_mut().insert(self.auth.clone());
        let checked = async {
            for_one_host(&request)?;
            if self.internal && request.uri().path().starts_with("/internal/") {
                ServiceCaller::check(request.headers(), &self.auth).await?;
            }
            body::bounded(request).await
        };
        match checked.await {
            Ok(request) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    }
}

/// A request of HTTP/1.1 names its host once (RFC 9112, 3.2): two who read another one of two would disagree on
/// whom it is for. What comes from within the process names none.
fn for_one_host(request: &Request) -> Result<(), Problem> {
    if request.extensions().get::<PeerAddress>().is_none() {
        return Ok(());
    }
    let host = |value: &HeaderValue| value.is_empty() || Authority::try_from(value.as_bytes()).is_ok();
    let mut hosts = request.headers().get_all(HOST).iter();
    let right = match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(one), None) => host(one),
        _ => false,
    };
    let problem =
        || Problem::new(kinds::MALFORMED_REQUEST, "a request names its host once, in the header Host");
    if right { Ok(()) } else { Err(problem()) }
}

/// A future that is dropped stops in the middle, and hyper drops it when the client hangs up: what changes
/// something runs in a task that nobody drops. A panic ends that request alone.
async fn undisturbed(
    method: &Method,
    context: TraceContext,
    answer: impl Future<Output = Response> + Send + 'static,
) -> Response {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        let answered = AssertUnwindSafe(answer).catch_unwind().await;
        return answered.unwrap_or_else(|_| Problem::internal("it panicked").into_response());
    }
    let task = tokio::spawn(telemetry::scope(context, answer));
    task.await.unwrap_or_else(|error| Problem::internal(&error).into_response())
}

#[cfg(test)]
mod tests;
