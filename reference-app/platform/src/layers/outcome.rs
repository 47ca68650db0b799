//! What came of a request: its metric, and the document of a refusal that has none yet.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, StatusCode, Uri};
use metrics::{Counter, Histogram};

use crate::problem::{Kind, Problem, kinds};

/// What a role counts of its requests.
pub(super) struct Observer {
    role: &'static str,
    /// By route: looking a series up by its labels in the registry costs more than most of the layers.
    series: RwLock<HashMap<String, Vec<Series>>>,
}

#[derive(Clone)]
struct Series {
    method: &'static str,
    status: u16,
    requests: Counter,
    durations: Histogram,
}

impl Observer {
    pub(super) fn new(role: &'static str) -> Self {
        Self { role, series: RwLock::default() }
    }

    /// Counts the answer, and words it if nobody has.
    pub(super) fn ended(&self, seen: &Seen, response: Response) -> Response {
        let response = documented(response, seen.uri.path());
        let route = seen.route.as_ref().map_or("other", MatchedPath::as_str);
        self.record(route, seen.method, response.status().as_u16(), seen.began.elapsed());
        response
    }

    fn record(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let found = self.find(route, method, status).unwrap_or_else(|| self.register(route, method, status));
        found.requests.increment(1);
        found.durations.record(took.as_secs_f64());
    }

    fn find(&self, route: &str, method: &'static str, status: u16) -> Option<Series> {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        series.get(route)?.iter().find(|one| one.method == method && one.status == status).cloned()
    }

    /// Two that come together register the same series twice, and count in the same one.
    fn register(&self, route: &str, method: &'static str, status: u16) -> Series {
        let (role, labelled) = (self.role, status.to_string());
        let labels = [
            ("role", role.to_owned()),
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", labelled),
        ];
        let requests = metrics::counter!("http_requests_total", &labels);
        let durations = metrics::histogram!("http_request_duration_seconds", &labels);
        let series = Series { method, status, requests, durations };
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(route.to_owned()).or_default().push(series.clone());
        series
    }
}

/// A request that is under way.
pub(super) struct Seen {
    began: Instant,
    method: &'static str,
    /// Never the path itself: whoever asks for random paths must not make a metric of each.
    route: Option<MatchedPath>,
    uri: Uri,
}

impl Seen {
    pub(super) fn begin(request: &Request) -> Self {
        Self {
            began: Instant::now(),
            method: known(request.method()),
            route: request.extensions().get().cloned(),
            uri: request.uri().clone(),
        }
    }
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
