//! What a store is told about an event before its first hold.

use std::collections::{HashMap, HashSet};

use ticketblitz_core::{BookingId, EventId, SeatId, Timestamp};

use super::name::validate_name;
use crate::error::LockError;
use crate::types::request::validate_want;
use crate::types::{Fence, HoldId, Owner, Want};

/// Half of what there is, so that holds can go on above it for ever.
const HIGHEST: Fence = Fence::new(i64::MAX.unsigned_abs());

/// What the truth (a database of sales) knows of an event: handed to [`load`](crate::SeatStore::load).
///
/// ```
/// use ticketblitz_core::EventId;
/// use ticketblitz_lock::EventSnapshot;
/// let snapshot = EventSnapshot::new(EventId::new()).with_area("FLOOR", 500);
/// assert_eq!(snapshot.areas[0].capacity, 500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSnapshot {
    /// The event.
    pub event: EventId,
    /// The highest fence that the truth has seen for this event: every new hold gets a higher one.
    pub fence_floor: Fence,
    /// The event's general-admission areas.
    pub areas: Vec<Area>,
    /// The seats that are reserved, and for whom.
    pub channels: Vec<Channel>,
    /// All that is in payment or sold: one entry a hold.
    pub taken: Vec<Taken>,
}

impl EventSnapshot {
    /// An event of which nothing is taken, without areas and channels.
    #[must_use]
    pub const fn new(event: EventId) -> Self {
        Self { event, fence_floor: Fence::new(0), areas: Vec::new(), channels: Vec::new(), taken: Vec::new() }
    }

    /// Sets the highest fence that the truth has seen.
    #[must_use]
    pub const fn with_fence_floor(mut self, floor: Fence) -> Self {
        self.fence_floor = floor;
        self
    }

    /// Adds an area.
    #[must_use]
    pub fn with_area(mut self, section: impl Into<String>, capacity: u32) -> Self {
        self.areas.push(Area::new(section, capacity));
        self
    }

    /// Reserves seats for a channel: only a request that [names](crate::HoldRequest::channel) it can hold them.
    #[must_use]
    pub fn with_channel(mut self, name: impl Into<String>, seats: impl Into<Vec<SeatId>>) -> Self {
        self.channels.push(Channel::new(name, seats));
        self
    }

    /// Adds what is in payment or sold.
    #[must_use]
    pub fn with_taken(mut self, taken: Taken) -> Self {
        self.taken.push(taken);
        self
    }

    /// Refuses what could not be merged the same way twice. Backends call it before anything else.
    ///
    /// # Errors
    /// [`LockError::Invalid`]: an owner, section or channel without a name, with one of more than 512 bytes, or with a
    /// control character in it; an area or a channel twice, a seat that is reserved twice, an entry with neither hold nor
    /// booking, of nothing, of a seat twice or in an area that is not listed, two entries with the same hold, or with the same booking unless each names its hold; a
    /// fence above `i64::MAX`, which no time comes to and which would leave no room for those that have to be higher.
    pub fn validate(&self) -> Result<(), LockError> {
        let fences = self.taken.iter().map(|taken| taken.fence).chain([self.fence_floor]);
        if let Some(fence) = fences.max().filter(|fence| *fence > HIGHEST) {
            return Err(LockError::Invalid(format!("a fence of {fence}: it may be {HIGHEST} at most")));
        }
        let mut sections = HashSet::new();
        for area in &self.areas {
            area.validate()?;
            if !sections.insert(area.section.as_str()) {
                return Err(LockError::Invalid(format!("area {} is listed twice", area.section)));
            }
        }
        self.validate_channels()?;
        let (mut holds, mut bookings) = (HashSet::new(), HashMap::new());
        for taken in &self.taken {
            if taken.hold.is_none() && taken.booking.is_none() {
                return Err(LockError::invalid("a taken entry has neither hold nor booking"));
            }
            taken.owner.validate()?;
            validate_want(&taken.want, u32::MAX)?;
            if let Some(hold) = taken.hold.filter(|hold| !holds.insert(*hold)) {
                return Err(LockError::Invalid(format!("hold {hold} has two entries")));
            }
            // A booking may be of several holds: then each has to be known by its own.
            let named = taken.hold.is_some();
            if let Some(booking) = taken.booking
                && bookings.insert(booking, named).is_some_and(|before| !(before && named))
            {
                return Err(LockError::Invalid(format!(
                    "booking {booking} has two entries, and not each names its hold"
                )));
            }
            if let Want::Area { section, .. } = &taken.want
                && !sections.contains(section.as_str())
            {
                return Err(LockError::Invalid(format!("the event has no area {section}")));
            }
        }
        Ok(())
    }

    fn validate_channels(&self) -> Result<(), LockError> {
        let (mut names, mut seats) = (HashSet::new(), HashSet::new());
        for channel in &self.channels {
            validate_name("a channel", &channel.name)?;
            if !names.insert(channel.name.as_str()) {
                return Err(LockError::Invalid(format!("channel {} is listed twice", channel.name)));
            }
            if let Some(seat) = channel.seats.iter().find(|seat| !seats.insert(**seat)) {
                return Err(LockError::Invalid(format!("seat {seat} is reserved twice")));
            }
        }
        Ok(())
    }
}

/// Seats that are reserved: house seats, a fan club's, those for wheelchairs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Channel {
    /// Its name, unique in the event: 1 to 512 bytes, no control character.
    pub name: String,
    /// The seats that only a request that names the channel can hold.
    pub seats: Vec<SeatId>,
}

impl Channel {
    /// These seats, reserved.
    #[must_use]
    pub fn new(name: impl Into<String>, seats: impl Into<Vec<SeatId>>) -> Self {
        Self { name: name.into(), seats: seats.into() }
    }
}

/// A general-admission area.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Area {
    /// Its section, unique in the event: 1 to 512 bytes, no control character.
    pub section: String,
    /// How many units it has.
    pub capacity: u32,
}

impl Area {
    /// An area of so many units.
    #[must_use]
    pub fn new(section: impl Into<String>, capacity: u32) -> Self {
        Self { section: section.into(), capacity }
    }

    /// Refuses a section that not every backend could keep. [`EventSnapshot::validate`] does it for its own.
    ///
    /// # Errors
    /// [`LockError::Invalid`]: no name, one of more than 512 bytes, one with a control character.
    pub fn validate(&self) -> Result<(), LockError> {
        validate_name("a section", &self.section)
    }
}

/// What is in payment or sold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// The hold that it was taken with, if known. An entry needs a hold or a booking.
    pub hold: Option<HoldId>,
    /// The booking that it was taken for, if known. One of several holds has an entry for each, which names the hold.
    pub booking: Option<BookingId>,
    /// Who has it.
    pub owner: Owner,
    /// What is taken.
    pub want: Want,
    /// In payment or sold.
    pub state: TakenState,
    /// The hold's fence.
    pub fence: Fence,
}

impl Taken {
    /// What `owner` has, of no hold or booking yet.
    #[must_use]
    pub fn new(owner: impl Into<Owner>, want: Want, state: TakenState, fence: Fence) -> Self {
        Self { hold: None, booking: None, owner: owner.into(), want, state, fence }
    }

    /// Sets the hold that it was taken with.
    #[must_use]
    pub fn with_hold(mut self, hold: impl Into<Option<HoldId>>) -> Self {
        self.hold = hold.into();
        self
    }

    /// Sets the booking that it was taken for.
    #[must_use]
    pub fn with_booking(mut self, booking: impl Into<Option<BookingId>>) -> Self {
        self.booking = booking.into();
        self
    }
}

/// In payment or sold. There is nothing else: a backend that matches it has every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenState {
    /// In payment.
    Paying {
        /// When it lapses.
        until: Timestamp,
    },
    /// Sold.
    Sold,
}
