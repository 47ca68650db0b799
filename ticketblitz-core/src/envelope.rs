//! The envelope an event travels in.

use serde::{Deserialize, Serialize};

use crate::{MessageId, Timestamp};

/// An event on its way from one service to others, as JSON in camelCase.
///
/// `id` is the same in every delivery: consumers drop repeats by it. `key` names the aggregate (a booking's id,
/// say); order holds for one key within one topic only, and `sequence` is the aggregate's own version at the
/// time, so that a consumer can tell an old event from a new one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
