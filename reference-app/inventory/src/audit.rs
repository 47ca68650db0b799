//! What an audit reads of the inventory, beside the running service or without one. Holds are not in it: they
//! live in the seat lock.

use std::path::Path;

use contract::inventory::SeatState;
use platform::StartError;
use ticketblitz_core::{BookingId, EventId, SeatId, Timestamp};
use ticketblitz_lock::Fence;

pub use crate::store::{Claim, ClaimState};

/// All events, their places and the claims on them.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub events: Vec<Event>,
    pub areas: Vec<Area>,
    /// The seats that were ever claimed.
    pub seats: Vec<ClaimedSeat>,
    pub claims: Vec<Claim>,
}

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: EventId,
    pub max_per_customer: u32,
    pub sales_end: Timestamp,
    pub closed: bool,
    /// The highest of its claims.
    pub fence: Fence,
    /// How many its layout has.
    pub seats: u32,
}

/// An area of an event.
#[derive(Debug, Clone)]
pub struct Area {
    pub event: EventId,
    pub name: String,
    pub capacity: u32,
    /// In payment and sold.
    pub taken: u32,
}

/// A seat that was claimed at least once.
#[derive(Debug, Clone)]
pub struct ClaimedSeat {
    pub event: EventId,
    pub seat: SeatId,
    /// Whose claim was the last.
    pub booking: BookingId,
    pub fence: Fence,
    /// Paying, sold or available.
    pub state: SeatState,
    /// Whether the event has such a seat.
    pub in_layout: bool,
}

/// What is in `{data_dir}/inventory.db`, of one moment; nothing is written.
///
/// # Errors
/// A sentence that names the file: it cannot be read.
pub async fn snapshot(data_dir: &Path) -> Result<Snapshot, StartError> {
    platform::db::look(data_dir, "inventory", |conn| Box::pin(crate::store::sqlite::audit::snapshot(conn)))
        .await
}
