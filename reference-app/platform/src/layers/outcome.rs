//! What came of a request: its metric, and the document of a refusal that has none yet.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, StatusCode};

use crate::problem::{Kind, Problem, kinds};

pub(super) async fn observed(State(role): State<&'static str>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = known(request.method());
    // Never the path itself: whoever asks for random paths must not make a metric of each.
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let path = request.uri().path().to_owned();
    let response = documented(next.run(request).await, &path);
    let status = response.status().as_u16().to_string();
    let labels =
        [("role", role.to_owned()), ("method", method.to_owned()), ("route", route), ("status", status)];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(began.elapsed().as_secs_f64());
    response
}

/// Methods can be made up as well.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// The router's own refusals have no body, those of axum's extractors plain text. What a handler words itself
/// stays as it is.
fn documented(response: Response, path: &str) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let content = response.headers().get(CONTENT_TYPE);
    let bare = content.is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    if !is_error || !bare {
        return response;
    }
    let mut documented = Problem::new(kind(status), detail(status, path)).into_response();
    let kept =
        response.headers().iter().filter(|(name, _)| **name != CONTENT_TYPE && **name != CONTENT_LENGTH);
    for (name, value) in kept {
        documented.headers_mut().insert(name, value.clone());
    }
    documented
}

fn kind(status: StatusCode) -> Kind {
    match status {
        StatusCode::UNAUTHORIZED => kinds::UNAUTHENTICATED,
        StatusCode::FORBIDDEN => kinds::FORBIDDEN,
        StatusCode::NOT_FOUND => kinds::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => kinds::METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE => kinds::TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => kinds::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY => kinds::VALIDATION_FAILED,
        StatusCode::SERVICE_UNAVAILABLE => kinds::OVERLOADED,
        status if status.is_client_error() => kinds::MALFORMED_REQUEST,
        _ => kinds::INTERNAL,
    }
}

fn detail(status: StatusCode, path: &str) -> String {
    match status {
        StatusCode::NOT_FOUND => format!("there is nothing at {path}"),
        StatusCode::METHOD_NOT_ALLOWED => format!("{path} is not for this method; see Allow"),
        status => status.canonical_reason().unwrap_or("refused").to_lowercase(),
    }
}
