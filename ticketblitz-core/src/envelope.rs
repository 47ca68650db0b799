//! The envelope an event travels in.

use serde::{Deserialize, Serialize};

use crate::{MessageId, Timestamp};

/// An event on its way from one service to others, as JSON in camelCase.
///
/// `id` is the same in every delivery: consumers drop repeats by it. `key` names the aggregate (a booking's id,
/// say); order holds for one key within one topic only, and `sequence` is the aggregate's own version at the
/// time, so that a consumer can tell an old event from a new one.
///
/// ```
/// use serde_json::json;
/// use ticketblitz_core::{Envelope, Timestamp};
/// let sold = Envelope::new("seat.sold", "A1", Timestamp::EPOCH, json!({ "seat": "A1" })).with_sequence(3);
/// let text = serde_json::to_string(&sold).unwrap();
/// assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), sold);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Envelope {
    /// The same in every delivery of this event.
    pub id: MessageId,
    /// What happened, and the topic it is told on: `booking.confirmed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the shape of `data`.
    pub schema_version: u32,
    /// When it happened, by the clock of the service that tells it.
    pub occurred_at: Timestamp,
    /// The aggregate it happened to.
    pub key: String,
    /// The aggregate's version.
    pub sequence: u64,
    /// The W3C `traceparent` of the request it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What the event says, in the shape that `kind` and `schema_version` name.
    pub data: serde_json::Value,
}

impl Envelope {
    /// An event under a new id: `kind` happened to `key` and says `data`. Its `schema_version` and `sequence` are 1, it
    /// has no trace.
    #[must_use]
    pub fn new(
        kind: impl Into<String>,
        key: impl Into<String>,
        occurred_at: Timestamp,
        data: serde_json::Value,
    ) -> Self {
        Self {
            id: MessageId::new(),
            kind: kind.into(),
            schema_version: 1,
            occurred_at,
            key: key.into(),
            sequence: 1,
            trace: None,
            data,
        }
    }

    /// Sets the id, for one that follows from what happened.
    #[must_use]
    pub fn with_id(mut self, id: MessageId) -> Self {
        self.id = id;
        self
    }

    /// Sets the version of the shape of `data`.
    #[must_use]
    pub fn with_schema_version(mut self, version: u32) -> Self {
        self.schema_version = version;
        self
    }

    /// Sets the aggregate's version.
    #[must_use]
    pub fn with_sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// Sets the W3C `traceparent` of the request it happened in.
    #[must_use]
    pub fn with_trace(mut self, trace: impl Into<Option<String>>) -> Self {
        self.trace = trace.into();
        self
    }
}
