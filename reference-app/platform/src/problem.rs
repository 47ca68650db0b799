//! Errors as a client sees them: RFC 9457 problem documents.

mod document;
mod invalid;
pub mod kinds;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ticketblitz_core::Seldom;
use utoipa::ToSchema;

pub use document::ProblemDocument;
pub use invalid::Invalid;

/// The media type of a problem document.
pub const CONTENT: &str = "application/problem+json";

/// What stands before the kind in a problem's `type`.
const TYPE_PREFIX: &str = "urn:ticketblitz:problem:";

/// A kind of problem: what clients tell problems apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The last part of `type`.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The same in every problem of this kind.
    pub title: &'static str,
}

impl Kind {
    /// A kind of problem.
    #[must_use]
    pub const fn new(name: &'static str, status: u16, title: &'static str) -> Self {
        Self { name, status, title }
    }
}

impl From<&Kind> for Kind {
    fn from(kind: &Kind) -> Self {
        *kind
    }
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Its name, a path for a nested one: `sections[0].price`.
    pub field: String,
    /// What is wrong, for a person.
    pub message: String,
}

/// Why a request was not fulfilled.
#[derive(Clone, PartialEq)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
struct Inner {
    name: Cow<'static, str>,
    title: Cow<'static, str>,
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
    /// Of a problem that another service answered, for callers outside any trace.
    trace_id: Option<String>,
}

impl Problem {
    /// A problem of this kind; `detail` says to a person what happened this time.
    pub fn new(kind: impl Into<Kind>, detail: impl Into<String>) -> Self {
        let kind = kind.into();
        Self(Box::new(Inner {
            name: Cow::Borrowed(kind.name),
            title: Cow::Borrowed(kind.title),
            status: StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            retry_after: None,
            trace_id: None,
        }))
    }

    /// 422 `validation-failed` with what is wrong with each field; the detail names the fields.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        fields.dedup();
        let detail = format!("These fields are wrong: {}", fields.join(", "));
        Self::new(kinds::VALIDATION_FAILED, detail).errors(errors)
    }

    /// A failure of ours: the cause is logged under the trace id that the answer names, and told to nobody.
    pub fn internal(cause: &(impl fmt::Display + ?Sized)) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(kinds::INTERNAL, "The request could not be fulfilled. The fault is ours.")
    }

    /// A store's failure: of a database that cannot be used `at_the_moment`, or ours.
    pub fn of_store(cause: &(impl fmt::Display + ?Sized), at_the_moment: bool) -> Self {
        if at_the_moment {
            static SAID: Seldom = Seldom::new();
            if let Some(left_out) = SAID.due() {
                tracing::warn!(%cause, left_out, "a store cannot be used");
            }
            Self::unavailable("storage")
        } else {
            Self::internal(cause)
        }
    }

    /// Something this service needs is not there at the moment.
    pub fn unavailable(what: impl fmt::Display) -> Self {
        Self::new(kinds::DEPENDENCY_UNAVAILABLE, format!("{what} is not available at the moment"))
            .retry_after(Duration::from_secs(1))
    }

    /// Nothing is here, or it is somebody else's.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(kinds::NOT_FOUND, detail)
    }

    /// Adds a member to the document.
    ///
    /// A value that has no JSON form is left out: a problem is no place to fail in.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => drop(self.0.members.insert(name.to_owned(), value)),
            Err(error) => tracing::error!(%error, name, "a member of a problem has no JSON form"),
        }
        self
    }

    /// Says which fields are wrong.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { field: name.into(), message: message.into() });
        self
    }

    /// When to try again: whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The name of the kind.
    #[must_use]
    pub fn kind_name(&self) -> &str {
        &self.0.name
    }

    /// Whether the problem is of this kind.
    #[must_use]
    pub fn is(&self, kind: &Kind) -> bool {
        self.0.name == kind.name
    }

    /// What happened, for a person.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The fields that are wrong.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// A member that the kind adds to the document.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.members.get(name)
    }

    /// The whole seconds after which to try again, if it makes sense to: 429 and 503 always say so.
    fn retry_after_seconds(&self) -> Option<u64> {
        let always = matches!(self.0.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let after = self.0.retry_after.or(always.then_some(Duration::ZERO))?;
        Some(after.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1))
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.name, self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after_seconds();
        // A map of JSON values always has a JSON form.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests;
