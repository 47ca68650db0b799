//! What a lock operation can answer besides success.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::{SeatId, Timestamp};

use crate::types::{AttemptId, Fence, SeatState};

/// Why nothing was changed. Every variant but [`OutcomeUnknown`](Self::OutcomeUnknown) is definite.
///
/// ```
/// use ticketblitz_lock::LockError;
/// fn tell(error: &LockError) -> String {
///     match error {
///         LockError::Unavailable(conflicts) => format!("taken: {conflicts}"),
///         LockError::NotHeld => "your hold has lapsed, choose again".into(),
///         other => other.to_string(),
///     }
/// }
/// assert_eq!(tell(&LockError::NotHeld), "your hold has lapsed, choose again");
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The store knows nothing of the event: [load](crate::SeatStore::load) it, then try again.
    #[error("the event is not loaded")]
    NotLoaded,
    /// Some of what was wanted is not free; none of it was taken.
    #[error("unavailable: {0}")]
    Unavailable(Conflicts),
    /// There is no such live hold of this owner: unknown, lapsed, released, sold or somebody else's.
    #[error("the hold is not live")]
    NotHeld,
    /// The hold is being paid: it can neither be released nor extended.
    #[error("the hold is in payment")]
    InPayment,
    /// The hold may not last longer than its ceiling.
    #[error("the hold may last until {ceiling_at} at most")]
    CeilingReached {
        /// The latest moment that the hold may expire at.
        ceiling_at: Timestamp,
    },
    /// The owner would have more units of the event than the request's limit.
    #[error("{taken} of at most {limit} taken already")]
    LimitExceeded {
        /// The limit that the request named.
        limit: u32,
        /// What the owner holds, pays and has bought at present.
        taken: u32,
    },
    /// The attempt was made before, for another owner or other seats, and its hold is live.
    #[error("the attempt was made before with another request")]
    AttemptReused,
    /// The attempt succeeded before and its hold is no longer live, whoever asks for whatever now.
    #[error("the hold of this attempt is no longer live")]
    AttemptLapsed,
    /// A later hold has taken one of the seats.
    #[error("fence {seen} has been seen")]
    StaleFence {
        /// The highest fence found on the seats.
        seen: Fence,
    },
    /// The request can never succeed as it is.
    #[error("invalid: {0}")]
    Invalid(String),
    /// The backend refused or was not reached. Nothing was changed.
    #[error("the lock store failed")]
    Backend {
        /// The driver's error.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The backend was asked and its answer was lost: the operation may have happened. Send it again; a hold
    /// with the same attempt.
    #[error("the lock store's answer was lost")]
    OutcomeUnknown {
        /// The attempt to repeat, if the operation was a hold.
        attempt: Option<AttemptId>,
    },
}

impl LockError {
    /// A request that can never succeed.
    #[must_use]
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }

    /// A short name that stays as it is: for metrics, logs, and the wire.
    ///
    /// ```
    /// use ticketblitz_lock::LockError;
    /// assert_eq!(LockError::NotHeld.name(), "not_held");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotLoaded => "not_loaded",
            Self::Unavailable(_) => "unavailable",
            Self::NotHeld => "not_held",
            Self::InPayment => "in_payment",
            Self::CeilingReached { .. } => "ceiling_reached",
            Self::LimitExceeded { .. } => "limit_exceeded",
            Self::AttemptReused => "attempt_reused",
            Self::AttemptLapsed => "attempt_lapsed",
            Self::StaleFence { .. } => "stale_fence",
            Self::Invalid(_) => "invalid",
            Self::Backend { .. } => "backend",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }

    /// A failure of the backend that changed nothing.
    #[must_use]
    pub fn backend(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend { source: Arc::new(source) }
    }
}

/// All that stood in the way of a hold.
///
/// ```
/// # use ticketblitz_core::EventId;
/// # use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks, SeatState};
/// # async fn run() -> Result<(), LockError> {
/// # let locks = SeatLocks::new(MemoryStore::default());
/// # let event = EventId::new();
/// # locks.load(&EventSnapshot::new(event)).await?;
/// locks.hold(event, ["A1"]).owner("alice").await?;
/// let Err(LockError::Unavailable(conflicts)) = locks.hold(event, ["A1", "A2"]).owner("bob").await else {
///     panic!("A1 is held");
/// };
/// assert_eq!(conflicts.to_string(), "A1 is held");
/// assert_eq!((conflicts.seats.len(), conflicts.seats[0].state), (1, SeatState::Held));
/// assert!(conflicts.seats[0].retry_after.is_some());
/// # Ok(())
/// # }
/// # futures::executor::block_on(run()).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Conflicts {
    /// The seats that are not free, in the order they were asked for; each once, though several candidates had it.
    pub seats: Vec<SeatConflict>,
    /// The areas with too few free units, one entry a candidate.
    pub areas: Vec<AreaConflict>,
}

impl Conflicts {
    /// Seats that are not free.
    #[must_use]
    pub const fn of_seats(seats: Vec<SeatConflict>) -> Self {
        Self { seats, areas: Vec::new() }
    }

    /// Areas with too few free units.
    #[must_use]
    pub const fn of_areas(areas: Vec<AreaConflict>) -> Self {
        Self { seats: Vec::new(), areas }
    }

    /// For backends: seats and areas, of several candidates.
    #[must_use]
    pub const fn new(seats: Vec<SeatConflict>, areas: Vec<AreaConflict>) -> Self {
        Self { seats, areas }
    }
}

/// A seat that is not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeatConflict {
    /// The seat.
    pub seat: SeatId,
    /// Why it is not free.
    pub state: SeatState,
    /// After how long it becomes free if nothing else happens, from the store's answer on: what a `Retry-After` says. `None`
    /// for a seat that is sold or reserved.
    pub retry_after: Option<Duration>,
}

impl SeatConflict {
    /// For backends.
    #[must_use]
    pub const fn new(seat: SeatId, state: SeatState, retry_after: Option<Duration>) -> Self {
        Self { seat, state, retry_after }
    }
}

/// An area with too few free units.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AreaConflict {
    /// The area's section.
    pub section: String,
    /// How many were wanted.
    pub requested: u32,
    /// How many are free.
    pub available: u32,
}

impl AreaConflict {
    /// For backends.
    #[must_use]
    pub fn new(section: impl Into<String>, requested: u32, available: u32) -> Self {
        Self { section: section.into(), requested, available }
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for SeatConflict { seat, state, .. } in &self.seats {
            write!(f, "{separator}{seat} is {state}")?;
            separator = ", ";
        }
        for AreaConflict { section, requested, available } in &self.areas {
            write!(f, "{separator}{available} of {requested} left in {section}")?;
            separator = ", ";
        }
        Ok(())
    }
}
