//! What an audit reads of the counts, beside the running service or without one.

use std::path::Path;

use platform::StartError;
use ticketblitz_core::{BookingId, EventId};

use crate::store::sqlite;

/// The counts of all events that were published.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub events: Vec<Event>,
    pub counted: Vec<Counted>,
}

/// How many places an event has, and how many of them are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub total: u32,
    pub taken: u32,
}

/// A booking that `taken` counts: confirmed, and not cancelled since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub booking: BookingId,
    pub event: EventId,
    pub quantity: u32,
}

/// What is in `{data_dir}/event.db`, of one moment; nothing is written.
///
/// # Errors
/// A sentence that names the file: it cannot be read.
pub async fn snapshot(data_dir: &Path) -> Result<Snapshot, StartError> {
    platform::db::look(data_dir, "event", |conn| Box::pin(sqlite::snapshot(conn))).await
}
