//! A typed caller of another role's JSON API.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::ServiceTokens;
use crate::problem::Problem;
use crate::transport::{Transport, TransportError};

/// Why a call did not answer what it should.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The other role refused, and said why.
    #[error("{0}")]
    Problem(Problem),
    /// It was not reached, or said that it cannot at the moment: nothing has happened.
    #[error("{peer}: {reason}")]
    Unavailable {
        /// The role that was called.
        peer: &'static str,
        /// For the log.
        reason: String,
    },
    /// It was asked, and may have done it.
    #[error("{peer}: {reason}")]
    OutcomeUnknown {
        /// The role that was called.
        peer: &'static str,
        /// For the log.
        reason: String,
    },
}

impl ClientError {
    /// The problem that the other role answered, if it is of this kind.
    #[must_use]
    pub fn is(&self, kind: &crate::Kind) -> bool {
        matches!(self, Self::Problem(problem) if problem.is(kind))
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Problem(problem) => problem,
            ClientError::Unavailable { peer, reason } | ClientError::OutcomeUnknown { peer, reason } => {
                tracing::warn!(peer, %reason, "a call to another service failed");
                Self::unavailable(peer)
            }
        }
    }
}

/// Calls a role, as a service.
#[derive(Debug, Clone)]
pub struct Client {
    peer: &'static str,
    transport: Transport,
    tokens: Option<(ServiceTokens, &'static str)>,
    timeout: Duration,
}

impl Client {
    /// Calls `peer` over `transport`, with service tokens in the name of the caller if there are any; waits at
    /// most `timeout` for an answer.
    #[must_use]
    pub fn new(
        peer: &'static str,
        transport: Transport,
        tokens: Option<(ServiceTokens, &'static str)>,
        timeout: Duration,
    ) -> Self {
        Self { peer, transport, tokens, timeout }
    }

    /// `GET`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::GET, path, None::<&()>, HeaderMap::new()).await
    }

    /// `POST` of `body` as JSON.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.send(Method::POST, path, Some(body), HeaderMap::new()).await
    }

    /// `PUT` of `body` as JSON.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn put<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.send(Method::PUT, path, Some(body), HeaderMap::new()).await
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::DELETE, path, None::<&()>, HeaderMap::new()).await
    }

    /// Sends a request and reads the JSON of its answer; an answer without a body reads as `()`.
    ///
    /// # Errors
    /// [`ClientError`]: refused, not available, or nobody knows.
    pub async fn send<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        headers: HeaderMap,
    ) -> Result<T, ClientError> {
        let request = self.request(method, path, body, headers)?;
        let sent = self.transport.send_within(request, self.timeout).await;
        let response = sent.map_err(|error| match error {
            TransportError::Unreachable(why) => self.unavailable(&why),
            TransportError::OutcomeUnknown(why) => self.outcome_unknown(&why),
        })?;
        self.read(&response)
    }

    fn unavailable(&self, reason: &dyn std::fmt::Display) -> ClientError {
        ClientError::Unavailable { peer: self.peer, reason: reason.to_string() }
    }

    fn outcome_unknown(&self, reason: &dyn std::fmt::Display) -> ClientError {
        ClientError::OutcomeUnknown { peer: self.peer, reason: reason.to_string() }
    }

    fn request<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        headers: HeaderMap,
    ) -> Result<Request<Body>, ClientError> {
        let bytes = body.map(serde_json::to_vec).transpose().map_err(|error| self.unavailable(&error))?;
        let mut request = Request::builder().method(method).uri(path);
        if let Some(all) = request.headers_mut() {
            *all = headers;
            all.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
            if bytes.is_some() {
                all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            if let Some((tokens, caller)) = &self.tokens {
                let token = tokens.mint(caller);
                let bearer = HeaderValue::try_from(format!("Bearer {token}"));
                let bearer = bearer.map_err(|error| self.unavailable(&error))?;
                all.insert(AUTHORIZATION, bearer);
            }
        }
        let body = bytes.map_or_else(Body::empty, Body::from);
        request.body(body).map_err(|error| self.unavailable(&error))
    }

    fn read<T: DeserializeOwned>(&self, response: &Response<Bytes>) -> Result<T, ClientError> {
        let status = response.status();
        if status.is_success() {
            let body: &[u8] = if response.body().is_empty() { b"null" } else { response.body() };
            return serde_json::from_slice(body)
                // It was done, and what came of it cannot be read.
                .map_err(|error| self.outcome_unknown(&format!("unreadable answer: {error}")));
        }
        let Some(mut problem) = Problem::from_json(status, response.body()) else {
            return Err(self.outcome_unknown(&format!("answered {status}")));
        };
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(seconds) = retry_after {
            problem = problem.retry_after(Duration::from_secs(seconds));
        }
        // What went wrong inside the other service may have gone wrong after the effect, and is no word of ours.
        if status.is_server_error() && status != http::StatusCode::SERVICE_UNAVAILABLE {
            return Err(self.outcome_unknown(&problem));
        }
        // Refused to us, not to whoever we call for: the secrets differ, which only an operator can mend.
        if self.tokens.is_some() && matches!(status.as_u16(), 401 | 403) {
            return Err(self.unavailable(&format!("does not know this service: {problem}")));
        }
        Err(ClientError::Problem(problem))
    }
}
