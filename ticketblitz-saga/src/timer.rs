//! Waiting for moments of a [`Clock`].

use std::time::Duration;

use ticketblitz_core::{Clock, Timestamp};

/// The runtime's timers know nothing of the wall clock, which can be set, nor of a clock that a test moves: look
/// at it this often while something is timed. It costs a read of the clock, no query.
const LOOK: Duration = Duration::from_millis(20);

/// Returns at `moment`, never if there is none. Cancel safe.
pub(crate) async fn sleep_until(clock: &dyn Clock, moment: Option<Timestamp>) {
    let Some(moment) = moment else { return std::future::pending().await };
    loop {
        let now = clock.now();
        if now >= moment {
            return;
        }
        tokio::time::sleep(moment.since(now).min(LOOK)).await;
    }
}
