//! What an audit reads of the events and their counts, beside the running service or without one.

use std::path::Path;

use platform::StartError;
use ticketblitz_core::{BookingId, EventId};

pub use crate::domain::Phase;
use crate::store::sqlite;

/// All events, drafts too, and what they count.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub events: Vec<Event>,
    pub counted: Vec<Counted>,
}

/// An event: whether it is shown, what it allows, how many places it has, and how many of them are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub phase: Phase,
    pub max_per_customer: u32,
    /// A change or a cancellation was begun and has not ended: the inventory may know of it already.
    pub changing: bool,
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
