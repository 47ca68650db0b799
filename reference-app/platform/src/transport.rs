//! How a request gets to another role: within the process or over HTTP. Callers cannot tell which.

use std::time::Duration;

use axum::Router;
/// What a request carries.
pub use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::service::StartError;
use crate::telemetry::{self, TRACEPARENT};

/// Longer than the longest answer that is waited for on purpose (`Prefer: wait`, 30 s).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Less than the time after which a server closes a connection that nothing comes on, so that no request is
/// sent on one that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request was never sent: it has had no effect.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It was sent and may have had its effect.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
}

/// The way to a role.
#[derive(Debug, Clone)]
pub enum Transport {
    /// The role's router in this process, called as a function.
    InProcess(Router),
    /// A role elsewhere.
    Http(HttpTransport),
}

/// The way to a role over HTTP. Clones share connections.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    base: String,
    client: reqwest::Client,
    timeout: Duration,
}

impl Transport {
    /// To a router in this process.
    #[must_use]
    pub fn in_process(router: Router) -> Self {
        Self::InProcess(router)
    }

    /// To `base_url` (`http://127.0.0.1:8082`); an answer is waited for at most `timeout`.
    ///
    /// # Errors
    /// The address is none.
    pub fn http(base_url: &str, timeout: Duration) -> Result<Self, StartError> {
        let wrong = |why: String| StartError::new(format!("{base_url:?} is no address of a service: {why}"));
        let base = base_url.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(wrong("it must begin with http:// and a host".to_owned()));
        }
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_idle_timeout(POOL_IDLE)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self::Http(HttpTransport { base, client, timeout }))
    }

    /// Sends a request, whose URI is a path and query, and reads the whole answer. The trace goes along.
    ///
    /// Dropping the future does not undo the request.
    ///
    /// # Errors
    /// There is no answer; a 4xx or 5xx is one.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Bytes>, TransportError> {
        let timeout = match self {
            Self::InProcess(_) => DEFAULT_TIMEOUT,
            Self::Http(http) => http.timeout,
        };
        self.send_within(request, timeout).await
    }

    /// As [`send`](Self::send), waiting at most `timeout`.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send_within(
        &self,
        mut request: Request<Body>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, TransportError> {
        if let Some(value) = telemetry::traceparent().and_then(|text| HeaderValue::try_from(text).ok()) {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        let sent = async {
            match self {
                Self::InProcess(router) => Box::pin(call(router.clone(), request)).await,
                Self::Http(http) => Box::pin(http.send(request)).await,
            }
        };
        let late = || TransportError::OutcomeUnknown(format!("no answer within {timeout:?}"));
        tokio::time::timeout(timeout, sent).await.map_err(|_| late())?
    }
}

async fn call(router: Router, request: Request<Body>) -> Result<Response<Bytes>, TransportError> {
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| TransportError::OutcomeUnknown(error.to_string()))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

impl HttpTransport {
    async fn send(&self, request: Request<Body>) -> Result<Response<Bytes>, TransportError> {
        let (head, body) = request.into_parts();
        let unsent = |error: &dyn std::fmt::Display| TransportError::Unreachable(error.to_string());
        let body = body.collect().await.map_err(|error| unsent(&error))?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = head.headers;
        // Both follow from where the request goes and what it carries.
        headers.remove(http::header::HOST);
        headers.remove(http::header::CONTENT_LENGTH);
        headers.remove(http::header::TRANSFER_ENCODING);
        let request = self.client.request(head.method, format!("{}{path}", self.base)).headers(headers);
        let request = if body.is_empty() { request } else { request.body(body) };
        let mut answer = request.send().await.map_err(failure)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        *response.body_mut() = answer.bytes().await.map_err(failure)?;
        Ok(response)
    }
}

/// Only a connection that was never made is sure not to have carried the request.
#[allow(clippy::needless_pass_by_value)] // for map_err
fn failure(error: reqwest::Error) -> TransportError {
    // The causes say more than "error sending request", which is all that reqwest's own words are.
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    if error.is_connect() || error.is_builder() {
        TransportError::Unreachable(text)
    } else {
        TransportError::OutcomeUnknown(text)
    }
}
