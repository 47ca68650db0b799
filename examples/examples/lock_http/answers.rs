//! What the service says: holds and refusals as JSON. Every error becomes a status here and nowhere else.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use ticketblitz_lock::{Conflicts, Hold, LockError};

pub fn held(hold: &Hold) -> Value {
    let seats: Vec<_> = hold.seats().iter().map(ToString::to_string).collect();
    json!({ "hold": hold.id, "seats": seats, "fence": hold.fence, "expires_at": hold.expires_at })
}

/// A refusal of the lock, as an answer.
#[derive(Debug)]
pub struct Refused(LockError);

impl From<LockError> for Refused {
    fn from(error: LockError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let mut body = json!({ "error": error.name(), "detail": error.to_string() });
        let mut wait = None;
        if let LockError::Unavailable(conflicts) = &error {
            body["seats"] = blocked(conflicts);
            wait = free_in(conflicts);
        }
        if let LockError::Backend { .. } | LockError::OutcomeUnknown { .. } = &error {
            wait = Some(Duration::from_secs(1));
        }
        let mut response = (status(&error), Json(body)).into_response();
        if let Some(wait) = wait {
            let seconds = wait.as_millis().div_ceil(1_000);
            response.headers_mut().extend(seconds.to_string().parse().ok().map(|value| (RETRY_AFTER, value)));
        }
        response
    }
}

fn status(error: &LockError) -> StatusCode {
    match error {
        LockError::NotLoaded => StatusCode::NOT_FOUND,
        LockError::Invalid(_) => StatusCode::BAD_REQUEST,
        LockError::AttemptReused => StatusCode::UNPROCESSABLE_ENTITY,
        LockError::NotHeld | LockError::AttemptLapsed => StatusCode::GONE,
        // Asked again with the same key, the second tells what came of the first.
        LockError::Backend { .. } | LockError::OutcomeUnknown { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    }
}

fn blocked(conflicts: &Conflicts) -> Value {
    let seats = conflicts.seats.iter().map(|conflict| {
        let seconds = conflict.retry_after.map(|after| after.as_secs_f64().ceil());
        json!({ "seat": conflict.seat, "state": conflict.state.to_string(), "retry_after": seconds })
    });
    seats.collect()
}

/// When all of the seats may be free; `None` if one of them will not be.
fn free_in(conflicts: &Conflicts) -> Option<Duration> {
    let waits: Option<Vec<_>> = conflicts.seats.iter().map(|conflict| conflict.retry_after).collect();
    waits?.into_iter().max()
}
