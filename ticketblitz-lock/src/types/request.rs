//! What is asked of a store.

use std::collections::HashSet;
use std::time::Duration;

use ticketblitz_core::{EventId, SeatId};

use super::name::validate_name;
use crate::error::LockError;
use crate::types::{AttemptId, HoldRef, Owner};

/// More candidates than anybody would choose among; a request is one message, and its length is bounded.
const MAX_CANDIDATES: usize = 100;
const DEFAULT_TTL: Duration = Duration::from_secs(600);
const DEFAULT_CEILING: Duration = Duration::from_secs(30 * 60);

/// What a hold is of. There is nothing else: a backend that matches it has every case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Want {
    /// These seats.
    Seats(Vec<SeatId>),
    /// Some units of an area: general admission.
    Area {
        /// The area's section: 1 to 512 bytes, no control character.
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
///
/// ```
/// use ticketblitz_core::EventId;
/// use ticketblitz_lock::{HoldRequest, Want};
/// let seats = |names: [&str; 2]| Want::Seats(names.map(|name| name.parse().unwrap()).into());
/// let request = HoldRequest::new(EventId::new(), "alice", seats(["A1", "A2"]))
///     .or(seats(["B1", "B2"])) // if A1 or A2 is not free
///     .channel("fan club") // may have the seats kept for it
///     .limit(8);
/// assert_eq!(request.candidates().count(), 2);
/// assert!(request.validate(100).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldRequest {
    /// The event.
    pub event: EventId,
    /// Who will hold.
    pub owner: Owner,
    /// The same for all the repeats of this request.
    pub attempt: AttemptId,
    /// What to hold: the first candidate.
    pub want: Want,
    /// What to hold if that is not wholly available: further candidates, the first available one wins.
    pub alternatives: Vec<Want>,
    /// The channels whose reserved seats it may hold besides those that nobody reserved: 1 to 512 bytes each, no control
    /// character.
    pub channels: Vec<String>,
    /// The owner's own hold that is given up for this one, in the same step and only if this one succeeds.
    pub replacing: Option<HoldRef>,
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
            alternatives: Vec::new(),
            channels: Vec::new(),
            replacing: None,
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

    /// Adds a candidate, to be held if none before it is wholly available.
    #[must_use]
    pub fn or(mut self, want: Want) -> Self {
        self.alternatives.push(want);
        self
    }

    /// Lets it hold the seats that are reserved for this channel. Can be called for several.
    #[must_use]
    pub fn channel(mut self, name: impl Into<String>) -> Self {
        self.channels.push(name.into());
        self
    }

    /// Gives up the owner's own hold for this one.
    #[must_use]
    pub fn replacing(mut self, hold: impl Into<Option<HoldRef>>) -> Self {
        self.replacing = hold.into();
        self
    }

    /// All that would do, the preferred first.
    pub fn candidates(&self) -> impl Iterator<Item = &Want> + Clone {
        std::iter::once(&self.want).chain(&self.alternatives)
    }

    /// Refuses what no state of a store could make possible. Backends call it before anything else.
    ///
    /// # Errors
    /// [`LockError::Invalid`]: an owner, section or channel without a name, with one of more than 512 bytes, or with a
    /// control character in it; a candidate of nothing, of a seat twice, or of more than `max_units`; more than a hundred
    /// candidates, or more than `max_units` seats in all of them; a hold of another event to replace; no time to live,
    /// or more of it than the ceiling.
    pub fn validate(&self, max_units: u32) -> Result<(), LockError> {
        self.owner.validate()?;
        for want in self.candidates() {
            validate_want(want, max_units)?;
        }
        for channel in &self.channels {
            validate_name("a channel", channel)?;
        }
        if self.alternatives.len() >= MAX_CANDIDATES {
            return Err(LockError::Invalid(format!("a hold may have at most {MAX_CANDIDATES} candidates")));
        }
        if self.candidates().map(|want| want.seats().len()).sum::<usize>() > max_units as usize {
            return Err(LockError::Invalid(format!(
                "the candidates may have at most {max_units} seats together"
            )));
        }
        if self.replacing.is_some_and(|hold| hold.event != self.event) {
            return Err(LockError::invalid("a hold can only replace one of the same event"));
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

pub(super) fn validate_want(want: &Want, max_units: u32) -> Result<(), LockError> {
    let units = want.units();
    if units == 0 {
        return Err(LockError::invalid("a hold needs at least one seat or unit"));
    }
    if units > max_units {
        return Err(LockError::Invalid(format!("a hold may have at most {max_units} seats or units")));
    }
    if let Want::Area { section, .. } = want {
        validate_name("a section", section)?;
    }
    if let Some(seat) = repeated(want.seats()) {
        return Err(LockError::Invalid(format!("seat {seat} is named twice")));
    }
    Ok(())
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
