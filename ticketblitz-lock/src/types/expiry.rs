//! The stream of holds that lapsed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::Hold;

/// A place in the expiry stream. Opaque: only the backend that made it can read it.
///
/// The default is the beginning: the oldest expiry that the backend still remembers. As text it can be stored,
/// to go on from there after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// The place that a backend wrote as `text`.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text a backend wrote; empty at the beginning.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A piece of the expiry stream.
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::Duration;
/// # use ticketblitz_core::{EventId, ManualClock, Timestamp};
/// # use ticketblitz_lock::{Cursor, EventSnapshot, LockError, MemoryStore, SeatLocks};
/// # async fn run() -> Result<(), LockError> {
/// # let clock = ManualClock::at(Timestamp::EPOCH);
/// # let locks = SeatLocks::new(MemoryStore::new(Arc::new(clock.clone())));
/// # let event = EventId::new();
/// # locks.load(&EventSnapshot::new(event)).await?;
/// locks.hold(event, ["A1"]).owner("alice").ttl(Duration::from_secs(60)).await?;
/// clock.advance(Duration::from_secs(60));
/// let told = locks.expired(&Cursor::default(), 100).await?;
/// assert_eq!(told.holds[0].owner.as_str(), "alice");
/// assert!(locks.expired(&told.next, 100).await?.holds.is_empty());
/// # Ok(())
/// # }
/// # futures::executor::block_on(run()).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired {
    /// The holds as they were when they lapsed, `ttl` zero; in payment too, when a grace ran out.
    pub holds: Vec<Hold>,
    /// Where to go on; equal to the cursor that was given if there is nothing new.
    pub next: Cursor,
    /// The stream had forgotten expiries between the given cursor and the first of `holds`: look at
    /// [`status`](crate::SeatStore::status) instead of relying on the stream.
    pub missed: bool,
}

impl Expired {
    /// For backends.
    #[must_use]
    pub const fn new(holds: Vec<Hold>, next: Cursor, missed: bool) -> Self {
        Self { holds, next, missed }
    }
}
