//! What is done to a backend and to its floor alike.

use std::time::Instant;

use benches::disk::shared;
pub(crate) use benches::sale::Sale;
use benches::table::{median, percentile};

/// Callers at once, where there are many.
pub(crate) const CLIENTS: usize = 50;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// The medians are of so many.
    pub(crate) rounds: usize,
    /// Everything is divided by this.
    pub(crate) divisor: usize,
}

impl Scale {
    pub(crate) fn of(self, whole: usize) -> usize {
        whole / self.divisor
    }
}

/// How often a second many callers do this.
#[allow(clippy::cast_precision_loss)] // a rate to be read
pub(crate) async fn rate<F>(times: usize, work: impl Fn() -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    times as f64 / shared(CLIENTS, times, work).await.as_secs_f64()
}

/// The median of how long this takes one caller, in microseconds. In a task, as a handler runs.
pub(crate) async fn alone<F>(times: usize, work: impl Fn() -> F + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let run = async move {
        let mut took = Vec::with_capacity(times);
        for _ in 0..times {
            let began = Instant::now();
            work().await;
            took.push(began.elapsed().as_secs_f64() * 1e6);
        }
        percentile(&took, 50)
    };
    tokio::spawn(run).await.expect("the work does not panic")
}

/// Medians of what was measured in each round, of each thing.
pub(crate) fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|at| median(rounds.iter().map(|round| round[at]).collect()))
}
