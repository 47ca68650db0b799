//! Rate limits: so many requests a second for a user, and for an address that shows no token.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ticketblitz_core::UserId;

/// Keys kept before those that are full again are dropped: memory stays bounded however many addresses come.
const KEYS_BEFORE_SWEEP: usize = 50_000;

/// Whose budget a request takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    User(UserId),
    Address(IpAddr),
}

/// So many requests a second each, with a burst of the same size; or no limit.
#[derive(Debug, Clone, Default)]
pub struct RateLimit(Option<Arc<DefaultKeyedRateLimiter<Payer>>>);

impl RateLimit {
    /// No limit.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// `requests` a second for each user and each address.
    #[must_use]
    pub fn per_second(requests: NonZeroU32) -> Self {
        Self(Some(Arc::new(RateLimiter::keyed(Quota::per_second(requests)))))
    }

    /// Takes one request from the payer's budget, or says how long until there is one.
    pub(crate) fn take(&self, payer: Payer) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        if limiter.len() > KEYS_BEFORE_SWEEP {
            limiter.retain_recent();
        }
        limiter.check_key(&payer).map_err(|refused| refused.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_payer_has_a_budget_of_their_own() {
        let limit = RateLimit::per_second(NonZeroU32::new(3).expect("not zero"));
        let (one, other) = (Payer::User(UserId::new()), Payer::User(UserId::new()));
        let passed = (0..50).filter(|_| limit.take(one).is_ok()).count();
        assert!((3..10).contains(&passed), "{passed} of 50 passed a budget of 3");
        assert!(limit.take(one).expect_err("spent") <= Duration::from_secs(1));
        assert_eq!(limit.take(other), Ok(()));
        assert!((0..1_000).all(|_| RateLimit::off().take(one).is_ok()));
    }
}
