//! Fencing tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number that is higher in every later hold of the same seat.
///
/// Backends make it the larger of the last fence plus one and the store's time in microseconds, so that a store
/// that lost its memory does not start again below what it gave out. Sixteen digits: Lua has to print it with
/// `%.0f`, not with its default.
///
/// ```
/// use ticketblitz_lock::Fence;
/// assert!(Fence::new(8) > Fence::new(7));
/// assert_eq!(Fence::new(7).to_string(), "7");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(u64);

impl Fence {
    /// The fence with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
