//! What is worth a log line, but not one a request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);

/// Says when to say something again that may go on happening: a full disk fails every request in the same words. The
/// first time at once, then at most once a second.
///
/// ```
/// static UNREACHABLE: ticketblitz_core::Seldom = ticketblitz_core::Seldom::new();
/// assert_eq!(UNREACHABLE.due(), Some(0));
/// assert_eq!(UNREACHABLE.due(), None); // so soon again
/// ```
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Said { last: None, left_out: 0 }))
    }

    /// It happened. If it is to be said now: how often it happened since it was last said, this time left out.
    pub fn due(&self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    fn due_at(&self, now: Instant) -> Option<u64> {
        // Every state of it is a good one.
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.last.is_some_and(|last| now.saturating_duration_since(last) < EVERY) {
            said.left_out += 1;
            return None;
        }
        said.last = Some(now);
        Some(std::mem::take(&mut said.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_at_once_then_once_a_second_with_how_many_were_left_out() {
        let (seldom, begin) = (Seldom::new(), Instant::now());
        let at = |millis| seldom.due_at(begin + Duration::from_millis(millis));
        assert_eq!((at(0), at(1), at(999)), (Some(0), None, None));
        assert_eq!((at(1_000), at(1_999), at(2_000)), (Some(2), None, Some(1)));
        assert_eq!(at(60_000), Some(0), "nothing was left out");
    }
}
