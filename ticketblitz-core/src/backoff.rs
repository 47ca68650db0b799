//! How long to wait between tries.

use std::time::Duration;

/// Exponential backoff with full jitter: before try `n` (from 1) a random time between half and all of
/// `base * 2^(n-1)`, at most `most`. The jitter keeps those who failed together from coming back together.
///
/// ```
/// use std::time::Duration;
/// use ticketblitz_core::Backoff;
/// let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// let third = backoff.delay(3);
/// assert!(third >= Duration::from_millis(100) && third <= Duration::from_millis(200));
/// assert!(backoff.delay(1_000) <= Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    most: Duration,
}

impl Backoff {
    /// Starts at `base`, doubles each time, never waits longer than `most`.
    #[must_use]
    pub const fn new(base: Duration, most: Duration) -> Self {
        Self { base, most }
    }

    /// How long to wait after `failures` failed tries in a row.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let whole = self.base.saturating_mul(1 << doublings).min(self.most);
        whole.mul_f64(rand::random_range(0.5..=1.0))
    }
}

impl Default for Backoff {
    /// 50 ms, doubling up to 5 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(5))
    }
}
