//! Reading requests. What cannot be read is answered with a problem that says what is wrong.

mod json;
mod page;
mod query;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path as AxumPath};
use http::request::Parts;
use serde::de::DeserializeOwned;

pub use json::Json;
pub use page::{Listed, Page};
pub use query::{Parameters, Query};

use crate::problem::Problem;

/// The parts of the path. What does not parse names nothing that is here: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found: Result<AxumPath<T>, PathRejection> = AxumPath::from_request_parts(parts, state).await;
        found
            .map(|AxumPath(value)| Self(value))
            .map_err(|_| Problem::not_found(format!("there is nothing at {}", parts.uri.path())))
    }
}

#[cfg(test)]
mod tests;
