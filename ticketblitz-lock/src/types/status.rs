//! What a store tells about an event.

use std::fmt;

use ticketblitz_core::SeatId;

use crate::types::Channel;

/// Why a seat is not free. There is no other reason: whoever matches it has every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeatState {
    /// Somebody holds it.
    Held,
    /// Somebody is paying for it.
    Paying,
    /// It is sold.
    Sold,
    /// It is reserved for a channel that the request did not name.
    Reserved,
}

impl fmt::Display for SeatState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Paying => "in payment",
            Self::Sold => "sold",
            Self::Reserved => "reserved",
        })
    }
}

/// All of an event at one moment.
///
/// ```
/// # use ticketblitz_core::EventId;
/// # use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks, SeatState};
/// # async fn run() -> Result<(), LockError> {
/// # let locks = SeatLocks::new(MemoryStore::default());
/// # let event = EventId::new();
/// # locks.load(&EventSnapshot::new(event)).await?;
/// locks.hold(event, ["B1", "A1"]).owner("alice").await?;
/// let status = locks.status(event).await?;
/// let told: Vec<_> = status.seats.iter().map(|(seat, state)| format!("{seat} {state}")).collect();
/// assert_eq!(told, ["A1 held", "B1 held"]);
/// # Ok(())
/// # }
/// # futures::executor::block_on(run()).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStatus {
    /// Another number after every change; never used twice for different states of an event.
    pub version: u64,
    /// The seats that are held, in payment or sold, in seat order. One that is reserved and nothing else is not among
    /// them: it is in `channels`.
    pub seats: Vec<(SeatId, SeatState)>,
    /// The areas, by section.
    pub areas: Vec<AreaStatus>,
    /// The reserved seats as they were [loaded](crate::SeatStore::load), whether free or taken: channels by name, each
    /// with its seats in seat order.
    pub channels: Vec<Channel>,
}

impl EventStatus {
    /// For backends: `seats` in seat order, `areas` by section.
    #[must_use]
    pub const fn new(version: u64, seats: Vec<(SeatId, SeatState)>, areas: Vec<AreaStatus>) -> Self {
        Self { version, seats, areas, channels: Vec::new() }
    }

    /// For backends: sets the reserved seats, channels by name, each with its seats in seat order.
    #[must_use]
    pub fn with_channels(mut self, channels: Vec<Channel>) -> Self {
        self.channels = channels;
        self
    }
}

/// A general-admission area at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
    /// For backends: an area of which nothing is taken.
    #[must_use]
    pub fn new(section: impl Into<String>, capacity: u32) -> Self {
        Self { section: section.into(), capacity, held: 0, paying: 0, sold: 0 }
    }

    /// How many are free; none when the capacity was lowered below what is taken.
    #[must_use]
    pub const fn free(&self) -> u32 {
        self.capacity.saturating_sub(self.held).saturating_sub(self.paying).saturating_sub(self.sold)
    }
}
