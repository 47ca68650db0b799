//! Events on their way between services.

use serde::Serialize;
use serde::de::DeserializeOwned;
use ticketblitz_core::{Envelope, Timestamp};

pub use ticketblitz_saga::{Consumer, HandleError, Handler};

use crate::telemetry;

/// An event that happened `now`, in the trace of what runs now. `sequence` is the aggregate's version, `key`
/// its id.
///
/// # Panics
/// If `data` has no JSON form: a map with keys that are no text, in a type of our own.
pub fn event(
    kind: impl Into<String>,
    key: impl Into<String>,
    sequence: u64,
    data: &impl Serialize,
    now: Timestamp,
) -> Envelope {
    let data = serde_json::to_value(data).expect("an event's data has a JSON form");
    Envelope::new(kind, key, now, data).with_sequence(sequence).with_trace(telemetry::traceparent())
}

/// What an event says.
///
/// # Errors
/// [`HandleError::Poison`]: it says something else than its kind promises, and always will.
pub fn decode<T: DeserializeOwned>(message: &Envelope) -> Result<T, HandleError> {
    serde_json::from_value(message.data.clone())
        .map_err(|error| HandleError::Poison(format!("{} cannot be read: {error}", message.kind)))
}
