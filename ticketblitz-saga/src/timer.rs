//! Waiting for moments of a [`Clock`].

use ticketblitz_core::{Clock, Timestamp};

/// Returns at `moment`, never if there is none. Cancel safe.
///
/// The runtime's timers know nothing of the wall clock, which can be set, nor of a clock that a test moves: a long sleep
/// is several, with a look at the clock between them. That costs no query.
pub(crate) async fn sleep_until(clock: &dyn Clock, moment: Option<Timestamp>) {
    let Some(moment) = moment else { return std::future::pending().await };
    loop {
        let now = clock.now();
        if now >= moment {
            return;
        }
        tokio::time::sleep(moment.since(now).min(clock.look_again())).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    /// The runtime's own time, which stands still while anything can run, and what is added to it.
    #[derive(Debug)]
    struct PausedClock {
        started: Instant,
        added: Duration,
        /// In which second it shows the sum.
        from: u64,
        looks: AtomicU64,
    }

    impl PausedClock {
        fn new(added: Duration, from: u64) -> Self {
            Self { started: Instant::now(), added, from, looks: AtomicU64::new(0) }
        }
    }

    impl Clock for PausedClock {
        fn now(&self) -> Timestamp {
            self.looks.fetch_add(1, Ordering::SeqCst);
            let passed = self.started.elapsed();
            let added = if passed.as_secs() >= self.from { self.added } else { Duration::ZERO };
            Timestamp::EPOCH + passed + added
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_costs_a_look_a_second() {
        let clock = PausedClock::new(Duration::ZERO, 0);
        sleep_until(&clock, Some(Timestamp::EPOCH + Duration::from_secs(3_600))).await;
        let passed = clock.started.elapsed();
        assert!(passed >= Duration::from_secs(3_600) && passed < Duration::from_secs(3_601), "{passed:?}");
        let looks = clock.looks.load(Ordering::SeqCst);
        assert!(looks < 3_700, "{looks} looks");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_noticed() {
        let clock = PausedClock::new(Duration::from_secs(3_600), 10);
        sleep_until(&clock, Some(Timestamp::EPOCH + Duration::from_secs(3_600))).await;
        let passed = clock.started.elapsed();
        assert!(passed >= Duration::from_secs(10) && passed < Duration::from_secs(12), "{passed:?}");
    }
}
