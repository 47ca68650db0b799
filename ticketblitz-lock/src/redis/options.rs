//! How a [`RedisStore`](crate::RedisStore) is set up.

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::Clock;

/// How a [`RedisStore`](crate::RedisStore) is set up.
///
/// ```
/// use std::time::Duration;
/// use ticketblitz_lock::RedisOptions;
/// let options = RedisOptions::default().prefix("box-office").response_timeout(Duration::from_millis(250));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisOptions {
    pub(super) prefix: String,
    pub(super) keep: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) clock: Option<Arc<dyn Clock>>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "ticketblitz".to_owned(),
            keep: Duration::from_secs(30 * 86_400),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
            clock: None,
        }
    }
}

impl RedisOptions {
    /// Sets what every key begins with; `ticketblitz` by default. Stores with the same prefix are one store. Without `{`
    /// and `}`, which would change where a cluster keeps an event's keys: they are left out. A store with an empty one is
    /// refused.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.replace(['{', '}'], "");
        self
    }

    /// Sets how long an event is kept after the last change to it; thirty days by default, at least two hours, at most a
    /// hundred years. It stays for as long as a hold or payment of it can, and an hour. Afterwards it has to be loaded
    /// again.
    pub fn keep(mut self, keep: Duration) -> Self {
        // The server reckons with the end in milliseconds.
        self.keep = keep.clamp(Duration::from_secs(7_200), Duration::from_secs(100 * 365 * 86_400));
        self
    }

    /// Sets after how long a server that is not reached has failed; two seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets after how long an answer is lost; two seconds by default. Longer for a [load](crate::SeatStore::load) of
    /// many entries.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// For tests: the time is this clock's and not the server's.
    #[cfg(feature = "conformance")]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }
}
