//! What an audit reads of the bookings, beside the running service or without one.

use std::path::Path;

use platform::StartError;
use ticketblitz_core::{BookingId, SeatId};

use crate::domain::Booking;
use crate::store::sqlite;

/// All bookings and tickets.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub bookings: Vec<Booking>,
    /// Each ticket's booking and seat, those of cancelled bookings too. No seat in an area.
    pub tickets: Vec<(BookingId, Option<SeatId>)>,
}

/// What is in `{data_dir}/booking.db`, of one moment; nothing is written.
///
/// # Errors
/// A sentence that names the file: it cannot be read.
pub async fn snapshot(data_dir: &Path) -> Result<Snapshot, StartError> {
    platform::db::look(data_dir, "booking", |conn| Box::pin(sqlite::snapshot(conn))).await
}
