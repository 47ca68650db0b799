//! What a store tells about an event.

use std::fmt;

use ticketblitz_core::SeatId;

/// Why a seat is not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeatState {
    /// Somebody holds it.
    Held,
    /// Somebody is paying for it.
    Paying,
    /// It is sold.
    Sold,
}

impl fmt::Display for SeatState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Paying => "in payment",
            Self::Sold => "sold",
        })
    }
}

/// All of an event at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventStatus {
    /// Another number after every change; never used twice for different states of an event.
    pub version: u64,
    /// The seats that are not free, in seat order.
    pub seats: Vec<(SeatId, SeatState)>,
    /// The areas, by section.
    pub areas: Vec<AreaStatus>,
}

/// A general-admission area at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaStatus {
    /// Its section.
    pub section: String,
    /// How many units it has.
    pub capacity: u32,
    /// How many are held.
    pub held: u32,
    /// How many are in payment.
    pub paying: u32,
    /// How many are sold.
    pub sold: u32,
}

impl AreaStatus {
    /// How many are free; none when the capacity was lowered below what is taken.
    #[must_use]
    pub const fn free(&self) -> u32 {
        self.capacity.saturating_sub(self.held).saturating_sub(self.paying).saturating_sub(self.sold)
    }
}
