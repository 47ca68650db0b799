//! What the crowd had to wait for, and how it ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::super::api::Failure;
use crate::out::say;

const GROWS: &str = "a histogram that grows by itself takes every value";
/// A day: more is no step's time.
const LONGEST: u64 = 86_400_000_000;

/// What a buyer waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Hold,
    /// A hold that was refused because somebody else was faster.
    Taken,
    Book,
    Confirm,
    Whole,
}

impl Step {
    const ALL: [Self; 5] = [Self::Hold, Self::Taken, Self::Book, Self::Confirm, Self::Whole];

    fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Taken => "hold refused (seat taken)",
            Self::Book => "book",
            Self::Confirm => "wait until confirmed",
            Self::Whole => "first try to confirmed",
        }
    }
}

#[derive(Debug)]
pub(super) struct Tally {
    /// Microseconds, to three digits; one for each of [`Step::ALL`].
    steps: [Histogram<u64>; 5],
    /// By the booking's status.
    ended: BTreeMap<String, u64>,
    /// By the kind of the problem, with one of its sentences.
    errors: BTreeMap<String, (u64, String)>,
}

impl Default for Tally {
    fn default() -> Self {
        let histogram = || Histogram::new(3).expect("three digits are within 0 to 5");
        Self { steps: std::array::from_fn(|_| histogram()), ended: BTreeMap::new(), errors: BTreeMap::new() }
    }
}

impl Tally {
    pub(super) fn took(&mut self, step: Step, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST).min(LONGEST);
        // Not `saturating_record`, which takes a long time for the longest that it has seen and does not grow.
        self.steps[step as usize].record(micros).expect(GROWS);
    }

    pub(super) async fn timed<T>(
        &mut self,
        step: Step,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let answer = request.await?;
        self.took(step, began.elapsed());
        Ok(answer)
    }

    pub(super) fn ended(&mut self, ended: Result<String, Failure>) {
        match ended {
            Ok(status) => *self.ended.entry(status).or_default() += 1,
            Err(failure) => {
                let kind = failure.kind.clone().unwrap_or_else(|| "no answer".to_owned());
                let (count, _) = self.errors.entry(kind).or_insert_with(|| (0, failure.to_string()));
                *count += 1;
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            mine.add(theirs).expect(GROWS);
        }
        for (status, count) in &other.ended {
            *self.ended.entry(status.clone()).or_default() += count;
        }
        for (kind, (count, sentence)) in &other.errors {
            self.errors.entry(kind.clone()).or_insert_with(|| (0, sentence.clone())).0 += count;
        }
    }

    pub(super) fn print(&self, took: Duration) {
        say!(
            "{:<26} {:>8} {:>11} {:>11} {:>11} {:>11}",
            "step",
            "count",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "max ms"
        );
        for step in Step::ALL {
            let times = &self.steps[step as usize];
            let at = |micros: u64| format!("{}.{:03}", micros / 1_000, micros % 1_000);
            let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|quantile| at(times.value_at_quantile(quantile)));
            let max = at(times.max());
            say!("{:<26} {:>8} {p50:>11} {p90:>11} {p99:>11} {max:>11}", step.name(), times.len());
        }
        let ended: Vec<_> = self.ended.iter().map(|(status, count)| format!("{count} {status}")).collect();
        say!("\n{}", ended.join(", "));
        for (kind, (count, sentence)) in &self.errors {
            say!("{count} {kind}, such as: {sentence}");
        }
        let confirmed = self.ended.get("CONFIRMED").copied().unwrap_or_default();
        let seconds = took.as_secs_f64();
        #[allow(clippy::cast_precision_loss)] // a rate to be read
        let rate = confirmed as f64 / seconds;
        let errors = self.errors();
        say!("{confirmed} confirmed in {seconds:.2} s: {rate:.0} confirmed/s, {errors} errors");
    }

    fn errors(&self) -> u64 {
        self.errors.values().map(|(count, _)| count).sum()
    }

    /// Whether every buyer got an answer and every booking came to an end.
    pub(super) fn verdict(&self) -> Result<(), String> {
        let errors = self.errors();
        let pending = self.ended.get("PENDING").copied().unwrap_or_default();
        match (errors, pending) {
            (0, 0) => Ok(()),
            _ => Err(format!("{errors} buyers met an error, {pending} bookings did not end in time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_as_they_were_however_long() {
        let mut whole = Tally::default();
        for millis in [1, 250, 40_000] {
            let mut lane = Tally::default();
            lane.took(Step::Book, Duration::from_millis(millis));
            whole.add(&lane);
        }
        whole.took(Step::Book, Duration::MAX);
        let book = &whole.steps[Step::Book as usize];
        for (quantile, millis) in [(0.25, 1), (0.5, 250), (0.75, 40_000), (1.0, LONGEST / 1_000)] {
            let (value, micros) = (book.value_at_quantile(quantile), millis * 1_000);
            assert!(value.abs_diff(micros) <= micros / 500, "{value} for {micros} at {quantile}");
        }
    }

    #[test]
    fn an_error_or_a_booking_without_end_fails_the_demo() {
        let mut whole = Tally::default();
        for _ in 0..2 {
            let mut lane = Tally::default();
            lane.took(Step::Hold, Duration::from_micros(1_500));
            lane.ended(Ok("CONFIRMED".to_owned()));
            whole.add(&lane);
        }
        assert_eq!((whole.steps[0].len(), whole.ended["CONFIRMED"]), (2, 2));
        assert_eq!(whole.verdict(), Ok(()));
        let mut pending = Tally::default();
        pending.ended(Ok("PENDING".to_owned()));
        assert!(pending.verdict().expect_err("it did not end").contains("1 bookings"));
        whole.ended(Err("no connection".to_owned().into()));
        assert!(whole.verdict().expect_err("an error").starts_with("1 buyers"));
    }
}
