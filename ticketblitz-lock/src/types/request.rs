//! What is asked of a store.

use std::collections::HashSet;
use std::time::Duration;

use ticketblitz_core::{EventId, SeatId};

use crate::error::LockError;
use crate::types::{AttemptId, Owner};

const DEFAULT_TTL: Duration = Duration::from_secs(600);
const DEFAULT_CEILING: Duration = Duration::from_secs(30 * 60);

/// What a hold is of. There is nothing else: a backend that matches it has every case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Want {
    /// These seats.
    Seats(Vec<SeatId>),
    /// Some units of an area: general admission.
    Area {
        /// The area's section.
        section: String,
        /// How many units.
        quantity: u32,
    },
}

impl Want {
    /// How many units this is: one a seat.
    #[must_use]
    pub fn units(&self) -> u32 {
        match self {
            Self::Seats(seats) => u32::try_from(seats.len()).unwrap_or(u32::MAX),
            Self::Area { quantity, .. } => *quantity,
        }
    }

    /// The seats; none if it is an area.
    #[must_use]
    pub fn seats(&self) -> &[SeatId] {
        match self {
            Self::Seats(seats) => seats,
            Self::Area { .. } => &[],
        }
    }
}

/// A request for a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldRequest {
    /// The event.
    pub event: EventId,
    /// Who will hold.
    pub owner: Owner,
    /// The same for all the repeats of this request.
    pub attempt: AttemptId,
    /// What to hold.
    pub want: Want,
    /// How long; ten minutes by default.
    pub ttl: Duration,
    /// How long with all extensions, counted from the hold's beginning; half an hour by default.
    pub ceiling: Duration,
    /// The most units of the event that the owner may hold, pay and have bought together.
    pub limit: Option<u32>,
}

impl HoldRequest {
    /// A new attempt with the defaults.
    #[must_use]
    pub fn new(event: EventId, owner: impl Into<Owner>, want: Want) -> Self {
        Self {
            event,
            owner: owner.into(),
            attempt: AttemptId::new(),
            want,
            ttl: DEFAULT_TTL,
            ceiling: DEFAULT_CEILING,
            limit: None,
        }
    }

    /// Repeats an attempt made before.
    #[must_use]
    pub fn attempt(mut self, attempt: AttemptId) -> Self {
        self.attempt = attempt;
        self
    }

    /// Sets how long to hold.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how long the hold may last with all its extensions.
    #[must_use]
    pub fn ceiling(mut self, ceiling: Duration) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// Sets the most units of the event that the owner may have.
    #[must_use]
    pub fn limit(mut self, limit: impl Into<Option<u32>>) -> Self {
        self.limit = limit.into();
        self
    }

    /// Refuses what no state of a store could make possible. Backends call it before anything else.
    ///
    /// # Errors
    /// [`LockError::Invalid`]: nothing wanted, a seat twice, more than `max_units`, no time to live, or more of it
    /// than the ceiling.
    pub fn validate(&self, max_units: u32) -> Result<(), LockError> {
        let units = self.want.units();
        if units == 0 {
            return Err(LockError::invalid("a hold needs at least one seat or unit"));
        }
        if units > max_units {
            return Err(LockError::Invalid(format!("a hold may have at most {max_units} seats or units")));
        }
        if let Some(seat) = repeated(self.want.seats()) {
            return Err(LockError::Invalid(format!("seat {seat} is named twice")));
        }
        if self.ttl.as_micros() == 0 {
            return Err(LockError::invalid("a hold needs a time to live"));
        }
        if self.ttl > self.ceiling {
            return Err(LockError::invalid("the time to live is longer than the ceiling"));
        }
        Ok(())
    }
}

fn repeated(seats: &[SeatId]) -> Option<SeatId> {
    // Few seats are the rule, and comparing them costs less than hashing them.
    if seats.len() <= 16 {
        return seats
            .iter()
            .enumerate()
            .find(|&(at, seat)| seats[..at].contains(seat))
            .map(|(_, seat)| *seat);
    }
    let mut seen = HashSet::with_capacity(seats.len());
    seats.iter().find(|seat| !seen.insert(**seat)).copied()
}
